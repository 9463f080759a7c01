"""The definition of a Siamese network: a network, a loss on pairs or triplets, and where it starts.

A Siamese network describes the two images of a pair by the same weights, and compares the two
descriptions. Its embedding is a feature like that of any model. :mod:`fkd.training.siamese` trains
it.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from fkd.errors import FkdError
from fkd.ranges import Count, Positive, check_fields
from fkd.registry import Registry
from fkd.study.parts import ONNX, TIMM, Networks, architecture_of

Comparison = Literal["learned", "euclidean", "cosine"]
"""How two embeddings become a score: by a fully connected layer on their absolute differences, by
their distance, or by their cosine."""


@dataclass(frozen=True)
class PairLoss:
    """A loss on pairs or triplets.

    Attributes
    ----------
    label : str
        The loss's name in tables and figures.
    function : str
        The dotted name of its function.
    comparison : {"learned", "euclidean", "cosine"}
        How two embeddings are compared once the network has learned.
    takes : {"pairs", "images"}
        What the function takes: the logit or the distance of each pair and its label, or the
        embedding, the writer and the forgery flag of each image of a batch.
    parameters : mapping of str to float, bool or str
        The function's parameters with their defaults.
    run : int
        How many pairs of one writer stand side by side in a batch. Triplets need several, because
        they are found within the batch.
    """

    label: str
    function: str
    comparison: Comparison
    takes: Literal["pairs", "images"]
    parameters: Mapping[str, float | bool | str] = field(default_factory=dict)
    run: int = 1


PAIR_LOSSES = Registry(PairLoss, "loss on pairs")
"""The losses on pairs and triplets, by their names in a config."""

PAIR_LOSSES.register(
    "binary_cross_entropy",
    PairLoss(
        label="BCE",
        function="fkd.pair_losses.binary_cross_entropy",
        comparison="learned",
        takes="pairs",
    ),
)
PAIR_LOSSES.register(
    "contrastive",
    PairLoss(
        label="contrastive",
        function="fkd.pair_losses.contrastive",
        comparison="euclidean",
        takes="pairs",
        parameters={"margin": 2.0},
    ),
)
PAIR_LOSSES.register(
    "contrastive_as_printed",
    PairLoss(
        label="contrastive (as printed)",
        function="fkd.pair_losses.contrastive_as_printed",
        comparison="euclidean",
        takes="pairs",
        parameters={"margin": 2.0},
    ),
)
PAIR_LOSSES.register(
    "weighted_contrastive",
    PairLoss(
        label="contrastive (a, b)",
        function="fkd.pair_losses.weighted_contrastive",
        comparison="euclidean",
        takes="pairs",
        parameters={"margin": 1.0, "a": 1.0, "b": 1.0},
    ),
)
PAIR_LOSSES.register(
    "triplet",
    PairLoss(
        label="triplet",
        function="fkd.pair_losses.triplet",
        comparison="euclidean",
        takes="images",
        parameters={"margin": 0.5, "squared": False, "mining": "all"},
        run=8,
    ),
)
PAIR_LOSSES.register(
    "nt_xent",
    PairLoss(
        label="NT-Xent",
        function="fkd.pair_losses.nt_xent",
        comparison="cosine",
        takes="images",
        parameters={"temperature": 0.5},
        run=2,
    ),
)


@dataclass(frozen=True)
class Start:
    """The model from which a Siamese network starts: one of the study, or one of others.

    Attributes
    ----------
    student : str, optional
        The name of a student of the study.
    teacher : bool
        Whether it is the teacher.
    onnx : str, optional
        The file of a feature extractor, which stays as it is. A head on it is trained.
    weights : str, optional
        The file of the weights of a network of timm, for all of it but its head.
    sha256 : str, optional
        The SHA-256 digest of `weights`, by which the file is checked.
    frozen : bool
        Whether `weights` stay as they are, so that the head alone is trained.

    Raises
    ------
    FkdError
        Unless it is exactly one of the four, or if weights have no digest.
    """

    student: str | None = None
    teacher: bool = False
    onnx: str | None = None
    weights: str | None = None
    sha256: str | None = None
    frozen: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        given = [self.student, self.teacher or None, self.onnx, self.weights]
        if sum(value is not None for value in given) != 1:
            raise FkdError("initialize: expected either student, teacher: true, onnx or weights")
        if self.weights is None:
            if self.sha256 is not None or self.frozen:
                raise FkdError("initialize: sha256 and frozen are for weights; leave them out")
        elif not re.fullmatch("[0-9a-f]{64}", self.sha256 or ""):
            raise FkdError(
                "initialize.sha256: expected the 64 hexadecimal digits by which weights are "
                "checked, as `sha256sum FILE` prints them"
            )

    @property
    def file(self) -> str | None:
        """The file of others from which it starts; None if it starts from a model of the study."""
        return self.onnx or self.weights

    @property
    def model(self) -> str:
        """The name of the model, or of the file."""
        return Path(self.file).name if self.file else self.student or "teacher"

    @property
    def told(self) -> "Start":
        """The same without the folder of the file, which says nothing to others."""
        return replace(
            self, **{key: self.model for key in ("onnx", "weights") if getattr(self, key)}
        )


@dataclass(frozen=True)
class Siamese:
    """A Siamese network: what it learns from, its network, and its loss.

    Attributes
    ----------
    pairs : str
        The list of pairs, a key of ``pairs`` in the config.
    loss : str
        A key of :data:`PAIR_LOSSES`.
    architecture : str, optional
        The network, see :func:`fkd.study.parts.architecture_of`. One that starts from another model
        has that model's.
    parameters : dict of str to float, bool or str
        Keyword arguments of the loss. Parameters that are omitted have the loss's defaults.
    initialize : Start, optional
        The model from which the network starts; by default, it starts from random weights.
    width : float, optional
        The factor by which channels are scaled; by default, that of the study's networks for
        theirs, and 1 for others.
    features : int, optional
        The number of elements of the embedding; by default, the network's own.

    Raises
    ------
    FkdError
        If the loss or the architecture is unknown, or the loss has no such parameter.
    """

    pairs: str
    loss: str
    architecture: str | None = None
    parameters: dict[str, float | bool | str] = field(default_factory=dict)
    initialize: Start | None = None
    width: Positive | None = None
    features: Count | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.loss not in PAIR_LOSSES:
            known = ", ".join(PAIR_LOSSES)
            raise FkdError(f"loss: expected one of {known}, found {self.loss!r}")
        self._check_network()
        has = PAIR_LOSSES[self.loss].parameters
        for parameter in sorted(set(self.parameters) - set(has)):
            raise FkdError(
                f"parameters.{parameter}: {self.loss} has no such parameter; it has "
                f"{', '.join(has) or 'none'}"
            )

    def _check_network(self) -> None:
        """Refuse an architecture that is unknown, or does not fit what it starts from."""
        name, start = self.architecture, self.initialize
        if name is None and (start is None or start.weights):
            raise FkdError("architecture: missing; name a network, or a model to start from")
        try:
            if name is not None:
                architecture_of(name)
        except FkdError as error:
            raise FkdError(f"architecture: {error}, found {name!r}") from None
        if start and start.onnx and name not in (None, ONNX):
            raise FkdError(f"architecture: leave it out; initialize.onnx is a network, not {name}")
        if name == ONNX and not (start and start.onnx):
            raise FkdError("initialize.onnx: missing; the file of the network")
        if start and start.weights and not name.startswith(TIMM):
            raise FkdError(f"initialize.weights: expected an architecture {TIMM}NAME, found {name}")
        if start and not start.file and (self.width or self.features):
            raise FkdError("width and features are those of the model from which it starts")
        if self.width and (name or ONNX).startswith((ONNX, TIMM)):
            raise FkdError("width: networks of others have one width; leave it out")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Siamese":
        """Make a Siamese network from its settings in a config or in the metadata of weights.

        Raises
        ------
        FkdError
            If the settings contain an unknown name, or lack a required one.
        """
        known = dict(settings)
        try:
            if known.get("initialize") is not None:
                known["initialize"] = Start(**known["initialize"])
            return cls(**known)
        except TypeError as error:
            raise FkdError(f"{known} does not describe a Siamese network: {error}") from None

    @property
    def told(self) -> dict[str, Any]:
        """Its settings as they are noted beside its weights."""
        return asdict(replace(self, initialize=self.initialize and self.initialize.told))

    @property
    def comparison(self) -> Comparison:
        """How two embeddings are compared."""
        return PAIR_LOSSES[self.loss].comparison

    def size(self, networks: Networks) -> Networks:
        """Return the settings of its network, where those of the study's networks are given."""
        own = architecture_of(self.architecture or ONNX).features
        return replace(
            networks,
            width=self.width or (networks.width if own is None else 1.0),
            features=self.features or own or networks.features,
        )


def siamese_of(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Siamese]:
    """Make the Siamese networks of a study from ``siamese`` in its completed config."""
    return {
        name: Siamese.from_settings({key: v for key, v in spec.items() if key != "training"})
        for name, spec in settings.items()
    }
