"""Models as tables and figures name and order them: as the paper does."""

from collections.abc import Iterable, Mapping

from fkd.study.students import PAPER, TEACHER, Student

_NETWORKS = {"resnet18": "ResNet-18", "signet": "SigNet"}

RESPONSES = {
    "temperature_cross_entropy": "T-CE",
    "barlow_twins": "BT",
    "barlow_colleagues": "BC",
}
"""Short names of the response losses."""


def network_name(architecture: str) -> str:
    """Name a network, such as ``ResNet-18``; one that is not the paper's by its own name."""
    return _NETWORKS.get(architecture, architecture)


def label(model: str, students: Mapping[str, Student]) -> str:
    """Name a model as the paper does, such as ``ResNet-18 CL+GEOM+BC``.

    A student that is not the paper's keeps its name from the config.
    """
    if model not in students:
        return "Teacher" if model == TEACHER else model
    student = students[model]
    if PAPER.get(model) != student:
        return model
    terms = ["CL"] if student.classification else ["random weights"]
    terms += ["GEOM"] if student.maps else []
    terms += [RESPONSES[student.response.loss]] if student.response else []
    return f"{network_name(student.architecture)} {'+'.join(terms)}"


def in_order(models: Iterable[str]) -> list[str]:
    """Sort models: the teacher, the students of Table 4 and of Table 5, then others by name."""
    return sorted(models, key=_order)


def _order(model: str) -> tuple:
    if model == TEACHER:
        return (0,)
    if model in PAPER:
        return 1, PAPER[model].architecture != "signet", list(PAPER).index(model)
    return 2, model


def cl_alone(model: str, students: Mapping[str, Student]) -> str | None:
    """Find the student of the same network that learns from CL alone, where there is one."""
    if model not in students:
        return None
    alone = {
        name
        for name, other in students.items()
        if other.architecture == students[model].architecture
        and other.classification
        and not other.maps
        and not other.guided_by_response
    }
    return next(iter(in_order(alone)), None)
