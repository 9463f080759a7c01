"""Writer-independent verification against stored results and a naive one."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fkd.errors import FkdError
from fkd.verification import (
    Development,
    PairProtocol,
    WriterScores,
    error_rates,
    evaluate_independent,
    scores_of_development,
    scores_of_pair_splits,
    svm,
)
from fkd.verification.row_solver import solve_by_rows

STORED = Path(__file__).parent / "golden" / "independent.json"
FUSE = dict(max=np.max, mean=np.mean, min=np.min, median=np.median)


def draw(writers, genuine, skilled, features, seed, spread=0.9, forger=0.7):
    """Features as after a ReLU, from a stream that NumPy has frozen."""
    stream = np.random.RandomState(seed)
    center = stream.randn(writers, 1, features)
    own = center + spread * stream.randn(writers, genuine, features)
    drift = forger * stream.randn(writers, 1, features)
    forged = center + drift + spread * stream.randn(writers, skilled, features)
    x = np.maximum(np.concatenate([own, forged], axis=1) - 0.4, 0).astype(np.float32)
    yforg = np.tile(np.repeat([0, 1], [genuine, skilled]), writers)
    return x.reshape(-1, features), np.repeat(np.arange(writers), genuine + skilled), yforg


def naive(x, y, yforg, exploitation, development, references, test, kept, fusion, splits, seed):
    """The scores of each split with plain loops, as the published evaluation draws them."""
    stream = np.random.RandomState(seed)
    for _ in range(splits):
        given, tests, train = {}, {}, []
        for w in exploitation:
            rows = np.flatnonzero((y == w) & (yforg == 0))
            stream.shuffle(rows)
            given[w], tests[w] = rows[:references], rows[-test:]
        for w in development:
            rows = np.flatnonzero((y == w) & (yforg == 0))
            stream.shuffle(rows)
            train.append(rows[:kept])
        pairs, labels = [], []
        for rows in train:
            for i in range(kept):
                for j in range(i + 1, kept):
                    pairs.append(abs(x[rows[i]] - x[rows[j]]))
                    labels.append(1)
        for i, rows in enumerate(train):
            others = [j for j in range(len(train)) if j != i]
            for j in stream.choice(others, kept // 2, replace=False):
                partner = train[j][stream.randint(kept - 1)]
                for row in rows[: kept - 1]:
                    pairs.append(abs(x[row] - x[partner]))
                    labels.append(-1)
        scaler = StandardScaler(with_mean=False).fit(np.array(pairs))
        machine = SVC(C=1.0, gamma=2**-11).fit(scaler.transform(np.array(pairs)), labels)
        kinds = [], [], []
        for w in exploitation:
            skilled = stream.choice(np.flatnonzero((y == w) & (yforg == 1)), test, replace=False)
            genuine = stream.choice(tests[w], test, replace=False)
            others = stream.choice([o for o in exploitation if o != w], test, replace=False)
            random = [stream.choice(tests[o]) for o in others]
            for kind, rows in zip(kinds, (genuine, skilled, random), strict=True):
                scores = []
                for row in rows:
                    questioned = scaler.transform(abs(x[row] - x[given[w]]))
                    scores.append(FUSE[fusion](machine.decision_function(questioned)))
                kind.append(scores)
        yield [np.array(kind) for kind in kinds]


def rates_at_zero(genuine, skilled, random):
    return error_rates(genuine, skilled, random) | {
        "FRR": np.mean(genuine < 0),
        "FAR_skilled": np.mean(skilled >= 0),
        "FAR_random": np.mean(random >= 0),
    }


def assert_equal_rates(found, expected, tolerance):
    assert set(found) <= set(expected)
    for key, rate in found.items():
        near = tolerance if key == "global_threshold" else 1e-12
        assert rate == pytest.approx(expected[key], abs=near), key


@pytest.mark.fidelity("published writer-independent evaluation")
@pytest.mark.parametrize("number", range(5))
def test_equals_the_published_evaluation(shared, monkeypatch, number):
    folder = shared / "golden"
    spec = importlib.util.spec_from_file_location("recipe", folder / "make_features.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    case = json.loads((folder / "wi_metrics.json").read_text())[number]
    counts = [case[key] for key in ("references", "test", "gen_for_train", "fusion")]
    models, fit = [], svm.fit_long
    monkeypatch.setattr(svm, "fit_long", lambda *given: models.append(fit(*given)) or models[-1])
    stream = np.random.RandomState(1234)
    found = scores_of_pair_splits(
        *recipe.make_features(**case["features"]),
        PairProtocol(*counts, splits=len(case["splits"])),
        exploitation=range(*case["exp"]),
        development=range(*case["dev"]),
        stream=stream,
    )
    for scores, stored in zip(found, case["splits"], strict=True):
        assert_equal_rates(scores.rates(), stored, 1e-3)
        first = stored["first_user_genuine"]
        np.testing.assert_allclose(scores.genuine[0, : len(first)], first, rtol=0, atol=1e-3)
        support = models[-1].dual[0]
        assert [np.sum(support < 0), np.sum(support > 0)] == stored["n_support"]
    assert stream.randint(10**9) == case["splits"][-1]["next_draw"]


@pytest.mark.fidelity("published writer-independent evaluation")
@pytest.mark.parametrize("case", json.loads(STORED.read_text()))
def test_equals_the_stored_results(case):
    x, y, yforg = draw(**case["features"])
    found = evaluate_independent(
        x, y, yforg, exploitation=range(0, 8), development=range(8, 20), **case["protocol"]
    )
    for rates, stored in zip(found, case["splits"], strict=True):
        assert_equal_rates(rates, stored, 1e-3)


@pytest.mark.fidelity("published writer-independent evaluation")
@pytest.mark.parametrize(("fusion", "references"), [("max", 1), ("mean", 4), ("median", 4)])
def test_equals_naive_loops(fusion, references):
    x, y, yforg = draw(15, 9, 6, 6, seed=5)
    y = 3 * y + 5  # writers need not be numbered from 0
    judged, developed = np.unique(y)[::2], np.unique(y)[1::2]
    counts = dict(references=references, test=5, fusion=fusion, splits=2, seed=3)
    found = scores_of_pair_splits(
        x,
        y,
        yforg,
        PairProtocol(development_references=8, **counts),
        exploitation=judged,
        development=developed,
    )
    expected = naive(x, y, yforg, judged, developed, kept=8, **counts)
    for scores, kinds in zip(found, expected, strict=True):
        for name, kind in zip(("genuine", "skilled", "random"), kinds, strict=True):
            np.testing.assert_allclose(getattr(scores, name), kind, rtol=0, atol=1e-5)
        assert_equal_rates(scores.rates(), rates_at_zero(*kinds), 1e-5)


@pytest.mark.fidelity("published writer-independent evaluation")
@pytest.mark.parametrize(("C", "gamma"), [(1.0, 2**-11), (30.0, 0.02), (100.0, 0.3)])
@pytest.mark.parametrize("memory", [1.0, 1e-9])
def test_the_solver_by_rows_takes_the_steps_of_libsvm(C, gamma, memory):
    """Rows are set aside and return, some are equal, and with little memory two are kept."""
    x, *_ = draw(15, 8, 0, 40, seed=1)
    genuine = np.arange(len(x)) >= 70
    x[3], x[80], x[90] = x[4], x[81], x[5]
    rows = x.astype(np.float64) / x.std()
    gram = svm.gram_matrix(rows, gamma)
    asked = []

    def kernel(wanted):
        assert (np.diff(wanted) > 0).all()
        asked.extend(wanted)
        return gram[wanted]

    dual, intercept = solve_by_rows(kernel, genuine, C, memory)
    model = SVC(C=C, kernel="precomputed").fit(gram, genuine)
    expected = np.zeros(len(x))
    expected[model.support_] = model.dual_coef_[0]
    np.testing.assert_allclose(dual, expected, rtol=0, atol=1e-9 * C)
    assert intercept == pytest.approx(model.intercept_[0], abs=1e-9 * C)
    assert (len(asked) == len(set(asked))) == (memory == 1.0)


def test_a_long_training_set_is_scaled_in_place_and_not_centered():
    x, *_ = draw(150, 8, 0, 5, seed=2)
    genuine = np.arange(len(x)) >= 600
    pairs = x.copy()
    model = svm.fit_long(pairs, genuine, 1.0, 0.1, memory=1.0)
    np.testing.assert_allclose(pairs, x / x.std(axis=0), rtol=1e-5)
    plain = StandardScaler(with_mean=False).fit(x)
    expected = SVC(gamma=0.1).fit(plain.transform(x), genuine).decision_function(plain.transform(x))
    np.testing.assert_allclose(model.decide(x)[0], expected, rtol=0, atol=1e-5)


def test_another_set_develops_as_writers_of_the_same_set_do():
    x, y, yforg = draw(14, 9, 6, 6, seed=7)
    counts = dict(references=3, test=4, development_references=5, splits=2)
    same = evaluate_independent(
        x, y, yforg, exploitation=range(6), development=range(6, 14), **counts
    )
    mine, one, two = ((first <= y) & (y < last) for first, last in ((0, 6), (6, 9), (9, 14)))
    # Writers of two sets may have equal numbers.
    parts = [Development(x[p], y[p] - y[p].min(), yforg[p]) for p in (one, two)]
    across = evaluate_independent(
        x[mine],
        y[mine],
        yforg[mine],
        exploitation=range(6),
        development=Development.of(*parts),
        **counts,
    )
    assert across == same


def test_scores_say_which_row_they_belong_to():
    x, y, yforg = draw(14, 9, 6, 6, seed=8)
    shuffled = np.random.RandomState(0).permutation(len(x))
    x, y, yforg = x[shuffled], y[shuffled], yforg[shuffled]
    scores = next(
        scores_of_pair_splits(
            x,
            y,
            yforg,
            PairProtocol(references=3, test=4, development_references=5, comparison="euclidean"),
            exploitation=range(6),
            development=range(6, 14),
        )
    )
    assert scores.fixed is None
    for writer in range(6):
        given = scores.reference_rows[writer]
        assert (y[given] == writer).all() and not yforg[given].any()
        own, forged, random = (
            getattr(scores, f"{kind}_rows")[writer] for kind in ("genuine", "skilled", "random")
        )
        assert (y[own] == writer).all() and not yforg[own].any() and not set(own) & set(given)
        assert (y[forged] == writer).all() and yforg[forged].all()
        assert len(set(y[random])) == 4 and writer not in y[random] and not yforg[random].any()
        assert set(y[random]) <= set(range(6))
        for kind, rows in (("genuine", own), ("skilled", forged), ("random", random)):
            distance = np.linalg.norm(x[rows][:, None].astype(float) - x[given], axis=2)
            np.testing.assert_allclose(getattr(scores, kind)[writer], -distance.min(axis=1))


def test_distances_see_the_tests_of_the_machine():
    x, y, yforg = draw(14, 9, 6, 6, seed=8)
    found = [
        next(
            scores_of_pair_splits(
                *(x, y, yforg),
                PairProtocol(3, 4, 5, fusion="min", comparison=comparison),
                exploitation=range(6),
                development=range(6, 14),
            )
        )
        for comparison in ("svm", "cosine", "euclidean")
    ]
    for scores in found[1:]:
        for kind in ("genuine_rows", "skilled_rows", "random_rows", "reference_rows"):
            np.testing.assert_array_equal(getattr(scores, kind), getattr(found[0], kind))
    own, given = found[1].genuine_rows[2, 1], found[1].reference_rows[2]
    angle = x[given] @ x[own] / np.linalg.norm(x[given], axis=1) / np.linalg.norm(x[own])
    assert found[1].genuine[2, 1] == pytest.approx(angle.min() - 1, abs=1e-6)
    rates = found[1].rates()
    assert rates["EER"] == (rates["FRR"] + rates["FAR_skilled"]) / 2


def test_features_of_length_zero_can_be_compared():
    x, y, yforg = draw(14, 9, 6, 6, seed=8)
    x[::5] = 0
    rates = evaluate_independent(
        *(x, y, yforg),
        exploitation=range(6),
        development=range(6, 14),
        references=3,
        test=4,
        development_references=5,
        comparison="cosine",
        splits=1,
    )
    assert np.isfinite(list(rates[0].values())).all()


def test_development_writers_are_judged_by_models_of_others():
    x, y, yforg = draw(14, 9, 6, 6, seed=10)
    protocol = PairProtocol(3, 4, 5, splits=2)
    found = scores_of_development(Development(x, y, yforg), protocol)
    even, odd = range(0, 14, 2), range(1, 14, 2)
    genuine, skilled = [], []
    for judged, others in ((even, odd), (odd, even)):
        given = dict(exploitation=judged, development=others)
        splits = list(scores_of_pair_splits(x, y, yforg, protocol, **given))
        genuine.append(np.concatenate([split.genuine for split in splits], axis=1))
        skilled.append(np.concatenate([split.skilled for split in splits], axis=1))
    expected = WriterScores(np.concatenate(genuine), np.concatenate(skilled))
    assert found.writers == 14
    times = np.arange(14) % 3
    for kind, other in zip(found.drawn(times), expected.drawn(times), strict=True):
        np.testing.assert_array_equal(kind, other)
    assert [len(kind) for kind in found.all] == [14 * 2 * 4] * 2
    with pytest.raises(FkdError, match=r"count from 2, .* found 1"):
        scores_of_development(Development(x, y, yforg), protocol, folds=1)


def test_whole_numbers_are_features_too():
    x, y, yforg = draw(14, 9, 6, 6, seed=8)
    x = (10 * x).round()
    given = dict(exploitation=range(6), development=range(6, 14), references=3, test=4)
    found, expected = (
        evaluate_independent(features, y, yforg, development_references=5, splits=1, **given)
        for features in (x.astype(int), x.astype(float))
    )
    assert found == expected


def test_scores_do_not_depend_on_threads():
    x, y, yforg = draw(14, 9, 6, 300, seed=9)
    one, many = (
        next(
            scores_of_pair_splits(
                *(x, y, yforg),
                PairProtocol(3, 4, 8),
                exploitation=range(6),
                development=range(6, 14),
                threads=threads,
            )
        )
        for threads in (1, 3)
    )
    for kind in ("genuine", "skilled", "random"):
        np.testing.assert_array_equal(getattr(one, kind), getattr(many, kind))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(references=6), r"needs 10 genuine signatures.*writer 0 has 9"),
        (dict(development_references=10), r"needs 10 genuine signatures.*writer 6 has 9"),
        (dict(test=7, references=2), r"needs 7 skilled forgeries.*writer 0 has 6"),
        (dict(test=6, references=1), r"6 other judged writers, so it needs 7 of them; found 6"),
        (dict(development=[6, 7]), r"2 other development writers"),
        (dict(development=[5, 6, 7]), r"either judged or developed with: 5 are both"),
        (dict(fusion="sum"), r"fusion: expected one of max, mean, min, median, found 'sum'"),
        (dict(comparison="L1"), r"comparison: expected one of svm, cosine, euclidean, found 'L1'"),
        (
            dict(development_references=1),
            r"development_references: expected an integer, at least 2, found 1",
        ),
        (dict(seed=-1), "seed: expected an integer, at least 0"),
        (dict(threads=0), "threads count from 1"),
    ],
)
def test_what_cannot_be_judged_is_refused(change, message):
    x, y, yforg = draw(14, 9, 6, 3, seed=6)
    given = dict(exploitation=range(6), development=range(6, 14), references=3, test=4)
    given["development_references"] = 5
    with pytest.raises(FkdError, match=message):
        evaluate_independent(x, y, yforg, **(given | change))


def test_broken_features_are_refused():
    x, y, yforg = draw(14, 9, 6, 3, seed=6)
    given = dict(exploitation=range(6), references=3, test=4, development_references=5)
    other = Development(x[:, :2], y, yforg)
    with pytest.raises(
        FkdError, match="Development features have 2 elements and the judged ones 3"
    ):
        evaluate_independent(x, y, yforg, development=other, **given)
    x[17, 1] = np.nan
    with pytest.raises(FkdError, match=r"first is row 17"):
        evaluate_independent(x, y, yforg, development=range(6, 14), **given)
    with pytest.raises(FkdError, match=r"first is row 17"):
        Development(x, y, yforg)
    with pytest.raises(FkdError, match=r"\(210, 3\), \(209,\)"):
        Development(x, y[:-1], yforg)
