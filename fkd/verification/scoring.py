"""Writer-dependent verification: the scores and rates of one data set's features."""

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
from fkd.verification.protocol import GAMMA, C, Protocol
from fkd.verification.splits import Split, draw_splits

MEMORY = 1.0
"""Gigabytes that splits computed side by side may take by default: five of GPDS300GRAY's size at
2048 features."""


@dataclass(frozen=True)
class SplitScores:
    """Scores of one split; all arrays have one row a writer, in ascending order.

    Attributes
    ----------
    genuine, genuine_rows : ndarray, (writers, test_genuine)
        Scores of genuine signatures, and their rows in `x`.
    skilled, skilled_rows : ndarray, (writers, test_skilled)
        Scores of skilled forgeries, and their rows in `x`.
    random, random_rows : ndarray, (writers, (writers - 1) * test_genuine)
        Scores of all other writers' test genuine signatures under this writer's
        model, and their rows in `x`.
    reference_rows : ndarray, (writers, references)
        The rows in `x` of each writer's references.
    """

    genuine: np.ndarray
    genuine_rows: np.ndarray
    skilled: np.ndarray
    skilled_rows: np.ndarray
    random: np.ndarray
    random_rows: np.ndarray
    reference_rows: np.ndarray

    def rates(self) -> dict[str, float]:
        """Error rates, see :func:`fkd.verification.metrics.error_rates`."""
        return error_rates(self.genuine, self.skilled, self.random)


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
    """Train and test every writer's model, once a split.

    Parameters
    ----------
    x : ndarray of float, (n, F)
        Features, one row a signature.
    y : ndarray of int, (n,)
        The writer of each row (of a forgery: the writer it imitates).
    yforg : ndarray of int or bool, (n,)
        True for skilled forgeries.
    protocol : Protocol
        Numbers of references and tests, and the splits.
    C, gamma : float
        Parameters of the support vector machines; 1 and 2^-11 as published.
    names : sequence of str, optional
        Names of the ascending writers, for messages; the values of `y` by default.
    threads : int, optional
        How many compute; one a CPU core by default. Scores do not depend on it.
    memory : float
        Gigabytes that splits computed side by side may take; one split takes what it needs.

    Yields
    ------
    SplitScores
        Scores of one split.

    Raises
    ------
    FkdError
        Where the features do not fit together or hold NaN or infinity, or a writer has
        too few signatures.
    """
    x, y, yforg = np.asarray(x), np.asarray(y), np.asarray(yforg).astype(bool)
    _check_arrays(x, y, yforg)
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
    else:  # each thread holds a kernel matrix
        at_once, threads = 1, min(threads, affordable)
    score = partial(_score, x, C=C, gamma=gamma)
    # Overseers go through whole splits, and hand the parts of their work to the workers.
    with ThreadPoolExecutor(threads) as workers, ThreadPoolExecutor(at_once) as overseers:
        while together := list(islice(splits, at_once)):
            # A product of matrices is cut by the number of threads, and rounds by the cut.
            with threadpool_limits(1, user_api="blas"):
                scored = list(overseers.map(partial(score, each=workers.map), together))
            yield from scored


def splits_of(
    y: np.ndarray,
    yforg: np.ndarray,
    protocol: Protocol,
    names: Sequence[object] | None = None,
) -> Iterator[Split]:
    """Draw who trains and who tests, for the writers and forgeries of a set.

    Parameters are those of :func:`scores_of_splits`, which scores these very splits.

    Returns
    -------
    iterator of Split
        The rows of each split.

    Raises
    ------
    FkdError
        Where a writer has too few signatures.
    """
    yforg = np.asarray(yforg).astype(bool)
    writers = np.unique(y)
    names = writers if names is None else names
    genuine = [np.flatnonzero((y == writer) & ~yforg) for writer in writers]
    skilled = [np.flatnonzero((y == writer) & yforg) for writer in writers]
    needed = protocol.references + protocol.test_genuine
    _check_counts("genuine signatures", genuine, names, needed)
    _check_counts("skilled forgeries", skilled, names, protocol.test_skilled)
    return draw_splits(genuine, skilled, protocol)


def _memory(rows: int, features: int) -> int:
    """Bytes that a training set takes: kernel matrix and scaled rows, with their copies."""
    return 4 * rows * rows + 3 * 8 * rows * features


def _score(x: np.ndarray, split: Split, *, C: float, gamma: float, each: svm.Map) -> SplitScores:
    """Train and test every writer's model of one split."""
    writers, references = split.train.shape
    if split.negatives.shape[2] == references:
        rows = split.train.ravel()
        own = split.train[:, None]
        ordered = np.concatenate([own, split.negatives], axis=1).reshape(writers, -1)
        place = np.argsort(rows)
        orders = place[np.searchsorted(rows, ordered, sorter=place)]
        models = svm.fit_shared(x[rows], orders, C, gamma, each)
        of_all = models.decide(x[split.test.ravel()], each)
        skilled = models.decide_own(x[split.forged], each)
    else:

        def score(writer: int) -> np.ndarray:
            rows = np.append(split.train[writer], split.negatives[writer])
            model = svm.fit_own(x[rows], references, C, gamma)
            return model.decide(x[np.append(split.test, split.forged[writer])])[0]

        scores = np.stack(list(each(score, range(writers))))
        of_all, skilled = np.split(scores, [split.test.size], axis=1)
    of_all = of_all.reshape(writers, *split.test.shape)
    own = np.eye(writers, dtype=bool)
    others = np.broadcast_to(split.test, of_all.shape)[~own].reshape(writers, -1)
    return SplitScores(
        genuine=of_all[own],
        genuine_rows=split.test,
        skilled=skilled,
        skilled_rows=split.forged,
        random=of_all[~own].reshape(others.shape),
        random_rows=others,
        reference_rows=split.train,
    )


def _check_arrays(x: np.ndarray, y: np.ndarray, yforg: np.ndarray) -> None:
    if x.ndim != 2 or y.shape != (len(x),) or yforg.shape != (len(x),):
        raise FkdError(
            "Features must have shape (n, F) and writers and forgery flags shape (n,), found "
            f"{x.shape}, {y.shape} and {yforg.shape}. Extract the features again."
        )
    broken = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(broken):
        raise FkdError(
            f"{len(broken)} of {len(x)} rows of features hold NaN or infinity, the first is row "
            f"{broken[0]}. Check the training of the model that made them."
        )
    if len(np.unique(y)) < 2:
        raise FkdError(
            f"Verification needs at least 2 writers, found {len(np.unique(y))}: the others' "
            "references are each writer's negatives."
        )


def _check_counts(what: str, rows: list[np.ndarray], names: Sequence[object], needed: int) -> None:
    short = [
        f"writer {name} has {len(own)}"
        for name, own in zip(names, rows, strict=True)
        if len(own) < needed
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
    """Rate a model's features of one data set, split by split.

    Parameters are those of :class:`fkd.verification.Protocol` and of
    :func:`scores_of_splits`, as are the errors.

    Returns
    -------
    list of dict of str to float
        One dict a split, see :func:`fkd.verification.metrics.error_rates`.
    """
    protocol = Protocol(references, test_genuine, test_skilled, splits, seed, negatives)
    scored = scores_of_splits(x, y, yforg, protocol, C, gamma, threads=threads, memory=memory)
    return [scores.rates() for scores in scored]
