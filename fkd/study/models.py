"""The models of a study, which are evaluated side by side: each is a row of the tables.

The kinds of models are defined only here. Labels, styles of figures, model cards and the workflow
all use the kind of a model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fkd.study.parts import ARCHITECTURES, RESPONSE_LOSSES, architecture_of
from fkd.study.students import PAPER, Student

TEACHER = "teacher"
"""The teacher's name among the models."""


class Kind(StrEnum):
    """The origin of a model."""

    TEACHER = "teacher"
    """A network trained on signatures, in this study or elsewhere, that guides the students."""

    STUDENT = "student"
    """A network trained on text, or with random weights."""

    SIAMESE = "siamese"
    """A network trained on pairs of signatures. Figures and tables show it as one of others."""

    FOREIGN = "foreign"
    """A network trained by others, given as an ONNX file."""


@dataclass(frozen=True)
class Model:
    """A model of a study.

    Attributes
    ----------
    name : str
        The model's name in the config, or :data:`TEACHER`.
    kind : Kind
        The model's origin.
    student : Student, optional
        The settings of a student; None for other kinds.
    """

    name: str
    kind: Kind
    student: Student | None = None

    @property
    def is_published(self) -> bool:
        """Whether the model is a student of the paper, with the paper's network and loss."""
        return self.student is not None and PAPER.get(self.name) == self.student

    @property
    def label(self) -> str:
        """The model's name in the style of the paper, such as ``ResNet-18 CL+GEOM+BC``.

        Students that are not the paper's, and models of others, keep their names.
        """
        if self.kind is Kind.TEACHER:
            return "Teacher"
        if not self.is_published:
            return self.name
        terms = ["CL"] if self.student.classification else ["random weights"]
        terms += ["GEOM"] if self.student.guiding_maps else []
        terms += [RESPONSE_LOSSES[response.loss].label for response in self.student.responses]
        return f"{ARCHITECTURES[self.student.architecture].label} {'+'.join(terms)}"


def model_of(name: str, students: Mapping[str, Student]) -> Model:
    """Look up a model by its name.

    Parameters
    ----------
    name : str
        The model's name, as used in metrics, features and scores.
    students : mapping of str to Student
        The students of the study.
    """
    if name in students:
        return Model(name, Kind.STUDENT, students[name])
    return Model(name, Kind.TEACHER if name == TEACHER else Kind.FOREIGN)


def label(name: str, students: Mapping[str, Student]) -> str:
    """Return the label of a model in tables and figures, see :attr:`Model.label`."""
    return model_of(name, students).label


def network_label(architecture: str) -> str:
    """Return the label of a network in tables and figures, such as ``ResNet-18``."""
    return architecture_of(architecture).label


def in_order(names: Iterable[str]) -> list[str]:
    """Sort models: the teacher, the students of Tables 4 and 5, then all others by name."""
    return sorted(names, key=_place)


def _place(name: str) -> tuple:
    if name == TEACHER:
        return (0,)
    if name in PAPER:
        return 1, PAPER[name].architecture != "signet", list(PAPER).index(name)
    return 2, name


def cl_alone(name: str, students: Mapping[str, Student]) -> str | None:
    """Find the student with the same network that is trained with CL alone, if there is one.

    Parameters
    ----------
    name : str
        The model's name. For a model that is not a student, the result is None.
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
        and not student.is_guided
    }
    return next(iter(in_order(alone)), None)
