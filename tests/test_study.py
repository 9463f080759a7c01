"""What a study is: its models, their kinds, its protocols, and the code that they reach."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fkd.errors import FkdError
from fkd.study.config import complete
from fkd.study.models import Kind, Model, cl_alone, in_order, label, model_of
from fkd.study.parts import ARCHITECTURES, MAP_LOSSES, RESPONSE_LOSSES, code_of_part
from fkd.study.students import PAPER, Student, student_of
from fkd.verification import Protocol

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"


@pytest.fixture(scope="module")
def study():
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config["models"] = {"theirs": {"onnx": "theirs.onnx"}}
    config["evaluation"]["sets"]["synthetic"].append(
        {"references": [1], "test_genuine": 2, "test_skilled": 3, "negatives": 1}
    )
    return complete(config, SCHEMA)


def test_models_come_in_four_kinds(study):
    assert study.models_of(Kind.TEACHER) == ["teacher"]
    assert study.models_of(Kind.STUDENT) == sorted(study.settings["students"])
    assert study.models_of(Kind.FOREIGN) == ["theirs"]
    assert study.models_of(Kind.SIAMESE) == ["signet_pairs"]
    assert list(study.models) == ["teacher", *study.students, "signet_pairs", "theirs"]
    for name in study.models_of(Kind.TEACHER, Kind.STUDENT, Kind.FOREIGN):
        assert study.models[name] == model_of(name, study.students)


def test_a_model_is_named_as_the_paper_names_it():
    students = {"signet_cl_tce": PAPER["signet_cl_tce"], "resnet18_cl": Student("resnet18")}
    assert label("teacher", students) == "Teacher"
    assert label("signet_cl_tce", students) == "SigNet CL+T-CE"
    assert label("resnet18_cl", students) == "resnet18_cl"  # of that name, but not the paper's
    assert label("theirs", students) == "theirs"
    assert Model("resnet18_random", Kind.STUDENT, PAPER["resnet18_random"]).label == (
        "ResNet-18 random weights"
    )


def test_models_are_ordered_as_the_papers_tables():
    names = ["theirs", "resnet18_cl", "signet_cl_bc", "teacher", "mine", "signet_cl"]
    ordered = ["teacher", "signet_cl", "signet_cl_bc", "resnet18_cl", "mine", "theirs"]
    assert in_order(names) == ordered


def test_a_student_is_compared_with_cl_alone_of_its_network():
    students = {name: PAPER[name] for name in ("signet_cl", "resnet18_cl_geom", "signet_cl_bc")}
    assert cl_alone("signet_cl_bc", students) == "signet_cl"
    assert cl_alone("resnet18_cl_geom", students) is None
    assert cl_alone("teacher", students) is None


def test_a_set_has_a_protocol_for_each_number_of_references(study):
    found = study.protocols["synthetic"]
    assert found == [
        *(Protocol(n, 10, 10, splits=10, seed=1234) for n in (3, 5, 10, 12)),
        Protocol(1, 2, 3, splits=10, seed=1234, negatives=1),
    ]
    assert study.protocol("synthetic", 1) is found[-1]
    assert study.most_references("synthetic") == 12
    with pytest.raises(FkdError, match=r"evaluation\.sets\.synthetic: 4 references"):
        study.protocol("synthetic", 4)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"references": 0}, "references: expected an integer, at least 1, found 0"),
        ({"test_skilled": 0}, "test_skilled: expected an integer, at least 1, or all, found 0"),
        ({"splits": 0}, "splits: expected an integer, at least 1, found 0"),
        ({"negatives": 4}, "negatives: expected at most the number of references, 3, found 4"),
        ({"negatives": 0}, "negatives: expected an integer, at least 1, found 0"),
        ({"seed": -1}, "at least 0 and at most 4294967295, found -1"),
        ({"seed": 2**32}, "found 4294967296"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(numbers, message):
    with pytest.raises(FkdError, match=message):
        Protocol(**{"references": 3, "test_genuine": 1, "test_skilled": 1} | numbers)


def test_all_references_are_refused_by_default():
    assert Protocol(3, 1, 1).refused == 3
    assert Protocol(3, 1, 1, negatives=2).refused == 2


def test_a_job_depends_on_the_networks_and_losses_of_its_models(study):
    resnet, signet = (ARCHITECTURES[name].network for name in ("resnet18", "signet"))
    twins = RESPONSE_LOSSES["barlow_twins"].function
    geometry = MAP_LOSSES["geometry"].function

    def places(*names, losses=False):
        parts = study.parts_of_models(names, losses)
        assert not any(part.entry for part in parts)  # they are the package's own
        return [part.place for part in parts]

    assert places("teacher", losses=True) == [signet]
    assert places("resnet18_cl_geom_bt") == [resnet]
    assert places("resnet18_cl_geom_bt", losses=True) == sorted([resnet, twins, geometry])
    assert places("resnet18_cl", "teacher") == sorted([resnet, signet])


def test_what_is_drawn_is_named(study):
    assert study.synthetic == ["text", "signatures"]
    assert study.used == ["development", "synthetic"]
    assert study.development == ["development"] and study.teacher_is_trained


def test_of_several_sets_the_drawn_ones_are_named(study):
    settings = copy.deepcopy(study.settings)
    settings["signatures"]["cedar"] = {"layout": "cedar"}
    protocols = study.protocols["synthetic"]
    real = replace(study, settings=settings, protocols={"cedar": protocols})
    assert real.synthetic == ["text"]
    both = replace(real, protocols={"cedar": protocols, "synthetic": protocols})
    assert both.synthetic == ["text", "the signatures of synthetic"]
    settings["pages"] = {"layout": "iam"}
    assert real.synthetic == []


def test_settings_stand_in_alphabetical_order(study):
    def keys(value):
        if isinstance(value, dict):
            yield list(value)
            for inner in value.values():
                yield from keys(inner)

    assert all(names == sorted(names) for names in keys(study.settings))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_says_under_which_name_it_is_registered(name):
    assert code_of_part(ARCHITECTURES[name].network).architecture == name


def test_a_student_of_the_paper_is_found_by_name():
    assert student_of("signet_cl") is PAPER["signet_cl"]
    mine = Student("signet", classification=2)
    assert student_of(mine) is mine
    with pytest.raises(FkdError, match="'signet_lc' is none of the paper's students"):
        student_of("signet_lc")
    with pytest.raises(FkdError, match="'vgg' is no architecture"):
        Student("vgg")
    with pytest.raises(FkdError, match="'barlow' is no response loss"):
        Student.from_settings(
            {"architecture": "signet", "response": {"loss": "barlow", "weight": 1}}
        )
