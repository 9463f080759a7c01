"""One split of writer-independent verification, beside the published way."""

from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.timing import Benchmark, Memory
from benchmarks.verification import FEATURES, SEED, TOLERANCE, Case, draw_case
from fkd.verification import PairProtocol, SplitScores, scores_of_pair_splits
from fkd.verification.pairs import draw_pair_splits

JUDGED, DEVELOPMENT = 20, 55
"""Writers; those of CEDAR develop."""

PAIRED = 12
"""Genuine signatures per development writer that are paired."""

RUNS = 2
"""How often each is timed; the published way takes most of a minute."""


def published(case: Case, judged: int) -> SplitScores:
    """Score one split by one scikit-learn machine on the matrix of pairs, writer by writer."""
    writers = np.unique(case.y)
    real, forged = (
        [np.flatnonzero((case.y == w) & (case.yforg == k)) for w in writers] for k in (0, 1)
    )
    split = next(
        draw_pair_splits(
            real[:judged],
            forged[:judged],
            real[judged:],
            references=case.references,
            test=case.test_genuine,
            development_references=PAIRED,
            splits=1,
            stream=np.random.RandomState(SEED),
        )
    )
    positive, negative = [], []
    for rows, partners in zip(*split.training, strict=True):
        signatures = case.x[rows]
        for i in range(len(rows) - 1):
            positive.append(np.abs(signatures[i] - signatures[i + 1 :]))
        for partner in partners:
            negative.append(np.abs(signatures[:-1] - case.x[partner]))
    pairs = np.concatenate(positive + negative)
    labels = np.repeat([1, -1], [sum(map(len, positive)), sum(map(len, negative))])
    scaler = StandardScaler(with_mean=False)
    machine = SVC(C=1.0, gamma=2**-11).fit(scaler.fit_transform(pairs), labels)
    scored = []
    for kind in (split.genuine, split.skilled, split.random):
        scores = np.empty(kind.shape)
        for writer, rows in enumerate(kind):
            references = case.x[split.references[writer]]
            for place, row in enumerate(rows):
                differences = scaler.transform(np.abs(case.x[row] - references))
                scores[writer, place] = machine.decision_function(differences).max()
        scored += [scores, kind]
    return SplitScores(*scored, reference_rows=split.references, fixed=0.0)


def ours(case: Case, judged: int) -> SplitScores:
    """Score the same split by fkd."""
    counts = (case.references, case.test_genuine, PAIRED)
    writers = np.unique(case.y)
    return next(
        scores_of_pair_splits(
            case.x,
            case.y,
            case.yforg,
            PairProtocol(*counts, splits=1, seed=SEED),
            exploitation=writers[:judged],
            development=writers[judged:],
        )
    )


def check(found: SplitScores, expected: SplitScores) -> None:
    """Hold ours to the published way's rows, scores and rates."""
    for kind in ("genuine", "skilled", "random"):
        rows = f"{kind}_rows"
        np.testing.assert_array_equal(getattr(found, rows), getattr(expected, rows))
        np.testing.assert_allclose(
            getattr(found, kind), getattr(expected, kind), rtol=0, atol=TOLERANCE
        )
    rates, plain = found.rates(), expected.rates()
    threshold = "global_threshold"
    np.testing.assert_allclose(rates.pop(threshold), plain.pop(threshold), rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(list(rates.values()), list(plain.values()), rtol=0, atol=1e-12)


def compare(name: str, what: str, case: Case, judged: int) -> Benchmark:
    """Compare in time on a case, whose first writers are judged."""
    return Benchmark(
        name=name,
        what=what,
        ours=partial(ours, case, judged),
        baseline=partial(published, case, judged),
        check=check,
        runs=RUNS,
    )


def prepare(work: Callable, writers: int, features: int) -> Callable[[], SplitScores]:
    """Draw a case, outside the measure of memory."""
    return partial(work, draw_case(writers, 24, 12, features), JUDGED)


def benchmarks() -> list[Benchmark | Memory]:
    """One split with the writers of CEDAR as development writers, in time and in memory."""
    writers = JUDGED + DEVELOPMENT
    size = f"one split, {DEVELOPMENT} development and {JUDGED} judged writers"
    make = [partial(prepare, work, writers, FEATURES) for work in (ours, published)]
    return [
        compare("wi_split", size, draw_case(writers, 24, 12, FEATURES), JUDGED),
        Memory("wi_memory", f"peak memory, {size}", *make, runs=1),
    ]
