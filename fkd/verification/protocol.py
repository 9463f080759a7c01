"""The protocol of writer-dependent verification: the numbers of references, tests and splits."""

from dataclasses import dataclass

from fkd.errors import FkdError

C = 1.0
"""The published cost of an error of the support vector machines."""

GAMMA = 2**-11
"""The published gamma of the RBF kernel."""


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

    references: int
    test_genuine: int
    test_skilled: int
    splits: int = 10
    seed: int = 1234
    negatives: int | None = None

    def __post_init__(self) -> None:
        counts = (self.references, self.test_genuine, self.test_skilled, self.splits)
        if min(counts) < 1:
            raise FkdError(
                "references, test_genuine, test_skilled and splits are counts from 1, found "
                "{}, {}, {} and {}.".format(*counts)
            )
        if not 0 <= self.seed < 2**32:
            raise FkdError(f"The splits' seed is a number from 0 to {2**32 - 1}, not {self.seed}.")
        if not 1 <= self.refused <= self.references:
            raise FkdError(
                "negatives counts from 1 to the number of references, "
                f"{self.references}; found {self.negatives}."
            )

    @property
    def refused(self) -> int:
        """The number of each other writer's references that a model is trained to reject."""
        return self.references if self.negatives is None else self.negatives
