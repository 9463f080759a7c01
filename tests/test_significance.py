"""Tests of significance over paired splits."""

import warnings

import numpy as np
import pytest

from fkd.errors import FkdError
from fkd.verification import friedman, wilcoxon

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


def test_equal_models_differ_by_chance_alone():
    rates = np.linspace(0, 1, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wilcoxon(rates, rates.copy()) == 1.0
        assert friedman(np.repeat(rates[:, None], 4, axis=1)) == 1.0
        # Some equal splits, and ties among the others.
        p = wilcoxon(rates, rates + np.repeat([0, 0.25], 5))
    assert 0 < p < 0.1


@pytest.mark.parametrize(
    ("a", "b"), [([1, 2, 3], [1, 2]), ([], []), ([1, np.nan], [1, 2]), ([[1]], [[2]])]
)
def test_unpaired_rates_are_refused(a, b):
    with pytest.raises(FkdError, match="pairs splits"):
        wilcoxon(a, b)


@pytest.mark.parametrize("table", [np.ones((10, 2)), np.ones((1, 3)), np.full((10, 3), np.nan)])
def test_incomplete_tables_are_refused(table):
    with pytest.raises(FkdError, match="three models or more"):
        friedman(table)
