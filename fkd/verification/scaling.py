"""The scaling of features before a support vector machine: each by its standard deviation."""

from collections.abc import Iterable

import numpy as np


def deviations(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Compute the standard deviation of each feature over all rows.

    Parameters
    ----------
    parts : iterable of ndarray, (n, F)
        The rows, of which only one part is looked at at a time.

    Returns
    -------
    ndarray of float64, (F,)
        The deviations (over n, not n - 1); 1 for a feature that is constant but for rounding.

    Notes
    -----
    As `StandardScaler` of scikit-learn computes them, to the last bit, with which the published
    protocol scales: parts are joined as T. F. Chan, G. H. Golub and R. J. LeVeque do (Algorithms
    for computing the sample variance, The American Statistician 37, 1983, equation 1.5b). It is
    here since scikit-learn takes seconds to load, in every job that evaluates.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification.scaling import deviations
    >>> deviations([np.array([[0.0, 5.0]]), np.array([[6.0, 5.0]])])
    array([3., 1.])
    """
    rows, mean, variance = 0, 0.0, 0.0
    for part in parts:
        new, total, squares = len(part), mean * rows, variance * rows
        added = part.sum(axis=0, dtype=np.float64)
        apart = part - added / new
        rounding = apart.sum(axis=0, dtype=np.float64)
        apart **= 2
        spread = apart.sum(axis=0, dtype=np.float64) - rounding**2 / new
        if rows:
            ratio = rows / new
            between = ratio / (rows + new) * (total / ratio - added) ** 2
            spread = squares + spread + between
        rows += new
        mean, variance = (total + added) / rows, spread / rows
    epsilon = np.finfo(np.float64).eps
    constant = variance <= rows * epsilon * variance + (rows * mean * epsilon) ** 2
    return np.where(constant, 1.0, np.sqrt(variance))


def scaled(x: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Divide each feature by its deviation, without centering it, in its own precision.

    Parameters
    ----------
    x : ndarray of float, (n, F)
        Features.
    deviation : ndarray of float64, (F,)
        Of :func:`deviations`.

    Returns
    -------
    ndarray, (n, F)
        Of the type of `x`; of integers, float64.
    """
    dtype = np.result_type(x, np.float16)
    return np.divide(x, deviation.astype(dtype), dtype=dtype)
