"""The study as its config describes it: checked, completed, and as the names that rules use."""

import fcntl
from dataclasses import asdict
from functools import cache
from hashlib import blake2b
from pathlib import Path
from time import time

import fkd
from fkd.errors import FkdError
from fkd.layouts import SYNTHETIC, missing_data
from fkd.report.narrowing import narrowing
from fkd.signatures.sufficiency import too_few
from fkd.study.code import Library
from fkd.study.config import complete
from fkd.study.models import TEACHER, Kind
from fkd.study.provenance import record_run
from fkd.study.sources import refuse_double_keys, state_of

SCHEMA = str(Path(workflow.basedir) / "workflow/schemas/config.schema.yaml")
PUBLISHED = Path(fkd.__file__).with_name("report") / "published.csv"

try:
    # Snakemake has read them, and of a key that stands twice kept the last.
    refuse_double_keys(workflow.configfiles)
    study = complete(config, SCHEMA)
except FkdError as error:
    raise WorkflowError(str(error)) from None

config.clear()
config.update(study.settings)

SCRIPTS = Path(workflow.basedir) / "workflow/scripts"
number_of = cache(Library(Path(fkd.__file__).parent).digest)

SHARDS = range(config["shards"])
MODELS = study.models_of(Kind.TEACHER, Kind.STUDENT)  # those that the study exports
RESULTS = ["eer", "table4", "table5", "table7"]

# Where a figure shows one set or a few models, these: the first set, the last student that the
# tables name, and beside the teacher one student of each kind.
JUDGED = study.judged[0]
SHOWN = study.shown
COMPARED = list(dict.fromkeys([TEACHER, *study.contrasted, SHOWN]))

LOSSES = [f"results/students/{name}/losses.csv" for name in study.trained]
LOSSES += ["results/teacher/losses.csv"] * study.teacher_is_trained

GPU = 1 if config["device"] == "cuda" else None  # some executors take 0 for a wish, too
# A resource and no parameter: the result of training does not depend on it.
TRAINING_MB = int(1000 * config["memory"])
NETWORK_ENV = f"../../envs/{'gpu' if GPU else 'cpu'}.yaml"


wildcard_constraints:
    shard=r"\d+",
    name=r"[A-Za-z0-9_-]+",
    student=r"[A-Za-z0-9_-]+",
    model=r"[A-Za-z0-9_-]+",
    references=r"\d+",


def growing(first):
    """A resource of which each further attempt of a job gets as much again.

    Megabytes count what Snakemake takes beside the script, too: about 1,000 on a cluster.
    """
    return lambda wildcards, attempt: attempt * first


def code_of(script, networks=(), losses=False):
    """The parameter that stands for a script and the code of `fkd` that it reaches.

    A script reaches networks and response losses by the names of the models that have them:
    `networks` gives these models, for all jobs or by wildcards, and `losses` says whether their
    losses count, too.

    Beside this parameter stand a rule's settings, by name and in one parameter: Snakemake compares
    the values of parameters without their names, so that of two that change places it sees nothing.
    """

    def number(wildcards):
        names = networks(wildcards) if callable(networks) else networks
        parts = study.code_of_models(names, losses)
        return number_of(SCRIPTS / f"{script}.py", tuple(parts))

    return number


def content_of(file):
    """The parameter that stands for a file of the project which a stage reads besides its inputs."""
    return blake2b(Path(file).read_bytes(), digest_size=8).hexdigest()


def data_path(path):
    """A path of the config, which starts from the folder that `data` names."""
    return str(Path(config["data"]).expanduser() / Path(path).expanduser())


def pages_state():
    """The parameter that stands for pages from outside; drawn ones are another job's."""
    layout, path = pages_source()
    return None if config["pages"]["layout"] == SYNTHETIC else state_of(path)


def signatures_state(wildcards):
    """The parameter that stands for signatures from outside: a folder's own date tells little."""
    drawn = wildcards.name in study.drawn_signatures
    return None if drawn else state_of(signatures_source(wildcards.name)["path"])


def model_state(wildcards):
    """The parameter that stands for a model of others; one of this study is another job's."""
    is_foreign = study.models[wildcards.model].kind is Kind.FOREIGN
    return state_of(onnx_file(wildcards.model)) if is_foreign else None


def pages_source():
    """Layout and folder of the pages; drawn ones lie in a folder for each writer."""
    if config["pages"]["layout"] == SYNTHETIC:
        return "folder", "results/synthetic/pages"
    return config["pages"]["layout"], data_path(config["pages"]["path"])


def signatures_source(name):
    """Layout, folder and patterns of a set of signatures."""
    entry = config["signatures"][name]
    if name in study.drawn_signatures:
        return {
            "layout": "folder",
            "path": f"results/synthetic/signatures/{name}",
            "genuine": "genuine/{writer}-{sample}.png",
            "skilled": "skilled/{writer}-{sample}.png",
            "expected": {
                key: entry["draw"][key] for key in ("writers", "genuine", "skilled")
            },
        }
    keys = ("layout", "genuine", "skilled", "expected")
    known = {key: entry[key] for key in keys if key in entry}
    return known | {"path": data_path(entry["path"])}


def signatures_settings(wildcards):
    """What the prepared set depends on, besides its images."""
    source = signatures_source(wildcards.name)
    source.pop("path")
    threshold = config["signatures"][wildcards.name]["threshold"]
    return source | {"threshold": threshold, "max_pixels": config["max_pixels"]}


def needed_data():
    """What has to lie on the disk before the first job, by config key."""
    needed = {}
    if config["pages"]["layout"] != SYNTHETIC:
        layout, path = pages_source()
        needed["pages.path"] = {"layout": layout, "path": path}
    if config["teacher"]["weights"]:
        weights = data_path(config["teacher"]["weights"])
        needed["teacher.weights"] = {"layout": "signet", "path": weights}
    for name in study.models_of(Kind.FOREIGN):
        needed[f"models.{name}.onnx"] = {"layout": "onnx", "path": onnx_file(name)}
    for name in config["signatures"]:
        if name in study.used and name not in study.drawn_signatures:
            needed[f"signatures.{name}.path"] = signatures_source(name)
    return needed


def model_weights(wildcards):
    """Weights of the teacher or of a student."""
    if study.models[wildcards.model].kind is Kind.TEACHER:
        return "results/teacher/weights.safetensors"
    return f"results/students/{wildcards.model}/weights.safetensors"


def onnx_file(model):
    """The ONNX file of a model, exported here or by others."""
    if study.models[model].kind is Kind.FOREIGN:
        return data_path(config["models"][model]["onnx"])
    return f"results/models/{model}.onnx"


def student_responses(wildcards):
    """The teacher's responses, for a student whose loss compares them."""
    if not study.students[wildcards.student].guided_by_response:
        return []
    return expand("results/teacher/responses/{shard}.h5", shard=SHARDS)


def student_geometry(wildcards):
    """The teacher's geometry, for a student whose loss compares it."""
    if not study.students[wildcards.student].guiding_maps:
        return []
    return expand("results/teacher/geometry/{shard}.h5", shard=SHARDS)


def student_settings(wildcards):
    """What a student depends on; one without geometry has no maps and no half."""
    student = study.students[wildcards.student]
    settings = {
        "student": config["students"][wildcards.student],
        "seed": config["seed"],
    }
    settings |= {"device": config["device"], "connections": {}}
    if student.guiding_maps:
        pairs = config["geometry"]["connections"][student.architecture]
        settings["connections"] = {name: pairs[name] for name in student.guiding_maps}
        settings["half"] = config["geometry"]["half"]
    return settings


def metrics(wildcards):
    """Error rates of every model, set and number of references."""
    return [
        f"results/metrics/{name}/{model}-{protocol.references}.csv"
        for name, protocols in study.protocols.items()
        for protocol in protocols
        for model in study.models
    ]


def evaluation_settings(wildcards):
    """What the evaluation of a set at a number of references depends on."""
    try:
        protocol = study.protocol(wildcards.name, int(wildcards.references))
    except FkdError as error:
        raise WorkflowError(str(error)) from None
    keys = ("C", "gamma")
    return {
        "protocol": asdict(protocol),
        **{key: config["evaluation"][key] for key in keys},
    }


def figure(place, **labels):
    """The two files of a figure; the report shows one of them, found by its labels."""
    name = place.partition("/")[0]
    shown = report(
        f"results/figures/{place}.svg",
        caption=f"../report/{name}.rst",
        category="Figures",
        labels={"figure": name} | labels,
    )
    return {"svg": shown, "png": f"results/figures/{place}.png"}


def figures():
    """The figures of this study: those whose models and losses it has."""
    places = ["appearance", "pipeline", "page", "references", "splits"]
    if study.guiding_maps:
        places += ["tree", "contrast"]
    if LOSSES:
        places += ["losses"]
    for name in study.judged:
        at_most = study.most_references(name)
        places += [f"curves/{name}-{at_most}", f"hardest/{name}/{SHOWN}-{at_most}"]
        places += [f"correlations/{name}"] * bool(study.compared)
    return [f"results/figures/{place}.svg" for place in places]


def lock_folder():
    """Let one run at a time work in this folder; however it ends, the system lifts the lock."""
    Path(".snakemake").mkdir(exist_ok=True)
    held = open(".snakemake/fkd.lock", "w", encoding="utf-8")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WorkflowError(
            f"Another run is at work in {Path.cwd()}. Wait for its end, or stop it."
        ) from None
    except (
        OSError
    ) as error:  # some file systems of clusters and containers have no locks
        print(
            f"warning: {Path.cwd()} cannot be locked ({error.strerror}), so that two runs at a "
            "time in this folder would not be noticed. Start one at a time."
        )
    return held


missing = missing_data(needed_data())
if missing:
    raise WorkflowError(
        "This study needs data that is not there. Paths start from the folder that `data` "
        f"names, {Path(config['data']).expanduser().resolve()}.\n\n"
        + "\n".join(missing)
    )

# Known from the lists of files alone, and told before the first job rather than after training.
insufficient = [
    message
    for name, protocols in study.protocols.items()
    if name not in study.drawn_signatures
    for message in too_few(name, signatures_source(name), protocols)
]
if insufficient:
    raise WorkflowError("\n".join(insufficient))
