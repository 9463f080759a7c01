"""The choice of the models that a figure shows when it cannot show all of them."""

from collections.abc import Mapping

from fkd.study.models import TEACHER, in_order
from fkd.study.students import PAPER, Student

KINDS = (None, "barlow_twins", "barlow_colleagues")
"""The response losses whose students a figure compares. None stands for no response loss."""


def shown_model(students: Mapping[str, Student]) -> str:
    """Choose the model that represents a study: the last trained student in the tables.

    Parameters
    ----------
    students : mapping of str to Student
        The students of a study.

    Returns
    -------
    str
        The model's name. It is the last of the paper's students or, if there are none, the last
        of the user's own students. If no student is trained, it is the teacher.
    """
    trained = _trained(students)
    return ([m for m in trained if m in PAPER] or trained or [TEACHER])[-1]


def contrasted(students: Mapping[str, Student]) -> list[str]:
    """Choose two students that differ only in their geometric loss.

    Parameters
    ----------
    students : mapping of str to Student
        The students of a study.

    Returns
    -------
    list of str
        A student trained with CL alone and a student with geometric terms, both with the same
        network. If several networks have such a pair, the last one in the tables is chosen.
        Students without a response loss are preferred. If no network has a pair, the list has
        one student or is empty.
    """
    pairs: dict[str, dict[bool, str]] = {}
    for model in sorted(_trained(students), key=lambda name: students[name].guided_by_response):
        student = students[model]
        if student.guiding_maps or not student.is_guided:
            pairs.setdefault(student.architecture, {}).setdefault(bool(student.guiding_maps), model)
    return in_order(max(reversed(pairs.values()), key=len, default={}).values())


def compared(students: Mapping[str, Student]) -> list[str]:
    """Choose students that differ only in their response loss.

    Parameters
    ----------
    students : mapping of str to Student
        The students of a study.

    Returns
    -------
    list of str
        Up to three students with the same network and the same geometric terms: one without a
        response loss, one with Barlow Twins and one with Barlow Colleagues. The group with the
        most students is chosen. Among equally large groups, one without geometric terms is
        preferred, and then the last one in the tables.
    """
    groups: dict[tuple, dict[str | None, str]] = {}
    for model in _trained(students):
        student = students[model]
        kinds = [response.loss for response in student.responses] or [None]
        kind = kinds[0]
        if kind in KINDS and len(kinds) == 1:
            terms = tuple((t.loss, name) for t in student.terms_of_maps for name in t.compared)
            group = groups.setdefault((student.architecture, terms), {})
            group.setdefault(kind, model)

    def worth(key: tuple) -> tuple:
        return len(groups[key]), -len(key[1])

    best = groups[max(reversed(groups), key=worth)] if groups else {}
    return in_order(best.values())


def _trained(students: Mapping[str, Student]) -> list[str]:
    """List the names of the trained students in the order of the tables."""
    return [model for model in in_order(students) if students[model].is_trained]
