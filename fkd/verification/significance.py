"""Whether differences over the ten paired splits are more than chance (5 % by habit)."""

import numpy as np
from scipy import stats

from fkd.errors import FkdError


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
    if np.array_equal(a, b):
        return 1.0
    return float(stats.wilcoxon(a, b).pvalue)


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
    table = np.asarray(table, float)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 3 or not np.isfinite(table).all():
        raise FkdError(
            f"Friedman's test needs finite rates of three models or more over two splits or "
            f"more, found a table of shape {table.shape} (splits, models)."
        )
    if (table == table[:, :1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*table.T).pvalue)
