"""Tests of whether differences over paired splits are more than chance.

The paper uses Wilcoxon's signed-rank test and Friedman's test over its ten splits, at a level of
5 %. Nemenyi's test tells which models differ after a significant Friedman test (J. Demsar,
Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006).
"""

import numpy as np

from fkd.errors import FkdError

DECIMALS = 12
"""Decimals to which rates are rounded before they are compared. Equal shares of errors that were
summed in different orders differ only beyond these."""


def wilcoxon(a: np.ndarray, b: np.ndarray) -> float:
    """Wilcoxon's signed-rank test of two models over the same splits, two-sided.

    Parameters
    ----------
    a, b : array_like of float, (splits,)
        The rates of the two models, one for each split and in the same order.

    Returns
    -------
    float
        The p-value; 1.0 where the two models are equal in every split.

    Raises
    ------
    FkdError
        Where the two series differ in length, or a number in them is not finite.

    Examples
    --------
    If one model is better in all of five splits, p is 2 / 2^5.

    >>> from fkd.verification import wilcoxon
    >>> f"{wilcoxon([0.1, 0.2, 0.3, 0.4, 0.5], [0.0, 0.0, 0.0, 0.0, 0.0]):.4f}"
    '0.0625'
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.ndim != 1 or a.shape != b.shape or not np.isfinite([a, b]).all() or not len(a):
        raise FkdError(
            f"Wilcoxon's test pairs splits: it needs two series of one finite number a split, "
            f"found shapes {a.shape} and {b.shape}. Evaluate both models on the same splits."
        )
    difference = (a - b).round(DECIMALS)
    if not difference.any():
        return 1.0
    from scipy import stats  # takes long to load

    return float(stats.wilcoxon(difference).pvalue)


def friedman(table: np.ndarray) -> float:
    """Friedman's test of three models or more over the same splits.

    Parameters
    ----------
    table : array_like of float, (splits, models)
        One rate for each split and model.

    Returns
    -------
    float
        The p-value; 1.0 where the models are equal in every split.

    Raises
    ------
    FkdError
        Where there are fewer than three models or two splits, or a number is not finite.

    Examples
    --------
    If three models have the same order in all of four splits, chi^2 is 8 and p is exp(-4).

    >>> from fkd.verification import friedman
    >>> f"{friedman([[0.1, 0.2, 0.3]] * 4):.4f}"
    '0.0183'
    """
    table = _checked(table, "Friedman's")
    if (table == table[:, :1]).all():
        return 1.0
    from scipy import stats

    return float(stats.friedmanchisquare(*table.T).pvalue)


def nemenyi(table: np.ndarray) -> np.ndarray:
    """Nemenyi's test of every pair of models, to follow a significant :func:`friedman`.

    Parameters
    ----------
    table : array_like of float, (splits, models)
        One rate for each split and model.

    Returns
    -------
    ndarray of float64, (models, models)
        The p-value of each pair: symmetric, 1 on the diagonal. It is below a level of
        significance where the average ranks of the two models differ by more than the
        :func:`critical_difference` of that level.

    Raises
    ------
    FkdError
        Where there are fewer than three models or two splits, or a number is not finite.
    """
    from scikit_posthocs import posthoc_nemenyi_friedman  # takes half a second to load

    p = posthoc_nemenyi_friedman(_checked(table, "Nemenyi's")).to_numpy()
    return np.clip(p, 0, 1)  # the integrals behind p may be off by a rounding


def average_ranks(table: np.ndarray) -> np.ndarray:
    """Rank the models in every split, the lowest rate first, and average over the splits.

    Parameters
    ----------
    table : array_like of float, (splits, models)
        One rate for each split and model.

    Returns
    -------
    ndarray of float64, (models,)
        The average ranks: 1 for a model that is best in every split. Models with equal rates
        share the mean of their ranks.

    Raises
    ------
    FkdError
        Where there are fewer than three models or two splits, or a number is not finite.

    Examples
    --------
    >>> from fkd.verification import average_ranks
    >>> average_ranks([[0.1, 0.2, 0.3], [0.1, 0.2, 0.2]]).tolist()
    [1.0, 2.25, 2.75]
    """
    from scipy import stats

    return stats.rankdata(_checked(table, "A rank"), axis=1).mean(axis=0)


def critical_difference(models: int, splits: int, level: float) -> float:
    """Compute by how much two average ranks must differ for Nemenyi's test to be significant.

    Parameters
    ----------
    models, splits : int
        The size of the table that is tested.
    level : float
        The level of significance, such as 0.05.

    Returns
    -------
    float
        q sqrt(k (k + 1) / 6 n) for k models and n splits, where q is the quantile of the
        Studentized range, divided by the square root of 2 (Demsar 2006, section 3.2.2).

    Examples
    --------
    Demsar's Table 5 gives q = 2.343 for three models.

    >>> from fkd.verification import critical_difference
    >>> f"{critical_difference(models=3, splits=10, level=0.05):.2f}"
    '1.05'
    """
    from scipy import stats

    q = stats.studentized_range.isf(level, models, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * splits)))


def _checked(table: np.ndarray, test: str) -> np.ndarray:
    """Refuse a table that cannot be ranked, and round its rates; `test` is for the message."""
    table = np.asarray(table, float)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 3 or not np.isfinite(table).all():
        raise FkdError(
            f"{test} test needs finite rates of three models or more over two splits or "
            f"more, found a table of shape {table.shape} (splits, models)."
        )
    return table.round(DECIMALS)
