"""Which signatures are compared in writer-independent verification: the published random stream.

One model judges pairs of signatures of any writer. It is trained with pairs of development
writers, none of whom is judged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fkd.verification.splits import ByWriter
from fkd.verification.writers import check_arrays


@dataclass(frozen=True)
class Development:
    """The features of development writers, whose genuine signatures are paired for training.

    Attributes
    ----------
    x : ndarray of float, (n, F)
        The features, with one row per signature.
    y : ndarray of int, (n,)
        The writer of each row.
    yforg : ndarray of int or bool, (n,)
        Whether each row is a skilled forgery; these rows are not used.

    Raises
    ------
    FkdError
        If the arrays do not fit together, or the features contain NaN or infinity.
    """

    x: np.ndarray
    y: np.ndarray
    yforg: np.ndarray

    def __post_init__(self) -> None:
        check_arrays(self.x, self.y, self.yforg)

    @classmethod
    def of(cls, *sets: "Development") -> "Development":
        """Join sets whose writers are all different people.

        Parameters
        ----------
        *sets : Development
            The sets. Their writers may have equal numbers.

        Returns
        -------
        Development
            All rows, with the writers numbered anew, set by set and in ascending order.
        """
        numbers, first = [], 0
        for one in sets:
            writers, number = np.unique(one.y, return_inverse=True)
            numbers.append(number + first)
            first += len(writers)
        return cls(
            np.concatenate([one.x for one in sets]),
            np.concatenate(numbers),
            np.concatenate([np.asarray(one.yforg).astype(bool) for one in sets]),
        )


class TrainingRows(NamedTuple):
    """The rows of development writers that are paired to train a model of pairs.

    Attributes
    ----------
    own : ndarray of int, (development writers, K)
        The rows of each writer that are paired with each other.
    partners : ndarray of int, (development writers, K // 2)
        The rows of other writers with which each writer's first K - 1 rows are paired.
    """

    own: np.ndarray
    partners: np.ndarray


@dataclass(frozen=True)
class PairSplit:
    """The rows of one split. Writers are in ascending order.

    Attributes
    ----------
    references : ndarray of int, (writers, references)
        The references of each judged writer.
    genuine, skilled, random : ndarray of int, (writers, test), or list of ndarray
        The questioned signatures of each judged writer: its own, skilled forgeries of them, and
        genuine signatures of other judged writers. Lists by writer if ``all`` are tested.
    training : TrainingRows, optional
        The rows of the development set that are paired; None without development writers.
    """

    references: np.ndarray
    genuine: ByWriter
    skilled: ByWriter
    random: ByWriter
    training: TrainingRows | None


def draw_training_rows(
    development: Sequence[np.ndarray], development_references: int, stream: np.random.RandomState
) -> TrainingRows:
    """Draw the rows that are paired for training as the published evaluation does.

    Parameters
    ----------
    development : sequence of ndarray of int
        The rows of each development writer's genuine signatures.
    development_references : int
        The number K of each writer's rows that are paired.
    stream : numpy.random.RandomState
        The random stream, which is moved on.

    Returns
    -------
    TrainingRows
        The rows. From K = 12, each writer gives 66 pairs of its own and as many with others.
    """
    own = np.stack([stream.permutation(rows)[:development_references] for rows in development])
    partners = []
    for writer in range(len(own)):
        others = np.delete(np.arange(len(own)), writer)
        chosen = stream.choice(others, development_references // 2, replace=False)
        # The published code leaves out the last row of the others' too.
        partners.append(
            [own[other, stream.randint(development_references - 1)] for other in chosen]
        )
    return TrainingRows(own, np.array(partners))


def draw_pair_splits(
    genuine: Sequence[np.ndarray],
    skilled: Sequence[np.ndarray],
    development: Sequence[np.ndarray],
    *,
    references: int,
    test: int | str,
    development_references: int,
    splits: int,
    stream: np.random.RandomState,
) -> Iterator[PairSplit]:
    """Draw splits as the published evaluation does.

    Parameters
    ----------
    genuine, skilled : sequence of ndarray of int
        The rows of each judged writer's genuine signatures and skilled forgeries.
    development : sequence of ndarray of int
        The rows of each development writer's genuine signatures; empty if nothing is trained.
    references, development_references, splits : int
    test : int or "all"
        The counts of :class:`fkd.verification.PairProtocol`.
    stream : numpy.random.RandomState
        The one random stream of all splits, which is moved on.

    Yields
    ------
    PairSplit
        The rows of one split.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification.pairs import draw_pair_splits
    >>> rows = np.arange(24).reshape(4, 6)
    >>> counts = dict(references=2, test=1, development_references=3, splits=1)
    >>> stream = np.random.RandomState(1234)
    >>> split = next(draw_pair_splits(rows[:2], rows[:2], rows[2:], **counts, stream=stream))
    >>> split.references.shape, split.training.own.shape, split.training.partners.shape
    ((2, 2), (2, 3), (2, 1))
    """
    uneven = isinstance(test, str)
    for _ in range(splits):
        given, kept = [], []
        for rows in genuine:
            rows = stream.permutation(rows)
            given.append(rows[:references])
            kept.append(rows[references:] if uneven else rows[-test:])
        training = None
        if len(development):
            training = draw_training_rows(development, development_references, stream)
        tested: list[list[np.ndarray]] = [[], [], []]
        for writer in range(len(kept)):
            chosen = np.delete(np.arange(len(kept)), writer)
            forged, own = skilled[writer], kept[writer]
            if not uneven:
                forged = stream.choice(forged, test, replace=False)
                own = stream.choice(own, test, replace=False)
                chosen = stream.choice(chosen, test, replace=False)
            random = np.array([stream.choice(kept[other]) for other in chosen])
            for rows, drawn in zip(tested, (own, forged, random), strict=True):
                rows.append(drawn)
        whole = tested if uneven else map(np.stack, tested)
        yield PairSplit(np.stack(given), *whole, training)


def training_pairs(x: np.ndarray, rows: TrainingRows) -> tuple[np.ndarray, np.ndarray]:
    """Compare the development writers' signatures.

    Parameters
    ----------
    x : ndarray of float, (n, F)
        The development features.
    rows : TrainingRows
        Which of them are paired.

    Returns
    -------
    pairs : ndarray of float, (p, F)
        The absolute differences of the features of each pair, in the precision of `x` but at
        least single: first pairs of two writers, then pairs of one writer's signatures.
    same : ndarray of bool, (p,)
        Whether both signatures are of one writer.
    """
    count, kept = rows.own.shape
    first, second = np.triu_indices(kept, 1)
    between, within = (kept - 1) * rows.partners.shape[1], len(first)
    dtype = np.result_type(x, np.float32)
    pairs = np.empty((count * (between + within), x.shape[1]), dtype)
    other, own = np.split(pairs, [count * between])
    for writer, (of_writer, partners) in enumerate(zip(*rows, strict=True)):
        mine = x[of_writer].astype(dtype, copy=False)
        # For one partner after the other, all rows of the writer but the last.
        at = other[writer * between : (writer + 1) * between].reshape(len(partners), kept - 1, -1)
        np.subtract(mine[:-1], x[partners][:, None], out=at)
        np.subtract(mine[first], mine[second], out=own[writer * within : (writer + 1) * within])
    np.abs(pairs, out=pairs)
    return pairs, np.arange(len(pairs)) >= count * between
