"""Which signatures are compared in writer-independent verification: the published random stream.

One model judges pairs of signatures of any writer. It is trained with pairs of development
writers, none of whom is judged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    train : ndarray of int, (development writers, K)
        The rows of the development set that are paired.
    partners : ndarray of int, (development writers, K // 2)
        The rows of other writers with which each writer's first K - 1 rows are paired.
    """

    references: np.ndarray
    genuine: ByWriter
    skilled: ByWriter
    random: ByWriter
    train: np.ndarray
    partners: np.ndarray


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
        The rows of each development writer's genuine signatures.
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
    >>> split.references.shape, split.train.shape, split.partners.shape
    ((2, 2), (2, 3), (2, 1))
    """
    uneven = isinstance(test, str)
    for _ in range(splits):
        given, kept = [], []
        for rows in genuine:
            rows = stream.permutation(rows)
            given.append(rows[:references])
            kept.append(rows[references:] if uneven else rows[-test:])
        train = np.stack(
            [stream.permutation(rows)[:development_references] for rows in development]
        )
        partners = []
        for writer in range(len(train)):
            others = np.delete(np.arange(len(train)), writer)
            chosen = stream.choice(others, development_references // 2, replace=False)
            # The published code leaves out the last row of the others' too.
            partners.append(
                [train[other, stream.randint(development_references - 1)] for other in chosen]
            )
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
        yield PairSplit(np.stack(given), *whole, train=train, partners=np.array(partners))


def training_pairs(x: np.ndarray, split: PairSplit) -> tuple[np.ndarray, np.ndarray]:
    """Compare the development writers' signatures.

    Parameters
    ----------
    x : ndarray of float, (n, F)
        The development features.
    split : PairSplit
        Which of them are paired.

    Returns
    -------
    pairs : ndarray of float, (p, F)
        The absolute differences of the features of each pair, in the precision of `x` but at
        least single: first pairs of two writers, then pairs of one writer's signatures.
    same : ndarray of bool, (p,)
        Whether both signatures are of one writer.
    """
    count, kept = split.train.shape
    first, second = np.triu_indices(kept, 1)
    between, within = (kept - 1) * split.partners.shape[1], len(first)
    dtype = np.result_type(x, np.float32)
    pairs = np.empty((count * (between + within), x.shape[1]), dtype)
    other, own = np.split(pairs, [count * between])
    for writer, (rows, partners) in enumerate(zip(split.train, split.partners, strict=True)):
        mine = x[rows].astype(dtype, copy=False)
        # For one partner after the other, all rows of the writer but the last.
        at = other[writer * between : (writer + 1) * between].reshape(len(partners), kept - 1, -1)
        np.subtract(mine[:-1], x[partners][:, None], out=at)
        np.subtract(mine[first], mine[second], out=own[writer * within : (writer + 1) * within])
    np.abs(pairs, out=pairs)
    return pairs, np.arange(len(pairs)) >= count * between
