"""The detection error tradeoff: FRR against FAR over all thresholds, with a confidence band."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betainccinv, betaincinv

from fkd.errors import FkdError
from fkd.verification.metrics import plain_scores, roc


@dataclass(frozen=True)
class DetCurve:
    """The points of a DET curve. All arrays are float64, (points,); rates are from 0 to 1.

    Attributes
    ----------
    threshold : ndarray
        Descends from infinity, where everything is rejected.
    far, frr : ndarray
        The rates at each threshold.
    far_low, far_high, frr_low, frr_high : ndarray
        The confidence interval of each rate at each threshold.
    """

    threshold: np.ndarray
    far: np.ndarray
    frr: np.ndarray
    far_low: np.ndarray
    far_high: np.ndarray
    frr_low: np.ndarray
    frr_high: np.ndarray


def det_curve(genuine: np.ndarray, forged: np.ndarray, level: float = 0.95) -> DetCurve:
    """Compute a DET curve and the confidence interval of every point.

    Parameters
    ----------
    genuine, forged : array_like of float, (n,) and (m,)
        Scores, higher for genuine.
    level : float
        The confidence of each interval.

    Returns
    -------
    DetCurve
        The corners of the curve, see :func:`fkd.verification.metrics.roc`.

    Raises
    ------
    FkdError
        If an array is empty or holds NaN or infinity, or the level is not between 0 and 1.

    Notes
    -----
    The intervals are exact for a share of independent scores (C. J. Clopper and E. S. Pearson,
    Biometrika 26, 1934). Scores of one writer are not independent, so the true band is wider: where
    it is known who wrote what, use :func:`fkd.verification.bootstrap.det_band`.

    Examples
    --------
    Of three genuine signatures, none is rejected at the lowest threshold. Up to 71 % could be.

    >>> from fkd.verification import det_curve
    >>> curve = det_curve([3.0, 2.0, 1.0], [1.5, 0.0])
    >>> curve.frr[-1].item(), curve.far[-1].item(), round(curve.frr_high[-1].item(), 2)
    (0.0, 1.0, 0.71)
    """
    if not 0 < level < 1:
        raise FkdError(f"A level of confidence is between 0 and 1, found {level}.")
    genuine, forged = plain_scores(genuine, forged)
    far, tpr, threshold = roc(genuine, forged)
    frr = 1 - tpr
    far_band = share_interval(np.rint(far * len(forged)), len(forged), level)
    frr_band = share_interval(np.rint(frr * len(genuine)), len(genuine), level)
    return DetCurve(threshold, far, frr, *far_band, *frr_band)


def share_interval(errors: np.ndarray, of: np.ndarray | int, level: float) -> list[np.ndarray]:
    """Compute Clopper and Pearson's interval of a share.

    Parameters
    ----------
    errors : ndarray of float, (n,)
        How many erred.
    of : ndarray of float, (n,), or int
        Of how many, from 1.
    level : float
        The confidence, between 0 and 1.

    Returns
    -------
    list of ndarray of float64, (n,)
        The lower and the upper ends.

    Examples
    --------
    None of 300 erred, so the share is below 1.2 %: somewhat more than 3 / 300, the rule of three,
    which is of one side.

    >>> import numpy as np
    >>> from fkd.verification.tradeoff import share_interval
    >>> [round(end.item(), 4) for end in share_interval(np.array([0.0]), 300, 0.95)]
    [0.0, 0.0122]
    """
    errors, of = np.broadcast_arrays(np.asarray(errors, float), np.asarray(of, float))
    tail = (1 - level) / 2
    low, high = np.zeros(errors.shape), np.ones(errors.shape)
    some, not_all = errors > 0, errors < of
    low[some] = betaincinv(errors[some], (of - errors + 1)[some], tail)
    high[not_all] = betainccinv((errors + 1)[not_all], (of - errors)[not_all], tail)
    return [low, high]
