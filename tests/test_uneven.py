"""Sets in which writers have different numbers of signatures."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fkd.errors import FkdError
from fkd.storage import shards
from fkd.verification import (
    Development,
    PairProtocol,
    Protocol,
    error_rates,
    evaluate,
    evaluate_independent,
    evaluate_wd,
    judged_writers,
    scores_of_pair_splits,
    scores_of_splits,
)
from fkd.verification.metrics import area_under_curve, equal_error_threshold

GENUINE = (7, 5, 12, 4, 9, 6)
SKILLED = (3, 0, 5, 4, 1, 0)


def draw(genuine=GENUINE, skilled=SKILLED, features=4, seed=0):
    """Features of writers with so many signatures, writer after writer."""
    stream = np.random.RandomState(seed)
    x, y, yforg = [], [], []
    for writer, counts in enumerate(zip(genuine, skilled, strict=True)):
        center = stream.randn(features)
        for forged, count in enumerate(counts):
            x.append(center + 0.6 * forged * stream.randn(features) + stream.randn(count, features))
            y += [writer] * count
            yforg += [forged] * count
    return np.maximum(np.concatenate(x), 0).astype(np.float32), np.array(y), np.array(yforg)


UNEVEN = dict(test_genuine="rest", test_skilled="all", writers="enough")


@pytest.mark.parametrize("negatives", [None, 2])
def test_scores_equal_those_of_naive_loops(negatives):
    x, y, yforg = draw()
    protocol = Protocol(4, splits=2, seed=5, negatives=negatives, **UNEVEN)
    found = scores_of_splits(x, y, yforg, protocol)
    stream = np.random.RandomState(5)
    writers = [0, 1, 2, 4, 5]  # writer 3 has no genuine signature beside its references
    for scores in found:
        train, test = {}, {}
        for w in writers:
            rows = np.flatnonzero((y == w) & (yforg == 0))
            stream.shuffle(rows)
            train[w], test[w] = rows[:4], rows[4:]
        for place, w in enumerate(writers):
            others = [
                stream.choice(train[o], negatives or 4, replace=False) for o in writers if o != w
            ]
            rows = np.concatenate([train[w], *others])
            scaler = StandardScaler(with_mean=False).fit(x[rows])
            svc = SVC(gamma=2**-11, class_weight={True: (len(rows) - 4) / 4})
            svc.fit(scaler.transform(x[rows]), np.arange(len(rows)) < 4)
            forged = np.flatnonzero((y == w) & (yforg == 1))
            random = np.concatenate([test[o] for o in writers if o != w])
            np.testing.assert_array_equal(scores.reference_rows[place], train[w])
            for kind, tested in (("genuine", test[w]), ("skilled", forged), ("random", random)):
                np.testing.assert_array_equal(getattr(scores, f"{kind}_rows")[place], tested)
                expected = svc.decision_function(scaler.transform(x[tested])) if len(tested) else []
                np.testing.assert_allclose(getattr(scores, kind)[place], expected, atol=1e-6)


def test_a_set_that_is_even_has_the_published_scores():
    """All forgeries are tested, so that only the order of the draws could differ."""
    x, y, yforg = draw((9,) * 5, (4,) * 5)
    even = next(scores_of_splits(x, y, yforg, Protocol(5, 4, 4)))
    rest = next(scores_of_splits(x, y, yforg, Protocol(5, **UNEVEN)))
    strict = next(scores_of_splits(x, y, yforg, Protocol(5, "rest", "all")))
    for kind in ("genuine", "genuine_rows", "random", "random_rows", "reference_rows"):
        np.testing.assert_array_equal(np.stack(getattr(rest, kind)), getattr(even, kind))
        np.testing.assert_array_equal(np.stack(getattr(strict, kind)), getattr(even, kind))
    for writer in range(5):
        order = np.argsort(even.skilled_rows[writer])
        np.testing.assert_array_equal(rest.skilled[writer], even.skilled[writer][order])
    assert rest.rates() == even.rates()


def test_writers_with_too_few_are_left_out_and_serve_nobody():
    x, y, yforg = draw()
    protocol = Protocol(3, 2, 3, splits=2, writers="enough")
    assert judged_writers(y, yforg, protocol).tolist() == [0, 2]  # 3 has four genuine ones
    kept = np.isin(y, [0, 2])
    alone = evaluate(x[kept], y[kept], yforg[kept], 3, 2, 3, splits=2)
    assert evaluate(x, y, yforg, 3, 2, 3, splits=2, writers="enough") == alone
    scores = next(scores_of_splits(x, y, yforg, protocol))
    assert isinstance(scores.genuine, np.ndarray) and scores.skilled.shape == (2, 3)
    assert judged_writers(y, yforg, Protocol(3, 2, 3)).tolist() == list(range(6))


def test_rates_of_uneven_writers_by_hand():
    genuine = [np.array([3.0, 1.0]), np.array([2.0]), np.array([5.0])]
    skilled = [np.array([0.0]), np.array([2.5, 1.5, 1.0]), np.array([])]
    rates = error_rates(genuine, skilled, [np.array([4.0, 0.0]), np.array([]), np.array([0.5])])
    t = equal_error_threshold(np.array([3.0, 1.0, 2.0, 5.0]), np.array([0.0, 2.5, 1.5, 1.0]))
    assert rates["global_threshold"] == t == 2.0
    assert (rates["FRR"], rates["FAR_skilled"]) == (1 / 4, 1 / 4)
    assert rates["FAR_random"] == 1 / 3
    # Writer 0 is parted. Writer 1: one of three forgeries scores higher than its genuine one.
    own = equal_error_threshold(genuine[1], skilled[1])
    wrong = np.sum(genuine[1] < own), np.sum(skilled[1] >= own)
    assert rates["EER_userthresholds"] == pytest.approx((wrong[0] / 3 + wrong[1] / 4) / 2)
    assert rates["mean_AUC"] == (1 + area_under_curve(genuine[1], skilled[1])) / 2


def test_rates_of_a_matrix_are_those_of_its_rows():
    stream = np.random.RandomState(1)
    genuine, skilled, random = (stream.randint(6, size=(5, n)) + 0.1 for n in (4, 3, 7))
    expected = error_rates(genuine, skilled, random)
    assert error_rates(list(genuine), list(skilled), list(random)) == expected


def test_pairs_test_all_that_there_is():
    x, y, yforg = draw()
    developed = Development(*draw((5, 8, 3, 9, 7), (0,) * 5, seed=1))
    protocol = PairProtocol(4, "all", 5, "mean", "euclidean", 2, writers="enough")
    found = scores_of_pair_splits(
        x, y, yforg, protocol, exploitation=range(6), development=developed
    )
    writers = [0, 1, 2, 4, 5]
    assert judged_writers(y, yforg, protocol).tolist() == writers
    for scores in found:
        for place, w in enumerate(writers):
            given = scores.reference_rows[place]
            own = np.flatnonzero((y == w) & (yforg == 0))
            assert sorted([*given, *scores.genuine_rows[place]]) == own.tolist()
            forged = np.flatnonzero((y == w) & (yforg == 1))
            assert scores.skilled_rows[place].tolist() == forged.tolist()
            assert y[scores.random_rows[place]].tolist() == [o for o in writers if o != w]
            assert not yforg[scores.random_rows[place]].any()
            assert not set(scores.random_rows[place]) & set(scores.reference_rows.ravel())
            for kind in ("genuine", "skilled", "random"):
                rows = getattr(scores, f"{kind}_rows")[place]
                far = np.linalg.norm(x[rows][:, None].astype(float) - x[given], axis=2).mean(axis=1)
                np.testing.assert_allclose(getattr(scores, kind)[place], -far, atol=1e-9)


def test_pairs_of_development_writers_with_enough():
    """A development writer with too few signatures is left out, or named."""
    x, y, yforg = draw()
    few, many = draw((5, 8, 3, 9, 7), (0,) * 5, seed=1), draw((5, 8, 9, 7), (0,) * 4, seed=1)
    few, many = (Development(*arrays) for arrays in (few, many))
    kept = few.y != 2
    without = Development(few.x[kept], few.y[kept], few.yforg[kept])
    given = dict(exploitation=range(6), references=4, test="all", development_references=5)
    found, expected = (
        evaluate_independent(x, y, yforg, development=d, writers="enough", splits=2, **given)
        for d in (few, without)
    )
    assert found == expected
    with pytest.raises(FkdError, match=r"writer 3 has 4.*`writers: enough`"):
        evaluate_independent(x, y, yforg, development=many, **given)
    with pytest.raises(FkdError, match=r"needs 5 genuine .* writer 2 has 3"):
        evaluate_independent(
            x, y, yforg, development=few, **(given | dict(exploitation=[0, 1, 2, 4, 5]))
        )


def test_the_stage_names_who_is_left_out(tmp_path):
    x, y, yforg = draw()
    arrays = dict(feature=x, writer=np.array([f"w{n}" for n in y], object), forgery=yforg > 0)
    shards.write(tmp_path / "f.h5", "features", arrays, {"model": "m", "set": "s"})
    files = dict(features=tmp_path / "f.h5", metrics=tmp_path / "m.csv", scores=tmp_path / "s.h5")
    evaluate_wd(**files, protocol=Protocol(4, splits=2, **UNEVEN))
    scores = shards.read(tmp_path / "s.h5", "scores")
    assert scores.attributes["writers"] == ["w0", "w1", "w2", "w4", "w5"]
    assert scores.attributes["left_out"] == ["w3"]
    assert scores["references"].shape == (2, 5, 4)
    tested = len(x) - 4 - 4 - 4 * 5  # all but writer 3's and the references
    assert len(scores["score"]) == 2 * tested
    assert (scores["writer"] == arrays["writer"][scores["row"]]).all()
    with pytest.raises(FkdError, match=r"f\.h5: .*writer w3 has 4.*`writers: enough`"):
        evaluate_wd(**files, protocol=Protocol(4, "rest", "all"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(writers="some"), "writers: expected one of all, enough, found 'some'"),
        (
            dict(test_genuine="all"),
            "test_genuine: expected an integer, at least 1, or rest, found 'all'",
        ),
        (
            dict(test_skilled="rest"),
            "test_skilled: expected an integer, at least 1, or all, found 'rest'",
        ),
        (dict(references="rest"), "references: expected an integer, at least 1, found 'rest'"),
        (dict(references=11), "2 writers, found 1 with enough signatures; 6 are there"),
        (dict(references=9), "No writer has a skilled forgery"),
    ],
)
def test_what_cannot_be_judged_is_refused(change, message):
    arrays = draw() if change != dict(references=9) else draw((12, 12, 4), (0, 0, 3))
    with pytest.raises(FkdError, match=message):
        evaluate(*arrays, **(dict(references=4, splits=1, **UNEVEN) | change))


def test_pairs_need_a_word_or_a_count():
    with pytest.raises(
        FkdError, match="test: expected an integer, at least 1, or all, found 'rest'"
    ):
        PairProtocol(3, "rest")
