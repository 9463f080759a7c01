"""Writer-dependent verification against stored results and a naive one."""

import importlib.util
import json
import warnings
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from fkd.errors import FkdError
from fkd.storage import shards
from fkd.study.config import complete
from fkd.verification import (
    Protocol,
    evaluate,
    evaluate_wd,
    metrics,
    row_solver,
    scores_of_splits,
    svm,
)
from fkd.verification.scaling import deviations, scaled
from fkd.verification.solver import clip_step, solve

RATES = (
    "FRR",
    "FAR_random",
    "FAR_skilled",
    "mean_AUC",
    "EER",
    "EER_userthresholds",
    "global_threshold",
)
ROOT = Path(__file__).resolve().parents[1]
STORED = Path(__file__).parent / "golden" / "verification.json"


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


def assert_equals_stored(case, x, y, yforg):
    protocol = [case[key] for key in ("references", "test_genuine", "test_skilled")]
    protocol = Protocol(*protocol, splits=len(case["splits"]))
    found = list(scores_of_splits(x, y, yforg, protocol))
    for scores, stored in zip(found, case["splits"], strict=True):
        rates = scores.rates()
        assert tuple(rates) == RATES
        for key in RATES[:-1]:
            assert rates[key] == pytest.approx(stored[key], abs=1e-12), key
        assert rates["global_threshold"] == pytest.approx(stored["global_threshold"], abs=1e-3)
        np.testing.assert_allclose(
            scores.genuine[0], stored["first_user_genuine_scores"], rtol=0, atol=1e-3
        )


@pytest.mark.fidelity("published evaluation")
@pytest.mark.parametrize("number", range(5))
def test_equals_the_published_evaluation(shared, number):
    folder = shared / "golden"
    spec = importlib.util.spec_from_file_location("recipe", folder / "make_features.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    case = json.loads((folder / "wd_metrics.json").read_text())[number]
    assert_equals_stored(case, *recipe.make_features(**case["features"]))


@pytest.mark.fidelity("published evaluation")
@pytest.mark.parametrize("case", json.loads(STORED.read_text()))
def test_equals_the_stored_results(case):
    assert_equals_stored(case, *draw(**case["features"]))


def naive(x, y, yforg, references, test_genuine, test_skilled, splits, seed, negatives=None):
    """The same rates with a scikit-learn pipeline a writer and no thought of speed."""
    negatives = negatives or references
    stream = np.random.RandomState(seed)
    writers = np.unique(y)
    for _ in range(splits):
        train, test = {}, {}
        for w in writers:
            rows = np.flatnonzero((y == w) & (yforg == 0))
            stream.shuffle(rows)
            train[w], test[w] = rows[:references], rows[-test_genuine:]
        models = {}
        for w in writers:
            others = [stream.choice(train[o], negatives, replace=False) for o in writers if o != w]
            rows = np.concatenate([train[w], *others])
            weight = (len(rows) - references) / references
            svc = SVC(C=1.0, gamma=2**-11, class_weight={1: weight})
            model = make_pipeline(StandardScaler(with_mean=False), svc)
            models[w] = model.fit(x[rows], np.where(y[rows] == w, 1, -1)).decision_function
        genuine = [models[w](x[test[w]]) for w in writers]
        random = [models[w](x[test[o]]) for w in writers for o in writers if o != w]
        skilled = [
            stream.choice(models[w](x[(y == w) & (yforg == 1)]), test_skilled, replace=False)
            for w in writers
        ]
        genuine, skilled, random = np.array(genuine), np.array(skilled), np.array(random)

        def threshold(positive, negative):
            label = np.repeat([1, 0], [positive.size, negative.size])
            fpr, tpr, at = roc_curve(label, np.append(positive, negative))
            return at[np.argmin(abs(fpr - (1 - tpr)))]

        t = threshold(genuine, skilled)
        own = np.array([threshold(g, s) for g, s in zip(genuine, skilled, strict=True)])[:, None]
        label = np.repeat([1, 0], [test_genuine, test_skilled])
        areas = [
            roc_auc_score(label, np.append(g, s)) for g, s in zip(genuine, skilled, strict=True)
        ]
        frr, far = np.mean(genuine < t), np.mean(skilled >= t)
        own_eer = (np.mean(genuine < own) + np.mean(skilled >= own)) / 2
        yield (frr, np.mean(random >= t), far, np.mean(areas), (frr + far) / 2, own_eer, t)


@pytest.mark.fidelity("published evaluation")
@pytest.mark.fidelity("splits")
@pytest.mark.fidelity("scaler")
@pytest.mark.fidelity("SVM")
def test_equals_a_naive_pipeline_a_writer():
    # With two features some random forgeries get through, and rows without any ink-like
    # response are equal, so their scores must tie.
    x, y, yforg = draw(6, 12, 9, 2, seed=3)
    y = 3 * y + 5  # writers need not be numbered from 0
    fast = evaluate(x, y, yforg, 4, 5, 6, splits=3, seed=77)
    slow = list(naive(x, y, yforg, 4, 5, 6, splits=3, seed=77))
    np.testing.assert_allclose([list(rates.values()) for rates in fast], slow, atol=1e-9)
    assert all(0 < rates["FAR_random"] < 1 for rates in fast)


@pytest.mark.fidelity("negatives")
@pytest.mark.parametrize("negatives", [1, 3, 4])
def test_fewer_negatives_equal_a_naive_pipeline_a_writer(negatives):
    x, y, yforg = draw(7, 12, 9, 5, seed=9)
    y = 3 * y + 5
    protocol = (x, y, yforg, 4, 5, 6)
    fast = evaluate(*protocol, splits=3, seed=78, negatives=negatives)
    slow = list(naive(*protocol, splits=3, seed=78, negatives=negatives))
    np.testing.assert_allclose([list(rates.values()) for rates in fast], slow, atol=1e-9)
    if negatives < 4:
        assert fast != evaluate(*protocol, splits=3, seed=78)


@pytest.mark.fidelity("SVM")
@pytest.mark.parametrize("features", [3, 6, 40])
@pytest.mark.parametrize(
    ("C", "packed"), [(0.1, False), (1.0, False), (1e3, False), (0.1, True), (1.0, True)]
)
@pytest.mark.parametrize("gamma", [2**-9, 0.1, 3.0])
def test_the_solver_takes_the_steps_of_libsvm(monkeypatch, features, C, gamma, packed):
    # Some rows are equal; the stiffest cases go to libsvm.
    monkeypatch.setattr(svm, "SQUARE", 0 if packed else 1000)
    monkeypatch.setattr(svm, "TILE", 32)
    writers, references = 9, 8
    x, _, yforg = draw(writers, references, 1, features, seed=features)
    x = x[yforg == 0]
    stream = np.random.RandomState(1)
    blocks = np.arange(len(x)).reshape(writers, references)
    orders = []
    for writer in range(writers):
        others = np.delete(blocks, writer, axis=0)
        orders.append(np.append(blocks[writer], [stream.permutation(block) for block in others]))
    models = svm.fit_shared(x, np.array(orders), C, gamma)
    found = models.dual.toarray() if packed else models.dual
    gram = svm.gram_matrix(models.rows, gamma)
    model = SVC(C=C, kernel="precomputed", class_weight={True: writers - 1})
    for writer, order in enumerate(orders):
        model.fit(gram[np.ix_(order, order)], np.arange(len(x)) < references)
        dual = np.zeros(len(x))
        dual[order[model.support_]] = model.dual_coef_[0]
        np.testing.assert_allclose(found[writer], dual, rtol=0, atol=1e-9 * C)
        assert models.intercept[writer] == pytest.approx(model.intercept_[0], abs=1e-9 * C)


@pytest.mark.fidelity("SVM")
def test_the_solver_gives_up_where_libsvm_sets_rows_aside():
    # With more than a thousand rows libsvm does so after a thousand steps.
    x, *_ = draw(130, 8, 1, 3, seed=0)
    rows = StandardScaler(with_mean=False).fit_transform(x[np.arange(len(x)) % 9 < 8].astype(float))
    gram = svm.gram_matrix(rows, 0.1)
    order = np.append(np.arange(8), 8 + np.random.RandomState(0).permutation(len(rows) - 8))
    model = SVC(C=30, kernel="precomputed", class_weight={True: 129})
    model.fit(gram[np.ix_(order, order)], np.arange(len(rows)) < 8)
    assert model.n_iter_ > 1000
    dual, intercept = solve(gram, order, 8, 30)
    expected = np.zeros(len(rows))
    expected[order[model.support_]] = model.dual_coef_[0]
    np.testing.assert_allclose(dual, expected, rtol=0, atol=1e-9)
    assert intercept == pytest.approx(model.intercept_[0], abs=1e-9)


@pytest.mark.fidelity("SVM")
def test_a_step_goes_as_far_as_the_box_lets_it():
    stream = np.random.RandomState(0)
    stopped = 0
    for _ in range(500):
        one, other, step = stream.rand(3)
        for signs, limits in (((1, 1), (1, 3)), ((-1, -1), (3, 1)), ((1, -1), (1, 1))):
            change = 2 * step * np.array(signs)
            start = np.array([one, other]) * limits
            room = np.where(change > 0, limits - start, start) / (2 * step)
            expected = start + min(1, *room) * change
            found = clip_step(*start, *change, *map(float, limits))
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
            stopped += min(room) < 1
    assert 200 < stopped < 1300


def test_a_packed_kernel_matrix_gives_the_same_scores(monkeypatch):
    """Of so many writers that there are several tiles, with few unpacked rows at a time."""
    features = draw(70, 14, 4, 30, seed=13)
    expected = next(scores_of_splits(*features, Protocol(8, 6, 4)))
    monkeypatch.setattr(svm, "SQUARE", 500)
    for kept in (1024, 2):
        monkeypatch.setattr(row_solver, "KEPT", kept)
        found = next(scores_of_splits(*features, Protocol(8, 6, 4)))
        for name in ("genuine", "skilled", "random"):
            np.testing.assert_allclose(
                getattr(found, name), getattr(expected, name), rtol=0, atol=2e-10
            )


def test_a_packed_kernel_matrix_does_not_outlive_the_training(monkeypatch):
    """Though a first call that compiles leaves a cycle of references with its arguments."""
    alive = []
    solve_first = svm.solve_packed

    def solve(packed: np.ndarray, *given: object) -> tuple[np.ndarray, float]:
        cycle = [packed]
        cycle.append(cycle)
        alive.append(weakref.ref(packed))
        return solve_first(packed, *given)

    monkeypatch.setattr(svm, "SQUARE", 0)
    monkeypatch.setattr(svm, "solve_packed", solve)
    x = np.random.default_rng(3).normal(size=(12, 5))
    svm.fit_shared(x, [np.roll(np.arange(12), -first) for first in (0, 4, 8)], 1.0, 0.1)
    assert len(alive) == 3 and all(matrix() is None for matrix in alive)


def test_scores_do_not_depend_on_the_threads_of_matrix_products():
    """A product is cut by their number and rounds by the cut, which large coefficients show."""
    features = draw(45, 18, 6, 6, seed=10, spread=2.0)
    expected = None
    for threads in (1, 2, 3):
        with threadpool_limits(threads, user_api="blas"):
            found = next(scores_of_splits(*features, Protocol(12, 6, 6), C=100.0))
        expected = expected or found
        for name in ("genuine", "skilled", "random"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_scores_depend_on_neither_threads_nor_memory():
    features = draw(45, 18, 6, 100, seed=10)  # two tiles of training rows, one of tests
    for negatives in (None, 2):
        protocol = Protocol(12, 6, 6, splits=2, negatives=negatives)
        one, *others = (
            list(scores_of_splits(*features, protocol, **given))
            for given in (dict(threads=1), dict(threads=3), dict(threads=2, memory=0.001))
        )
        for other in others:
            for expected, found in zip(one, other, strict=True):
                for name in ("genuine", "skilled", "random"):
                    np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.fidelity("splits")
def test_scores_say_which_row_they_belong_to():
    x, y, yforg = draw(5, 9, 8, 4, seed=4)
    shuffled = np.random.RandomState(0).permutation(len(x))
    x, y, yforg = x[shuffled], y[shuffled], yforg[shuffled]
    first, second = scores_of_splits(x, y, yforg, Protocol(3, 4, 5, splits=2))
    assert not np.array_equal(first.genuine_rows, second.genuine_rows)
    for writer in range(5):
        assert (y[first.genuine_rows[writer]] == writer).all()
        assert (y[first.skilled_rows[writer]] == writer).all()
        assert yforg[first.skilled_rows[writer]].all()
        others = first.random_rows[writer]
        assert sorted(others) == sorted(np.delete(first.genuine_rows, writer, 0).ravel())
        assert (y[first.reference_rows[writer]] == writer).all()
        assert not set(first.reference_rows[writer]) & set(first.genuine_rows[writer])
    assert not yforg[first.genuine_rows].any() and not yforg[first.reference_rows].any()
    assert first.genuine.shape == (5, 4) and first.skilled.shape == (5, 5)
    assert first.random.shape == first.random_rows.shape == (5, 16)
    assert first.reference_rows.shape == (5, 3)


@pytest.mark.fidelity("scaler")
def test_a_constant_feature_changes_nothing():
    x, y, yforg = draw(5, 9, 8, 6, seed=5)
    wider = np.insert(x, 2, 7.5, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = next(scores_of_splits(wider, y, yforg, Protocol(3, 4, 5)))
    expected = next(scores_of_splits(x, y, yforg, Protocol(3, 4, 5)))
    np.testing.assert_allclose(found.genuine, expected.genuine, atol=1e-9)
    np.testing.assert_allclose(found.skilled, expected.skilled, atol=1e-9)


@pytest.mark.fidelity("scaler")
def test_features_are_scaled_but_not_centered():
    """Which no score shows, since the kernel sees differences alone."""
    x = np.random.RandomState(11).rand(10, 6)
    models = svm.fit_shared(x, np.stack([np.arange(10), np.roll(np.arange(10), 5)]), 1.0, 2**-11)
    np.testing.assert_allclose(models.rows, x / x.std(axis=0), rtol=1e-5)


@pytest.mark.fidelity("scaler")
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
@pytest.mark.parametrize("part", [1, 7, 100])
def test_features_are_scaled_as_by_scikit_learn(dtype, part):
    """To the last bit, and in parts as it does by `partial_fit`."""
    x = (np.random.RandomState(part).randn(100, 6) * [1, 1e-3, 30, 1, 500, 2] + 40).astype(dtype)
    x[:, 3] = 7
    parts = [x[first : first + part] for first in range(0, len(x), part)]
    scaler = StandardScaler(with_mean=False)
    for one in parts:
        scaler.partial_fit(one)
    deviation = deviations(parts)
    np.testing.assert_array_equal(deviation, scaler.scale_)
    found, expected = scaled(x, deviation), scaler.transform(x)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.fidelity("ROC")
@pytest.mark.parametrize(("levels", "genuine", "skilled"), [(3, 7, 9), (8, 1, 1), (50, 30, 2)])
def test_roc_equals_scikit_learn_with_ties(levels, genuine, skilled):
    stream = np.random.RandomState(levels)
    for _ in range(50):
        positive = stream.randint(levels, size=genuine).astype(float)
        negative = stream.randint(levels, size=skilled) - levels / 4
        label = np.repeat([1, 0], [genuine, skilled])
        scores = np.append(positive, negative)
        for ours, theirs in zip(
            metrics.roc(positive, negative), roc_curve(label, scores), strict=True
        ):
            np.testing.assert_allclose(ours, theirs)
        area = metrics.area_under_curve(positive, negative)
        assert area == pytest.approx(roc_auc_score(label, scores))


@pytest.mark.fidelity("EER")
@pytest.mark.fidelity("FRR and FAR")
@pytest.mark.fidelity("AUC")
def test_rates_by_hand():
    genuine = np.array([[3.0, 1.0], [0.5, 0.4]])
    skilled = np.array([[2.0, 0.0], [0.3, 0.2]])
    rates = metrics.error_rates(genuine, skilled, np.array([0.45, 0.1, 5.0, 0.0]))
    # Descending: 3 g, 2 s, 1 g, .5 g, .4 g, .3 s, .2 s, 0 s. The corners are 3, 2, .4 and 0,
    # where |FPR - FNR| is 3/4, 1/2, 1/4 and 1; .5, where it is 0, lies on a straight piece.
    assert rates["global_threshold"] == 0.4
    assert (rates["FRR"], rates["FAR_skilled"], rates["FAR_random"]) == (0, 0.25, 0.5)
    assert rates["EER"] == 0.125
    # Writer 1: at 2, one of two errs on either side. Writer 2: parted.
    assert rates["EER_userthresholds"] == 0.25
    assert rates["mean_AUC"] == (0.75 + 1) / 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(references=6), r"12 genuine signatures.*writer 0 has 11.*writer 3 has 11"),
        (dict(test_skilled=9), r"9 skilled forgeries.*writer 2 has 8"),
        (dict(splits=0), "splits: expected an integer, at least 1"),
        (dict(negatives=0), "negatives: expected an integer, at least 1, found 0"),
        (dict(negatives=6), "negatives: expected at most .* references, 5, found 6"),
        (dict(threads=0), "threads count from 1"),
    ],
)
def test_too_few_signatures_are_named(change, message):
    x, y, yforg = draw(4, 11, 8, 3, seed=6)
    protocol = dict(references=5, test_genuine=6, test_skilled=8, splits=1) | change
    with pytest.raises(FkdError, match=message):
        evaluate(x, y, yforg, **protocol)


@pytest.mark.parametrize(("references", "negatives"), [([5, 12], 5), ([3], 1)])
def test_the_config_takes_fewer_negatives_than_references(references, negatives):
    study = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"size": None}
    ((protocol,),) = study["evaluation"]["sets"].values()
    protocol |= {"references": references, "negatives": negatives}
    schema = ROOT / "workflow/schemas/config.schema.yaml"
    ((found,),) = complete(study, schema).settings["evaluation"]["sets"].values()
    assert found["negatives"] == negatives
    protocol["negatives"] = min(references) + 1
    with pytest.raises(FkdError, match=r"sets\.synthetic\.0\.negatives: \d is more than \d ref"):
        complete(study, schema)


def test_broken_features_are_refused():
    x, y, yforg = draw(4, 11, 8, 3, seed=6)
    for value in (np.nan, np.inf):
        broken = x.copy()
        broken[17, 1] = value
        with pytest.raises(FkdError, match=r"1 of 76 rows .* first is row 17"):
            evaluate(broken, y, yforg, 5, 5, 5)
    with pytest.raises(FkdError, match=r"\(76, 3\), \(75,\)"):
        evaluate(x, y[:-1], yforg, 5, 5, 5)
    with pytest.raises(FkdError, match="at least 2 writers, found 1"):
        evaluate(x[y == 0], y[y == 0], yforg[y == 0], 5, 5, 5)


@pytest.fixture
def features(tmp_path):
    x, y, yforg = draw(11, 9, 8, 5, seed=8)
    path = tmp_path / "features.h5"
    order = np.argsort(y % 4, kind="stable")  # a writer's rows keep their order, writers do not
    arrays = {
        "feature": x[order],
        "writer": np.array([f"w{number}" for number in y[order]], object),
        "forgery": yforg[order].astype(bool),
    }
    shards.write(path, "features", arrays, {"model": "student", "set": "drawn"})
    return path, (x, y, yforg), arrays


def test_the_stage_writes_rates_and_scores(tmp_path, features):
    path, (x, y, yforg), arrays = features
    counts = dict(references=3, test_genuine=4, test_skilled=5, splits=2, seed=1, negatives=2)
    cost = dict(C=1.0, gamma=0.01)
    out = tmp_path / "out"
    files = dict(features=path, metrics=out / "m.csv", scores=out / "s.h5")
    evaluate_wd(**files, protocol=Protocol(**counts), **cost)
    table = pd.read_csv(out / "m.csv")
    assert tuple(table.columns) == ("model", "set", "references", "split", *RATES)
    assert set(table["model"] + table["set"]) == {"studentdrawn"}
    assert set(table["references"]) == {3}
    assert table["split"].tolist() == [0, 1]
    # Writers count in natural order: w2 before w10.
    expected = evaluate(x, y, yforg, **counts, **cost)
    np.testing.assert_allclose(table[list(RATES)], pd.DataFrame(expected), rtol=0, atol=1e-12)
    scores = shards.read(out / "s.h5", "scores")
    assert scores.attributes == {
        "model": "student",
        "set": "drawn",
        "verifier": "wd",
        "protocol": counts | cost | {"writers": "all"},
        "writers": [f"w{number}" for number in range(11)],
    }
    random = {"random_split", "random_writer", "random_score"}
    tested = {"split", "writer", "row", "forgery", "score", "references"}
    assert set(scores.arrays) == tested | random
    assert len(scores["score"]) == 2 * 11 * (4 + 5)
    assert (scores["writer"] == arrays["writer"][scores["row"]]).all()
    assert (scores["forgery"] == arrays["forgery"][scores["row"]]).all()
    assert scores["references"].shape == (2, 11, 3)
    owners = arrays["writer"][scores["references"]]
    assert (owners == np.array(scores.attributes["writers"])[:, None]).all()
    assert not arrays["forgery"][scores["references"]].any()
    for split in (0, 1):
        tested = scores["row"][scores["split"] == split]
        assert not set(tested) & set(scores["references"][split].ravel())
        at = (scores["split"] == split) & ~scores["forgery"]
        missed = np.mean(scores["score"][at] < table["global_threshold"][split])
        assert missed == table["FRR"][split]


def test_the_stage_names_file_and_writer(tmp_path, features):
    path, *_ = features
    files = dict(features=path, metrics=tmp_path / "m", scores=tmp_path / "s")
    with pytest.raises(FkdError, match=r"features\.h5: .*writer w0 has 9"):
        evaluate_wd(**files, protocol=Protocol(6, 4, 5))
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("kind", ["genuine", "skilled", "random"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_give_no_rates(kind, value):
    """NaN gave an EER of 0 and an AUC of 1."""
    scores = {name: np.arange(4.0).reshape(2, 2) for name in ("genuine", "skilled", "random")}
    scores[kind][1, 1] = value
    with pytest.raises(FkdError, match=f"1 {kind} scores are not finite"):
        metrics.error_rates(**scores)


def test_a_low_cost_tells_signatures_apart_as_a_high_one_does():
    """All scores were rounded to the same number, which gave an EER of exactly 50 %."""
    draw = np.random.default_rng(5)
    centers = draw.normal(0, 3, (6, 8))
    y, yforg = np.repeat(np.arange(6), 8), np.tile([0] * 5 + [1] * 3, 6)
    x = centers[y] + draw.normal(0, 0.3, (48, 8)) + yforg[:, None] * draw.normal(0, 2, (48, 8))
    protocol = {"references": 3, "test_genuine": 2, "test_skilled": 3, "splits": 2}
    low, usual = (evaluate(x, y, yforg, **protocol, C=cost, gamma=0.1) for cost in (1e-12, 1e-3))
    for one, other in zip(low, usual, strict=True):
        assert one["EER_userthresholds"] == other["EER_userthresholds"] < 0.4
        assert one["mean_AUC"] == pytest.approx(other["mean_AUC"])
