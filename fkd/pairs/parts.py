"""The parts of a list of pairs: training, validation and test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fkd.errors import FkdError
from fkd.ranges import ShareBelowAll, check_fields
from fkd.seeding import generator
from fkd.storage.files import natural_order

PARTS = ("training", "validation", "test")
"""The names of the parts. A pair of none of them has the number -1."""

TRAINING, VALIDATION, TEST = range(len(PARTS))

NO_PART = -1


@dataclass(frozen=True)
class PartShares:
    """How pairs are divided.

    Attributes
    ----------
    split : {"writers", "pairs", "published"}
        With ``writers``, no two parts have a writer in common. With ``pairs``, pairs are divided at
        random, as the write-ups of Siamese networks do, so that parts share writers and images.
        With ``published``, the test part is the test file as handed round.
    validation : float
        The share for validation: of the writers with ``writers``, else of the pairs.
    test : float
        The share for the test, unless it is published.

    Raises
    ------
    FkdError
        If a value is out of its range, or nothing is left to learn from.
    """

    split: Literal["writers", "pairs", "published"] = "writers"
    validation: ShareBelowAll = 0.15
    test: ShareBelowAll = 0.25

    def __post_init__(self) -> None:
        check_fields(self)
        if self.validation + self.test >= 1:
            raise FkdError(
                f"validation_share and test_share: {self.validation:g} and {self.test:g} leave "
                "nothing to learn from"
            )


def part_writers(writers: Sequence[str], shares: PartShares, seed: int) -> dict[str, int]:
    """Divide writers, each into one part.

    Parameters
    ----------
    writers : sequence of str
        The names.
    shares : PartShares
        The shares of the parts. A share that is not 0 gives one writer at least.
    seed : int
        The study's seed.

    Returns
    -------
    dict of str to int
        The part of each writer.

    Raises
    ------
    FkdError
        If no writer is left for training.

    Examples
    --------
    >>> from collections import Counter
    >>> from fkd.pairs.parts import PARTS, PartShares, part_writers
    >>> parts = part_writers([f"w{n}" for n in range(20)], PartShares(), seed=1)
    >>> {PARTS[part]: count for part, count in sorted(Counter(parts.values()).items())}
    {'training': 12, 'validation': 3, 'test': 5}
    """
    names = sorted(set(writers), key=natural_order)
    order = generator(seed, "parts", "writers").permutation(len(names))
    test, validation = (_count(share, len(names)) for share in (shares.test, shares.validation))
    if test + validation >= len(names):
        raise FkdError(
            f"{len(names)} writers are too few for {validation} in validation, {test} in the test "
            "and one to learn from. Use more writers, or lower validation_share or test_share."
        )
    of_rank = [TEST] * test + [VALIDATION] * validation
    of_rank += [TRAINING] * (len(names) - len(of_rank))
    return {names[at]: part for at, part in zip(order, of_rank, strict=True)}


def part_pairs(count: int, validation: float, test: float, seed: int) -> np.ndarray:
    """Divide pairs at random.

    Returns
    -------
    ndarray of int8, (count,)
        The part of each pair.
    """
    order = generator(seed, "parts", "pairs").permutation(count)
    part = np.full(count, TRAINING, np.int8)
    tested, kept = round(test * count), round(validation * count)
    part[order[:tested]] = TEST
    part[order[tested : tested + kept]] = VALIDATION
    return part


def _count(share: float, total: int) -> int:
    """Count the writers of a share, which is one at least unless the share is 0."""
    return max(1, round(share * total)) if share else 0
