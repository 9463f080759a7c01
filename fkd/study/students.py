"""The definition of a student: its network, and the weight of each term of its loss.

The loss of a student is L = sum_k l_k GeomL_k + g RespL + c CL, where k runs over the teacher's
feature maps. :mod:`fkd.training.students` computes it. The paper trains two networks with eight
settings of the loss each, and evaluates both networks with random weights, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fkd.errors import FkdError
from fkd.ranges import NotNegative, check_fields
from fkd.study.parts import ARCHITECTURES, RESPONSE_LOSSES


@dataclass(frozen=True)
class Response:
    """The response loss of a student.

    Attributes
    ----------
    loss : str
        A key of :data:`fkd.study.parts.RESPONSE_LOSSES`.
    weight : float
        The weight g of the total loss.
    parameters : dict of str to float or bool
        Keyword arguments of the loss. Parameters that are omitted have the loss's defaults.

    Raises
    ------
    FkdError
        If the loss is unknown.
    """

    loss: str
    weight: NotNegative
    parameters: dict[str, float | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.loss not in RESPONSE_LOSSES:
            known = ", ".join(RESPONSE_LOSSES)
            raise FkdError(f"{self.loss!r} is no response loss; expected one of {known}")


@dataclass(frozen=True)
class Student:
    """A student: its network, and the weight of each term of its loss.

    A term that is omitted has weight 0. A student without any term keeps its random weights.

    Attributes
    ----------
    architecture : str
        A key of :data:`fkd.study.parts.ARCHITECTURES`.
    classification : float
        The weight c of the total loss.
    geometry : dict of str to float
        The weights l_k of the total loss, by the name of the teacher's feature map.
    response : Response, optional
        The response loss, with its weight g.

    Raises
    ------
    FkdError
        If the network is unknown.
    """

    architecture: str
    classification: NotNegative = 0.0
    geometry: dict[str, NotNegative] = field(default_factory=dict)
    response: Response | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.architecture not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise FkdError(f"{self.architecture!r} is no architecture; expected one of {known}")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Student":
        """Make a student from its settings in a config or in the metadata of weights.

        Raises
        ------
        FkdError
            If the settings contain an unknown name, or lack a required one.
        """
        response = settings.get("response")
        try:
            return cls(**{**settings, "response": Response(**response) if response else None})
        except TypeError as error:
            raise FkdError(f"{dict(settings)} does not describe a student: {error}") from None

    @property
    def is_trained(self) -> bool:
        """Whether any term has a weight, so that the student is trained at all."""
        return bool(self.classification or self.is_guided)

    @property
    def is_guided(self) -> bool:
        """Whether the teacher guides this student."""
        return bool(self.guiding_maps) or self.guided_by_response

    @property
    def guiding_maps(self) -> list[str]:
        """The teacher's feature maps whose geometry guides this student."""
        return [name for name, weight in self.geometry.items() if weight]

    @property
    def guided_by_response(self) -> bool:
        """Whether the teacher's response guides this student."""
        return self.response is not None and self.response.weight != 0


def _settings_of_the_paper() -> dict[str, dict]:
    """Make the loss settings of Tables 4 and 5, and the setting of random weights."""
    classification = {"classification": 1.0}
    geometry = {"geometry": {"conv2": 10.0, "conv5": 100.0}}
    responses = {
        "tce": Response("temperature_cross_entropy", 1e-3),
        "bt": Response("barlow_twins", 1e-4),
        "bc": Response("barlow_colleagues", 1e-4),
    }
    settings = {"random": {}, "cl": classification, "cl_geom": classification | geometry}
    for name, response in responses.items():
        settings[f"cl_{name}"] = classification | {"response": response}
    for name, response in responses.items():
        settings[f"cl_geom_{name}"] = classification | geometry | {"response": response}
    return settings


PAPER: dict[str, Student] = {
    f"{architecture}_{setting}": Student(architecture, **terms)
    for architecture in ("resnet18", "signet")
    for setting, terms in _settings_of_the_paper().items()
}
"""The students of the paper by name, such as ``resnet18_cl_geom_bc``."""


def student_of(student: Student | str) -> Student:
    """Look up a student of the paper by its name; a :class:`Student` is returned unchanged.

    Raises
    ------
    FkdError
        If no student of the paper has this name.
    """
    if isinstance(student, Student):
        return student
    if student not in PAPER:
        raise FkdError(f"{student!r} is none of the paper's students: {', '.join(PAPER)}")
    return PAPER[student]


def students_of(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Student]:
    """Make the students of a study from ``students`` in its completed config."""
    return {name: Student.from_settings(spec) for name, spec in settings.items()}
