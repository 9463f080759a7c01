"""The models of a study: what is judged, each a row of the tables.

Here alone stands which kinds of models there are. Names, looks, cards and the workflow ask
a model for its kind.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fkd.study.parts import ARCHITECTURES, RESPONSE_LOSSES
from fkd.study.students import PAPER, Student

TEACHER = "teacher"
"""The teacher's name among the models."""


class Kind(StrEnum):
    """How a model came about."""

    TEACHER = "teacher"
    """It learned from signatures, here or elsewhere, and guides the students."""

    STUDENT = "student"
    """It learned from text, or kept its random weights."""

    FOREIGN = "foreign"
    """It was trained by others, and came as an ONNX file."""


@dataclass(frozen=True)
class Model:
    """A model of a study.

    Attributes
    ----------
    name : str
        Its name in the config, or :data:`TEACHER`.
    kind : Kind
        How it came about.
    student : Student, optional
        What it is, where it is a student.
    """

    name: str
    kind: Kind
    student: Student | None = None

    @property
    def is_published(self) -> bool:
        """Whether it is a student of the paper, with the paper's network and loss."""
        return self.student is not None and PAPER.get(self.name) == self.student

    @property
    def label(self) -> str:
        """Its name as the paper gives it, such as ``ResNet-18 CL+GEOM+BC``.

        A student that is not the paper's, and a model of others, keep their own names.
        """
        if self.kind is Kind.TEACHER:
            return "Teacher"
        if not self.is_published:
            return self.name
        terms = ["CL"] if self.student.classification else ["random weights"]
        terms += ["GEOM"] if self.student.guiding_maps else []
        if self.student.response:
            terms += [RESPONSE_LOSSES[self.student.response.loss].label]
        return f"{ARCHITECTURES[self.student.architecture].label} {'+'.join(terms)}"


def model_of(name: str, students: Mapping[str, Student]) -> Model:
    """Find out what a model is by its name.

    Parameters
    ----------
    name : str
        The model's name, as it stands in metrics, features and scores.
    students : mapping of str to Student
        The students of the study.
    """
    if name in students:
        return Model(name, Kind.STUDENT, students[name])
    return Model(name, Kind.TEACHER if name == TEACHER else Kind.FOREIGN)


def label(name: str, students: Mapping[str, Student]) -> str:
    """Name a model as tables and figures do, see :attr:`Model.label`."""
    return model_of(name, students).label


def network_label(architecture: str) -> str:
    """Name a network as tables and figures do, such as ``ResNet-18``."""
    return ARCHITECTURES[architecture].label


def in_order(names: Iterable[str]) -> list[str]:
    """Sort models: the teacher, the students of Table 4 and of Table 5, then others by name."""
    return sorted(names, key=_place)


def _place(name: str) -> tuple:
    if name == TEACHER:
        return (0,)
    if name in PAPER:
        return 1, PAPER[name].architecture != "signet", list(PAPER).index(name)
    return 2, name


def cl_alone(name: str, students: Mapping[str, Student]) -> str | None:
    """Find the student of the same network that learns from CL alone, where there is one.

    Parameters
    ----------
    name : str
        A model; one that is no student has nothing to be compared with.
    students : mapping of str to Student
        The students of the study.
    """
    if name not in students:
        return None
    alone = {
        other
        for other, student in students.items()
        if student.architecture == students[name].architecture
        and student.classification
        and not student.guiding_maps
        and not student.guided_by_response
    }
    return next(iter(in_order(alone)), None)
