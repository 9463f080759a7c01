"""What a student is: an architecture and the terms of its loss.

The students of the study by name: two architectures by eight loss settings,
besides the networks with random weights.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from fkd import losses
from fkd.errors import FkdError
from fkd.graph import nac, vectors_of_map
from fkd.models import ARCHITECTURES, CONNECTIONS, Network

TEACHER = "teacher"
"""The teacher's name among the models."""


@dataclass(frozen=True)
class Response:
    """The response loss of a student.

    Attributes
    ----------
    loss : str
        A key of :data:`fkd.losses.RESPONSES`.
    weight : float
        g of the total loss.
    parameters : dict of str to float or bool
        Keyword arguments of the loss; its defaults where left out.
    """

    loss: str
    weight: float
    parameters: dict[str, float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Student:
    """A student: which network, and which weight each term of its loss has.

    A term left out has weight 0. A student without any term keeps its random weights.

    Attributes
    ----------
    architecture : str
        Which network, a key of :data:`fkd.models.ARCHITECTURES`.
    classification : float
        c of the total loss.
    geometry : dict of str to float
        l_k of the total loss, by the map of the teacher that is compared.
    response : Response, optional
        RespL and its weight g.
    """

    architecture: str
    classification: float = 0.0
    geometry: dict[str, float] = field(default_factory=dict)
    response: Response | None = None

    @classmethod
    def from_dict(cls, spec: Mapping) -> "Student":
        """Read a student from the form that a config or :meth:`to_dict` gives it.

        Raises
        ------
        FkdError
            Where there is an unknown name in it, or one that is needed is missing.
        """
        response = spec.get("response")
        try:
            student = cls(**{**spec, "response": Response(**response) if response else None})
        except TypeError as error:
            raise FkdError(f"{dict(spec)} does not describe a student: {error}") from None
        if student.architecture not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise FkdError(f"{student.architecture!r} is no architecture; it is one of {known}")
        return student

    def to_dict(self) -> dict:
        """Give the student as plain dictionaries and numbers."""
        return asdict(self)

    @property
    def is_trained(self) -> bool:
        """Whether any term has a weight."""
        return bool(self.classification or self.maps or self.guided_by_response)

    @property
    def maps(self) -> list[str]:
        """The teacher's maps whose geometry guides this student."""
        return [name for name, weight in self.geometry.items() if weight]

    @property
    def guided_by_response(self) -> bool:
        """Whether the teacher's response guides this student."""
        return self.response is not None and self.response.weight != 0

    def loss_terms(
        self,
        network: Network,
        batch: Mapping[str, Tensor],
        connections: Mapping[str, str] | None = None,
        half: bool = True,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the terms of the loss, unweighted, and the logits.

        Parameters
        ----------
        network : Network
            The student's network, with classifier.
        batch : mapping of str to Tensor
            ``image`` (B, 1, 150, 220) in [0, 1] and ``writer`` (B,); where the
            terms need them ``feature`` (B, F), and for each map ``nac_MAP``
            (B, N) and ``mask_MAP``, which :func:`fkd.graph.nac` takes.
        connections : mapping of str to str, optional
            The student's map for each map of the teacher; by default those of
            :data:`fkd.models.CONNECTIONS`.
        half : bool
            See :func:`fkd.losses.geometry`.

        Returns
        -------
        terms : dict of str to Tensor, ()
            ``classification``, ``geometry_MAP`` and ``response``; CL is always
            among them, and the weighted sum stands as ``total``.
        logits : Tensor, (B, writers)
        """
        connections = connections or CONNECTIONS.get(self.architecture, {})
        maps, feature = network.describe(batch["image"])
        logits = network.classifier(feature)
        # Losses stay in float32 where the network computes in less.
        with torch.autocast(feature.device.type, enabled=False):
            terms = {"classification": losses.classification(logits.float(), batch["writer"])}
            total = self.classification * terms["classification"]
            for name in self.maps:
                vectors = vectors_of_map(maps[connections[name]].float())
                contrast = nac(vectors, batch[f"mask_{name}"])
                term = losses.geometry(contrast, batch[f"nac_{name}"], half)
                terms[f"geometry_{name}"] = term
                total = total + self.geometry[name] * term
            if self.guided_by_response:
                loss = losses.RESPONSES[self.response.loss]
                term = loss(feature.float(), batch["feature"], **self.response.parameters)
                terms["response"] = term
                total = total + self.response.weight * term
        return {**terms, "total": total}, logits


def _settings_of_the_paper() -> dict[str, dict]:
    """The loss settings of Tables 4 and 5, and random weights."""
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


def student_of(spec: str | Mapping) -> Student:
    """Find a student of the paper by its name, or read one of the user's own.

    Parameters
    ----------
    spec : str or mapping
        A key of :data:`PAPER`, or what :meth:`Student.from_dict` reads.

    Raises
    ------
    FkdError
        Where no student has this name.
    """
    if not isinstance(spec, str):
        return Student.from_dict(spec)
    if spec not in PAPER:
        raise FkdError(f"{spec!r} is none of the paper's students: {', '.join(PAPER)}")
    return PAPER[spec]
