"""Writer-dependent verification: the scores and error rates of the features of one set."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

import numpy as np
from threadpoolctl import threadpool_limits

from fkd.errors import FkdError
from fkd.threads import cores
from fkd.verification import svm
from fkd.verification.protocol import GAMMA, C, Protocol
from fkd.verification.scores import SplitScores
from fkd.verification.splits import ByWriter, Split, draw_splits
from fkd.verification.writers import check_arrays, judged_writers, rows_of_writers

MEMORY = 1.0
"""The default memory, in gigabytes, of splits that are computed at the same time. It is enough for
five splits of GPDS300GRAY with 2048 features."""


def scores_of_splits(
    x: np.ndarray,
    y: np.ndarray,
    yforg: np.ndarray,
    protocol: Protocol,
    C: float = C,
    gamma: float = GAMMA,
    names: Sequence[str] | None = None,
    threads: int | None = None,
    memory: float = MEMORY,
) -> Iterator[SplitScores]:
    """Train and test every writer's model in each split.

    Parameters
    ----------
    x : ndarray of float, (n, F)
        The features, with one row per signature.
    y : ndarray of int, (n,)
        The writer of each row. For a forgery, this is the writer whose signature it imitates.
    yforg : ndarray of int or bool, (n,)
        Whether each row is a skilled forgery.
    protocol : Protocol
        The numbers of references, tests and splits.
    C, gamma : float
        The parameters of the support vector machines; by default, the published 1 and 2^-11.
    names : sequence of str, optional
        The names of the writers in ascending order, for messages; by default, the values of `y`.
    threads : int, optional
        The number of threads; by default, one per CPU core. Scores do not depend on it.
    memory : float
        The gigabytes of memory that splits may use when they are computed at the same time. A
        single split is computed even if it needs more.

    Yields
    ------
    SplitScores
        The scores of one split.

    Raises
    ------
    FkdError
        If the arrays do not fit together, the features contain NaN or infinity, a writer has too
        few signatures, or no writer is left with whom rates could be computed.

    Notes
    -----
    Which writers the scores are of, :func:`judged_writers` tells.
    """
    x, y, yforg = np.asarray(x), np.asarray(y), np.asarray(yforg).astype(bool)
    check_arrays(x, y, yforg)
    if (threads is not None and threads < 1) or memory <= 0:
        raise FkdError(
            f"threads count from 1 and memory is over 0, found {threads} and {memory:g} GB."
        )
    splits = splits_of(y, yforg, protocol, names)
    writers = len(judged_writers(y, yforg, protocol))
    rows = protocol.references + (writers - 1) * protocol.refused
    affordable = max(1, int(memory * 1e9) // _memory(rows, x.shape[1]))
    threads = threads or cores()
    if protocol.refused == protocol.references:
        at_once = min(threads, affordable)
    else:  # each writer, and so each thread, has a kernel matrix of its own
        at_once, threads = 1, min(threads, affordable)
    score = partial(_score, x, C=C, gamma=gamma)
    # Each overseer computes a whole split, and gives the parts of its work to the workers. Two
    # pools are needed: overseers that wait for workers of the same pool could block each other.
    with ThreadPoolExecutor(threads) as workers, ThreadPoolExecutor(at_once) as overseers:
        while together := list(islice(splits, at_once)):
            # A BLAS library divides matrix products by its number of threads, which changes the
            # rounding. With one thread, scores do not depend on the machine's number of cores.
            with threadpool_limits(1, user_api="blas"):
                scored = list(overseers.map(partial(score, each=workers.map), together))
            yield from scored


def splits_of(
    y: np.ndarray,
    yforg: np.ndarray,
    protocol: Protocol,
    names: Sequence[object] | None = None,
) -> Iterator[Split]:
    """Draw the references and tests of each split.

    The parameters are those of :func:`scores_of_splits`, which scores exactly these splits.

    Returns
    -------
    iterator of Split
        The rows of each split.

    Raises
    ------
    FkdError
        If a writer has too few signatures.
    """
    return draw_splits(*rows_of_writers(y, yforg, np.unique(y), protocol, names), protocol)


def _memory(rows: int, features: int) -> int:
    """Estimate the bytes of a training set: kernel matrix and scaled rows, with their copies."""
    return 4 * rows * rows + 3 * 8 * rows * features


class _Orders(Sequence):
    """For each writer, where in ``split.train`` its references and then its negatives stand.

    They are found when they are needed: those of all writers would fill more memory than all else.
    """

    def __init__(self, split: Split) -> None:
        self._split, self._rows = split, split.train.ravel()
        self._sorter = np.argsort(self._rows)

    def __len__(self) -> int:
        return len(self._split.train)

    def __getitem__(self, writer: int) -> np.ndarray:
        ordered = np.append(self._split.train[writer], self._split.negatives[writer])
        return self._sorter[np.searchsorted(self._rows, ordered, sorter=self._sorter)]


def _score(x: np.ndarray, split: Split, *, C: float, gamma: float, each: svm.Map) -> SplitScores:
    """Train and test every writer's model in one split."""
    writers, references = split.train.shape
    tested, tests = np.concatenate(list(split.test)), np.array([len(own) for own in split.test])
    if split.negatives.shape[2] == references:
        # All writers' models are trained with the same rows, the references of all writers. Only
        # their order differs, so the models can share scaling and kernel matrix.
        rows = split.train.ravel()  # (writers * references,)
        models = svm.fit_shared(x[rows], _Orders(split), C, gamma, each)
        all_scores = models.decide(x[tested], each)  # (writers, tested)
        skilled = models.decide_own(x, split.forged, each)
        del models  # of many writers they are large, and so is what follows
    else:
        # Each writer has negatives of its own, and so a training set that no other shares.

        def score(writer: int) -> np.ndarray:
            rows = np.append(split.train[writer], split.negatives[writer])
            model = svm.fit_own(x[rows], references, C, gamma)
            return model.decide(x[np.append(tested, split.forged[writer])])[0]

        scores = list(each(score, range(writers)))
        all_scores = np.stack([own[: len(tested)] for own in scores])
        skilled = [own[len(tested) :] for own in scores]
    # Where the model is the writer's own, the signatures are genuine; elsewhere, they are random
    # forgeries.
    own = np.arange(writers)[:, None] == np.repeat(np.arange(writers), tests)
    others = np.broadcast_to(tested, own.shape)[~own]

    def by_writer(values: np.ndarray, counts: np.ndarray) -> ByWriter:
        if isinstance(split.test, np.ndarray):
            return values.reshape(writers, -1)
        return np.split(values, np.cumsum(counts)[:-1])

    return SplitScores(
        genuine=by_writer(all_scores[own], tests),
        genuine_rows=split.test,
        skilled=np.stack(skilled) if isinstance(split.forged, np.ndarray) else skilled,
        skilled_rows=split.forged,
        random=by_writer(all_scores[~own], tests.sum() - tests),
        random_rows=by_writer(others, tests.sum() - tests),
        reference_rows=split.train,
    )


def evaluate(
    x: np.ndarray,
    y: np.ndarray,
    yforg: np.ndarray,
    references: int,
    test_genuine: int | str,
    test_skilled: int | str,
    splits: int = 10,
    seed: int = 1234,
    C: float = C,
    gamma: float = GAMMA,
    negatives: int | None = None,
    threads: int | None = None,
    memory: float = MEMORY,
    writers: str = "all",
) -> list[dict[str, float]]:
    """Compute the error rates of a model's features of one set in each split.

    Parameters and errors are those of :class:`fkd.verification.Protocol` and of
    :func:`scores_of_splits`.

    Returns
    -------
    list of dict of str to float
        One dict per split, see :func:`fkd.verification.metrics.error_rates`.
    """
    counts = (references, test_genuine, test_skilled, splits, seed, negatives)
    protocol = Protocol(*counts, writers)
    scored = scores_of_splits(x, y, yforg, protocol, C, gamma, threads=threads, memory=memory)
    return [scores.rates() for scores in scored]
