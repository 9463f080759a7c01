"""Writer-independent verification: one model of pairs of signatures judges all writers.

The features of a pair are |a - b|, their absolute difference (the dichotomy transformation), and
a support vector machine tells pairs of one writer from pairs of two. It is trained with
development writers, none of whom is judged.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from fkd.errors import FkdError
from fkd.threads import cores
from fkd.verification import svm
from fkd.verification.bootstrap import WriterScores, joined
from fkd.verification.pairs import (
    Development,
    PairSplit,
    TrainingRows,
    draw_pair_splits,
    training_pairs,
)
from fkd.verification.protocol import GAMMA, C, PairProtocol, Writers
from fkd.verification.scores import SplitScores
from fkd.verification.scoring import MEMORY
from fkd.verification.splits import ByWriter
from fkd.verification.writers import check_arrays, check_counts, rows_of_writers

ACCEPTED = 0.0
"""The published threshold of FRR and FARs, at which the machine itself accepts a pair."""

FUSE: dict[str, Callable[..., np.ndarray]] = {
    "max": np.max,
    "mean": np.mean,
    "min": np.min,
    "median": np.median,
}

PAIRS_AT_ONCE = 2048
"""Pairs whose differences are in memory at a time."""

MOST_KNOWN = 11_000
"""Signatures of whose pairs all scores are kept, which takes a gigabyte."""

Compare = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes questioned features (q, F) and references (r, F), and gives scores (q, r)."""


def scores_of_pair_splits(
    x: np.ndarray,
    y: np.ndarray,
    yforg: np.ndarray,
    protocol: PairProtocol,
    *,
    exploitation: Sequence[int],
    development: Sequence[int] | Development | None = None,
    machine: Compare | None = None,
    C: float = C,
    gamma: float = GAMMA,
    names: Sequence[object] | None = None,
    threads: int | None = None,
    memory: float = MEMORY,
    stream: np.random.RandomState | None = None,
    random: bool = True,
) -> Iterator[SplitScores]:
    """Judge every exploitation writer in each split, by a machine that is trained in each or is given.

    Parameters
    ----------
    x : ndarray of float, (n, F)
        The features, with one row per signature.
    y : ndarray of int, (n,)
        The writer of each row. For a forgery, this is the writer whose signature it imitates.
    yforg : ndarray of int or bool, (n,)
        Whether each row is a skilled forgery.
    protocol : PairProtocol
        The numbers of references, tests and splits, the fusion and the comparison.
    exploitation : sequence of int
        The judged writers, values of `y`.
    development : sequence of int or Development, optional
        The writers with whose pairs a machine is trained in each split: other values of `y`, or,
        in the case of verification across sets, the features of another set.
    machine : callable, optional
        A machine that was trained beforehand, such as that of :func:`train_pairs`, in place of
        `development`.
    C, gamma : float
        The parameters of the support vector machine; by default, the published 1 and 2^-11.
    names : sequence, optional
        The names of the exploitation writers in ascending order, for messages; by default,
        their values of `y`.
    threads : int, optional
        The number of threads; by default, one per CPU core. Scores do not depend on it.
    memory : float
        The gigabytes of the kernel matrix that are kept in training. The training pairs come on
        top: 132 for each development writer if K is 12.
    stream : numpy.random.RandomState, optional
        The random stream to draw from; by default, a new one with the protocol's seed.
    random : bool
        Whether random forgeries are scored. They are drawn in any case.

    Yields
    ------
    SplitScores
        The scores of one split, one row per judged writer
        (:func:`fkd.verification.judged_writers`), and ``random`` of the shape of ``genuine``, or
        empty. Its ``fixed`` threshold is 0, as published, unless a distance is compared.

    Raises
    ------
    FkdError
        If the arrays do not fit together, the features contain NaN or infinity, a writer is on
        both sides, or there are too few writers or signatures.
    """
    check_arrays(x, y, yforg)
    if (threads is not None and threads < 1) or memory <= 0:
        raise FkdError(
            f"threads count from 1 and memory is over 0, found {threads} and {memory:g} GB."
        )
    x, y, yforg = np.asarray(x), np.asarray(y), np.asarray(yforg).astype(bool)
    writers = np.unique(exploitation)
    if protocol.comparison == "svm" and (development is None) == (machine is None):
        raise FkdError(
            "The machine of pairs is either trained with development writers or given: name one."
        )
    if protocol.comparison != "svm":
        machine = DISTANCES[protocol.comparison]
    theirs = None
    if development is not None and not isinstance(development, Development):
        theirs = np.unique(development)
        shared = np.intersect1d(writers, theirs)
        if len(shared):
            raise FkdError(
                f"Writers are either judged or developed with: {_some(shared)} are both."
            )
        development = Development(x, y, yforg)
    kinds = rows_of_writers(y, yforg, writers, protocol, names)
    developed = []
    if development is not None:
        if development.x.shape[1] != x.shape[1]:
            raise FkdError(
                f"Development features have {development.x.shape[1]} elements and the judged ones "
                f"{x.shape[1]}: extract both with one model."
            )
        developed = developed_rows(
            development, protocol.development_references, protocol.writers, theirs
        )
    if not isinstance(protocol.test, str):
        _check_others("judged", len(kinds[0]), protocol.test, "test")
    drawn = draw_pair_splits(
        *kinds,
        developed,
        references=protocol.references,
        test=protocol.test,
        development_references=protocol.development_references,
        splits=protocol.splits,
        stream=np.random.RandomState(protocol.seed) if stream is None else stream,
    )

    def of_rows(machine: Compare) -> Compare:
        return lambda questioned, references: machine(x[questioned], x[references])

    compare = of_rows(machine) if machine else None
    if isinstance(machine, PairMachine) and len(x) <= MOST_KNOWN:
        compare = machine.within(x)
    with ThreadPoolExecutor(threads or cores()) as workers:
        for split in drawn:
            if not random:
                none = [np.empty(0, int)] * len(split.references)
                split = replace(split, random=none)
            # With one thread of its own, a BLAS library rounds alike on any number of cores.
            with threadpool_limits(1, user_api="blas"):
                if development is not None and protocol.comparison == "svm":
                    trained = train_pairs(
                        development.x, split.training, C, gamma, memory, workers.map
                    )
                    compare = of_rows(trained)
                scored = _score(split, compare, FUSE[protocol.fusion], workers.map)
            yield SplitScores(
                *scored,
                reference_rows=split.references,
                fixed=ACCEPTED if protocol.comparison == "svm" else None,
            )


def scores_of_development(
    development: Development,
    protocol: PairProtocol,
    *,
    folds: int = 2,
    C: float = C,
    gamma: float = GAMMA,
    threads: int | None = None,
    memory: float = MEMORY,
) -> WriterScores:
    """Judge development writers, by models that were not trained with them.

    On these scores thresholds and a calibration can be set. Each model is trained with the writers
    of the other folds only, and so with fewer than the model that judges others.

    Parameters
    ----------
    development : Development
        The features of the development writers, with skilled forgeries.
    protocol : PairProtocol
        The protocol under which others are judged.
    folds : int
        The number of parts of the writers, from 2.
    C, gamma, threads, memory
        As for :func:`scores_of_pair_splits`.

    Returns
    -------
    WriterScores
        The scores of all splits, by writer, fold after fold.

    Raises
    ------
    FkdError
        As for :func:`scores_of_pair_splits`, or if there are fewer than two folds.
    """
    if folds < 2:
        raise FkdError(f"Folds count from 2, so that some writers train; found {folds}.")
    arrays = development.x, development.y, development.yforg
    writers = np.unique(development.y)
    genuine, skilled = [], []
    for fold in range(folds):
        judged = writers[fold::folds]
        scored = scores_of_pair_splits(
            *arrays,
            protocol,
            exploitation=judged,
            development=np.setdiff1d(writers, judged),
            C=C,
            gamma=gamma,
            threads=threads,
            memory=memory,
            random=False,
        )
        for kind, own in zip((genuine, skilled), joined(scored), strict=True):
            kind += own
    return WriterScores(genuine, skilled)


@dataclass(frozen=True, eq=False)
class PairMachine:
    """A support vector machine that compares two signatures of any writer.

    Attributes
    ----------
    model : WriterModels
        Its single model, of absolute differences of features.
    """

    model: svm.WriterModels

    def __call__(self, questioned: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Compare questioned signatures with references.

        Parameters
        ----------
        questioned, references : ndarray of float, (q, F) and (r, F)
            Features.

        Returns
        -------
        ndarray of float64, (q, r)
            Scores, positive for pairs that the machine takes for one writer's.
        """
        pairs = np.abs(questioned[:, None] - references)
        scores = self.model.decide(pairs.reshape(-1, pairs.shape[-1]))
        return scores.reshape(len(questioned), len(references))

    def within(self, x: np.ndarray) -> Compare:
        """Compare rows of one array, and each pair of them once.

        A pair of signatures may occur in many splits. Scores do not depend on what other pairs are
        compared at the same time.

        Parameters
        ----------
        x : ndarray of float, (n, F)
            The features.

        Returns
        -------
        callable
            Takes the numbers of questioned rows (q,) and of reference rows (r,), and gives scores
            (q, r).
        """
        known = np.full((len(x), len(x)), np.nan)

        def compare(questioned: np.ndarray, references: np.ndarray) -> np.ndarray:
            place = np.ix_(questioned, references)
            q, r = np.nonzero(np.isnan(known[place]))
            for part in range(0, len(q), PAIRS_AT_ONCE):
                a = questioned[q[part : part + PAIRS_AT_ONCE]]
                b = references[r[part : part + PAIRS_AT_ONCE]]
                scores = self.model.decide(np.abs(x[a] - x[b]))[0]
                known[a, b] = known[b, a] = scores
            return known[place]

        return compare


def train_pairs(
    x: np.ndarray, rows: TrainingRows, C: float, gamma: float, memory: float, each: svm.Map = map
) -> PairMachine:
    """Train the machine of pairs with development writers.

    Parameters
    ----------
    x : ndarray of float, (n, F)
        The development features.
    rows : TrainingRows
        Which of them are paired.
    C, gamma, memory : float
        As for :func:`scores_of_pair_splits`.
    each : Map
        What the parts of the work are given to.

    Returns
    -------
    PairMachine
        The machine.
    """
    return PairMachine(svm.fit_long(*training_pairs(x, rows), C, gamma, memory, each))


def cosine(questioned: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Score features by minus their cosine distance to each reference.

    Parameters
    ----------
    questioned, references : ndarray of float, (q, F) and (r, F)
        Features. Those of length 0 have distance 1 to all.

    Returns
    -------
    ndarray of float64, (q, r)
        Scores from -2 to 0.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification.independent import cosine
    >>> cosine(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 3.0]])).tolist()
    [[0.0, -1.0]]
    """
    a, b = questioned.astype(np.float64), references.astype(np.float64)
    for rows in (a, b):
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, length, out=rows, where=length > 0)
    return (a @ b.T - 1).round(svm.DECIMALS)


def euclidean(questioned: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Score features by minus their Euclidean distance to each reference.

    Parameters
    ----------
    questioned, references : ndarray of float, (q, F) and (r, F)
        Features.

    Returns
    -------
    ndarray of float64, (q, r)
        Scores up to 0, in the units of the features.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification.independent import euclidean
    >>> euclidean(np.array([[3.0, 4.0]]), np.array([[0.0, 0.0], [3.0, 3.0]])).tolist()
    [[-5.0, -1.0]]
    """
    a, b = questioned.astype(np.float64), references.astype(np.float64)
    return -np.linalg.norm(a[:, None] - b, axis=2).round(svm.DECIMALS)


DISTANCES: dict[str, Compare] = {"cosine": cosine, "euclidean": euclidean}


def _score(
    split: PairSplit,
    compare: Compare,
    fuse: Callable[..., np.ndarray],
    each: svm.Map,
) -> list[ByWriter]:
    """Score the questioned signatures of each writer: scores and rows, kind by kind."""
    kinds = (split.genuine, split.skilled, split.random)

    def score(writer: int) -> np.ndarray:
        rows = np.concatenate([kind[writer] for kind in kinds])
        return fuse(compare(rows, split.references[writer]), axis=1)

    whole = isinstance(split.genuine, np.ndarray)
    parts = []
    for writer, scores in enumerate(each(score, range(len(split.references)))):
        ends = np.cumsum([len(kind[writer]) for kind in kinds])[:-1]
        parts.append(np.split(scores, ends))
    found = [np.stack(kind) if whole else list(kind) for kind in zip(*parts, strict=True)]
    return [array for pair in zip(found, kinds, strict=True) for array in pair]


def developed_rows(
    development: Development,
    needed: int,
    kept: Writers,
    writers: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Find the genuine rows of each development writer.

    Parameters
    ----------
    development : Development
        The features of the development writers.
    needed : int
        The number of genuine signatures of each writer that are paired, K.
    kept : {"all", "enough"}
        Whether a writer with fewer is an error, or is left out.
    writers : ndarray of int, optional
        The development writers among those of the features; by default, all.

    Returns
    -------
    list of ndarray of int
        The rows of each writer.

    Raises
    ------
    FkdError
        If a writer has too few signatures, or there are too few writers to pair with each other.
    """
    y, real = np.asarray(development.y), ~np.asarray(development.yforg).astype(bool)
    writers = np.unique(y) if writers is None else writers
    rows = [np.flatnonzero((y == writer) & real) for writer in writers]
    if kept == "enough":
        rows = [own for own in rows if len(own) >= needed]
    else:
        check_counts("genuine signatures", rows, writers, needed)
    _check_others("development", len(rows), needed // 2, "half of development_references")
    return rows


def _check_others(kind: str, writers: int, others: int, key: str) -> None:
    """Check that each writer has enough others to compare with."""
    if writers <= others:
        raise FkdError(
            f"{key} takes signatures of {others} other {kind} writers, so it needs {others + 1} "
            f"of them; found {writers}."
        )


def _some(writers: np.ndarray) -> str:
    """List the first of many writers."""
    return ", ".join(map(str, writers[:10])) + (" and others" if len(writers) > 10 else "")


def evaluate_independent(
    x: np.ndarray,
    y: np.ndarray,
    yforg: np.ndarray,
    *,
    exploitation: Sequence[int],
    development: Sequence[int] | Development | None = None,
    references: int,
    test: int | str,
    development_references: int = 12,
    fusion: str = "max",
    comparison: str = "svm",
    splits: int = 10,
    seed: int = 1234,
    C: float = C,
    gamma: float = GAMMA,
    threads: int | None = None,
    memory: float = MEMORY,
    writers: str = "all",
) -> list[dict[str, float]]:
    """Compute the writer-independent error rates of a model's features in each split.

    Parameters and errors are those of :class:`fkd.verification.PairProtocol` and of
    :func:`scores_of_pair_splits`.

    Returns
    -------
    list of dict of str to float
        One dict per split, see :func:`fkd.verification.metrics.error_rates`. ``FRR`` and the FARs
        are at the threshold 0, as published, and for distances at the global equal error
        threshold. Errors under the writers' own thresholds are summed over the writers.
    """
    counts = (references, test, development_references)
    protocol = PairProtocol(*counts, fusion, comparison, splits, seed, writers)
    scored = scores_of_pair_splits(
        x,
        y,
        yforg,
        protocol,
        exploitation=exploitation,
        development=development,
        C=C,
        gamma=gamma,
        threads=threads,
        memory=memory,
    )
    return [scores.rates() for scores in scored]
