"""The fidelity page tells the truth: of tests, of defaults, and of the study `paper`."""

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from fkd.layouts import LAYOUTS
from fkd.study import config as configs
from fkd.study.parts import RESPONSE_LOSSES, code_of_part

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
STUDY = ROOT / "workflow/studies/paper/config.yaml"
PAGE = ROOT / "docs/fidelity.md"
ANY = "NAME"
"""Stands in a key for whatever name a config gives."""


# ------------------------------------------------------------------ the published protocol


def student(architecture: str, geometry: bool = False, response: tuple | None = None) -> dict:
    """Describe a student with CL as its loss, and what else there is."""
    return {
        "architecture": architecture,
        "classification": 1.0,
        "geometry": {"conv2": 10.0, "conv5": 100.0} if geometry else {},
        "response": response and dict(zip(("loss", "weight", "parameters"), response, strict=True)),
        "maps": None,
    }


RAW = {"temperature": 10.0, "standardized": False, "scaled": False}
TCE = ("temperature_cross_entropy", 1e-3, RAW)
BT = ("barlow_twins", 1e-4, {"lambda_": 1e-4})
BC = ("barlow_colleagues", 1e-4, {"lambda_": 1e-4})
SETTINGS = {
    "cl": {},
    "cl_geom": {"geometry": True},
    "cl_tce": {"response": TCE},
    "cl_bt": {"response": BT},
    "cl_bc": {"response": BC},
    "cl_geom_tce": {"geometry": True, "response": TCE},
    "cl_geom_bt": {"geometry": True, "response": BT},
    "cl_geom_bc": {"geometry": True, "response": BC},
}
UNKNOWN = "not published"

PUBLISHED = {
    "seed": UNKNOWN,
    "seeds": {},
    "replicates": 1,
    "pages": {
        "layout": "cvl",
        "validation_share": 25_000 / 85_000,
        "min_rows": 20,
        "min_columns": 220,
        "ink_gray": None,
    },
    "crops": {
        "canvases": [[952, 1360], [600, 850], [730, 1042], [1440, 1825]],
        "ratios": [1.6757, 2.7210],
        "ratio_per": "interval",
        "max_per_page": None,
    },
    "signatures": {
        "gpds300": {"layout": "gpds300", "threshold": "image", "resolution": None},
        "mcyt75": {"layout": "mcyt75", "threshold": "image", "resolution": None},
        "cedar": {"layout": "cedar", "threshold": "image", "resolution": None},
    },
    "networks": {"width": 1.0, "features": 2048, "initialization": "code"},
    "export": {"precision": "float32", "whitening": None},
    "teacher": {
        "weights": "signet.pth",
        "development": [],
        "architecture": "signet",
        "half_precision": False,
        "every_seed": False,
        "forgeries": "ignored",
        "training": {
            "epochs": 60,
            "batch": 32,
            "learning_rate": 1e-3,
            "schedule": "steps",
            "milestones": [15, 30, 45],
            "momentum": 0.9,
            "nesterov": True,
            "weight_decay": 1e-4,
            "precision": "float32",
        },
    },
    "geometry": {
        "radius": 5,
        "half": True,
        "connections": {
            "resnet18": {"conv2": "stage2", "conv5": "stage3"},
            "signet": {"conv2": "conv2", "conv5": "conv5"},
        },
    },
    "training": {
        "epochs": 60,
        "batch": 64,
        "learning_rate": 0.01,
        "schedule": "steps",
        "milestones": [20, 40],
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.0,
        "precision": "float32",
    },
    "students": {
        f"{network}_{setting}": student(network, **terms)
        for network in ("signet", "resnet18")
        for setting, terms in SETTINGS.items()
    }
    | {
        f"{network}_random": student(network) | {"classification": 0.0}
        for network in ("signet", "resnet18")
    },
    "models": {},
    "pairs": {},
    "siamese": {},
    "evaluation": {
        "sets": {
            "gpds300": [{"references": [3, 5, 10, 12], "test_genuine": 10, "test_skilled": 10}],
            "mcyt75": [
                {"references": [3, 5, 10], "test_genuine": 5, "test_skilled": 15},
                {"references": [12], "test_genuine": 3, "test_skilled": 15},
            ],
            "cedar": [{"references": [3, 5, 10, 12], "test_genuine": 10, "test_skilled": 10}],
        },
        "splits": 10,
        "seed": 1234,
        "C": 1.0,
        "gamma": 2**-11,
        # The paper's verifier alone. The other settings are of verifiers that it does not have.
        "verifiers": ["wd"],
        "development": [],
        "verified": None,
        "fusion": "max",
        "development_references": 12,
        "calibration": "logistic",
    },
}

SHAPES_NO_RESULT = re.compile(
    r"title|license|size|sizes|data|device|threads|memory|shards|max_pixels"
    r"|quarantine\..*|plugins|.*\.path|.*\.compile"
)


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Give the keys of a config that hold no further keys, with their values."""
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


# --------------------------------------------------------------------------------- the page


class Row(NamedTuple):
    """A row of the page: cells by the heads of their columns."""

    cells: dict[str, str]

    @property
    def keys(self) -> dict[str, object]:
        """The keys of the config that the row names, with the values printed there."""
        pairs = re.findall(r"`([\w.]+): ([^`]+)`", self.cells["key"])
        return {key: yaml.safe_load(value) for key, value in pairs}

    @property
    def tests(self) -> list[tuple[str, str]]:
        """The modules and names of the tests that the row names."""
        return re.findall(r"`(\w+)::(\w+)`", self.cells["tests"])


def rows(first: str) -> list[Row]:
    """Read the rows of the page's tables whose first column has this head."""
    found, heads = [], []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            heads = []
        elif not heads:
            heads = cells
        elif heads[0] == first and not set(line) <= set("|- "):
            assert len(cells) == len(heads), line
            found.append(Row(dict(zip(heads, cells, strict=True))))
    return found


ELEMENTS = {row.cells["element"]: row for row in rows("element")}
DEVIATIONS = rows("what")


@pytest.fixture(scope="module")
def marked() -> dict[tuple[str, str], set[str]]:
    """Every test of the project, by module and name, with the elements it is marked with."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)

    class Notes:
        def pytest_collection_finish(self, session: pytest.Session) -> None:
            for item in session.items:
                marks = item.iter_markers("fidelity")
                found[item.path.stem, item.originalname].update(mark.args[0] for mark in marks)

    tests = Path(__file__).parent
    assert pytest.main([str(tests), "--collect-only", "-qq"], plugins=[Notes()]) == 0
    return found


def test_every_element_has_one_row():
    names = [row.cells["element"] for row in rows("element")]
    assert len(names) > 30
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("element", ELEMENTS)
def test_the_tests_that_a_row_names_hold_its_element(element, marked):
    tests = ELEMENTS[element].tests
    assert tests
    assert [test for test in tests if element not in marked.get(test, set())] == []


def test_every_element_that_a_test_holds_has_a_row(marked):
    assert set().union(*marked.values()) == set(ELEMENTS)


# ---------------------------------------------------------------------------------- keys


def look_up(config: object, key: str) -> object:
    """Find the value of a dotted key; NAME stands for any name."""
    for part in key.split("."):
        config = next(iter(config.values())) if part == ANY else config[part]
    return config


def completed(config: dict) -> dict:
    """Complete a config, and the parameters of response losses by the functions' defaults."""
    config = configs.complete(config, SCHEMA).settings
    for spec in config["students"].values():
        if spec["response"]:
            function = code_of_part(RESPONSE_LOSSES[spec["response"]["loss"]].function)
            parameters = inspect.signature(function).parameters
            own = {name: p.default for name, p in list(parameters.items())[2:]}
            spec["response"]["parameters"] = own | spec["response"]["parameters"]
    return config


@pytest.fixture(scope="module")
def defaults() -> dict:
    """What the schema makes of a study that says as little as it may."""
    least = {
        "title": "The least",
        "pages": {"layout": "folder", "path": "pages"},
        "signatures": {
            "one": {"layout": "cedar", "path": "one"},
            "two": {"layout": "cedar", "path": "two"},
        },
        "teacher": {"development": ["two"]},
        "students": dict.fromkeys(PUBLISHED["students"]),
        "evaluation": {
            "sets": {"one": [{"references": [1], "test_genuine": 1, "test_skilled": 1}]}
        },
    }
    return completed(least)


@pytest.mark.fidelity("published protocol")
@pytest.mark.parametrize("element", ELEMENTS)
def test_the_keys_that_a_row_names_have_the_defaults_printed_there(element, defaults):
    printed = ELEMENTS[element].keys
    assert printed == {key: look_up(defaults, key) for key in printed}


@pytest.mark.fidelity("published protocol")
def test_every_key_that_shapes_results_is_on_the_page():
    """But for students' own and sets, which every study chooses for itself."""
    printed = [key for row in ELEMENTS.values() for key in row.keys]
    printed += [key for row in DEVIATIONS for key in row.keys]
    printed = {re.sub(rf"\.{ANY}\.", ".cedar.", key) for key in printed}
    chosen = r"(students|models|pairs|siamese|evaluation\.sets|teacher\.development).*|.*\.layout"
    silent = [
        key
        for key, _ in leaves(PUBLISHED)
        if not re.fullmatch(chosen, key)
        and re.sub(r"^signatures\.\w+\.", "signatures.cedar.", key) not in printed
    ]
    assert silent == []


# ------------------------------------------------------------------------------ the study


@pytest.fixture(scope="module")
def study() -> dict[str, object]:
    """The keys of the study `paper`."""
    return dict(leaves(completed(yaml.safe_load(STUDY.read_text()))))


@pytest.mark.fidelity("published protocol")
def test_the_paper_study_is_published_but_for_the_deviations_listed(study):
    published = dict(leaves(PUBLISHED))
    shaping = {key for key in study if not SHAPES_NO_RESULT.fullmatch(key)}
    assert shaping == set(published)
    differ = {key: study[key] for key in shaping if study[key] != published[key]}
    assert differ == {key: value for row in DEVIATIONS for key, value in row.keys.items()}


def test_what_is_left_out_of_the_comparison(study):
    """Names, places, and how the work is done; none of what is computed."""
    left_out = {key for key in study if SHAPES_NO_RESULT.fullmatch(key)}
    assert {re.sub(r"^signatures\.\w+", f"signatures.{ANY}", key) for key in left_out} == {
        *(
            "title",
            "license",
            "size",
            "sizes",
            "data",
            "device",
            "threads",
            "memory",
            "shards",
            "max_pixels",
            "plugins",
        ),
        *("quarantine.max_share", "pages.path", f"signatures.{ANY}.path"),
        *("teacher.training.compile", "training.compile"),
    }


@pytest.mark.fidelity("signature sets")
def test_the_signature_sets_are_the_published_ones():
    found = {name: LAYOUTS[name].expected for name in ("gpds300", "mcyt75", "cedar")}
    assert found == {
        "gpds300": {"writers": 253, "genuine": 24, "skilled": 30},
        "mcyt75": {"writers": 75, "genuine": 15, "skilled": 15},
        "cedar": {"writers": 55, "genuine": 24, "skilled": 24},
    }
