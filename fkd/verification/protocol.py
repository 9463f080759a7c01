"""The protocol of writer-dependent verification: how many signatures serve for what."""

from dataclasses import dataclass

from fkd.errors import FkdError

C = 1.0
"""The published cost of an error of the support vector machines."""

GAMMA = 2**-11
"""The published gamma of the RBF kernel."""


@dataclass(frozen=True)
class Protocol:
    """How a set of signatures is divided, again and again, into references and tests.

    Attributes
    ----------
    references : int
        Genuine references a writer, NREF, with which the writer's model is trained.
    test_genuine : int
        Genuine signatures tested a writer.
    test_skilled : int
        Skilled forgeries tested a writer.
    splits : int
        How many times all is drawn anew.
    seed : int
        The seed of the one random stream of all splits; with the published value the splits
        are the published ones.
    negatives : int, optional
        How many of each other writer's references a model learns to refuse; all by default,
        as published. With fewer, each writer has a training set, a scaling and a class
        weight of its own.

    Raises
    ------
    FkdError
        Where a number is out of range.
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
        """How many of each other writer's references a model learns to refuse."""
        return self.references if self.negatives is None else self.negatives
