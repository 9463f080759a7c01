"""The protocols of verification: the numbers of references, tests and splits."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fkd.errors import FkdError
from fkd.ranges import Count, CountFromTwo, Range, check_fields

C = 1.0
"""The published cost of an error of the support vector machines."""

GAMMA = 2**-11
"""The published gamma of the RBF kernel."""

SplitsSeed = Annotated[int, Range(at_least=0, at_most=2**32 - 1)]
"""A seed of the published code's generator of random numbers."""


@dataclass(frozen=True)
class Protocol:
    """A protocol, which describes how a set of signatures is divided into references and tests.

    Attributes
    ----------
    references : int
        The number of genuine references per writer, NREF, with which the writer's model is
        trained.
    test_genuine : int
        The number of tested genuine signatures per writer.
    test_skilled : int
        The number of tested skilled forgeries per writer.
    splits : int
        The number of random splits into references and tests.
    seed : int
        The seed of the random stream from which all splits are drawn. The default results in the
        published splits.
    negatives : int, optional
        The number of each other writer's references that serve as random forgeries when a
        writer's model is trained; by default all, as published. With fewer, each writer has a
        training set, a scaling and a class weight of its own.

    Raises
    ------
    FkdError
        If a number is out of range.
    """

    references: Count
    test_genuine: Count
    test_skilled: Count
    splits: Count = 10
    seed: SplitsSeed = 1234
    negatives: Count | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.refused > self.references:
            raise FkdError(
                f"negatives: expected at most the number of references, {self.references}, found "
                f"{self.negatives}"
            )

    @property
    def refused(self) -> int:
        """The number of each other writer's references that a model is trained to reject."""
        return self.references if self.negatives is None else self.negatives


Fusion = Literal["max", "mean", "min", "median"]
"""How the scores of a questioned signature against each reference become one."""

Comparison = Literal["svm", "cosine", "euclidean"]
"""How two signatures are compared: by a machine trained with pairs, or by their distance."""


@dataclass(frozen=True)
class PairProtocol:
    """The protocol of writer-independent verification, in which pairs of signatures are judged.

    Attributes
    ----------
    references : int
        The number of genuine references per judged writer, NREF, from 1.
    test : int
        The number of tested signatures per judged writer of each kind: genuine ones, skilled
        and random forgeries.
    development_references : int
        The number of genuine signatures per development writer that are paired, K. With 12, as
        published, each writer gives 66 pairs of its own and as many with other writers.
    fusion : {"max", "mean", "min", "median"}
        How the scores of a signature against the writer's references become one.
    comparison : {"svm", "cosine", "euclidean"}
        How two signatures are compared: by a support vector machine trained with the pairs of the
        development writers, or, as baselines without training, by minus their cosine or
        Euclidean distance. The tested signatures are the same.
    splits : int
        The number of random splits.
    seed : int
        The seed of the random stream from which all splits are drawn. The default results in the
        published splits.

    Raises
    ------
    FkdError
        If a number is out of range or a name unknown.
    """

    references: Count
    test: Count
    development_references: CountFromTwo = 12
    fusion: Fusion = "max"
    comparison: Comparison = "svm"
    splits: Count = 10
    seed: SplitsSeed = 1234

    def __post_init__(self) -> None:
        check_fields(self)
