"""One split of writer-dependent verification, beside one scikit-learn pipeline a writer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.timing import Benchmark
from fkd.verification import Protocol, SplitScores, scores_of_splits

FEATURES = 2048
SEED = 1234
TOLERANCE = 1e-3
"""How far scores may differ: the solver stops there."""

PIPELINES = 8
"""How many writers of GPDS the pipelines do; the others would take minutes a run."""


@dataclass(frozen=True)
class Case:
    """Features of a set and the protocol, as of :func:`fkd.verification.scores_of_splits`.

    Attributes
    ----------
    x : ndarray of float32, (n, F)
        Features.
    y, yforg : ndarray of int, (n,)
        Writers, and 1 for skilled forgeries.
    references, test_genuine, test_skilled : int
        Signatures a writer to train and to test with.
    negatives : int
        References of each other writer that a model learns to refuse.
    """

    x: np.ndarray
    y: np.ndarray
    yforg: np.ndarray
    references: int = 12
    test_genuine: int = 10
    test_skilled: int = 10
    negatives: int = 12


def draw_case(writers: int, genuine: int, skilled: int, features: int, **protocol: int) -> Case:
    """Draw features as a network's last ReLU leaves them: a center a writer, and spread."""
    rng = np.random.default_rng(writers)
    center = rng.normal(size=(writers, 1, features))
    drift = rng.normal(scale=0.7, size=(writers, 1, features))
    own = center + rng.normal(size=(writers, genuine, features))
    forged = center + drift + rng.normal(size=(writers, skilled, features))
    x = np.maximum(np.concatenate([own, forged], axis=1) - 0.6, 0, dtype=np.float32)
    y = np.repeat(np.arange(writers), genuine + skilled)
    yforg = np.tile(np.repeat([0, 1], [genuine, skilled]), writers)
    return Case(x.reshape(-1, features), y, yforg, **protocol)


def pipelines(case: Case, trained: Sequence[int]) -> SplitScores:
    """Score one split by one scikit-learn pipeline for each writer of `trained`."""
    stream = np.random.RandomState(SEED)
    writers = np.unique(case.y)
    train, test = {}, {}
    for writer in writers:
        rows = np.flatnonzero((case.y == writer) & (case.yforg == 0))
        stream.shuffle(rows)
        train[writer], test[writer] = rows[: case.references], rows[-case.test_genuine :]
    models = {}
    for writer in writers:
        negatives = np.concatenate(
            [
                stream.choice(train[other], case.negatives, replace=False)
                for other in writers
                if other != writer
            ]
        )
        if writer in trained:
            labels = np.repeat([1, -1], [case.references, len(negatives)])
            svc = SVC(
                C=1.0, gamma=2**-11, class_weight={1: len(negatives) / case.references, -1: 1}
            )
            model = make_pipeline(StandardScaler(with_mean=False), svc)
            models[writer] = model.fit(case.x[np.append(train[writer], negatives)], labels)
    genuine, skilled, random = [], [], []
    genuine_rows, skilled_rows, random_rows = [], [], []
    for writer in writers:
        forged = np.flatnonzero((case.y == writer) & (case.yforg == 1))
        drawn = stream.choice(len(forged), case.test_skilled, replace=False)
        if writer in trained:
            decide = models[writer].decision_function
            others = np.concatenate([test[other] for other in writers if other != writer])
            genuine_rows.append(test[writer])
            genuine.append(decide(case.x[test[writer]]))
            skilled_rows.append(forged[drawn])
            skilled.append(decide(case.x[forged])[drawn])  # all are scored, then some drawn
            random_rows.append(others)
            random.append(decide(case.x[others]))
    return SplitScores(
        *map(np.stack, (genuine, genuine_rows, skilled, skilled_rows, random, random_rows)),
        reference_rows=np.stack([train[writer] for writer in writers if writer in trained]),
    )


def ours(case: Case, threads: int | None = None) -> SplitScores:
    """Score the same split by fkd."""
    counts = (case.references, case.test_genuine, case.test_skilled)
    protocol = Protocol(*counts, splits=1, seed=SEED, negatives=case.negatives)
    return next(scores_of_splits(case.x, case.y, case.yforg, protocol, threads=threads))


def check(found: SplitScores, expected: SplitScores, trained: Sequence[int]) -> None:
    """Hold ours to the pipelines' scores, and where those are of all writers, to their rates."""
    np.testing.assert_array_equal(found.reference_rows[trained], expected.reference_rows)
    for kind in ("genuine", "skilled", "random"):
        rows = f"{kind}_rows"
        np.testing.assert_array_equal(getattr(found, rows)[trained], getattr(expected, rows))
        np.testing.assert_allclose(
            getattr(found, kind)[trained], getattr(expected, kind), rtol=0, atol=TOLERANCE
        )
    if len(trained) == len(found.genuine):
        rates, plain = found.rates(), expected.rates()
        threshold = "global_threshold"
        np.testing.assert_allclose(
            rates.pop(threshold), plain.pop(threshold), rtol=0, atol=TOLERANCE
        )
        np.testing.assert_allclose(list(rates.values()), list(plain.values()), rtol=0, atol=1e-12)


def compare(name: str, what: str, case: Case, trained: Sequence[int]) -> Benchmark:
    """Compare on a case, the pipelines doing the writers of `trained`."""
    return Benchmark(
        name=name,
        what=what,
        ours=lambda: ours(case),
        baseline=lambda: pipelines(case, trained),
        check=lambda found, expected: check(found, expected, trained),
        times=len(np.unique(case.y)) / len(trained),
    )


def benchmarks() -> list[Benchmark]:
    """One split of CEDAR's size and one of GPDS300GRAY's."""
    cedar = draw_case(55, 24, 24, FEATURES)
    gpds = draw_case(253, 24, 30, FEATURES)
    return [
        compare("wd_cedar", "one split, 55 writers, 12 references", cedar, range(55)),
        compare(
            "wd_gpds",
            "one split, 253 writers, 12 references",
            gpds,
            np.linspace(0, 252, PIPELINES).astype(int),
        ),
    ]
