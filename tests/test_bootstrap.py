"""Intervals over writers."""

import numpy as np
import pytest

from fkd.errors import FkdError
from fkd.verification import (
    SplitScores,
    Trial,
    WriterScores,
    calibrate,
    cllr,
    det_band,
    difference,
    equal_error_rate,
    interval,
)
from fkd.verification.metrics import equal_error_threshold, false_rejection_rate


def ragged(writers, seed, own=1.0, shift=0.0):
    """Scores by writer, with different numbers a writer and an effect of each writer."""
    stream = np.random.default_rng(seed)
    effect = stream.normal(0, own, writers)
    genuine = [stream.normal(2 + shift + e, 1, stream.integers(1, 9)) for e in effect]
    forged = [stream.normal(e, 1, stream.integers(0, 7)) for e in effect]
    return genuine, forged


def mean_genuine(genuine, forged):
    return genuine.mean()


def missed(genuine, forged, threshold):
    return false_rejection_rate(genuine, threshold)


def test_a_draw_holds_all_scores_of_a_writer_as_often_as_it_was_drawn():
    genuine, forged = ragged(5, seed=0)
    times = np.array([2, 0, 1, 0, 3])
    found = WriterScores(genuine, forged).drawn(times)
    for kind, given in zip(found, (genuine, forged), strict=True):
        expected = np.concatenate([np.tile(own, n) for own, n in zip(given, times, strict=True)])
        np.testing.assert_array_equal(kind, np.sort(expected)[::-1])


def test_the_scores_of_splits_are_joined_by_writer():
    stream = np.random.RandomState(0)
    splits = []
    for _ in range(2):
        genuine, skilled = stream.rand(3, 2), [stream.rand(n) for n in (2, 0, 1)]
        splits.append(SplitScores(genuine, genuine, skilled, skilled, [], [], genuine))
    times = np.array([2, 1, 0])
    one, other = (WriterScores(s.genuine, s.skilled).drawn(times) for s in splits)
    for kind, parts in zip(
        WriterScores.of(splits).drawn(times), zip(one, other, strict=True), strict=True
    ):
        np.testing.assert_array_equal(kind, np.sort(np.concatenate(parts))[::-1])


def test_an_interval_equals_a_naive_one():
    splits = [ragged(20, seed=1), ragged(20, seed=2)]
    found = interval(
        equal_error_rate, [Trial([WriterScores(*s) for s in splits])], resamples=200, seed=3
    )
    stream = np.random.default_rng(3)
    draws = []
    for _ in range(200):
        chosen = stream.integers(20, size=20)
        stream.integers(1, size=1)  # of the one training seed
        rates = [
            equal_error_rate(*(np.concatenate([kind[w] for w in chosen]) for kind in split))
            for split in splits
        ]
        draws.append(np.mean(rates))
    assert found.value == np.mean([equal_error_rate(*map(np.concatenate, s)) for s in splits])
    np.testing.assert_allclose([found.low, found.high], np.quantile(draws, [0.025, 0.975]))


def test_the_interval_of_a_mean_is_that_of_theory():
    """For scores that are equal within a writer, 1.96 standard errors over writers."""
    effect = np.random.default_rng(4).normal(size=100)
    split = WriterScores(np.tile(effect[:, None], 10), np.zeros((100, 1)))
    found = interval(mean_genuine, [Trial([split])], resamples=1500)
    wide = 1.96 * effect.std() / 10
    assert found.value == pytest.approx(effect.mean())
    assert found.low == pytest.approx(effect.mean() - wide, abs=0.03)
    assert found.high == pytest.approx(effect.mean() + wide, abs=0.03)
    narrow = interval(mean_genuine, [Trial([split])], resamples=1500, level=0.5)
    assert narrow.high - narrow.low == pytest.approx(2 * 0.674 / 1.96 * wide, abs=0.03)


def test_splits_of_the_same_writers_do_not_narrow_the_interval():
    split = WriterScores(*ragged(30, seed=5))
    one, ten = (interval(equal_error_rate, [Trial([split] * n)], resamples=100) for n in (1, 10))
    assert (one.low, one.high) == pytest.approx((ten.low, ten.high))


def test_writers_are_drawn_on_both_sides():
    judged = WriterScores(*ragged(30, seed=6, own=0.1))
    developed = WriterScores(*ragged(12, seed=7, own=2.0))
    model = [Trial([judged], developed)]
    found = interval(missed, model, resamples=300, setting=equal_error_threshold)
    threshold = equal_error_threshold(*developed.drawn(np.ones(12, int)))
    assert found.value == missed(*judged.drawn(np.ones(30, int)), threshold)
    fixed = interval(missed, model, resamples=300, setting=lambda genuine, forged: threshold)
    assert found.value == fixed.value
    assert found.high - found.low > 1.2 * (fixed.high - fixed.low)

    def cost(genuine, forged, calibration):
        return cllr(calibration(genuine), calibration(forged))

    found = interval(cost, [Trial([judged], developed)], resamples=20, setting=calibrate)
    assert 0 < found.low < found.value < found.high


def test_a_difference_is_of_the_same_writers():
    """Where one model is better for each writer, by less than writers differ."""
    genuine, forged = ragged(40, seed=8, own=3.0)
    better = [own + 0.2 for own in genuine]
    one, other = (Trial([WriterScores(kind, forged)]) for kind in (better, genuine))
    found = difference(mean_genuine, [one], [other], resamples=500)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.2, 0.2))
    assert found.p == pytest.approx(2 / 501)
    alone = interval(mean_genuine, [one], resamples=500)
    assert alone.high - alone.low > 1 and alone.p is None
    same = difference(mean_genuine, [one], [one], resamples=50)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    back = difference(mean_genuine, [other], [one], resamples=500)
    assert (back.value, back.p) == pytest.approx((-0.2, found.p))


def test_the_noise_of_training_widens_the_interval():
    genuine, forged = ragged(40, seed=9, own=0.1)
    seeds = [
        Trial([WriterScores([own + shift for own in genuine], forged)]) for shift in (-1, 0, 1)
    ]
    found, one = (interval(mean_genuine, m, resamples=500) for m in (seeds, seeds[1:2]))
    assert found.value == pytest.approx(one.value)
    assert found.high - found.low > 3 * (one.high - one.low)
    # Each model's training seeds are drawn on their own: the noise is in a difference too.
    change = difference(mean_genuine, seeds, seeds, resamples=500)
    assert change.value == 0 and change.low < -0.5 and change.high > 0.5 and change.p > 0.5


def test_a_band_holds_the_curve():
    splits = [WriterScores(*ragged(40, seed=seed)) for seed in (10, 11)]
    far = np.array([0.01, 0.1, 0.3, 1.0])
    band = det_band([Trial(splits)], far, resamples=100)
    for number, most in enumerate(far):
        frr = []
        for split in splits:
            genuine, forged = split.drawn(np.ones(40, int))
            thresholds = [np.inf, *genuine, *forged]
            kept = [t for t in thresholds if np.mean(forged >= t) <= most]
            frr.append(min(np.mean(genuine < t) for t in kept))
        assert band.value[number] <= np.mean(frr) + 0.03
        assert band.value[number] >= np.mean(frr) - 1e-12
    assert (band.low <= band.value).all() and (band.value <= band.high).all()
    assert band.value[-1] == 0


def test_draws_are_repeatable_and_hold_forgeries():
    """One of eight writers has all the forgeries: a third of plain draws would be without any."""
    genuine = np.random.default_rng(12).normal(size=(8, 3))
    forged = [[]] * 7 + [[-1.0, 0.0]]
    model = [Trial([WriterScores(genuine, forged)])]
    one, two, other = (interval(equal_error_rate, model, resamples=60, seed=s) for s in (1, 1, 2))
    assert np.isfinite([one.low, one.high]).all()
    assert one == two != other


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: WriterScores([[1.0]], [[1.0], [2.0]]), "found 1 writers .* and 2 with"),
        (lambda one: WriterScores([[1.0], [np.nan]], [[1.0], []]), "1 of 2 scores .* NaN"),
        (lambda one: WriterScores([[1.0], []], [[], []]), r"n from 1, found \(0,\)"),
        (lambda one: interval(mean_genuine, [one], resamples=0), "resamples count from 1"),
        (lambda one: interval(mean_genuine, [one], level=95, resamples=1), "between 0 and 1"),
        (lambda one: interval(mean_genuine, []), "found no writers"),
        (
            lambda one: difference(mean_genuine, [one], [Trial([WriterScores([[1.0]], [[1.0]])])]),
            "found 1 and 2 writers",
        ),
        (lambda one: interval(mean_genuine, [one], setting=calibrate), "needs their scores"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(FkdError, match=message):
        call(Trial([WriterScores([[1.0], [2.0]], [[1.0], [0.0]])]))
