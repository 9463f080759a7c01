"""The config: defaults, students by name, sizes, and what is refused."""

import datetime
import inspect
import json
import re
import tomllib
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fkd.__main__ import load
from fkd.errors import FkdError
from fkd.graph import RADIUS
from fkd.study import config as configs
from fkd.study.parts import (
    ARCHITECTURES,
    RESPONSE_LOSSES,
    Architecture,
    Networks,
    ResponseLoss,
    code_of_part,
)
from fkd.study.students import PAPER, Student
from fkd.text.crops import CANVASES, RATIOS
from fkd.training.recipe import Recipe
from fkd.verification import Protocol, protocol

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
STUDIES = [ROOT / "config.yaml", *sorted(ROOT.glob("workflow/studies/*/config.yaml"))]

MINIMAL = {
    "title": "A study",
    "pages": {"layout": "folder", "path": "pages"},
    "signatures": {
        "cedar": {"layout": "cedar", "path": "cedar"},
        "own": {"layout": "folder", "path": "own", "genuine": "{writer}/{sample}.png"},
    },
    "teacher": {"development": ["own"]},
    "students": {"resnet18_cl": None},
    "evaluation": {
        "sets": {"cedar": [{"references": [12], "test_genuine": 10, "test_skilled": 10}]}
    },
}


def complete(**changes):
    """The minimal config with values replaced at dotted paths; ... removes a key."""
    config = deepcopy(MINIMAL)
    for path, value in changes.items():
        *parents, key = path.split(".")
        place = config
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is ...:
            del place[key]
        else:
            place[key] = value
    return configs.complete(config, SCHEMA).settings


def refusal(**changes):
    with pytest.raises(FkdError) as error:
        complete(**changes)
    return str(error.value)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_the_studies_are_in_order(path):
    config = yaml.safe_load(path.read_text())
    for size in config.get("sizes", {None: {}}):
        configs.complete(config | {"size": size}, SCHEMA)


@pytest.mark.fidelity("students' training")
def test_defaults_of_the_schema_are_those_of_the_library():
    config = complete()
    assert Recipe(**config["training"] | {"milestones": (20, 40)}) == Recipe()
    assert Networks(**config["networks"]) == Networks()
    judged = config["evaluation"]
    assert (judged["C"], judged["gamma"]) == (protocol.C, protocol.GAMMA)
    assert Protocol(3, 1, 1) == Protocol(3, 1, 1, judged["splits"], judged["seed"])
    assert config["geometry"]["radius"] == RADIUS
    assert [list(canvas) for canvas in CANVASES] == config["crops"]["canvases"]
    assert list(RATIOS) == config["crops"]["ratios"]


def test_a_default_of_a_stage_is_that_of_the_schema():
    """A parameter that a stage and the schema share by name has one default."""
    config = complete()
    settings = {
        "segment_pages": config["pages"],
        "make_crops": config["crops"],
        "prepare_signatures": config["signatures"]["cedar"] | {"max_pixels": config["max_pixels"]},
        "train_student": {"half": config["geometry"]["half"], "memory": config["memory"]},
        "train_teacher": {"architecture": config["teacher"]["architecture"]},
        "cache_responses": {"half_precision": config["teacher"]["half_precision"]},
        "cache_geometry": config["geometry"],
        "evaluate_wd": config["evaluation"],
        "figure_tree": config["geometry"],
        "figure_contrast": config["geometry"],
        "figure_pipeline": config["geometry"] | {"max_pixels": config["max_pixels"]},
    }
    # Where a stage by hand keeps more: pages keep black ink, and each geometry its own maps.
    chosen = {("segment_pages", "ink_gray"), ("figure_contrast", "connections")}
    compared = set()
    for stage, of_schema in settings.items():
        for name, parameter in inspect.signature(load(stage)).parameters.items():
            known = name in of_schema and parameter.default is not parameter.empty
            if known and (stage, name) not in chosen:
                default = json.loads(json.dumps(parameter.default))
                assert default == of_schema[name], (stage, name)
                compared.add(name)
    assert {"min_rows", "min_columns", "ratio_per", "threshold", "radius", "gamma"} <= compared
    assert {"C", "half", "memory", "max_pixels", "half_precision", "max_per_page"} <= compared


def test_a_registered_loss_has_the_defaults_of_its_function():
    for name, loss in RESPONSE_LOSSES.items():
        known = list(inspect.signature(code_of_part(loss.function)).parameters.values())[2:]
        assert {p.name: p.default for p in known} == dict(loss.parameters), name


@pytest.mark.fidelity("connections")
def test_the_connections_of_the_schema_are_those_of_the_networks():
    config = complete()
    for architecture, pairs in config["geometry"]["connections"].items():
        assert pairs.items() <= ARCHITECTURES[architecture].connections.items()
        assert list(pairs) == ["conv2", "conv5"]


def test_a_partial_section_keeps_the_other_defaults():
    config = complete(**{"teacher.training": {"epochs": 3}})
    training = config["teacher"]["training"]
    assert (training["epochs"], training["learning_rate"], training["batch"]) == (3, 0.001, 32)
    assert config["training"]["learning_rate"] == 0.01


@pytest.mark.fidelity("students")
@pytest.mark.parametrize("name", PAPER)
def test_students_of_the_paper_need_only_their_name(name):
    config = complete(students={name: None})
    assert Student.from_settings(config["students"][name]) == PAPER[name]


def test_what_a_student_says_replaces_the_published_value():
    config = complete(students={"resnet18_cl_geom_bc": {"geometry": {"conv2": 5}}})
    student = Student.from_settings(config["students"]["resnet18_cl_geom_bc"])
    assert student.geometry == {"conv2": 5, "conv5": 100.0}
    assert student.response == PAPER["resnet18_cl_geom_bc"].response


def test_a_size_is_laid_over_the_rest():
    sizes = {"small": {"training": {"epochs": 2}, "students": {"signet_cl": None}}}
    config = complete(sizes=sizes, size="small", training={"batch": 8})
    assert (config["training"]["epochs"], config["training"]["batch"]) == (2, 8)
    assert list(config["students"]) == ["resnet18_cl", "signet_cl"]
    again = configs.complete(config, SCHEMA).settings
    assert again == config
    assert "sizes: small" in refusal(sizes=sizes, size="large")
    assert "this config has no sizes; leave size out" in refusal(size="large")


CHEBYSHEV = ResponseLoss("CH", "Chebyshev", "my_parts.chebyshev", {"power": None, "absolute": True})
"""A response loss of one's own, with a parameter that has no default."""

NARROW = Architecture(
    "Narrow", "my_parts.Narrow", {"early": (17, 26), "late": (8, 12)}, ("he", "he")
)
"""A network of one's own."""


def own(**response):
    return {"architecture": "signet", "response": {"loss": "chebyshev", "weight": 1.0} | response}


def test_a_loss_is_one_entry(monkeypatch):
    monkeypatch.setitem(RESPONSE_LOSSES, "chebyshev", CHEBYSHEV)
    given = {"power": 3, "absolute": False}
    config = complete(students={"mine": own(parameters=given)})
    assert config["students"]["mine"]["response"]["parameters"] == given
    message = refusal(students={"mine": own(parameters={"powr": 3})})
    assert "response.parameters.powr: chebyshev has no such parameter; it has power, abs" in message
    assert "response.parameters.power: missing; chebyshev has no default for it" in message
    message = refusal(students={"mine": own(parameters={"power": "3e0", "absolute": "yes"})})
    assert 'parameters.power: expected a number, found "3e0"; write the number with' in message
    assert 'parameters.absolute: expected true or false, found "yes"' in message


def test_a_network_is_one_entry(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "narrow", NARROW)
    mine = {"architecture": "narrow", "classification": 1}
    config = complete(students={"mine": mine})
    assert config["geometry"]["connections"]["narrow"] == {}
    assert "mine.geometry.conv2: not connected" in refusal(
        students={"mine": mine | {"geometry": {"conv2": 1}}}
    )
    pairs = {"conv2": "early", "conv5": "late"}
    monkeypatch.setitem(ARCHITECTURES, "narrow", replace(NARROW, connections=pairs))
    config = complete(students={"mine": mine | {"geometry": {"conv2": 1}}})
    assert config["geometry"]["connections"]["narrow"] == pairs
    assert configs.complete(config, SCHEMA).settings == config
    changed = complete(
        students={"mine": mine}, **{"geometry.connections": {"narrow": {"conv3": "late"}}}
    )
    assert changed["geometry"]["connections"]["narrow"] == {"conv3": "late"}


def guided_by_resnet18(geometry, **connections):
    return {
        "teacher": {"architecture": "resnet18", "development": ["own"]},
        "geometry": {"connections": {"resnet18": {"stage2": "stage2", **connections}}},
        "students": {"mine": {"architecture": "resnet18", "geometry": geometry}},
    }


def test_a_teacher_of_another_network_guides_by_its_own_maps():
    config = complete(**guided_by_resnet18({"stage2": 10, "stage3": 1}, stage3="stage3"))
    pairs = {"stage2": "stage2", "stage3": "stage3"}
    assert config["geometry"]["connections"] == {"resnet18": pairs, "signet": {}}
    assert configs.complete(config, SCHEMA).settings == config
    assert complete()["geometry"]["connections"]["signet"] == {"conv2": "conv2", "conv5": "conv5"}


CONNECTED = {"resnet18": {"conv2": "stage3"}}
REFUSED = {
    "unknown key": ({"trainin": {}}, "trainin: unknown key; did you mean training?"),
    "unknown inner key": (
        {"training": {"epoch": 3}},
        "training.epoch: unknown key; did you mean epochs?",
    ),
    "wrong type": (
        {"training": {"epochs": "many"}},
        'training.epochs: expected integer, found "many"',
    ),
    "YAML's text for a number": (
        {"training": {"learning_rate": "1e-2"}},
        'training.learning_rate: expected number, found "1e-2"; write the number with a dot',
    ),
    "out of range": ({"quarantine": {"max_share": 2}}, "quarantine.max_share: 2 is greater than"),
    "not an option": ({"device": "gpu"}, "device: expected one of auto, cpu, cuda, found"),
    "missing section": ({"pages": ...}, "pages: missing. The handwritten text, from which"),
    "a model of nothing": (
        {"models": {"a": {}}},
        "models.a: give either onnx, a model, or features",
    ),
    "a model and its features": (
        {"models": {"a": {"onnx": "a.onnx", "features": "a.npz"}}},
        "models.a: give either onnx, a model, or features, a file of its features",
    ),
    "features as a model": (
        {"models": {"a": {"onnx": "a.npz"}}},
        "models.a.onnx: a.npz holds features and no model; name it features",
    ),
    "features of another set": (
        {"models": {"a": {"features": {"other": "a.npz"}}}},
        "models.a.features: no file for cedar",
    ),
    "no model at all": (
        {"students": {}, "teacher": {}, "pages": None},
        "models: empty; name models to judge, or students and a teacher to train",
    ),
    "missing path": ({"pages": {"layout": "iam"}}, "pages.path: missing; the layout iam needs it"),
    "missing drawing": ({"pages": {"layout": "synthetic"}}, "pages.draw: missing"),
    "missing pattern": ({"signatures.own": {"layout": "folder", "path": "x"}}, "own.genuine: miss"),
    "unreadable pattern": (
        {
            "signatures.own": {
                "layout": "folder",
                "path": "x",
                "genuine": ["{writer}/{sample}.png", "{writer}/{sample:9-1}.png"],
            }
        },
        "signatures.own.genuine: pattern '{writer}/{sample:9-1}.png': '{sample:9-1}' at character 10",
    ),
    "a pattern of pages that have names": (
        {"pages": {"layout": "iam", "path": "x", "pattern": "{writer}-{page}.png"}},
        "pages.pattern: the layout iam has names of its own",
    ),
    "unreadable pattern of pages": (
        {"pages": {"layout": "crops", "path": "x", "pattern": "{writer}.png"}},
        "pages.pattern: pattern '{writer}.png': it needs {writer}, {page} once and an ending",
    ),
    "no pattern in the list": (
        {"signatures.own": {"layout": "folder", "path": "x", "genuine": []}},
        "signatures.own.genuine: [] should be non-empty",
    ),
    "unknown student": (
        {"students": {"resnet18_cl_gem": {}}},
        "students.resnet18_cl_gem: no student of the paper has this name; did you mean",
    ),
    "response without weight": (
        {"students": {"mine": {"architecture": "signet", "response": {"loss": "barlow_twins"}}}},
        "students.mine.response: needs weight",
    ),
    "a parameter of another loss": (
        {"students": {"resnet18_cl_bc": {"response": {"parameters": {"temperature": 3}}}}},
        "response.parameters.temperature: barlow_colleagues has no such parameter",
    ),
    "maps of different size": (
        {"geometry": {"connections": CONNECTED}},
        "resnet18.conv2: maps of different size, the teacher's conv2 17 x 26 and the student's "
        "stage3 8 x 12",
    ),
    "no such map": (
        {"geometry": {"connections": {"signet": {"conv2": "stage2"}}}},
        "signet.conv2: signet has no map stage2",
    ),
    "map not connected": (
        {"students": {"mine": {"architecture": "signet", "geometry": {"conv3": 1}}}},
        "students.mine.geometry.conv3: not connected",
    ),
    "more references than signatures": (
        {
            "evaluation.sets": {
                "cedar": [{"references": [15], "test_genuine": 10, "test_skilled": 1}]
            }
        },
        "cedar.0: 15 references and 10 tests are more than the 24 genuine signatures",
    ),
    "more tests than forgeries": (
        {
            "evaluation.sets": {
                "cedar": [{"references": [3], "test_genuine": 1, "test_skilled": 25}]
            }
        },
        "cedar.0.test_skilled: 25 is more than the 24 skilled forgeries",
    ),
    "references twice": (
        {
            "evaluation.sets": {
                "cedar": 2 * [{"references": [3], "test_genuine": 1, "test_skilled": 2}]
            }
        },
        "cedar: 3 references are listed more than once",
    ),
    "unknown set": (
        {"teacher": {"development": ["gpds"]}},
        "teacher.development: gpds is none of `signatures`: cedar, own",
    ),
    "no teacher": ({"teacher": {}}, "teacher.development: empty; name sets of signatures, or set"),
    "development writers evaluated": (
        {"teacher": {"development": ["cedar"]}},
        "development writers are never evaluation writers",
    ),
    "responses of different length": (
        {
            "teacher": {"weights": "signet.pth"},
            "networks": {"features": 512},
            "students": {"resnet18_cl_bt": {}},
        },
        "students.resnet18_cl_bt.response: barlow_twins compares responses of equal length",
    ),
    "a fraction for a count": ({"shards": 2.0}, "shards: expected integer, found 2.0"),
    "no number": ({"evaluation.C": float("nan")}, "evaluation.C: expected number, found NaN"),
    "a date for a text": (
        {"title": datetime.date(2024, 1, 1)},
        'title: expected string, found "2024-01-01"',
    ),
    "a list for a size": ({"size": ["small"]}, "size: expected string or null, found"),
    "keys of two kinds": ({"training": {1: 2, "epoch": 3}}, "training.1: unknown key"),
    "Nesterov without momentum": (
        {"training": {"momentum": 0}},
        "training.nesterov: Nesterov's momentum needs training.momentum above 0",
    ),
    "a student named as the teacher's label": (
        {"students": {"Teacher": {"architecture": "signet", "classification": 1}}},
        "students.Teacher: this name is the teacher's own",
    ),
    "two sets that differ by case": (
        {"signatures.OWN": {"layout": "cedar", "path": "other"}},
        "signatures.OWN: this name is another set's",
    ),
    "a name that ends in a line break": (
        {"models": {"mine\n": {"onnx": "a.onnx"}}},
        'models: "mine\\n" is no name; use letters',
    ),
    "a student's name with a dot": (
        {"students": {"mine.2": {"architecture": "signet", "classification": 1}}},
        'students: "mine.2" is no name; use letters',
    ),
    "a name that YAML reads as a number": (
        {"signatures": {7: {"layout": "cedar", "path": "x"}}},
        'signatures: 7 is no name; write it in quotes, as in "7"',
    ),
    "a name that YAML reads as nothing": (
        {"models": {None: {"onnx": "a.onnx"}}},
        "models: null is no name; write it in quotes",
    ),
    "a development set named twice": (
        {"teacher": {"development": ["own", "own"]}},
        "teacher.development: own is named twice",
    ),
    "a student named teacher": (
        {"students": {"teacher": {"architecture": "signet", "classification": 1}}},
        "students.teacher: this name is the teacher's own",
    ),
    "a foreign model named teacher": (
        {"models": {"teacher": {"onnx": "a.onnx"}}},
        "models.teacher: this name is the teacher's own",
    ),
    "a foreign model named as a student": (
        {"models": {"resnet18_cl": {"onnx": "a.onnx"}}},
        "models.resnet18_cl: this name is a student's",
    ),
    "a foreign model of another kind": (
        {"models": {"mine": {"onx": "a.onnx", "onnx": "a.onnx"}}},
        "models.mine.onx: unknown key; did you mean onnx?",
    ),
    "a name that is no file name": (
        {"models": {"a b": {"onnx": "a.onnx"}}},
        'models: "a b" is no name; use letters',
    ),
    "an unknown network": (
        {"students": {"mine": {"architecture": "resnet", "classification": 1}}},
        "students.mine.architecture: expected one of resnet18, signet, custom_cnn, article_cnn, "
        'dey_signet, found "resnet"; did you '
        "mean resnet18?",
    ),
    "an unknown teacher": (
        {"teacher": {"architecture": "vgg", "development": ["own"]}},
        'teacher.architecture: expected one of resnet18, signet, custom_cnn, article_cnn, dey_signet, found "vgg"',
    ),
    "an unknown loss": (
        {"students": {"resnet18_cl_bc": {"response": {"loss": "barlow_twin"}}}},
        "students.resnet18_cl_bc.response.loss: expected one of temperature_cross_entropy, "
        'barlow_twins, barlow_colleagues, found "barlow_twin"; did you mean barlow_twins?',
    ),
    "an unknown layout": (
        {"signatures.own": {"layout": "ceder", "path": "own"}},
        "signatures.own.layout: expected one of synthetic, cedar, mcyt75, gpds300, gpds_synthetic, "
        'bhsig260_hindi, bhsig260_bengali, folder, npz, found "ceder"; did you mean cedar?',
    ),
    "connections of an unknown network": (
        {"geometry": {"connections": {"resnet": {}}}},
        "geometry.connections.resnet: expected one of resnet18, signet",
    ),
    "a map that no network has": (
        {"geometry": {"connections": {"signet": {"conv22": "conv2"}}}},
        "connections.signet.conv22: the teacher, signet, has no map conv22; it has conv1, conv2, "
        "conv3, conv4, conv5; did you mean conv2?",
    ),
    "guidance by a map that the teacher lacks": (
        {"students": {"mine": {"architecture": "signet", "geometry": {"conv7": 1}}}},
        "students.mine.geometry.conv7: the teacher, signet, has no map conv7; it has conv1",
    ),
    "guidance by a map of the other teacher": (
        guided_by_resnet18({"conv2": 10}),
        "students.mine.geometry.conv2: the teacher, resnet18, has no map conv2; it has stage1",
    ),
    "maps of different size under another teacher": (
        guided_by_resnet18({"stage2": 10}, stage3="stage2"),
        "resnet18.stage3: maps of different size, the teacher's stage3 8 x 12 and the student's "
        "stage2 17 x 26",
    ),
    "weights of another network": (
        {"teacher": {"architecture": "resnet18", "weights": "signet.pth"}},
        "teacher.architecture: resnet18, but teacher.weights are SigNet's",
    ),
    "ratios upside down": ({"crops": {"ratios": [3, 2]}}, "crops.ratios: the least ratio 3"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_key_and_remedy(changes, message):
    assert message in refusal(**changes)


def test_all_faults_are_named_at_once():
    message = refusal(trainin={}, device="gpu")
    assert "trainin" in message
    assert "device" in message


def leaves(rules, path=()):
    for key, rule in rules.get("properties", {}).items():
        yield (*path, key), rule
        yield from leaves(rule, (*path, key))
        for inner in ("additionalProperties", "items"):
            if isinstance(rule.get(inner), dict):
                yield from leaves(rule[inner], (*path, key))


def test_every_leaf_of_the_schema_says_what_it_is():
    rules = yaml.safe_load(SCHEMA.read_text())
    silent = [
        ".".join(path)
        for path, rule in [*leaves(rules), *leaves(rules["$defs"]["training"], ("training",))]
        if "description" not in rule and "properties" not in rule
    ]
    assert silent == []


def test_environments_pin_what_the_project_pins():
    project = (ROOT / "pyproject.toml").read_text()
    pins = dict(re.findall(r'^  "([a-z0-9-]+)(?:\[\w+\])?((?:>|<)[^"]+)",$', project, re.M))
    conda_names = {"torch": "pytorch-{}", "opencv-python-headless": "py-opencv"}
    conda_names |= {"matplotlib": "matplotlib-base", "isal": "python-isal"}
    assert {"torch", "numpy", "h5py", "matplotlib"} <= set(pins)
    extras = tomllib.loads(project)["project"]["optional-dependencies"]
    apart = {
        re.match(r"[a-z0-9-]+", entry)[0] for key in ("tests", "service") for entry in extras[key]
    }
    for kind in ("cpu", "gpu"):
        held = yaml.safe_load((ROOT / f"envs/{kind}.yaml").read_text())["dependencies"]
        for name in sorted(set(pins) - apart):
            expected = conda_names.get(name, name).format(kind)
            assert f"{expected} {pins[name]}" in held
