"""Which models a figure shows where it cannot show all."""

from collections.abc import Mapping

from fkd.study.models import TEACHER, in_order
from fkd.study.students import PAPER, Student

KINDS = (None, "barlow_twins", "barlow_colleagues")
"""The response losses whose students are compared."""


def shown_model(students: Mapping[str, Student]) -> str:
    """Choose the model that stands for a study: the last trained student of the tables.

    Parameters
    ----------
    students : mapping of str to Student
        The students of a study.

    Returns
    -------
    str
        Its name: the last of the paper's students, else the last of the user's own. The
        teacher, where no student is trained.
    """
    trained = _trained(students)
    return ([m for m in trained if m in PAPER] or trained or [TEACHER])[-1]


def contrasted(students: Mapping[str, Student]) -> list[str]:
    """Choose students that differ by their geometric loss alone.

    Parameters
    ----------
    students : mapping of str to Student
        The students of a study.

    Returns
    -------
    list of str
        A student with CL alone and one with geometric terms, both of one network: the last
        network of the tables that has both. Students without response loss are preferred.
        Where no network has both, the list holds the one that there is, or none.
    """
    pairs: dict[str, dict[bool, str]] = {}
    for model in sorted(_trained(students), key=lambda name: students[name].guided_by_response):
        student = students[model]
        if student.guiding_maps or not student.guided_by_response:
            pairs.setdefault(student.architecture, {}).setdefault(bool(student.guiding_maps), model)
    return in_order(max(reversed(pairs.values()), key=len, default={}).values())


def compared(students: Mapping[str, Student]) -> list[str]:
    """Choose students that differ by their response loss alone.

    Parameters
    ----------
    students : mapping of str to Student
        The students of a study.

    Returns
    -------
    list of str
        Up to three students of one network with the same geometric terms: without response
        loss, with Barlow Twins, with Barlow Colleagues. Of all such groups it is the one with
        the most students; among these one without geometry, and then the last of the tables.
    """
    groups: dict[tuple, dict[str | None, str]] = {}
    for model in _trained(students):
        student = students[model]
        kind = student.response.loss if student.guided_by_response else None
        if kind in KINDS:
            group = groups.setdefault((student.architecture, tuple(student.guiding_maps)), {})
            group.setdefault(kind, model)

    def worth(key: tuple) -> tuple:
        return len(groups[key]), -len(key[1])

    best = groups[max(reversed(groups), key=worth)] if groups else {}
    return in_order(best.values())


def _trained(students: Mapping[str, Student]) -> list[str]:
    """Name the trained students in the order of the tables."""
    return [model for model in in_order(students) if students[model].is_trained]
