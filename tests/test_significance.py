"""Tests of significance over paired splits."""

import math
import warnings

import numpy as np
import pytest

from fkd.errors import FkdError
from fkd.verification import average_ranks, critical_difference, friedman, nemenyi, wilcoxon

pytestmark = pytest.mark.fidelity("significance")


def test_wilcoxon_by_counting():
    b = np.linspace(3, 4, 10)
    # All ten differences of one sign: 2 of the 2^10 sign patterns are as extreme.
    assert wilcoxon(b + np.arange(1, 11), b) == pytest.approx(2 / 2**10)
    assert wilcoxon(b, b + np.arange(1, 11)) == pytest.approx(2 / 2**10)
    assert wilcoxon([1, -2, 3, -4, 5, -6, 7, -8], np.zeros(8)) > 0.5


def test_friedman_by_hand():
    # Ranks 1, 2, 3 in each of ten splits: chi^2 = 20 on 2 degrees, whose p is exp(-10).
    table = np.arange(3) + np.arange(10)[:, None] / 7
    assert friedman(table) == pytest.approx(np.exp(-10))


def range_of_normals(over, models):
    """Chance that the range of so many standard normal numbers is over this: by integration."""
    z = np.linspace(-12, 12, 24001)
    below = np.array([(1 + math.erf(value / math.sqrt(2))) / 2 for value in z])
    within = below - np.interp(z - over, z, below, left=0)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return 1 - np.trapezoid(models * density * within ** (models - 1), z)


def test_nemenyi_by_hand():
    # Ranks 1, 2, 3 in each of ten splits; ranks' means vary by k (k + 1) / 12 n = 0.1 each.
    table = np.arange(3) + np.arange(10)[:, None] / 7
    near, far = (range_of_normals(step / math.sqrt(0.1), 3) for step in (1, 2))
    expected = [[1, near, far], [near, 1, near], [far, near, 1]]
    np.testing.assert_allclose(nemenyi(table), expected, rtol=0, atol=1e-6)


def test_ranks_and_critical_difference_by_hand():
    table = [[31, 27, 24], [31, 28, 31], [45, 29, 46], [21, 18, 48], [42, 36, 46], [32, 17, 40]]
    # Rows rank 3 2 1, 2.5 1 2.5 (a tie), then four times 2 1 3.
    ranks = np.array([13.5, 7, 15.5]) / 6
    np.testing.assert_allclose(average_ranks(table), ranks)
    p = nemenyi(table)
    assert p[0, 1] == pytest.approx(range_of_normals((ranks[0] - ranks[1]) / math.sqrt(1 / 6), 3))
    # Tabulated: q = 2.343 for three models, 2.569 for four and 3.031 for eight at 5 %.
    for models, splits, q in ((3, 6, 2.343), (4, 14, 2.569), (8, 10, 3.031)):
        by_hand = q * math.sqrt(models * (models + 1) / (6 * splits))
        assert critical_difference(models, splits, 0.05) == pytest.approx(by_hand, abs=1e-3)
    assert ranks[2] - ranks[1] > critical_difference(3, 6, 0.05) > ranks[0] - ranks[1]
    assert p[2, 1] < 0.05 < p[0, 1]


def test_equal_shares_of_errors_tie_however_they_were_summed():
    # Six errors of 550 and of 550 tests, however parted, but for the last digit.
    one, other = (0 / 550 + 6 / 550) / 2, (1 / 550 + 5 / 550) / 2
    assert one != other
    a, b, c = np.full(10, one), np.full(10, other), np.full(10, 0.1)
    assert wilcoxon(a, b) == 1.0
    assert average_ranks(np.stack([a, b, c], axis=1)).tolist() == [1.5, 1.5, 3]
    assert nemenyi(np.stack([a, b, c], axis=1))[0, 1] == 1
    assert friedman(np.stack([a, b, a], axis=1)) == 1.0


def test_equal_models_differ_by_chance_alone():
    rates = np.linspace(0, 1, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wilcoxon(rates, rates.copy()) == 1.0
        assert friedman(np.repeat(rates[:, None], 4, axis=1)) == 1.0
        # Some equal splits, and ties among the others.
        p = wilcoxon(rates, rates + np.repeat([0, 0.25], 5))
        some, all_equal = np.repeat(rates[:, None], 4, axis=1), np.ones((10, 4))
        some[:, 3] += 1
        assert (nemenyi(all_equal) == 1).all()
        assert average_ranks(all_equal).tolist() == [2.5] * 4
        expected = np.ones((4, 4))
        expected[:3, 3] = expected[3, :3] = range_of_normals(2 / math.sqrt(20 / 120), 4)
        np.testing.assert_allclose(nemenyi(some), expected, rtol=1e-4)
    assert 0 < p < 0.1


@pytest.mark.parametrize(
    ("a", "b"), [([1, 2, 3], [1, 2]), ([], []), ([1, np.nan], [1, 2]), ([[1]], [[2]])]
)
def test_unpaired_rates_are_refused(a, b):
    with pytest.raises(FkdError, match="pairs splits"):
        wilcoxon(a, b)


@pytest.mark.parametrize("table", [np.ones((10, 2)), np.ones((1, 3)), np.full((10, 3), np.nan)])
@pytest.mark.parametrize("test", [friedman, nemenyi, average_ranks])
def test_incomplete_tables_are_refused(test, table):
    with pytest.raises(FkdError, match="three models or more"):
        test(table)
