"""Writer-dependent verification: the scores and error rates of the features of one set."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
from threadpoolctl import threadpool_limits

from fkd.errors import FkdError
from fkd.threads import cores
from fkd.verification import svm
from fkd.verification.metrics import error_rates
from fkd.verification.pairs import check_arrays
from fkd.verification.protocol import GAMMA, C, Protocol
from fkd.verification.splits import Split, draw_splits

MEMORY = 1.0
"""The default memory, in gigabytes, of splits that are computed at the same time. It is enough for
five splits of GPDS300GRAY with 2048 features."""


@dataclass(frozen=True)
class SplitScores:
    """The scores of one split. All arrays have one row per writer, in ascending order.

    Attributes
    ----------
    genuine, genuine_rows : ndarray, (writers, test_genuine)
        The scores of the tested genuine signatures, and their rows in `x`.
    skilled, skilled_rows : ndarray, (writers, test_skilled)
        The scores of the tested skilled forgeries, and their rows in `x`.
    random, random_rows : ndarray, (writers, (writers - 1) * test_genuine)
        The scores of the random forgeries, and their rows in `x`. A writer's random forgeries are
        the tested genuine signatures of all other writers, scored by this writer's model.
    reference_rows : ndarray, (writers, references)
        The rows in `x` of each writer's references.
    fixed : float, optional
        The threshold at which FRR and FARs are counted; by default, the global equal error
        threshold.
    """

    genuine: np.ndarray
    genuine_rows: np.ndarray
    skilled: np.ndarray
    skilled_rows: np.ndarray
    random: np.ndarray
    random_rows: np.ndarray
    reference_rows: np.ndarray
    fixed: float | None = None

    def rates(self) -> dict[str, float]:
        """Compute the error rates, see :func:`fkd.verification.metrics.error_rates`."""
        return error_rates(self.genuine, self.skilled, self.random, self.fixed)


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
        If the arrays do not fit together, the features contain NaN or infinity, or a writer has
        too few signatures.
    """
    x, y, yforg = np.asarray(x), np.asarray(y), np.asarray(yforg).astype(bool)
    check_arrays(x, y, yforg)
    _check_writers(y)
    if (threads is not None and threads < 1) or memory <= 0:
        raise FkdError(
            f"threads count from 1 and memory is over 0, found {threads} and {memory:g} GB."
        )
    splits = splits_of(y, yforg, protocol, names)
    writers = len(np.unique(y))
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
    yforg = np.asarray(yforg).astype(bool)
    writers = np.unique(y)
    names = writers if names is None else names
    genuine = [np.flatnonzero((y == writer) & ~yforg) for writer in writers]
    skilled = [np.flatnonzero((y == writer) & yforg) for writer in writers]
    needed = protocol.references + protocol.test_genuine
    check_counts("genuine signatures", genuine, names, needed)
    check_counts("skilled forgeries", skilled, names, protocol.test_skilled)
    return draw_splits(genuine, skilled, protocol)


def _memory(rows: int, features: int) -> int:
    """Estimate the bytes of a training set: kernel matrix and scaled rows, with their copies."""
    return 4 * rows * rows + 3 * 8 * rows * features


def _score(x: np.ndarray, split: Split, *, C: float, gamma: float, each: svm.Map) -> SplitScores:
    """Train and test every writer's model in one split."""
    writers, references = split.train.shape
    if split.negatives.shape[2] == references:
        # All writers' models are trained with the same rows, the references of all writers. Only
        # their order differs, so the models can share scaling and kernel matrix.
        rows = split.train.ravel()  # (writers * references,)
        positives = split.train[:, None]  # (writers, 1, references)
        ordered = np.concatenate([positives, split.negatives], axis=1).reshape(writers, -1)
        # Where in `rows` each of the ordered rows stands.
        place = np.argsort(rows)
        orders = place[np.searchsorted(rows, ordered, sorter=place)]  # (writers, len(rows))
        models = svm.fit_shared(x[rows], orders, C, gamma, each)
        all_scores = models.decide(x[split.test.ravel()], each)  # (writers, writers * tests)
        skilled = models.decide_own(x[split.forged], each)
    else:
        # Each writer has negatives of its own, and so a training set that no other shares.

        def score(writer: int) -> np.ndarray:
            rows = np.append(split.train[writer], split.negatives[writer])
            model = svm.fit_own(x[rows], references, C, gamma)
            return model.decide(x[np.append(split.test, split.forged[writer])])[0]

        scores = np.stack(list(each(score, range(writers))))
        all_scores, skilled = np.split(scores, [split.test.size], axis=1)
    # Scores by model, writer of the tested signature, and signature. On the diagonal, the model
    # is the writer's own, so the signatures are genuine; elsewhere, they are random forgeries.
    all_scores = all_scores.reshape(writers, *split.test.shape)
    diagonal = np.eye(writers, dtype=bool)
    others = np.broadcast_to(split.test, all_scores.shape)[~diagonal].reshape(writers, -1)
    return SplitScores(
        genuine=all_scores[diagonal],
        genuine_rows=split.test,
        skilled=skilled,
        skilled_rows=split.forged,
        random=all_scores[~diagonal].reshape(others.shape),
        random_rows=others,
        reference_rows=split.train,
    )


def _check_writers(y: np.ndarray) -> None:
    """Check that each writer has others, who serve as its negatives."""
    if len(np.unique(y)) < 2:
        raise FkdError(
            f"Verification needs at least 2 writers, found {len(np.unique(y))}: the others' "
            "references are each writer's negatives."
        )


def check_counts(what: str, rows: list[np.ndarray], names: Sequence[object], needed: int) -> None:
    """Check that every writer has enough signatures of a kind."""
    short = [
        f"writer {name} has {len(writer_rows)}"
        for name, writer_rows in zip(names, rows, strict=True)
        if len(writer_rows) < needed
    ]
    if short:
        more = f" and {len(short) - 10} writers more" if len(short) > 10 else ""
        raise FkdError(
            f"The protocol needs {needed} {what} of every writer; {', '.join(short[:10])}{more}. "
            "Lower references or the tests of this set, or complete the set. Files of these "
            "writers may have been set aside, see results/quarantine."
        )


def evaluate(
    x: np.ndarray,
    y: np.ndarray,
    yforg: np.ndarray,
    references: int,
    test_genuine: int,
    test_skilled: int,
    splits: int = 10,
    seed: int = 1234,
    C: float = C,
    gamma: float = GAMMA,
    negatives: int | None = None,
    threads: int | None = None,
    memory: float = MEMORY,
) -> list[dict[str, float]]:
    """Compute the error rates of a model's features of one set in each split.

    Parameters and errors are those of :class:`fkd.verification.Protocol` and of
    :func:`scores_of_splits`.

    Returns
    -------
    list of dict of str to float
        One dict per split, see :func:`fkd.verification.metrics.error_rates`.
    """
    protocol = Protocol(references, test_genuine, test_skilled, splits, seed, negatives)
    scored = scores_of_splits(x, y, yforg, protocol, C, gamma, threads=threads, memory=memory)
    return [scores.rates() for scores in scored]
