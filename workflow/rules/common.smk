"""The study that the config describes, and the functions and names that the rules use."""

import fcntl
from dataclasses import asdict
from functools import cache
from hashlib import blake2b
from json import dumps
from math import ceil
from pathlib import Path
from re import escape
from shutil import copyfile
from time import time

import fkd
from fkd.errors import FkdError
from fkd.layouts import CROPS, LAYOUTS, SYNTHETIC, missing_data
from fkd.plugins import loaded_plugins, sources_of_plugins
from fkd.signatures.sufficiency import too_few
from fkd.storage.files import printable, printable_lines
from fkd.study.code import Library
from fkd.study.config import complete
from fkd.study.models import TEACHER, Kind
from fkd.study.parts import refuse_missing_timm
from fkd.study.origin import (
    claim_results,
    clear_leftovers,
    note_complete,
    refuse_results_of_others,
)
from fkd.study.provenance import RUN, RUNS, describe_run, record_run
from fkd.study.replicates import Replicate
from fkd.study.sources import expanded, refuse_double_keys, state_of

# The checkout with this file. `workflow.basedir` would be the folder of another project's Snakefile,
# where this workflow is one of its modules.
CHECKOUT = Path(workflow.current_basedir).parents[1]
IS_MODULE = Path(workflow.basedir).resolve() != CHECKOUT.resolve()

SCHEMA = str(CHECKOUT / "workflow/schemas/config.schema.yaml")
PUBLISHED = Path(fkd.__file__).with_name("report") / "published.csv"
PUBLISHED_PAIRS = PUBLISHED.with_name("published_pairs.csv")

try:
    # Snakemake has read these files already. Of a key that occurs twice, it keeps the last value.
    refuse_double_keys(workflow.configfiles)
    study = complete(config, SCHEMA)
except FkdError as error:
    raise WorkflowError(printable_lines(str(error))) from None

config.clear()
config.update(study.settings)

SCRIPTS = CHECKOUT / "workflow/scripts"
number_of = cache(Library(Path(fkd.__file__).parent, loaded_plugins()).digest)

RESULTS_FOLDER = Path("results")
# Snakemake's own records of the results.
RECORDS = Path(".snakemake")

# The protocols by set, as parameters of rules.
PROTOCOLS = {
    name: [asdict(protocol) for protocol in protocols]
    for name, protocols in study.protocols.items()
}

SHARDS = range(config["shards"])
# Drawing that many takes half a minute of a core.
WRITERS_A_JOB = 250
# The models that the study exports, those that it trains, and those of others: as ONNX files, and
# by features that were computed elsewhere.
MODELS = study.models_of(Kind.TEACHER, Kind.STUDENT)
# The models that get a card.
CARDED = study.models_of(Kind.TEACHER, Kind.STUDENT, Kind.SIAMESE)
TRAINED = [TEACHER] * study.teacher_is_trained + study.trained
DESCRIBED = study.described
FOREIGN = [name for name in study.models_of(Kind.FOREIGN) if name not in DESCRIBED]
RESULTS = ["eer"]
RESULTS += ["table4", "table5", "table7"] * bool(MODELS)
RESULTS += ["across"] * (len(study.verifiers) > 1 or len(study.judged) > 1)
# Whether thresholds are set beforehand.
VERIFIED = bool(config["evaluation"]["development"])
RESULTS += ["verifiers"] * VERIFIED
RESULTS += ["pairs", "pairs_audit"] * bool(study.judged_on_pairs)
RESULTS += ["fine_tuning"] * bool(study.fine_tuned)
# How each verifier of pairs compares signatures.
COMPARISONS = {"wi": "svm", "cosine": "cosine", "euclidean": "euclidean"}

# The drawn sets among those that are used.
DRAWN = [name for name in study.used if name in study.drawn_signatures]

# The set in figures that show only one: the first.
JUDGED = study.judged[0]
# The model in figures that show only one: the last trained student in the tables.
SHOWN = study.shown
# The models in the overview: the teacher, students that differ in their geometric loss, SHOWN, and
# models of others.
COMPARED = [*study.models_of(Kind.TEACHER), *study.contrasted, SHOWN]
COMPARED = list(dict.fromkeys(COMPARED + study.models_of(Kind.FOREIGN)))

# The checks of text and signatures. What trains does not wait for them by a file: Snakemake would
# then pass over edits of what trains in a run that repeats a check. Instead, they have priority over
# all other jobs, a failed one lets no further job start, and there are no tables without them.
LEAKS = "results/quarantine/copies.csv"
CHECKS = ["results/quarantine/text.csv"] * study.has_text + [LEAKS]

LOSSES = [f"results/students/{name}/losses.csv" for name in study.trained]
LOSSES += ["results/teacher/losses.csv"] * study.teacher_is_trained

# None and not 0, because some executors treat 0 as a request for a GPU, too.
GPU = 1 if config["device"] == "cuda" else None
# Memory is a resource and not a parameter, because the result of training does not depend on it.
TRAINING_MB = int(1000 * config["memory"])
NETWORK_ENV = f"../../envs/{'gpu' if GPU else 'cpu'}.yaml"


wildcard_constraints:
    shard=r"\d+",
    part=r"\d+",
    name=r"[A-Za-z0-9_-]+(\.\d+)?",
    student=r"[A-Za-z0-9_-]+(\.\d+)?",
    model=r"[A-Za-z0-9_-]+(\.\d+)?",
    teacher=rf"{TEACHER}(\.\d+)?",
    references=r"\d+",
    verifier="|".join(study.verifiers),
    pairs=r"[A-Za-z0-9_-]+",
    siamese="|".join(study.siamese) or "(?!)",


def growing(first):
    """Make a resource that grows with each attempt of a job: `first` times the attempt's number.

    Memory includes what Snakemake uses beside the script, which is about 1,000 MB on a cluster.
    """
    return lambda wildcards, attempt: attempt * first


def code_of(script, networks=(), losses=False, names=False, layouts=False):
    """Make the parameter that is a digest of a script and of the code in `fkd` that it reaches.

    Through its settings, a script also reaches the networks and losses of models. `networks` lists
    these models, or computes the list from the wildcards of a job. `losses` says whether to include
    their losses, `names` whether the script names parts of plugins, and `layouts` whether it reads
    a set of signatures by its layout.

    Besides this parameter, a rule has all of its settings in one parameter, a dict with names.
    Snakemake compares the values of parameters without their names, so it would not notice if two
    separate parameters exchanged their values.
    """

    def number(wildcards):
        models = networks(wildcards) if callable(networks) else networks
        parts = study.parts_of_models(models, losses)
        entries = [part.entry for part in parts if part.entry]
        if layouts:
            layout = config["signatures"][set_of(wildcards.name)]["layout"]
            entries += [LAYOUTS.entry(layout)] * (layout in LAYOUTS.origins)
        return number_of(
            SCRIPTS / f"{script}.py",
            tuple(part.place for part in parts),
            tuple(entries + study.names_of_plugins * names),
        )

    return number


def code_of_everything():
    """Compute a digest of the code of each stage, and of what each trained model is made of."""
    found = {path.stem: number_of(path) for path in sorted(SCRIPTS.glob("*.py"))}
    for name in [*MODELS, *study.siamese]:
        parts = study.parts_of_models([name], losses=True)
        entries = tuple(part.entry for part in parts if part.entry)
        found[f"model {name}"] = number_of(None, tuple(p.place for p in parts), entries)
    return found


def content_of(file):
    """Make the parameter that is a digest of a project file, which is not an input of the rule."""
    return blake2b(Path(file).read_bytes(), digest_size=8).hexdigest()


def digest_of(settings):
    """Make the parameter that is a digest of settings."""
    text = dumps(settings, sort_keys=True)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def data_path(path):
    """Resolve a path in the config, which is relative to the folder that `data` names."""
    try:
        place = str(expanded(config["data"]) / expanded(path))
    except FkdError as error:
        raise WorkflowError(str(error)) from None
    if set("{}") & set(place):
        raise WorkflowError(
            f"{place}: Snakemake takes braces in a path for wildcards. Rename the folder, or give "
            "a link to it that has none."
        )
    return place


def pages_state():
    """Make the parameter that is a digest of the user's pages; None for drawn pages."""
    path = pages_source()[1]
    return None if config["pages"]["layout"] == SYNTHETIC else state_of(path)


def signatures_state(wildcards):
    """Make the parameter that is a digest of a user's set of signatures; None for a drawn set.

    The date of a folder, which Snakemake compares, does not change with the files in subfolders.
    """
    drawn = set_of(wildcards.name) in study.drawn_signatures
    return None if drawn else state_of(signatures_source(wildcards.name)["path"])


def model_state(wildcards):
    """Make the parameter that is a digest of a model of others; None for a model of this study."""
    is_foreign = kind_of(wildcards.model) is Kind.FOREIGN
    return state_of(onnx_file(wildcards.model)) if is_foreign else None


def set_of(edition):
    """Name the set of an edition, see `Study.lessons`. Sets that are not fresh have one."""
    return Replicate.of(edition).model


def parts_of(draw):
    """Number the jobs in which writers are drawn, of whom each draws at most WRITERS_A_JOB."""
    return range(ceil(draw["writers"] / WRITERS_A_JOB))


def drawn_in(part, draw):
    """Collect the settings by which one of these jobs draws its writers."""
    before = int(part) * WRITERS_A_JOB
    return draw | {
        "first": draw.get("first", 1) + before,
        "writers": min(WRITERS_A_JOB, draw["writers"] - before),
        "seed": config["seed"],
    }


def drawn_files(pattern, draw):
    """List the patterns of what is drawn, by job, so that what an older run has left is none of it."""
    return expand(f"{{part}}/{pattern}", part=parts_of(draw), allow_missing=True)


def pages_source():
    """Return layout, folder and patterns of the pages."""
    if config["pages"]["layout"] == SYNTHETIC:
        patterns = drawn_files("{writer}/{page}.png", config["pages"]["draw"])
        return "folder", "results/synthetic/pages", patterns
    path = data_path(config["pages"]["path"])
    return config["pages"]["layout"], path, config["pages"].get("pattern")


def drawn_folders(folder, draw):
    """List what the jobs write that draw the data of a folder."""
    return expand(f"{folder}/{{part}}", part=parts_of(draw))


def pages_inputs():
    """Give the folder of the pages as an input, or what the jobs write that draw them."""
    path = pages_source()[1]
    if config["pages"]["layout"] == SYNTHETIC:
        return {"drawn": drawn_folders(path, config["pages"]["draw"])}
    return {"source": path}


def signatures_source(name):
    """Return layout, path, file patterns and expected counts of a set of signatures."""
    drawn = set_of(name)
    entry = config["signatures"][drawn]
    if drawn in study.drawn_signatures:
        return {
            "layout": "folder",
            "path": f"results/synthetic/signatures/{name}",
            "genuine": drawn_files("genuine/{writer}-{sample}.png", entry["draw"]),
            "skilled": drawn_files("skilled/{writer}-{sample}.png", entry["draw"]),
            "expected": {
                key: entry["draw"][key] for key in ("writers", "genuine", "skilled")
            },
        }
    keys = ("layout", "genuine", "skilled", "expected", "writers")
    known = {key: entry[key] for key in keys if key in entry}
    return known | {"path": data_path(entry["path"])}


def signatures_settings(wildcards):
    """Collect the settings on which a prepared set depends, besides its images."""
    source = signatures_source(wildcards.name)
    source.pop("path")
    name = set_of(wildcards.name)
    known = {"name": name, "max_pixels": config["max_pixels"]}
    return source | preparation_of(name) | known


def preparation_of(name):
    """Return how the scans of a set of signatures are prepared, where its config says it."""
    entry, keys = config["signatures"][name], ("threshold", "resolution", "canvas")
    return {key: entry[key] for key in keys if entry.get(key) is not None}


def signatures_inputs(wildcards):
    """Give the source of a set of signatures as an input, or what the jobs write that draw it."""
    path, drawn = signatures_source(wildcards.name)["path"], set_of(wildcards.name)
    if drawn in study.drawn_signatures:
        return {"drawn": drawn_folders(path, config["signatures"][drawn]["draw"])}
    return {"source": path}


def drawing_settings(wildcards):
    """Collect the settings on which a part of a drawn set depends, or of one of its editions."""
    name, edition = Replicate.of(wildcards.name)
    draw = drawn_in(wildcards.part, config["signatures"][name]["draw"])
    draw.pop("fresh")
    return draw | {"edition": edition}


def needed_data():
    """List the data that must exist before the first job, by their keys in the config."""
    needed = {}
    if study.has_text and config["pages"]["layout"] != SYNTHETIC:
        layout, path, pattern = pages_source()
        needed["pages.path"] = {"layout": layout, "path": path, "pattern": pattern}
    if config["teacher"]["weights"]:
        weights = data_path(config["teacher"]["weights"])
        needed["teacher.weights"] = {"layout": "signet", "path": weights}
    for name in FOREIGN:
        needed[f"models.{name}.onnx"] = {"layout": "onnx", "path": onnx_file(name)}
    for name in DESCRIBED:
        for key, path in features_files(name).items():
            needed[f"models.{name}.{key}"] = {"layout": "features", "path": path}
    for name, spec in study.siamese.items():
        if spec.initialize and spec.initialize.file:
            key, layout = ("onnx",) * 2 if spec.initialize.onnx else ("weights", "timm")
            path = data_path(spec.initialize.file)
            needed[f"siamese.{name}.initialize.{key}"] = {
                "layout": layout,
                "path": path,
            }
    for name in study.pairs:
        if folder := pairs_folder(name):
            needed[f"pairs.{name}.path"] = {"layout": "pairs", "path": folder}
    for name in config["signatures"]:
        if name in study.used and name not in study.drawn_signatures:
            needed[f"signatures.{name}.path"] = signatures_source(name)
    return needed


def kind_of(model):
    """Return the kind of a model, of which `model` may be a replicate."""
    return study.models[Replicate.of(model).model].kind


def replicates(models):
    """List models as they are trained under each seed."""
    return [name for model in models for name in study.replicates_of(model)]


def any_of(names):
    """Make the pattern of a wildcard that takes one of these names, or none at all."""
    return "|".join(map(escape, names)) or "(?!)"


def model_weights(wildcards):
    """Return the path of the weights of a teacher, of a student or of a Siamese network."""
    folders = {
        Kind.TEACHER: "",
        Kind.STUDENT: "students/",
        Kind.SIAMESE: "siamese/models/",
    }
    folder = folders[kind_of(wildcards.model)]
    return f"results/{folder}{wildcards.model}/weights.safetensors"


def onnx_file(model):
    """Return the path of a model's ONNX file, which is exported by this study or by others."""
    if kind_of(model) is Kind.FOREIGN:
        return data_path(config["models"][model]["onnx"])
    return f"results/models/{model}.onnx"


def features_files(model):
    """Return the files of features that were computed elsewhere, by their keys in the config."""
    given = config["models"][model]["features"]
    if isinstance(given, str):
        return {"features": data_path(given)}
    return {f"features.{name}": data_path(path) for name, path in given.items()}


def features_file(wildcards):
    """Return the file of a model's features of a set."""
    files = features_files(wildcards.model)
    return files.get("features") or files[f"features.{wildcards.name}"]


def pairs_folder(pairs):
    """Return the folder of a list's pair files; None if its pairs are drawn."""
    path = config["pairs"][pairs]["path"]
    return data_path(path) if config["pairs"][pairs].get("files") else None


def pairs_inputs(pairs):
    """List the pair files of a list, or the set of signatures from which its pairs are drawn."""
    entry, folder = config["pairs"][pairs], pairs_folder(pairs)
    if folder is None:
        return [f"results/signatures/{entry['signatures']}.h5"]
    return [str(Path(folder) / file) for file in entry["files"].values()]


def pairs_state(wildcards):
    """Make the parameter that holds the folder of pair files and a digest of what is in it."""
    folder = pairs_folder(wildcards.pairs)
    return folder and {"path": folder, "state": state_of(folder)}


def pairs_settings(wildcards):
    """Collect the settings on which a list of pairs depends, besides its files."""
    entry = config["pairs"][wildcards.pairs]
    keys = ("files", "folders", "forged", "genuine", "skilled")
    source = {key: entry[key] for key in keys if entry.get(key) is not None}
    shares = {"split": entry["split"], "validation": entry["validation_share"]}
    like = entry["prepared_as"]
    return (preparation_of(like) if like else {}) | {
        "source": source if entry.get("files") else None,
        "draw": entry.get("draw"),
        "shares": shares | {"test": entry["test_share"]},
        "writers": entry["writers"],
        "images": entry["images"],
        "max_pixels": config["max_pixels"],
        "seed": config["seed"],
    }


def siamese_start(wildcards):
    """List the file from which a Siamese network starts, if its weights are not random."""
    start = study.siamese[wildcards.siamese].initialize
    if start is None:
        return []
    if start.file:
        return [data_path(start.file)]
    if start.teacher:
        return ["results/teacher/weights.safetensors"]
    return [f"results/students/{start.student}/weights.safetensors"]


def siamese_state(wildcards):
    """Make the parameter that is a digest of the file of others from which a network starts."""
    start = study.siamese[wildcards.siamese].initialize
    return state_of(data_path(start.file)) if start and start.file else None


def student_responses(wildcards):
    """List the files of the teacher's responses, if a student's loss needs them."""
    if not study.student(wildcards.student).guided_by_response:
        return []
    teacher = study.teacher_of(wildcards.student)
    return expand(
        "results/{teacher}/responses/{shard}.h5", teacher=teacher, shard=SHARDS
    )


def student_geometry(wildcards):
    """List the files of the teacher's geometry, if a student's loss needs them."""
    if not study.student(wildcards.student).guiding_maps:
        return []
    teacher = study.teacher_of(wildcards.student)
    return expand(
        "results/{teacher}/geometry/{shard}.h5", teacher=teacher, shard=SHARDS
    )


def student_teacher(wildcards):
    """List the teacher's weights, if a student's loss compares maps that they compute."""
    if not study.student(wildcards.student).guided_by_maps:
        return []
    return f"results/{study.teacher_of(wildcards.student)}/weights.safetensors"


def student_settings(wildcards):
    """Collect the settings on which a student depends.

    A student without geometry does not depend on `geometry.connections` and `geometry.half`.
    """
    student = study.student(wildcards.student)
    settings = {
        "student": config["students"][Replicate.of(wildcards.student).model],
        "seed": study.seed_of(wildcards.student),
    }
    settings |= {"device": config["device"], "connections": {}}
    if student.compared_maps:
        pairs = config["geometry"]["connections"][student.architecture]
        settings["connections"] = {name: pairs[name] for name in student.compared_maps}
    if student.guiding_maps:
        settings["half"] = config["geometry"]["half"]
    return settings


def metrics(wildcards):
    """List the files of the error rates of all models, sets and numbers of references."""
    return [
        f"results/metrics/{name}/{model}-{protocol.references}.csv"
        for name, protocols in study.protocols.items()
        for protocol in protocols
        for model in study.judged_models
    ]


def differences(wildcards):
    """List the files of the intervals of models' rates, one for each set and NREF."""
    return [
        f"results/differences/{name}-{protocol.references}.csv"
        for name, protocols in study.protocols.items()
        for protocol in protocols
    ]


def evaluation_settings(wildcards):
    """Collect the settings on which the evaluation of a set for a number of references depends."""
    try:
        protocol = study.protocol(wildcards.name, int(wildcards.references))
    except FkdError as error:
        raise WorkflowError(printable_lines(str(error))) from None
    keys = ("C", "gamma")
    return {
        "protocol": asdict(protocol),
        **{key: config["evaluation"][key] for key in keys},
    }


def pair_protocol(wildcards):
    """Collect the settings of a verifier of pairs, on which its rates on a set depend."""
    protocol = evaluation_settings(wildcards)["protocol"]
    rest = protocol["test_genuine"] == "rest"
    return {
        "references": protocol["references"],
        "test": "all" if rest else protocol["test_genuine"],
        "fusion": config["evaluation"]["fusion"],
        "comparison": COMPARISONS[wildcards.verifier],
        "splits": protocol["splits"],
        "seed": protocol["seed"],
        "writers": protocol["writers"],
    }


def machine(wildcards):
    """Name the file of the machine of pairs, if the verifier has one."""
    has_machine = COMPARISONS[wildcards.verifier] == "svm"
    return {"machine": f"results/machines/{wildcards.model}.h5"} if has_machine else {}


def verifier_settings(wildcards):
    """Collect the settings on which the thresholds of a verifier depend, but for the judged set."""
    evaluation = config["evaluation"]
    shared = {"references": int(wildcards.references), "seed": evaluation["seed"]}
    if wildcards.verifier == "wd":
        protocol = shared | {"test_genuine": "rest", "test_skilled": "all"}
    else:
        protocol = shared | {
            "test": "all",
            "development_references": evaluation["development_references"],
            "fusion": evaluation["fusion"],
            "comparison": COMPARISONS[wildcards.verifier],
        }
    keys = ("C", "gamma", "calibration")
    return {"protocol": protocol, **{key: evaluation[key] for key in keys}}


def development_features(wildcards):
    """List a model's features of the sets on whose writers verifiers are set."""
    sets = config["evaluation"]["development"]
    return expand(
        "results/features/{name}/{model}.h5", name=sets, model=wildcards.model
    )


def scores_of_verifier(wildcards):
    """List the files of a verifier's scores on a judged set, one for each seed of the model."""
    folder = "scores" if wildcards.verifier == "wd" else f"pairs/{wildcards.verifier}"
    return expand(
        f"results/{folder}/{wildcards.name}/{{model}}-{wildcards.references}.h5",
        model=study.replicates_of(wildcards.model),
    )


def verifiers_of_model(wildcards):
    """List the files of a model's verifier, one for each seed of the model."""
    return expand(
        f"results/verifiers/{wildcards.verifier}/{{model}}-{wildcards.references}.h5",
        model=study.replicates_of(wildcards.model),
    )


def pair_metrics():
    """List the files of the error rates of verifiers of pairs."""
    return [
        f"results/pairs/{verifier}/{name}/{model}-{protocol.references}.csv"
        for verifier in study.verifiers
        if verifier != "wd"
        for name, protocols in study.protocols.items()
        for protocol in protocols
        for model in replicates(study.verified)
    ]


def evidence():
    """List the files of what verifiers are worth, each set at its largest number of references."""
    return [
        f"results/evidence/{verifier}/{name}/{model}-{study.most_references(name)}.csv"
        for verifier in study.verifiers
        for name in study.judged
        for model in study.verified
    ]


def figure(place, **labels):
    """Make the two output files of a figure. The report shows the SVG, with the given labels."""
    name = place.partition("/")[0]
    shown = report(
        f"results/figures/{place}.svg",
        caption=f"../report/{name}.rst",
        category="Figures",
        labels={"figure": name} | labels,
    )
    return {"svg": shown, "png": f"results/figures/{place}.png"}


def figures():
    """List the figures of this study, for which it has the models and losses."""
    places = ["references", "splits"]
    places += ["ranks"] * (len(study.models) > 2)  # fewer cannot be ranked
    places += ["page", "appearance"] * study.has_text
    places += ["pipeline"] * (study.has_text and study.has_teacher)
    places += ["realism"] * bool(DRAWN and set(study.used) - set(DRAWN))
    if study.guiding_maps:
        places += ["tree", "contrast"]
    if LOSSES:
        places += ["losses"]
    places += ["siamese"] * bool(study.siamese)
    places += [f"pairs/{name}" for name in study.judged_on_pairs]
    for name in study.judged:
        at_most = study.most_references(name)
        places += [f"{kind}/{name}-{at_most}" for kind in ("curves", "writers")]
        places += [f"{kind}/{name}/{SHOWN}-{at_most}" for kind in ("hardest", "scores")]
        places += [f"features/{name}/{SHOWN}"]
        places += [f"correlations/{name}"] * bool(study.compared)
        if VERIFIED:
            # The same model as elsewhere, if it is verified.
            model = SHOWN if SHOWN in study.verified else study.verified[-1]
            places += [
                f"evidence/{name}/{verifier}/{model}-{at_most}"
                for verifier in study.verifiers
            ]
    return [f"results/figures/{place}.svg" for place in places]


def lock_folder():
    """Allow only one run at a time for these results, until the process of the run ends.

    The lock lies beside the results, because two studies may share a folder of results by a link.
    """
    RESULTS_FOLDER.mkdir(exist_ok=True)
    lock = open(RESULTS_FOLDER / ".fkd.lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WorkflowError(
            f"Another run is at work in {RESULTS_FOLDER.resolve()}. Wait until it ends, or "
            "stop it."
        ) from None
    except (
        OSError
    ) as error:  # some file systems of clusters and containers have no locks
        print(
            f"warning: {RESULTS_FOLDER.resolve()} cannot be locked ({error.strerror}), so that two runs at a "
            "time in this folder would not be noticed. Start one at a time."
        )
    return lock


def lead_through(results, checkout):
    """Put the page that leads through results among them, if they lie elsewhere."""
    page, source = results / "README.md", checkout / "results/README.md"
    # Whoever removes all results removes the page, too.
    if source.exists() and not page.exists():
        copyfile(source, page)


def inputs_from_elsewhere():
    """Compute digests of the models and files of features from elsewhere, by their keys."""
    files = {key: data["path"] for key, data in needed_data().items()}
    return {key: state_of(path) for key, path in files.items() if Path(path).is_file()}


def everything():
    """Compute a digest of all that determines the results: settings, code and the user's data."""
    state = blake2b(digest_of(study.settings).encode(), digest_size=8)
    for data in needed_data().values():
        state.update(state_of(data["path"]).encode())
    for file in sources_of_plugins():
        state.update(content_of(file).encode())
    for folder in (Path(fkd.__file__).parent, CHECKOUT / "workflow"):
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            if "__pycache__" not in file.parts and "studies" not in file.parts:
                state.update(content_of(file).encode())
    return state.hexdigest()


# The ONNX files of others.
FOREIGN_FILES = [
    entry["path"] for entry in needed_data().values() if entry["layout"] == "onnx"
]

missing = missing_data(needed_data())
if missing:
    raise WorkflowError(
        "This study needs data that is not there. Paths start from the folder that `data` "
        f"names, {printable(expanded(config['data']).resolve())}.\n\n"
        + printable_lines("\n".join(missing))
    )

# Reported before the first job and not after training, because the lists of files show it.
try:
    insufficient = [
        message
        for name, protocols in study.protocols.items()
        if name not in study.drawn_signatures
        for message in too_few(name, signatures_source(name), protocols)
    ]
except FkdError as error:  # a file fits two patterns
    raise WorkflowError(str(error)) from None
if insufficient:
    raise WorkflowError(printable_lines("\n".join(insufficient)))

try:
    if not (workflow.dag_settings and workflow.dag_settings.forceall):
        refuse_results_of_others(RESULTS_FOLDER, RECORDS, everything)
    # Jobs run this file again, but need not check again.
    if FOREIGN_FILES and workflow.is_main_process:
        from fkd.models.onnx_file import read_onnx  # takes half a second to load

        for file in FOREIGN_FILES:
            read_onnx(file)
except FkdError as error:
    raise WorkflowError(printable_lines(str(error))) from None


def check_before_first_job():
    """Stop at once where a job would stop after all training.

    Models of others are tried on a few drawn images. timm must be there for its networks. A GPU that is required must be there, unless
    jobs run on other machines.
    """
    try:
        if FOREIGN_FILES:
            from fkd.models.trial import try_out  # takes half a second to load

            for file in FOREIGN_FILES:
                try_out(file)
        for spec in study.siamese.values() if workflow.local_exec else ():
            refuse_missing_timm(spec.architecture)
        if GPU and workflow.local_exec:
            from fkd.device import set_up  # loads PyTorch, which takes seconds

            set_up(config["device"])
    except FkdError as error:
        raise WorkflowError(printable_lines(str(error))) from None
