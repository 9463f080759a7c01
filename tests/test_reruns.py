"""What an edit of a finished study has to be done anew: the exact jobs of a dry run.

The study is a copy of the project, so that its code can be edited, too. Jobs are named as
Snakemake announces them. Every edit is undone after its dry run.
"""

import ast
import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from foreign import WEIGHTS, linear
from newcomer import copy_study
from planning import loaded

from fkd.synthesis import draw_signatures

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [pytest.mark.operations, pytest.mark.workflow]

SIGNET = [f"signet_{name}" for name in ("cl", "cl_tce", "cl_bt", "cl_bc", "cl_geom")]
GUIDED = SIGNET[1:]
RESPONSE = SIGNET[1:4]
RESNET18 = ["resnet18_cl"]
TRAINED = [*SIGNET, *RESNET18]
MODELS = ["teacher", "signet_random", *TRAINED]

STAGES = [f"results/tables/{name}" for name in ("eer.csv", "eer.md", "appearance.md")]
STAGES += ["results/figures/appearance.svg"]
"""What the study's own stages end in; the report follows on them."""


class Project:
    """A copy of the project with one small study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("workflow", "profiles", "envs", "fkd"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc", "studies")
            )
        shutil.copy2(ROOT / "Snakefile", folder)
        default = yaml.safe_load((ROOT / "config.yaml").read_text())
        self.study = over(default, default["sizes"]["smallest"]) | {
            "students": dict.fromkeys(["signet_random", *TRAINED]),
            "siamese": {},
            "size": None,
            "sizes": {},
        }
        protocol = {"references": [3], "test_genuine": 3, "test_skilled": 4}
        self.study["evaluation"]["sets"] = {"synthetic": [protocol]}
        linear(folder / "a.onnx", (1, 1, 150, 220), (1, 1, 6))
        self.write(self.study)

    def write(self, study: Mapping[str, Any]) -> None:
        text = yaml.safe_dump(dict(study), sort_keys=False)
        (self.folder / "config.yaml").write_text(text)

    def snakemake(self, *targets: str) -> None:
        """Run Snakemake."""
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *targets],
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": ""},
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def plan(
        self, *arguments: str, targets: Iterable[str] = (), cwd: Path | None = None
    ) -> tuple[set[str], dict[str, int]]:
        """The jobs of a dry run as announced, and how many each rule has; by default, for all."""
        words = ("-n", "--cores", "2", *targets, *arguments)
        status, said = loaded(self.folder).run(*words, folder=cwd or self.folder)
        assert status == 0, said
        jobs = re.findall(r"^ *Job \d+: (.*)$", said, re.M)
        rules = {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", said, re.M)}
        total = rules.pop("total", 0) - rules.pop("all", 0)
        assert len(jobs) == len(set(jobs)) == sum(rules.values()) == total
        assert jobs or "Nothing to be done" in said
        return set(jobs), rules


def over(base: Any, top: Any) -> Any:
    """Lay one mapping over another, as deep as they go."""
    if not isinstance(base, dict) or not isinstance(top, dict):
        return top
    return base | {key: over(base.get(key), value) for key, value in top.items()}


@pytest.fixture(scope="session")
def finished(
    finished_clone: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, set[str]]:
    """A finished study with its report, and the jobs that its stages take from nothing."""
    project = Project(tmp_path_factory.mktemp("project"))
    jobs, _ = project.plan(targets=STAGES)
    copy_study(finished_clone, project.folder)  # it has the same teacher, and other students
    project.snakemake()
    return project, jobs


@pytest.fixture
def project(finished: tuple[Project, set[str]]) -> Iterator[Project]:
    """The finished study; whatever a test writes into its sources is undone."""
    project, _ = finished
    kept = {path: (path.read_bytes(), path.stat()) for path in sources(project.folder)}
    yield project
    for path, (data, status) in kept.items():
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def sources(folder: Path) -> list[Path]:
    """The files that a checkout brings."""
    kinds = ("*.py", "*.pyi", "*.smk", "*.yaml", "*.rst", "published.csv", "Snakefile")
    found = (path for kind in kinds for path in folder.rglob(kind))
    return [
        path for path in found if "results" not in path.parts and ".snakemake" not in path.parts
    ]


# What jobs are called


def judged(*models: str, name: str = "synthetic") -> set[str]:
    return {f"Describing the signatures of {name} by {model}" for model in models} | verified(
        *models, name=name
    )


def verified(*models: str, name: str = "synthetic") -> set[str]:
    jobs = {f"Verifying {name} by {model}, 3 references" for model in models}
    return jobs | {f"Comparing models on {name}, 3 references, over writers"}


def trained(*students: str) -> set[str]:
    """Training, and all after."""
    jobs = {f"{doing} {name}" for doing in ("Training", "Exporting") for name in students}
    return jobs | judged(*students) | TABLES


def shards(job: str) -> set[str]:
    return {f"{job}, shard {shard}" for shard in (0, 1)}


TABLES = {"Writing the tables"}
APPEARANCE = {"Comparing crops with signatures"}
RESPONSES = shards("Asking the responses of the teacher")
TREES = shards("Spanning the maps of the teacher by trees")
TEACHER = {"Training the teacher", "Exporting teacher"} | judged("teacher") | RESPONSES | TREES
COMPARED = {"Comparing the sets of signatures"}
CHECK = {"Counting what was set aside of the text"}
CROPS = shards("Cutting stripes into crops") | CHECK | APPEARANCE | RESPONSES | TREES
CROPS |= trained(*TRAINED)
STRIPES = shards("Cutting pages into stripes") | CROPS
RANDOM = {"Drawing the weights of signet_random", "Exporting signet_random"}


def pages(*tables: str) -> set[str]:
    """Tables shown as pages, and the sum over all jobs, which comes after them all but its page."""
    shown = {f"Showing {table} as a page" for table in (*tables, "run_times")}
    return shown | {"Summing up where the time went"}


PAPER_TABLES = {f"Writing table {table} of the paper" for table in (4, 5, 7)}
METHODS = {"Writing the paragraphs on methods"}
CARDS = {"Writing the models' cards"}
# Figures: of the rates of all models, of those and the scores of the model that is shown, and of
# training. Below, what follows in the report on the training of any student.
ALL_RATES = {
    "Drawing error rates against the number of references",
    "Drawing the error rates of every split",
    "Drawing the error curves of synthetic, 3 references",
    "Drawing the error rates of each writer of synthetic, 3 references",
    "Drawing the ranks of models and what tells them apart",
}
RATES = ALL_RATES | {
    "Drawing the study in one picture",
    "Drawing the hardest cases of resnet18_cl on synthetic",
    "Drawing the scores of resnet18_cl on synthetic",
}
LOSSES = {"Drawing the losses over the epochs"}
CORRELATIONS = {"Drawing the correlations with the teacher on synthetic"}
MAP = {"Mapping the features of synthetic by resnet18_cl"}
CONTRAST = {"Drawing the contrast of teacher and students"}
FIGURES = RATES | LOSSES | CORRELATIONS | MAP | CONTRAST
FIGURES |= {
    "Drawing a page with its stripes and cuts",
    "Drawing the teacher's trees over a signature",
}
AFTER_TRAINING = ALL_RATES | LOSSES | PAPER_TABLES | CARDS | METHODS
AFTER_TRAINING |= pages("eer", "table4", "table5", "table7", "methods")


def test_scripts_run_the_copy(finished):
    project, _ = finished
    # The workflow itself never imports what trains.
    assert list(project.folder.glob("fkd/training/__pycache__/stages.*.pyc"))
    assert (project.folder / "results/tables/eer.md").is_file()


SETTINGS = {
    "an SVM's cost": ({"evaluation": {"C": 2.0}}, verified(*MODELS) | TABLES),
    "one student's weight": (
        {"students": {"signet_cl_bc": {"response": {"weight": 2.0e-4}}}},
        trained("signet_cl_bc"),
    ),
    "a parameter of one student's loss": (
        {"students": {"signet_cl_bt": {"response": {"parameters": {"lambda_": 1.0e-3}}}}},
        trained("signet_cl_bt"),
    ),
    "radius": ({"geometry": {"radius": 4}}, TREES | trained("signet_cl_geom")),
    "half of the geometric loss": ({"geometry": {"half": False}}, trained("signet_cl_geom")),
    "canvases": ({"crops": {"canvases": [[952, 1360], [600, 850]]}}, CROPS),
    "two settings change places": ({"pages": {"min_rows": 220, "min_columns": 20}}, STRIPES),
    "half precision of responses": (
        {"teacher": {"half_precision": True}},
        RESPONSES | trained(*RESPONSE),
    ),
    "the students' epochs": ({"training": {"epochs": 3}}, trained(*TRAINED)),
    "the teacher's epochs": (
        {"teacher": {"training": {"epochs": 2}}},
        TEACHER | trained(*GUIDED),
    ),
    "fresh drawings for the teacher": (
        {
            "teacher": {"training": {"epochs": 2}},
            "signatures": {"development": {"draw": {"fresh": True}}},
        },
        {
            "Drawing the signatures of development.2, part 0",
            "Preparing the signatures of development.2",
        }
        | TEACHER
        | trained(*GUIDED),
    ),
    "the networks' width": (
        {"networks": {"width": 0.06}},
        TEACHER | RANDOM | judged("signet_random") | trained(*TRAINED),
    ),
    "a new student": (
        {"students": {"signet_cl_geom_bc": None}},
        trained("signet_cl_geom_bc"),
    ),
    "another seed for one student": ({"seeds": {"signet_cl_bt": 7}}, trained("signet_cl_bt")),
    "a second seed": (
        {"replicates": 2},
        trained(*(f"{name}.2" for name in TRAINED))
        | {"Drawing the weights of signet_random.2", "Exporting signet_random.2"}
        | judged("signet_random.2"),
    ),
    "a model from elsewhere": ({"models": {"a": {"onnx": "a.onnx"}}}, judged("a") | TABLES),
    "a new set of signatures": (
        {
            "signatures": {
                "more": {
                    "layout": "synthetic",
                    "draw": {"first": 2001, "writers": 5, "genuine": 8, "skilled": 4},
                }
            },
            "evaluation": {
                "sets": {"more": [{"references": [3], "test_genuine": 3, "test_skilled": 4}]}
            },
        },
        {"Drawing the signatures of more, part 0", "Preparing the signatures of more"}
        | COMPARED
        | judged(*MODELS, name="more")
        | APPEARANCE
        | TABLES,
    ),
    "the size of a set": (
        {"signatures": {"synthetic": {"draw": {"writers": 6}}}},
        {"Drawing the signatures of synthetic, part 0", "Preparing the signatures of synthetic"}
        | COMPARED
        | judged(*MODELS)
        | APPEARANCE
        | TABLES,
    ),
    "how much may be set aside": ({"quarantine": {"max_share": 0.02}}, CHECK | COMPARED | TABLES),
}


TRAINING = {
    "epochs": 3,
    "batch": 5,
    "learning_rate": 0.005,
    "schedule": "steps",
    "milestones": [1],
    "momentum": 0.8,
    "nesterov": False,
    "weight_decay": 0.001,
    "precision": "bfloat16",
    "compile": True,
}
LEAVES: dict[str, Any] = {
    "title": "Another title",
    "license": "MIT",
    "seed": 2,
    "device": "cpu",
    "shards": 3,
    "max_pixels": 10**8,
    "quarantine.max_share": 0.02,
    "pages.draw.writers": 7,
    "pages.draw.pages": 3,
    "pages.draw.lines": 4,
    "pages.validation_share": 0.4,
    "pages.min_rows": 21,
    "pages.min_columns": 221,
    "pages.ink_gray": None,
    "crops.canvases": [[952, 1360]],
    "crops.ratios": [1.7, 2.7],
    "crops.ratio_per": "stripe",
    "crops.max_per_page": 7,
    "signatures.synthetic.threshold": "blurred",
    "signatures.synthetic.resolution": 200,
    "signatures.synthetic.canvas": [900, 1300],
    "signatures.synthetic.draw.first": 3001,
    "signatures.synthetic.draw.writers": 7,
    "signatures.synthetic.draw.genuine": 9,
    "signatures.synthetic.draw.skilled": 7,
    "networks.width": 0.07,
    "export.precision": "float16",
    "export.whitening.signatures": "development",
    "networks.features": 24,
    "networks.initialization": "xavier",
    "teacher.half_precision": True,
    **{f"teacher.training.{key}": value for key, value in TRAINING.items()},
    "geometry.radius": 4,
    "geometry.half": False,
    "geometry.connections.signet.conv3": "conv3",
    "geometry.connections.resnet18.conv5": "stage3_block1",
    **{f"training.{key}": value for key, value in TRAINING.items()},
    "students.signet_cl.classification": 2.0,
    "students.signet_cl_geom.geometry.conv2": 11.0,
    "students.signet_cl_bt.response.loss": "barlow_colleagues",
    "students.signet_cl_bt.response.weight": 0.001,
    "students.signet_cl_tce.response.parameters.temperature": 5.0,
    "students.signet_cl_tce.response.parameters.standardized": True,
    "students.signet_cl_tce.response.parameters.scaled": True,
    "students.signet_cl_bt.response.parameters.lambda_": 0.001,
    "students.signet_random.architecture": "resnet18",
    "evaluation.sets.synthetic.0.references": [4],
    "evaluation.sets.synthetic.0.test_genuine": 2,
    "evaluation.sets.synthetic.0.test_skilled": 3,
    "evaluation.sets.synthetic.0.negatives": 2,
    "evaluation.splits": 4,
    "evaluation.seed": 7,
    "evaluation.C": 2.0,
    "evaluation.gamma": 0.001,
    "evaluation.verifiers": ["wd", "cosine"],
    "replicates": 2,
    "seeds.signet_cl_bt": 7,
    "evaluation.development": ["development"],
    "evaluation.sets.synthetic.0.writers": "enough",
}
"""A change of each setting that some result depends on."""

UNTRACKED = {
    "data": "the folder from which paths start; what lies there counts, not its name",
    "threads": "results do not depend on it but for rounding",
    "memory": "results do not depend on it",
    "size": "chooses other settings, which count",
    "sizes.*": "other settings, which count",
    "pages.layout": "of the user's data, which this study has none of; see test_outside",
    "pages.path": "of the user's data",
    "signatures.*.layout": "of the user's data",
    "signatures.*.path": "of the user's data",
    "signatures.*.genuine": "of the user's data",
    "signatures.*.skilled": "of the user's data",
    "signatures.*.writers": "of the user's data",
    "signatures.*.expected.writers": "of the user's data",
    "signatures.*.expected.genuine": "of the user's data",
    "signatures.*.expected.skilled": "of the user's data",
    "teacher.weights": "of the user's data; the content counts",
    "models.*.onnx": "of the user's data; the content counts",
    "models.*.features.*": "of the user's data; the content counts",
    "plugins": "modules of one's own; their code counts",
    "export.whitening.maps.*": "of models that are whitened, which this study has none of",
    "pages.pattern": "of the user's data",
    "teacher.forgeries": "of a set with skilled forgeries, which this study's teacher has none of",
    "signatures.*.draw.fresh": "of several epochs, which this study's teacher has none of",
    "teacher.every_seed": "of several seeds, which this study has none of",
    "evaluation.verified": "which models verifiers judge that this study has none of",
    "evaluation.fusion": "of verifiers of pairs, which this study has none of",
    "evaluation.development_references": "of wi, which this study has none of",
    "evaluation.calibration": "of thresholds set beforehand, which this study has none of",
    "teacher.architecture": "other maps, with which this study's geometry is refused",
    "teacher.development": "which sets are inputs of the teacher",
    "geometry.connections.*.*": "those of the two networks that there are stand above",
    "students.*.response.parameters.*": "of a loss of one's own; those that there are stand above",
    "students.*.maps.loss": "of a loss of one's own",
    "students.*.maps.weights.*": "of a loss of one's own",
    "students.*.maps.parameters.*": "of a loss of one's own",
}
"""The settings that need not redo anything here, and why."""


def leaves_of_the_schema() -> set[str]:
    schema = yaml.safe_load(
        (ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8")
    )

    def leaves(rule: Mapping[str, Any], path: tuple[str, ...] = ()) -> set[str]:
        if "$ref" in rule:
            rule = schema["$defs"][rule["$ref"].rpartition("/")[2]]
        if rule.get("type") == "array" and "properties" in rule.get("items", {}):
            return leaves(rule["items"], path)
        inner = dict(rule.get("properties", {}))
        if isinstance(rule.get("additionalProperties"), dict):
            inner["*"] = rule["additionalProperties"]
        parts = [leaves(part, (*path, key)) for key, part in inner.items()]
        return set().union(*parts) or {".".join(path)}

    return leaves(schema)


def set_at(config: Any, path: str, value: Any) -> Any:
    """A copy of a config with one value replaced."""
    key, _, rest = path.partition(".")
    if isinstance(config, list):
        return [
            set_at(item, rest, value) if str(at) == key else item for at, item in enumerate(config)
        ]
    inner = config.get(key) if isinstance(config, dict) else None
    return (config or {}) | {key: set_at(inner, rest, value) if rest else value}


def test_every_setting_is_known_to_some_job(project):
    """A setting that no job depends on is either dead or not obeyed after a first run."""
    named = re.compile(
        r"(?<=signatures\.)synthetic|(?<=students\.)signet_\w+|(?<=seeds\.)\w+|(?<=sets\.)synthetic(?=\.)"
    )
    known = {named.sub("*", leaf).replace(".0.", ".") for leaf in LEAVES}
    known = {re.sub(r"students\.\*\.geometry\.conv2", "students.*.geometry.*", k) for k in known}
    # Networks that learn from pairs, which this study has none of.
    of_pairs = {leaf for leaf in leaves_of_the_schema() if re.match(r"(pairs|siamese)\.", leaf)}
    known = {re.sub(r"(connections\.(signet|resnet18))\..*", r"\1.*", leaf) for leaf in known}
    assert known | set(UNTRACKED) == leaves_of_the_schema() - of_pairs
    plans = {}
    for leaf, value in LEAVES.items():
        project.write(set_at(project.study, leaf, value))
        _, plans[leaf] = loaded(project.folder).run("-n", "--cores", "1", folder=project.folder)
    planned = ("This was a dry-run", "Nothing to be done")
    refused = {
        leaf: plan for leaf, plan in plans.items() if not any(end in plan for end in planned)
    }
    assert refused == {}
    unseen = [leaf for leaf, plan in plans.items() if not re.search(r"^total +\d+$", plan, re.M)]
    assert unseen == []


@pytest.mark.parametrize("what", SETTINGS)
def test_an_edit_of_the_config(project, led_to, what):
    edit, expected = SETTINGS[what]
    project.write(over(project.study, edit))
    jobs, rules = project.plan(targets=STAGES)
    note(led_to, f"config: {what}", rules)
    assert jobs == expected


REPORT = {
    # What is edited: the jobs among all, the report's with them
    "the title": (
        {"title": "Another title"},
        TABLES
        | PAPER_TABLES
        | METHODS
        | CARDS
        | pages("eer", "table4", "table5", "table7", "methods"),
    ),
    "the license": ({"license": "CC-BY-4.0"}, CARDS | pages()),
    "an SVM's cost": (
        {"evaluation": {"C": 2.0}},
        verified(*MODELS)
        | RATES
        | TABLES
        | PAPER_TABLES
        | METHODS
        | CARDS
        | pages("eer", "table4", "table5", "table7", "methods"),
    ),
    "memory and threads": ({"memory": 4, "threads": 2}, set()),
}


@pytest.mark.parametrize("what", REPORT)
def test_an_edit_of_the_config_and_the_report(project, led_to, what):
    edit, expected = REPORT[what]
    project.write(over(project.study, edit))
    jobs, rules = project.plan()
    note(led_to, f"config, with the report: {what}", rules)
    assert jobs == expected


def test_methods_and_counts_do_not_ask_where_a_study_runs(project, led_to):
    """But for the device: the paragraphs tell in which precision networks were trained there."""
    elsewhere = {"memory": 4, "threads": 2, "sizes": {"other": {}}}
    project.write(over(project.study, elsewhere))
    jobs, rules = project.plan(targets=["results/tables/methods.md"])
    note(led_to, "config, the paragraphs on methods: memory, threads, sizes", rules)
    assert jobs == set()


CODE = {
    # (module, definition that gets another line): the jobs
    ("losses", "barlow_twins"): trained("signet_cl_bt"),
    ("losses", "temperature_cross_entropy"): trained("signet_cl_tce"),
    ("losses", "classification"): TEACHER | trained(*TRAINED),
    ("models/resnet18", "ResNet18"): trained(*RESNET18),
    ("models/signet", "SigNet"): TEACHER | RANDOM | judged("signet_random") | trained(*SIGNET),
    ("verification/svm", "gram_matrix"): verified(*MODELS) | TABLES,
    ("verification/significance", "wilcoxon"): TABLES,
    ("report/tables", "write_tables"): TABLES,
    ("graph/tree", "rooted_trees"): TREES | trained("signet_cl_geom"),
    ("graph/contrast", "nac"): TREES | trained(*TRAINED),
    ("graph/compiled", "contrast"): TREES | trained(*TRAINED),
    ("text/stripes", "find_stripes"): STRIPES,
    ("training/stages", "random_student"): RANDOM | judged("signet_random") | TABLES,
    ("models/export", "export_onnx"): {f"Exporting {model}" for model in MODELS}
    | judged(*MODELS)
    | TABLES,
}


@pytest.mark.parametrize(("module", "name"), CODE)
def test_a_line_of_the_library(project, led_to, module, name):
    add_line(project.folder / "fkd" / f"{module}.py", name)
    jobs, rules = project.plan(targets=STAGES)
    note(led_to, f"a line in fkd/{module}.py, {name}", rules)
    assert jobs == CODE[module, name]


ENTRIES = {
    # A table of fkd/study/parts.py: a new entry, and the jobs. All that names the table counts.
    "RESPONSE_LOSSES": (
        '"similarity", ResponseLoss("SIM", "similarity", "fkd.losses.similarity")',
        trained(*TRAINED),
    ),
    "ARCHITECTURES": (
        '"plain", Architecture("Plain", "fkd.models.plain.Plain", {}, ("he", "he"))',
        TEACHER | RANDOM | judged("signet_random") | trained(*TRAINED),
    ),
}


@pytest.mark.parametrize("table", ENTRIES)
def test_a_new_part(project, led_to, table):
    entry, expected = ENTRIES[table]
    path = project.folder / "fkd/study/parts.py"
    append(path, f"\n{table}.register({entry})\n")
    jobs, rules = project.plan(targets=STAGES)
    note(led_to, f"a new entry of {table}", rules)
    assert jobs == expected


OWN_PARTS = """
from torch import nn

from fkd.models import Network
from fkd.study.parts import ARCHITECTURES, RESPONSE_LOSSES, Architecture, ResponseLoss


class Flat(Network):
    architecture = "flat"

    def __init__(self, num_classes=None, width=1.0, features=2048):
        super().__init__(num_classes, width, features)
        self.pool = nn.AdaptiveAvgPool2d((10, 20))
        self.fc = nn.Linear(200, features)
        self._complete()

    def describe(self, images):
        return {}, self.fc(self.pool(images).flatten(1)).relu()


ARCHITECTURES.register("flat", Architecture("Flat", "own_parts.Flat", {}, ("he", "he")))


def gap(student, teacher):
    return (student - teacher).abs().mean()


RESPONSE_LOSSES.register("gap", ResponseLoss("GAP", "gap", "own_parts.gap"))
"""
OWN_STUDENTS = {
    "flat_cl": {"architecture": "flat", "classification": 1.0},
    "signet_gap": {
        "architecture": "signet",
        "classification": 1.0,
        "response": {"loss": "gap", "weight": 1.0},
    },
}
OWN_EDITS = {
    "nothing": ("", "", set()),
    "a network of one's own": ("(200, features)", "(200, features, bias=False)", {"flat_cl"}),
    "a loss of one's own": (".abs()", ".square()", {"signet_gap"}),
    "an entry of one's own": ('"GAP", "gap"', '"GAP", "the gap"', {"signet_gap"}),
    "a comment in one's own module": ("class Flat", "# Why.\nclass Flat", set()),
}


@pytest.fixture(scope="module")
def with_own_parts(finished, tmp_path_factory):
    """The finished study with two students more, of a module of one's own."""
    folder = tmp_path_factory.mktemp("own") / "project"
    shutil.copytree(finished[0].folder, folder)
    project = copy.copy(finished[0])
    project.folder = folder
    (folder / "own_parts.py").write_text(OWN_PARTS)
    project.write(over(project.study, {"plugins": ["own_parts.py"], "students": OWN_STUDENTS}))
    planned, _ = project.plan(targets=STAGES)
    project.snakemake(*STAGES)
    return project, planned


def test_parts_of_ones_own_are_added_to_a_finished_study(with_own_parts):
    assert with_own_parts[1] == trained(*OWN_STUDENTS)


@pytest.mark.parametrize("what", OWN_EDITS)
def test_an_edit_of_parts_of_ones_own(with_own_parts, led_to, what):
    project, _ = with_own_parts
    old, new, students = OWN_EDITS[what]
    (project.folder / "own_parts.py").write_text(OWN_PARTS.replace(old, new))
    jobs, rules = project.plan(targets=STAGES)
    note(led_to, what, rules)
    assert jobs == (trained(*students) if students else set())


REPORT_CODE = {
    # A figure that shows one model follows on that model alone.
    ("losses", "barlow_twins"): trained("signet_cl_bt") | CORRELATIONS | AFTER_TRAINING,
    ("models/resnet18", "ResNet18"): trained(*RESNET18) | RATES | MAP | AFTER_TRAINING,
    ("graph/compiled", "contrast"): TREES
    | trained(*TRAINED)
    | RATES
    | MAP
    | CONTRAST
    | CORRELATIONS
    | AFTER_TRAINING,
    ("study/style", "save"): FIGURES | APPEARANCE | pages("appearance"),
    ("report/hypertext", "write_hypertext"): pages(
        "eer", "table4", "table5", "table7", "data", "appearance", "methods"
    )
    - {"Summing up where the time went"},
    ("report/card", "write_cards"): CARDS | pages(),
}

REPORT_FILES = {
    # A file of the project that a stage reads: what stands there, and in its place; the jobs
    "fkd/report/published.csv": (
        (
            "4,cedar,teacher,12,EER_userthresholds,4.33",
            "4,cedar,teacher,12,EER_userthresholds,4.34",
        ),
        PAPER_TABLES | pages("table4", "table5", "table7"),
    ),
    "workflow/schemas/config.schema.yaml": (
        ("default: 0.00048828125", "default: 0.0005"),
        METHODS | pages("methods"),
    ),
}


@pytest.mark.parametrize(("module", "name"), REPORT_CODE)
def test_a_line_of_the_report(project, led_to, module, name):
    add_line(project.folder / "fkd" / f"{module}.py", name)
    jobs, rules = project.plan()
    note(led_to, f"with the report: a line in fkd/{module}.py, {name}", rules)
    assert jobs == REPORT_CODE[module, name]


@pytest.mark.parametrize("file", REPORT_FILES)
def test_a_file_that_a_stage_reads(project, led_to, file):
    (old, new), expected = REPORT_FILES[file]
    project.write(over(project.study, {"evaluation": {"gamma": 2**-11}}))
    path = project.folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    jobs, rules = project.plan()
    note(led_to, f"with the report: {file}", rules)
    assert jobs == expected


def test_a_line_of_the_preprocessing(project, finished, led_to):
    add_line(project.folder / "fkd/preprocess.py", "prepare")
    jobs, rules = project.plan(targets=STAGES)
    note(led_to, "a line in fkd/preprocess.py, prepare", rules)
    pages = {"Drawing pages of handwriting, part 0", "Listing the pages"}
    drawn = {f"Drawing the signatures of {name}, part 0" for name in ("development", "synthetic")}
    untouched = pages | drawn | shards("Cutting pages into stripes") | RANDOM
    assert jobs == finished[1] - untouched


def test_a_line_of_a_script(project, led_to):
    script = project.folder / "workflow/scripts/make_crops.py"
    script.write_text(script.read_text() + "\nunused = None\n")
    jobs, rules = project.plan(targets=STAGES)
    note(led_to, "a line in workflow/scripts/make_crops.py", rules)
    assert jobs == CROPS


def test_the_seed(project, finished, led_to):
    project.write(project.study | {"seed": 2})
    jobs, rules = project.plan(targets=STAGES)
    note(led_to, "config: the seed", rules)
    assert jobs == finished[1]


def test_data_that_changes_under_its_name(project, led_to):
    """Even where the date is older, and where the folder's own date stays as it was."""
    draw_signatures(folder=project.folder / "my", writers=2, genuine=6, skilled=4, seed=1)
    patterns = {kind: f"{kind}/{{writer}}-{{sample}}.png" for kind in ("genuine", "skilled")}
    protocol = {"references": [3], "test_genuine": 3, "test_skilled": 4}
    edit = {
        "signatures": {"mine": {"layout": "folder", "path": "my", **patterns}},
        "evaluation": {"sets": {"mine": [protocol]}},
        "models": {"theirs": {"onnx": "theirs.onnx"}},
    }
    theirs = project.folder / "theirs.onnx"
    linear(theirs, (1, 1, 150, 220), (1, 1, 6))
    project.write(over(project.study, edit))
    targets = ["results/features/mine/theirs.h5"]
    project.snakemake(*targets)
    assert project.plan(targets=targets)[0] == set()

    linear(theirs, (1, 1, 150, 220), (1, 1, 6), weights=2 * WEIGHTS)
    os.utime(theirs, (1, 1))
    jobs, rules = project.plan(targets=targets)
    note(led_to, "another model under the same name", rules)
    assert jobs == {"Describing the signatures of mine by theirs"}

    first, second = sorted((project.folder / "my/genuine").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    os.utime(first, (1, 1))
    jobs, rules = project.plan(targets=targets)
    note(led_to, "another image under the same name", rules)
    assert jobs == {
        "Preparing the signatures of mine",
        "Describing the signatures of mine by theirs",
    }


def test_a_student_less(project, led_to):
    students = dict.fromkeys(["signet_random", *TRAINED[1:]])
    project.write(project.study | {"students": students})
    jobs, rules = project.plan(targets=STAGES)
    note(led_to, "config: a student less", rules)
    assert jobs == verified() | TABLES


def reordered(value: Any) -> Any:
    """A setting with the order of all its keys turned about."""
    if not isinstance(value, dict):
        return value
    return {key: reordered(inner) for key, inner in reversed(value.items())}


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


NOTHING = {
    "a comment in the config": lambda project: append(project.folder / "config.yaml", "# Why.\n"),
    "the order of the config's keys": lambda project: project.write(reordered(project.study)),
    "a caption of the report": lambda project: append(
        project.folder / "workflow/report/table.rst", "\nMore.\n"
    ),
    "comments and docstrings in fkd": lambda project: [
        path.write_text(without_docstring(path) + "\n# A comment.\n")
        for path in (project.folder / "fkd").rglob("*.py")
    ],
    "touched scripts": lambda project: [
        path.touch() for path in (project.folder / "workflow/scripts").iterdir()
    ],
    "a fresh checkout": lambda project: [path.touch() for path in sources(project.folder)],
}


@pytest.mark.parametrize("what", NOTHING)
def test_what_leads_to_nothing(project, led_to, what):
    NOTHING[what](project)
    jobs, rules = project.plan()
    note(led_to, what, rules)
    assert jobs == set()


def test_settings_of_the_command_line_lead_to_nothing(project, led_to):
    jobs, rules = project.plan("--config", "memory=4")
    note(led_to, "--config memory=4", rules)
    assert jobs == set()


def test_a_study_in_a_folder_of_its_own(project, tmp_path, led_to):
    """With `-d`, from another folder, the same holds."""
    for name in ("results", ".snakemake", "config.yaml"):
        source = project.folder / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tmp_path / name)
    for script in (project.folder / "workflow/scripts").iterdir():
        script.touch()
    arguments = ("-s", str(project.folder / "Snakefile"), "-d", str(tmp_path))
    jobs, rules = project.plan(*arguments, cwd=tmp_path)
    note(led_to, "touched scripts, a study in another folder", rules)
    assert jobs == set()


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("workflow/profiles/*/config.yaml")), ids=lambda path: path.parent.name
)
def test_every_profile_has_the_same_reasons_to_redo(path):
    default = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    profile = yaml.safe_load(path.read_text())
    assert profile["rerun-triggers"] == default["rerun-triggers"]


def add_line(path: Path, name: str) -> None:
    """Let a function begin with a line that does nothing."""
    lines = path.read_text().splitlines(keepends=True)
    (function,) = (n for n in ast.parse("".join(lines)).body if getattr(n, "name", None) == name)
    first = function.body[bool(ast.get_docstring(function))]
    lines.insert(first.lineno - 1, " " * first.col_offset + "unused = None\n")
    path.write_text("".join(lines))


def without_docstring(path: Path) -> str:
    """A module's text without its first docstring."""
    text = path.read_text()
    first = ast.parse(text).body[:1]
    if first and isinstance(first[0], ast.Expr) and isinstance(first[0].value, ast.Constant):
        return "".join(text.splitlines(keepends=True)[first[0].end_lineno :])
    return text


def note(led_to: Any, case: str, rules: Mapping[str, int]) -> None:
    jobs = ", ".join(f"{rule} {number}" for rule, number in rules.items())
    led_to("edits of a finished study, and the jobs they led to", case, jobs or "nothing")
