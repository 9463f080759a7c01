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


Writers = Literal["all", "enough"]
"""Which writers are judged: all, or those who have enough signatures."""


@dataclass(frozen=True)
class Protocol:
    """A protocol, which describes how a set of signatures is divided into references and tests.

    Attributes
    ----------
    references : int
        The number of genuine references per writer, NREF, with which the writer's model is
        trained.
    test_genuine : int or "rest"
        The number of tested genuine signatures per writer, or all that are not references.
    test_skilled : int or "all"
        The number of tested skilled forgeries per writer, or all that there are. Then a writer
        without forgeries serves with genuine signatures and random forgeries.
    splits : int
        The number of random splits into references and tests.
    seed : int
        The seed of the random stream from which all splits are drawn. The default results in the
        published splits.
    negatives : int, optional
        The number of each other writer's references that serve as random forgeries when a
        writer's model is trained; by default all, as published. With fewer, each writer has a
        training set, a scaling and a class weight of its own.
    writers : {"all", "enough"}
        Whether a writer with too few signatures is an error, or is left out.

    Raises
    ------
    FkdError
        If a number is out of range.
    """

    references: Count
    test_genuine: Count | Literal["rest"]
    test_skilled: Count | Literal["all"]
    splits: Count = 10
    seed: SplitsSeed = 1234
    negatives: Count | None = None
    writers: Writers = "all"

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

    @property
    def needed(self) -> tuple[int, int]:
        """The least numbers of a writer's genuine signatures and skilled forgeries."""
        genuine = 1 if isinstance(self.test_genuine, str) else self.test_genuine
        skilled = 0 if isinstance(self.test_skilled, str) else self.test_skilled
        return self.references + genuine, skilled


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
    test : int or "all"
        The number of tested signatures per judged writer of each kind: genuine ones, skilled
        and random forgeries. Or all genuine signatures that are not references, all skilled
        forgeries, and one random forgery by each other writer. Then a writer without skilled
        forgeries serves with the others.
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
    writers : {"all", "enough"}
        Whether a writer with too few signatures, judged or of development, is an error, or is
        left out.

    Raises
    ------
    FkdError
        If a number is out of range or a name unknown.
    """

    references: Count
    test: Count | Literal["all"]
    development_references: CountFromTwo = 12
    fusion: Fusion = "max"
    comparison: Comparison = "svm"
    splits: Count = 10
    seed: SplitsSeed = 1234
    writers: Writers = "all"

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def needed(self) -> tuple[int, int]:
        """The least numbers of a judged writer's genuine signatures and skilled forgeries."""
        genuine, skilled = (1, 0) if isinstance(self.test, str) else (self.test, self.test)
        return self.references + genuine, skilled
