"""The definition of a student: its network, and the weight of each term of its loss.

The loss of a student is L = sum_k l_k GeomL_k + g RespL + c CL, where k runs over the teacher's
feature maps. :mod:`fkd.training.students` computes it. The paper trains two networks with eight
settings of the loss each, and evaluates both networks with random weights, too. A student of one's
own may have several response losses, and other losses between maps than GeomL.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fkd.errors import FkdError
from fkd.ranges import NotNegative, check_fields
from fkd.study.parts import (
    ARCHITECTURES,
    GEOMETRY,
    MAP_LOSSES,
    RESPONSE_LOSSES,
    Parameter,
    Reached,
    part_of_loss,
    part_of_network,
)


@dataclass(frozen=True)
class Response:
    """A response loss of a student.

    Attributes
    ----------
    loss : str
        A key of :data:`fkd.study.parts.RESPONSE_LOSSES`.
    weight : float
        The weight g of the total loss.
    parameters : dict of str to float, bool or str
        Keyword arguments of the loss. Parameters that are omitted have the loss's defaults.

    Raises
    ------
    FkdError
        If the loss is unknown.
    """

    loss: str
    weight: NotNegative
    parameters: dict[str, Parameter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.loss not in RESPONSE_LOSSES:
            known = ", ".join(RESPONSE_LOSSES)
            raise FkdError(f"{self.loss!r} is no response loss; expected one of {known}")


@dataclass(frozen=True)
class MapTerm:
    """A loss between maps of a student, besides the paper's.

    Attributes
    ----------
    loss : str
        A key of :data:`fkd.study.parts.MAP_LOSSES`.
    weights : dict of str to float
        The weight of the loss for each of the teacher's maps, by the map's name.
    parameters : dict of str to float, bool or str
        Keyword arguments of the loss. Parameters that are omitted have the loss's defaults.

    Raises
    ------
    FkdError
        If the loss is unknown.
    """

    loss: str
    weights: dict[str, NotNegative]
    parameters: dict[str, Parameter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.loss not in MAP_LOSSES:
            known = ", ".join(MAP_LOSSES)
            raise FkdError(f"{self.loss!r} is no loss between maps; expected one of {known}")

    @property
    def compared(self) -> list[str]:
        """The teacher's maps for which the loss has a weight."""
        return [name for name, weight in self.weights.items() if weight]


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
    response : Response or list of Response, optional
        The response loss, with its weight g, or several.
    maps : MapTerm or list of MapTerm, optional
        Other losses between maps than the geometric one, each with its weights.

    Raises
    ------
    FkdError
        If the network is unknown.
    """

    architecture: str
    classification: NotNegative = 0.0
    geometry: dict[str, NotNegative] = field(default_factory=dict)
    response: Response | list[Response] | None = None
    maps: MapTerm | list[MapTerm] | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.architecture not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise FkdError(f"{self.architecture!r} is no architecture; expected one of {known}")
        for kind in ("response", "maps"):
            names = [term.loss for term in _listed(getattr(self, kind))]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise FkdError(f"{kind}: {twice[0]} is listed more than once")
        if GEOMETRY in (term.loss for term in _listed(self.maps)):
            raise FkdError(f"maps: the weights of {GEOMETRY} stand under {GEOMETRY}")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Student":
        """Make a student from its settings in a config or in the metadata of weights.

        Raises
        ------
        FkdError
            If the settings contain an unknown name, or lack a required one.
        """
        kinds = {"response": Response, "maps": MapTerm}
        try:
            made = {key: _made(kind, settings.get(key)) for key, kind in kinds.items()}
            return cls(**settings | made)
        except TypeError as error:
            raise FkdError(f"{dict(settings)} does not describe a student: {error}") from None

    @property
    def is_trained(self) -> bool:
        """Whether any term has a weight, so that the student is trained at all."""
        return bool(self.classification or self.is_guided)

    @property
    def is_guided(self) -> bool:
        """Whether the teacher guides this student."""
        return bool(self.compared_maps) or self.guided_by_response

    @property
    def terms_of_maps(self) -> list[MapTerm]:
        """The losses between maps that have a weight: the geometric one, then the others."""
        terms = [MapTerm(GEOMETRY, self.geometry), *_listed(self.maps)]
        return [term for term in terms if term.compared]

    @property
    def guiding_maps(self) -> list[str]:
        """The teacher's feature maps whose geometry guides this student."""
        return self._compared("contrasts")

    @property
    def compared_maps(self) -> list[str]:
        """The teacher's feature maps with which maps of this student are compared in any way."""
        return self._compared("contrasts", "maps")

    @property
    def guided_by_maps(self) -> bool:
        """Whether the teacher's maps themselves guide this student."""
        return bool(self._compared("maps"))

    @property
    def responses(self) -> list[Response]:
        """The response losses that have a weight."""
        return [response for response in _listed(self.response) if response.weight]

    @property
    def guided_by_response(self) -> bool:
        """Whether the teacher's response guides this student."""
        return bool(self.responses)

    def _compared(self, *ways: str) -> list[str]:
        """List the teacher's maps that are compared in one of these ways, each once."""
        terms = [term for term in self.terms_of_maps if MAP_LOSSES[term.loss].compares in ways]
        return list(dict.fromkeys(name for term in terms for name in term.compared))


def _listed(terms: Any) -> list[Any]:
    """List one term, several, or none."""
    return terms if isinstance(terms, list) else [] if terms is None else [terms]


def _made(kind: type, settings: Any) -> Any:
    """Make a term of its settings, or each of a list."""
    if isinstance(settings, list):
        return [_made(kind, each) for each in settings]
    return kind(**settings) if settings else None


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


def parts_of_student(student: Student) -> list[Reached]:
    """List the parts that a student is made of: its network and the losses that have a weight."""
    return [
        part_of_network(student.architecture),
        *(part_of_loss(MAP_LOSSES, term.loss) for term in student.terms_of_maps),
        *(part_of_loss(RESPONSE_LOSSES, response.loss) for response in student.responses),
    ]
