"""Whether differences over the ten paired splits are more than chance (5 % by habit)."""

import numpy as np
from scipy import stats

from fkd.errors import FkdError

DECIMALS = 12
"""To which rates are compared: equal shares of errors, summed otherwise, differ beyond."""


def wilcoxon(a: np.ndarray, b: np.ndarray) -> float:
    """Wilcoxon's signed-rank test of two models over the same splits, two-sided.

    Parameters
    ----------
    a, b : array_like of float, (splits,)
        One rate a split of each model, paired.

    Returns
    -------
    float
        p; 1.0 where the two are equal in every split.

    Raises
    ------
    FkdError
        Where the two are not one finite number a split each.
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
    return float(stats.wilcoxon(difference).pvalue)


def friedman(table: np.ndarray) -> float:
    """Friedman's test of three models or more over the same splits.

    Parameters
    ----------
    table : array_like of float, (splits, models)
        One rate a split and model.

    Returns
    -------
    float
        p; 1.0 where the models are equal in every split.

    Raises
    ------
    FkdError
        Where there are fewer than three models or two splits, or a number is missing.
    """
    table = _checked(table, "Friedman's")
    if (table == table[:, :1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*table.T).pvalue)


def nemenyi(table: np.ndarray) -> np.ndarray:
    """Nemenyi's test of each two models, to follow a significant :func:`friedman`.

    Parameters
    ----------
    table : array_like of float, (splits, models)
        One rate a split and model.

    Returns
    -------
    ndarray of float64, (models, models)
        p of each pair, symmetric, 1 on the diagonal. It is under a level where the
        two average ranks lie more than that level's :func:`critical_difference` apart.

    Raises
    ------
    FkdError
        As of :func:`friedman`.
    """
    from scikit_posthocs import posthoc_nemenyi_friedman  # takes half a second

    p = posthoc_nemenyi_friedman(_checked(table, "Nemenyi's")).to_numpy()
    return np.clip(p, 0, 1)


def average_ranks(table: np.ndarray) -> np.ndarray:
    """Rank the models in every split, the lowest rate first, and average over the splits.

    Parameters
    ----------
    table : array_like of float, (splits, models)
        One rate a split and model.

    Returns
    -------
    ndarray of float64, (models,)
        1 for a model that is best in every split; equal models share the mean of their
        ranks.
    """
    return stats.rankdata(_checked(table, "A rank"), axis=1).mean(axis=0)


def critical_difference(models: int, splits: int, level: float) -> float:
    """How far apart two average ranks lie where Nemenyi's test is significant.

    Parameters
    ----------
    models, splits : int
        Size of the table that is tested.
    level : float
        Of significance.

    Returns
    -------
    float
        q sqrt(k (k + 1) / 6 n) for k models and n splits, where q is the Studentized
        range's quantile over the square root of 2 (Demsar 2006, section 3.2.2).
    """
    q = stats.studentized_range.isf(level, models, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * splits)))


def _checked(table: np.ndarray, test: str) -> np.ndarray:
    table = np.asarray(table, float)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 3 or not np.isfinite(table).all():
        raise FkdError(
            f"{test} test needs finite rates of three models or more over two splits or "
            f"more, found a table of shape {table.shape} (splits, models)."
        )
    return table.round(DECIMALS)
