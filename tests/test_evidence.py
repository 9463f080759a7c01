"""Thresholds set beforehand, tradeoffs, likelihood ratios and their calibration."""

import json

import numpy as np
import pytest
from scipy import stats

from fkd import verification
from fkd.errors import FkdError
from fkd.verification import (
    Calibration,
    calibrate,
    cllr,
    cllr_min,
    det_curve,
    equal_error_rate,
    error_rates,
    far_threshold,
    rates_at,
    reliability,
    set_thresholds,
    tippett,
)
from fkd.verification.calibration import bounds, logistic
from fkd.verification.evidence import pav


def scores(genuine, forged, seed, levels=None):
    """Scores of two overlapping classes; with levels, many are equal."""
    stream = np.random.default_rng(seed)
    drawn = stream.normal(1, 1, genuine), stream.normal(-1, 1, forged)
    return drawn if levels is None else tuple(np.round(levels * s) / levels for s in drawn)


@pytest.mark.parametrize("levels", [None, 2])
def test_the_equal_error_rate_is_that_of_the_tables(levels):
    genuine, forged = scores(60, 45, seed=0, levels=levels)
    rates = error_rates(genuine.reshape(15, 4), forged.reshape(15, 3), np.zeros(1))
    assert equal_error_rate(genuine, forged) == rates["EER"]
    found = set_thresholds(genuine, forged)["EER"]
    assert found.value == rates["global_threshold"]
    assert (found.frr, found.far) == (rates["FRR"], rates["FAR_skilled"])


@pytest.mark.parametrize("levels", [None, 1])
@pytest.mark.parametrize("most", [0, 0.001, 0.07, 0.3, 0.999])
def test_no_lower_threshold_keeps_the_far(most, levels):
    _, forged = scores(1, 100, seed=1, levels=levels)
    threshold = far_threshold(forged, most)
    assert np.mean(forged >= threshold) <= most
    below = np.nextafter(threshold, -np.inf)
    assert below in forged and np.mean(forged >= below) > most


def test_a_far_that_cannot_be_seen_is_said():
    genuine, forged = scores(50, 1000, seed=2)
    assert [t.note for t in set_thresholds(genuine, forged).values()] == ["", "", ""]
    found = set_thresholds(genuine, forged[:999])
    assert found["FAR 0.1 %"].note.startswith("A FAR of 0.1 % needs 1000 forgeries")
    assert found["FAR 0.1 %"].far == 0 and found["FAR 0.1 %"].value > forged[:999].max()
    few = set_thresholds(genuine, forged[:99])
    assert "99 were at hand" in few["FAR 1 %"].note and not few["EER"].note
    assert (few["EER"].genuine, few["EER"].forged) == (50, 99)


def test_rates_at_a_threshold_by_hand():
    found = rates_at(1.0, [2.0, 1.0, 0.0, 3.0], [1.0, 0.5], [0.0, 4.0, 5.0, 0.0])
    assert found == {"FRR": 0.25, "FAR_skilled": 0.5, "FAR_random": 0.5, "HTER": 0.375}
    assert "FAR_random" not in rates_at(1.0, [2.0], [1.0])


def test_a_det_curve_has_rates_and_exact_intervals():
    genuine, forged = scores(30, 40, seed=3, levels=3)
    curve = det_curve(genuine, forged, level=0.9)
    assert curve.threshold[0] == np.inf and (np.diff(curve.threshold) < 0).all()
    for number, threshold in enumerate(curve.threshold):
        for kind, wrong in (("frr", genuine < threshold), ("far", forged >= threshold)):
            found = [getattr(curve, kind + end)[number] for end in ("", "_low", "_high")]
            exact = stats.binomtest(wrong.sum(), len(wrong)).proportion_ci(0.9, method="exact")
            np.testing.assert_allclose(found, [wrong.mean(), exact.low, exact.high], atol=1e-9)


def test_cllr_by_hand():
    assert cllr([0.0] * 5, [0.0] * 3) == 1
    genuine, forged = np.array([1.0, -0.5]), np.array([-2.0, 0.3, 0.1])
    by_hand = np.mean(np.log2(1 + 10**-genuine)) + np.mean(np.log2(1 + 10**forged))
    assert cllr(genuine, forged) == pytest.approx(by_hand / 2)
    assert cllr([400.0], [-400.0]) == 0
    assert cllr([-400.0], [400.0]) == pytest.approx(400 * np.log2(10))


def naive_pav(genuine, forged):
    """Pools of (first score, genuine, all), merged while a pool's share is not above the last."""
    pools = []
    for score in sorted({*genuine, *forged}):
        real = sum(genuine == score)
        pools.append([[score], real, real + sum(forged == score)])
        while len(pools) > 1 and pools[-2][1] * pools[-1][2] >= pools[-1][1] * pools[-2][2]:
            own, real, total = pools.pop()
            pools[-1] = [pools[-1][0] + own, pools[-1][1] + real, pools[-1][2] + total]
    ratios = {}
    for own, real, total in pools:
        with np.errstate(divide="ignore"):
            odds = np.log10(np.float64(real) / len(genuine))
            odds = odds - np.log10(np.float64(total - real) / len(forged))
        ratios |= dict.fromkeys(own, odds)
    return ratios


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize(("genuine", "forged"), [(1, 1), (12, 9), (40, 80)])
def test_pooling_equals_a_naive_one(genuine, forged, levels):
    genuine, forged = scores(genuine, forged, seed=4, levels=levels)
    expected = naive_pav(genuine, forged)
    at, ratio = pav(genuine, forged)
    assert at.tolist() == list(expected)
    np.testing.assert_allclose(ratio, list(expected.values()), atol=1e-12)
    with np.errstate(over="ignore"):
        cost = np.mean([np.log2(1 + 10 ** -expected[s]) for s in genuine])
        cost += np.mean([np.log2(1 + 10 ** expected[s]) for s in forged])
    assert cllr_min(genuine, forged) == pytest.approx(cost / 2)


def test_the_least_cost_is_the_least_and_depends_on_the_order_alone():
    genuine, forged = scores(300, 200, seed=5)
    least = cllr_min(genuine, forged)
    assert cllr_min(np.exp(genuine), np.exp(forged)) == least
    costs = [cllr(a * genuine + b, a * forged + b) for a in (0.5, 0.87, 1) for b in (-0.2, 0, 0.2)]
    assert 0 < least < min(costs) < 1
    assert cllr_min(forged, genuine) == pytest.approx(1, abs=0.02)


def test_a_line_is_what_two_normal_distributions_of_one_variance_need():
    """log LR = (m1 - m2) / v (s - (m1 + m2) / 2)."""
    stream = np.random.default_rng(6)
    genuine, forged = stream.normal(5, 2, 80_000), stream.normal(2, 2, 40_000)
    slope = 3 / 4 / np.log(10)
    assert logistic(genuine, forged) == pytest.approx((slope, -3.5 * slope), rel=0.02)
    calibration = calibrate(genuine, forged)
    at = np.linspace(-2, 9, 12)
    np.testing.assert_allclose(calibration(at), slope * (at - 3.5), atol=0.02)
    costs = cllr(calibration(genuine), calibration(forged)), cllr_min(genuine, forged)
    assert costs[0] == pytest.approx(costs[1], abs=2e-3)
    # The optimum of the prior-weighted cost does not depend on how many there are of a class.
    fewer = calibrate(genuine, forged[:5000])
    np.testing.assert_allclose(fewer(at), calibration(at), atol=0.1)


def test_a_line_has_the_least_cost_of_all_lines():
    genuine, forged = scores(3000, 1500, seed=7)
    slope, offset = logistic(genuine, forged)
    least = cllr(slope * genuine + offset, slope * forged + offset)
    for a, b in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
        moved = slope + a, offset + b
        assert cllr(moved[0] * genuine + moved[1], moved[0] * forged + moved[1]) > least - 1e-6


@pytest.mark.parametrize("kind", ["logistic", "isotonic"])
def test_no_ratio_is_stronger_than_the_scores_support(kind):
    """Also where a threshold parts all scores, and a line would have no bound."""
    genuine, forged = np.linspace(1, 2, 9), np.linspace(-2, 0, 99)
    found = calibrate(genuine, forged, kind)([-1e9, -2.0, 2.0, 1e9])
    assert found.tolist() == pytest.approx([-1, found[1], found[2], 2])
    assert bounds(9, 99) == (-1, 2)
    at = np.linspace(-3, 3, 601)
    assert (np.diff(calibrate(genuine, forged, kind)(at)) >= 0).all()


def test_steps_are_pooled_and_bounded():
    genuine, forged = scores(80, 70, seed=8, levels=4)
    calibration = calibrate(genuine, forged, "isotonic")
    at, ratio = pav(genuine, forged)
    np.testing.assert_allclose(calibration(at), np.clip(ratio, *bounds(80, 70)), atol=1e-12)
    steps = len(np.unique(np.clip(ratio, *bounds(80, 70))))
    assert steps <= len(calibration.scores) <= 2 * steps
    between = calibration((at[1:] + at[:-1]) / 2)
    assert ((calibration(at[:-1]) <= between) & (between <= calibration(at[1:]))).all()
    assert calibrate([1.0, 1.0], [1.0], "isotonic")([0.0, 3.0]).tolist() == [0, 0]


@pytest.mark.parametrize("kind", ["logistic", "isotonic"])
def test_a_stored_calibration_is_the_same(tmp_path, kind):
    genuine, forged = scores(80, 70, seed=9)
    calibration = calibrate(genuine, forged, kind)
    np.savez(tmp_path / "arrays.npz", **calibration.arrays())
    settings = json.loads(json.dumps(calibration.settings()))
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as arrays:
        restored = Calibration.restored(arrays, settings)
    assert restored.settings() == {"kind": kind, "genuine": 80, "forged": 70}
    np.testing.assert_array_equal(restored(genuine), calibration(genuine))
    with pytest.raises(AttributeError):
        restored.kind = "another"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(kind="cubic"), "kind is one of logistic, isotonic, found 'cubic'"),
        (dict(genuine=0), "counts from 1, found 0 and 99"),
        (dict(forged="99"), "counts from 1, found 9 and '99'"),
        (dict(scores=np.array(["a", "b"])), "arrays of float64"),
        (dict(scores=[0.0, 1.0]), "arrays of float64"),
        (dict(scores=np.zeros(3)), "one score and one ratio each"),
        (dict(scores=np.zeros((1, 2)), log10_lr=np.zeros((1, 2))), "one score and one ratio"),
        (dict(scores=np.zeros(0), log10_lr=np.zeros(0)), "needs a knot"),
        (dict(scores=np.array([0.0, np.nan])), "knots are finite"),
        (dict(scores=np.zeros(2)), "its scores rise"),
        (dict(log10_lr=np.array([1.0, 0.0])), "its ratios do not fall"),
        (dict(log10_lr=np.array([0.0, 2.1])), "from -1.00 to 2.00"),
        (dict(log10_lr=np.array([-1.1, 0.0])), "9 genuine and 99 forged scores"),
    ],
)
def test_what_is_not_a_calibration_is_refused(change, message):
    whole = dict(scores=np.array([0.0, 1.0]), log10_lr=np.array([-1.0, 2.0]))
    whole |= dict(kind="isotonic", genuine=9, forged=99)
    Calibration(**whole)
    with pytest.raises(FkdError, match=message):
        Calibration(**(whole | change))


def test_a_calibration_names_what_is_missing():
    with pytest.raises(FkdError, match="log10_lr, kind, genuine are missing"):
        Calibration.restored({"scores": np.zeros(1)}, {"forged": 3})


def test_scores_that_tell_nothing_are_not_calibrated():
    with pytest.raises(FkdError, match="no higher for genuine"):
        calibrate([0.0, 1.0], [1.0, 2.0])
    with pytest.raises(FkdError, match="no higher for genuine"):
        calibrate([1.0, 1.0], [1.0])
    with pytest.raises(FkdError, match="found 'cubic'"):
        calibrate([1.0, 2.0], [0.0], "cubic")
    with pytest.raises(FkdError, match="no likelihood ratio"):
        calibrate([1.0, 2.0], [0.0])([np.nan])


def test_a_tippett_plot_counts_shares():
    genuine, forged = scores(30, 20, seed=10, levels=2)
    plot = tippett(genuine, forged)
    for at, own, others in zip(plot.log10_lr, plot.genuine, plot.forged, strict=True):
        shares = np.mean(genuine >= at), np.mean(forged >= at)
        assert (own, others) == pytest.approx(shares, abs=1e-12)


def test_perfect_ratios_lie_on_the_diagonal():
    stream = np.random.default_rng(11)
    genuine, forged = stream.normal(1, 1, 60_000), stream.normal(-1, 1, 20_000)
    plot = reliability(*(2 * s / np.log(10) for s in (genuine, forged)), bins=8)
    assert plot.count.sum() == 80_000 and len(plot.count) == 8
    np.testing.assert_allclose(plot.seen, plot.stated, atol=0.03)
    assert ((plot.low < plot.seen) & (plot.seen < plot.high)).all()
    # Ratios twice as strong as they should be: too low where low, too high where high.
    strong = reliability(*(4 * s / np.log(10) for s in (genuine, forged)), bins=8)
    assert strong.stated[0] < strong.seen[0] - 0.02 and strong.stated[-1] > strong.seen[-1] + 0.005
    assert reliability([300.0], [-300.0]).count.tolist() == [1, 1]


TWO_ARRAYS = (
    *("equal_error_rate", "set_thresholds", "det_curve", "cllr", "cllr_min", "calibrate"),
    *("tippett", "reliability"),
)


@pytest.mark.parametrize("name", TWO_ARRAYS)
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0, np.nan, np.inf], r"2 of 3 scores of \w+.* are NaN or infinite, .* number 1"),
        ([], r"n from 1, found \(0,\)"),
        ([[1.0]], r"found \(1, 1\)"),
        (["a"], "one number each"),
        ([[1.0], [1.0, 2.0]], "one number each"),
    ],
)
def test_broken_scores_are_refused(name, side, given, message):
    arrays = [[3.0, 4.0], [1.0, 2.0]]
    getattr(verification, name)(*arrays)
    arrays[side] = given
    with pytest.raises(FkdError, match=message):
        getattr(verification, name)(*arrays)


def test_settings_out_of_range_are_refused():
    with pytest.raises(FkdError, match="to below 1, found 1"):
        far_threshold([1.0], 1)
    with pytest.raises(FkdError, match="NaN"):
        far_threshold([np.nan], 0.1)
    with pytest.raises(FkdError, match="threshold is NaN"):
        rates_at(np.nan, [1.0], [1.0])
    with pytest.raises(FkdError, match="NaN or infinite"):
        rates_at(0.0, [1.0], [1.0], [np.nan])
    with pytest.raises(FkdError, match="between 0 and 1, found 95"):
        det_curve([1.0], [1.0], level=95)
    with pytest.raises(FkdError, match="bins count from 1"):
        reliability([1.0], [1.0], bins=0)
