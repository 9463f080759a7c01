"""Data counted, and the paragraphs on methods: they follow the config and the data."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import fkd
from fkd.layouts import LAYOUTS
from fkd.report.data import describe_data, read_data
from fkd.report.deviations import deviations, deviations_of_sets
from fkd.report.methods import write_methods
from fkd.report.published import SETS
from fkd.storage import shards
from fkd.storage.quarantine import Quarantine
from fkd.study.config import complete
from fkd.verification import Protocol

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
STUDIES = {"default": ROOT / "config.yaml"}
STUDIES |= {name: ROOT / f"workflow/studies/{name}/config.yaml" for name in ("paper", "iam-cedar")}


@pytest.fixture(scope="module", autouse=True)
def quick_yaml():
    """Read the schema, which every case needs twice, by the parser in C."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "safe_load", lambda text: yaml.load(text, yaml.CSafeLoader))
        yield


# ----------------------------------------------------------------------------------- data


@pytest.fixture
def counted(tmp_path):
    """The tables of 3 pages by 2 writers and of a set with a copy and files set aside."""
    pages = pd.DataFrame(
        {"page": ["a1", "a2", "b1"], "writer": ["007", "007", "b"], "file": "", "shard": 0}
    )
    pages.to_csv(tmp_path / "pages.csv", index=False)
    for number, validation in enumerate(([0, 0, 1], [0, 1])):
        shards.write(tmp_path / f"{number}.h5", "crops", {"validation": np.array(validation, bool)})
    shards.write(
        tmp_path / "s.h5",
        "signatures",
        {
            "writer": np.array(["1", "1", "1", "2", "2"], object),
            "forgery": np.array([0, 0, 1, 0, 1], bool),
            "copy_of": np.array([0, 0, 2, 0, 4], np.int32),
        },
        {"set": "mine"},
    )
    aside = Quarantine([("1.png", "blank"), ("2.png", "blank")])
    aside.pass_over("notes.txt", "no part of the set by its name")
    aside.write(tmp_path / "s.csv")
    Quarantine([("c.png", "blank")]).write(tmp_path / "text.csv")

    def make(**given):
        settings = {"text_layout": "iam", "layouts": {"mine": "folder"}, "development": []}
        describe_data(
            pages=tmp_path / "pages.csv",
            crops=[tmp_path / "0.h5", tmp_path / "1.h5"],
            text_aside=tmp_path / "text.csv",
            signatures=[tmp_path / "s.h5"],
            signatures_aside=[tmp_path / "s.csv"],
            csv=tmp_path / "data.csv",
            markdown=tmp_path / "data.md",
            **settings | given,
        )
        return read_data(tmp_path / "data.csv"), (tmp_path / "data.md").read_text()

    return make


def test_data_is_counted(counted):
    table, text = counted()
    of_text = table.loc[("text", "text")]
    columns = ["pages", "writers", "training", "validation", "set_aside"]
    assert of_text[columns].tolist() == [3, 2, 3, 2, 1]
    mine = table.loc[("signatures", "mine")]
    columns = ["writers", "genuine", "skilled", "copies", "set_aside"]
    assert mine[columns].tolist() == [2, 3, 2, 2, 2]
    assert mine["use"] == "verification"
    assert "| iam      | 3       | 2 " in text
    assert "ynthetic" not in text


def test_writers_who_are_left_out_are_counted_and_named(counted):
    uneven = {"test_genuine": "rest", "test_skilled": "all", "writers": "enough"}
    table, text = counted(
        protocols={"mine": [Protocol(1, **uneven)]}, thresholds=["mine"], development=["mine"]
    )
    said = "Of mine, 1 of 2 writers have too few signatures for 1 references and are left out: 2\\."
    assert said.replace("\\", "") in text.replace("\\", "")
    uses = "training the teacher, setting thresholds, verification"
    assert table.loc[("signatures", "mine"), "use"] == uses
    _, text = counted(protocols={"mine": [Protocol(1, 1, 1)]})
    assert "left out" not in text


def test_drawn_data_and_the_teachers_are_named(counted):
    table, text = counted(text_layout="synthetic", layouts={"mine": "cedar"}, development=["mine"])
    assert table.loc[("signatures", "mine"), "use"] == "training the teacher"
    assert "**Synthetic data, drawn by a program: text.**" in text
    assert "training the teacher" in text


# -------------------------------------------------------------------------------- methods


@pytest.fixture
def data(tmp_path):
    """Counts such as `describe_data` writes for all three studies."""
    rows = [{"kind": "text", "name": "text", "pages": 72, "training": 1117, "validation": 560}]
    names = ["development", "synthetic", "gpds_synthetic", "bhsig260_hindi", "cedar", "mcyt75"]
    names.append("icdar2011")
    rows += [
        {"kind": "signatures", "name": name, "genuine": 1320, "skilled": 1300, "copies": 0}
        for name in [*names, "gpds300"]
    ]
    table = pd.DataFrame(rows).assign(writers=1055, set_aside=0, use="verification")
    table["layout"] = "cedar"
    counts = ["writers", "genuine", "skilled"]
    for number, name in enumerate(table["name"]):
        if name in SETS:
            of_each = LAYOUTS[name].expected
            writers = of_each["writers"]
            table.loc[number, "layout"] = name
            table.loc[number, counts] = [writers, *(writers * of_each[c] for c in counts[1:])]
    table.to_csv(tmp_path / "data.csv", index=False)
    return tmp_path / "data.csv"


def study(name="default", **edits):
    """Complete a study's config, some settings edited, such as training__epochs."""
    config = yaml.safe_load(STUDIES[name].read_text())
    if "teacher" in edits:  # published weights have responses of the published length
        del config["networks"]
    for key, value in edits.items():
        *path, last = key.split("__")
        place = config
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return complete(config, SCHEMA).settings


def methods(config, data):
    out = data.with_name("methods.md")
    write_methods(settings=config, data=data, schema=SCHEMA, markdown=out)
    return out.read_text()


def test_text_that_others_cut_is_not_described_as_pages(data):
    table = pd.read_csv(data)
    table.loc[table["kind"] == "text", "layout"] = "crops"
    table.to_csv(data, index=False)
    config = study()
    config["pages"] |= {"layout": "crops"}
    text = prose(methods(config, data))
    assert "Students learned from handwriting that others cut: 1,055 writers." in text
    assert "Validation crops are other images than training crops." in text
    for said in ("Pages were cut", "72 pages", "ratio of width"):
        assert said not in text
    config["pages"] |= {"pattern": "{writer}-{page}-*.png"}
    assert "training crops, from other pages where a writer has several." in methods(config, data)


def test_verifiers_are_described(data):
    evaluation = study()["evaluation"] | {
        "verifiers": ["wd", "wi"],
        "development": ["development"],
        "development_references": 9,
        "calibration": "isotonic",
        "fusion": "min",
    }
    text = prose(methods(study(evaluation=evaluation, replicates=2), data))
    for said in (
        "learned from writers of development: 9 genuine signatures of each",
        "the smallest of its comparisons with the references",
        "set beforehand, on writers of development",
        "from isotonic calibration",
        "over judged writers and development writers and training seeds",
    ):
        assert said in text
    plain = prose(methods(study(), data))
    assert "Writer-independent" not in plain and "set beforehand" not in plain
    assert "bootstraps over judged writers." in plain


def test_what_the_teacher_learned_from_forgeries_and_fresh_drawings_is_told(data):
    edits = {"teacher__forgeries": "classes", "signatures__development__draw__skilled": 8}
    text = prose(methods(study(**edits, signatures__development__draw__fresh=True), data))
    assert (
        "tell apart the writers of genuine signatures, with the skilled forgeries of each as a class "
        "of their own: development" in text
    )
    assert "Each epoch saw other signatures of the writers of development." in text
    plain = prose(methods(study(), data))
    assert "forgeries of each as a class" not in plain and "Each epoch saw" not in plain


def test_siamese_networks_are_described(data):
    pairs = {
        "drawn": {"signatures": "development", "draw": {"pairs": 4, "skilled": 0.0, "random": 0.5}}
    }
    own = {"architecture": "signet", "pairs": "drawn", "loss": "nt_xent"}
    text = prose(methods(study(pairs=pairs, siamese={"of_pairs": own}), data))
    assert (
        "Siamese network of_pairs, SigNet, learned from the pairs drawn: NT-Xent (temperature 0.5); "
        "compared by the cosine of two embeddings." in text
    )
    assert "Siamese" not in prose(methods(study(siamese={}), data))


def test_the_precision_that_was_used_is_told(data, tmp_path, monkeypatch):
    """Where the config leaves it to the machine, the models know."""
    used = {
        "teacher": {"recipe": {"precision": "float32"}},
        "a": {"student": {}, "recipe": {"precision": "bfloat16"}},
        "b": {"student": {}, "recipe": {"precision": "bfloat16"}},
        "random": {"seed": 1},
    }
    monkeypatch.setattr(
        "fkd.report.methods.read_description", lambda path: {"trained_with": used[path.stem]}
    )
    out, options = tmp_path / "methods.md", {"settings": study(), "data": data, "schema": SCHEMA}
    write_methods(**options, markdown=out)
    assert out.read_text().count("computed in bfloat16 where the processor") == 2
    write_methods(**options, markdown=out, models=[Path(f"{name}.onnx") for name in used])
    assert out.read_text().count("computed in bfloat16;") == 1
    assert "multiplies in it" not in prose(out.read_text())


def prose(text):
    return text.split("## Deviations")[0]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("title", "Of another name", "# Methods: Of another name"),
        ("seed", 987, "from seed 987."),
        ("seeds", {"resnet18_cl": 7}, "from seed 1, ResNet-18 CL from 7."),
        ("crops__ratios", [1.5, 2.5], "from 1.5 to 2.5"),
        ("crops__ratio_per", "stripe", "all pieces of a line at once"),
        ("crops__max_per_page", 17, "At most 17 pieces of a page"),
        ("crops__canvases", [[300, 400]], "drawn from 300 x 400 pixels"),
        ("pages__ink_gray", [90, 99], "drawn from 90 to 99"),
        ("networks__width", 0.125, "0.125 times the published channels"),
        ("networks__features", 1234, "1,234 elements"),
        ("networks__initialization", "xavier", "Xavier's rule"),
        ("geometry__radius", 3, "at most 3 hops"),
        ("geometry__half", False, "without the half"),
        ("teacher__training__epochs", 29, "29 epochs"),
        ("teacher", {"weights": "else/signet.pth"}, "trained by others (signet.pth)"),
        ("training__epochs", 31, "31 epochs, batches of 32"),
        ("training__batch", 48, "10 epochs, batches of 48"),
        ("training__nesterov", False, "plain momentum 0.9"),
        ("training__weight_decay", 0.003, "weight decay 0.003"),
        ("training__schedule", "steps", "a learning rate of 0.02"),
        ("training__precision", "tf32", "computed in tf32"),
        ("replicates", 3, "trained under 3 seeds, each anew; rates are means over the seeds"),
        (
            "evaluation__verifiers",
            ["wd", "cosine", "euclidean"],
            "The cosine and Euclidean distances between features compared the same pairs",
        ),
        ("evaluation__splits", 8, "8 random splits"),
        ("evaluation__seed", 77, "(seed 77)"),
        ("evaluation__C", 2.5, "C = 2.5"),
        ("evaluation__gamma", 0.01, "gamma = 0.01"),
        (
            "evaluation__sets",
            {"synthetic": [{"references": [2, 4], "test_genuine": 7, "test_skilled": 6}]},
            "2 or 4 references a writer; tested on 7 other genuine signatures and 6 skilled",
        ),
        ("models", {"theirs": {"onnx": "x.onnx"}}, "judged as they came: theirs"),
        (
            "students",
            {"resnet18_cl_tce": {"response": {"parameters": {"temperature": 4}}}},
            "temperature 4",
        ),
        ("students", {"mine": {"architecture": "signet", "classification": 0.5}}, "weight 0.5)"),
    ],
)
def test_the_paragraphs_follow_the_config(data, key, value, expected):
    before, after = (prose(methods(c, data)) for c in (study(), study(**{key: value})))
    assert expected in after
    assert expected not in before


def test_the_paragraphs_follow_the_data(data):
    text = methods(study(), data)
    assert "72 pages by 1,055 writers" in text
    assert "1,117 text crops for training and 560 for validation" in text
    assert "synthetic (1,055 writers, 1,320 genuine signatures, 1,300 skilled forgeries)" in text
    assert "ynthetic data:" not in text
    assert "set aside" not in text
    table = pd.read_csv(data).assign(layout="synthetic", set_aside=12)
    table.assign(copies=5).to_csv(data, index=False)
    text = methods(study(), data)
    assert "**Synthetic data: text, set development" in text
    assert "12 files could not be used" in text
    assert "5 of all copies of one image" in text
    assert "12 files set aside)" in text


def test_markup_in_title_and_file_names_is_text(data):
    config = study("paper", title="A *study* <b>\nof", teacher__weights="x/sig*net_.pth")
    text = methods(config, data)
    assert text.startswith("# Methods: A \\*study\\* \\<b> of\n")
    assert r"weights trained by others (sig\*net\_.pth)." in text


def test_thresholds_and_versions_are_named(data):
    text = methods(study(), data)
    assert "All thresholds are a posteriori" in text
    assert f"fkd {fkd.__version__} on Python" in text
    assert f"NumPy {np.__version__}" in text


@pytest.mark.parametrize("name", STUDIES)
def test_every_student_of_a_study_is_named(data, name):
    config = study(name)
    text = methods(config, data)
    assert text.count("SigNet ") > 2
    students = set(config["students"])
    assert ("ResNet-18 CL+BC" in text) == ("resnet18_cl_bc" in students)
    assert ("SigNet CL+GEOM+BC" in text) == ("signet_cl_geom_bc" in students)
    assert ("temperature cross-entropy" in text) == any("tce" in student for student in students)


# ----------------------------------------------------------------------------- deviations


@pytest.mark.fidelity("published protocol")
def test_the_paper_study_leaves_nothing_of_the_published_protocol(data):
    assert deviations(study("paper"), SCHEMA) == []
    assert "protocol\n\nNone.\n" in methods(study("paper"), data)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            "training__epochs",
            12,
            "The students' number of epochs (`training.epochs`): 12; published, 60.",
        ),
        ("training__nesterov", False, "(`training.nesterov`): no; published, yes."),
        ("crops__max_per_page", 8, "(`crops.max_per_page`): 8; published, none."),
        (
            "geometry__radius",
            4,
            "Radius of neighborhoods, in hops (`geometry.radius`): 4; published, 5.",
        ),
        (
            "geometry__connections__signet",
            {"conv3": "conv3"},
            "conv2 to conv2, conv3 to conv3, conv5 to conv5; published, conv2 to conv2, conv5 to",
        ),
        ("signatures__cedar__threshold", "blurred", "(`signatures.cedar.threshold`): blurred"),
        ("networks__width", 0.5, "(`networks.width`): 0.5; published, 1.0."),
        ("evaluation__gamma", 0.1, "(`evaluation.gamma`): 0.1; published, 0.00048828125."),
        ("evaluation__seed", 1, "(`evaluation.seed`): 1; published, 1234."),
        ("pages__layout", "iam", "The text is handwriting of the IAM database"),
        ("students__resnet18_cl", {"classification": 2.0}, "The student resnet18_cl has another"),
    ],
)
def test_a_setting_that_is_not_published_is_named(key, value, expected):
    found = deviations(study("paper", **{key: value}), SCHEMA)
    assert [expected in line for line in found] == [True]


def test_a_set_that_is_not_the_published_one_of_its_name_is_named(data):
    config, rows = study("paper"), read_data(data)
    assert deviations_of_sets(config, rows) == []
    rows.loc[("signatures", "cedar"), ["layout", "writers"]] = ["synthetic", 5]
    rows.loc[("signatures", "mcyt75"), "writers"] = 6
    rows.loc[("signatures", "gpds300"), "genuine"] -= 2
    rows.reset_index().to_csv(data, index=False)
    assert deviations_of_sets(config, rows) == [
        f"The set {what}. Its rates are not tested against the published ones."
        for what in (
            "cedar is not CEDAR as published: drawn, 5 writers",
            "gpds300 is not GPDS300GRAY as published: 6,070 of 6,072 genuine signatures",
            "mcyt75 is not MCYT75 as published: 6 of 75 writers",
        )
    ]
    told = methods(config, data).split("## Deviations")[1]
    assert told.count("as published: ") == 3 and "\n\nNone." not in told


def test_drawn_text_alone_does_not_unmake_the_rates(data):
    table = pd.read_csv(data)
    table.loc[table["kind"] == "text", "layout"] = "synthetic"
    table.to_csv(data, index=False)
    text = methods(study("paper"), data)
    assert "**Synthetic data: text were drawn by a program. The signatures on which" in text
    assert "nothing of real signatures" not in text


def test_other_tests_and_sets_are_named():
    config = study("paper")
    sets = deepcopy(config["evaluation"]["sets"])
    sets["mcyt75"][1]["test_genuine"] = 2
    sets["cedar"][0]["references"] = [12, 14]
    found = deviations(config | {"evaluation": config["evaluation"] | {"sets": sets}}, SCHEMA)
    assert found == [
        "cedar, 14 references: tested on 10 genuine signatures and 10 skilled forgeries; "
        "published, no such number.",
        "mcyt75, 12 references: tested on 2 genuine signatures and 15 skilled forgeries; "
        "published, tested on 3 genuine signatures and 15 skilled forgeries.",
    ]
    del sets["mcyt75"]
    sets["cedar"][0]["references"] = [12]
    found = deviations(config | {"evaluation": config["evaluation"] | {"sets": sets}}, SCHEMA)
    assert found == [
        "Models are judged on cedar and gpds300; published, GPDS300GRAY, MCYT75 and CEDAR."
    ]


def test_how_the_work_is_done_is_no_deviation():
    work = {"threads": 3, "memory": 1.5, "shards": 2, "device": "cpu", "seed": 5}
    assert deviations(study("paper", **work), SCHEMA) == []
