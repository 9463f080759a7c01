"""How good likelihood ratios are as evidence.

A likelihood ratio says how many times more probable a score is if the signature is genuine than if
it is forged. All ratios here are logarithms to the base 10: 2 stands for 100 times, and -2 for one
hundredth. The measure is Cllr, the cost of the log-likelihood ratio, in bits (N. Brümmer and
J. du Preez, Application-independent evaluation of speaker detection, Computer Speech and Language
20, 2006): 0 for perfect evidence, 1 for none, and more where it misleads.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from fkd.errors import FkdError
from fkd.verification.metrics import plain_scores
from fkd.verification.tradeoff import share_interval

LN10 = np.log(10)


def cllr(genuine: np.ndarray, forged: np.ndarray) -> float:
    """Compute the cost of log-likelihood ratios, Cllr.

    Parameters
    ----------
    genuine, forged : array_like of float, (n,) and (m,)
        Log10 likelihood ratios of genuine signatures and of forgeries.

    Returns
    -------
    float
        (mean over genuine of log2(1 + 1 / LR) + mean over forged of log2(1 + LR)) / 2, in bits.

    Raises
    ------
    FkdError
        If an array is empty or holds NaN or infinity.

    Examples
    --------
    A ratio of 1 says nothing. Ratios of 100 and 1/100 on the right side cost little, on the wrong
    side much.

    >>> from fkd.verification import cllr
    >>> cllr([0.0, 0.0], [0.0])
    1.0
    >>> round(cllr([2.0], [-2.0]), 3), round(cllr([-2.0], [2.0]), 3)
    (0.014, 6.658)
    """
    return _cost(*plain_scores(genuine, forged))


def cllr_min(genuine: np.ndarray, forged: np.ndarray) -> float:
    """Compute the Cllr that these scores would have if they were calibrated perfectly.

    What a verifier's Cllr is above it is the fault of the calibration; it itself is how well the
    scores tell genuine signatures from forgeries.

    Parameters
    ----------
    genuine, forged : array_like of float, (n,) and (m,)
        Scores or log-likelihood ratios, higher for genuine. Only their order counts.

    Returns
    -------
    float
        The least Cllr of all rising functions of the scores, from 0 to 1 bit.

    Raises
    ------
    FkdError
        If an array is empty or holds NaN or infinity.

    Examples
    --------
    >>> from fkd.verification import cllr_min
    >>> cllr_min([5.0, 7.0], [1.0, 2.0]), cllr_min([1.0, 2.0], [1.0, 2.0])
    (0.0, 1.0)
    """
    genuine, forged = plain_scores(genuine, forged)
    levels, ratio = pav(genuine, forged)
    return _cost(*(ratio[np.searchsorted(levels, scores)] for scores in (genuine, forged)))


def pav(genuine: np.ndarray, forged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the likelihood ratios that fit scores best, by pooling adjacent violators.

    Parameters
    ----------
    genuine, forged : ndarray of float, (n,) and (m,)
        Scores, higher for genuine.

    Returns
    -------
    scores : ndarray of float64, (k,)
        The different scores, ascending.
    log10_lr : ndarray of float64, (k,)
        Their log10 likelihood ratios, never falling: minus infinity below the first genuine
        signature, and infinity above the last forgery.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification.evidence import pav
    >>> scores, log10_lr = pav(np.array([3.0, 1.0]), np.array([2.0, 0.0]))
    >>> scores.tolist(), log10_lr.tolist()
    ([0.0, 1.0, 2.0, 3.0], [-inf, 0.0, 0.0, inf])
    """
    scores, of = np.unique(np.concatenate([genuine, forged]), return_inverse=True)
    total = np.bincount(of).astype(float)
    real = np.bincount(of[: len(genuine)], minlength=len(scores))
    # Shares of the pools are the same whatever the two classes weigh (Brümmer and du Preez 2006).
    pools = isotonic_regression(real / total, weights=total).blocks
    real, total = (np.add.reduceat(count, pools[:-1]) for count in (real, total))
    with np.errstate(divide="ignore"):
        ratio = np.log10(real * len(forged)) - np.log10((total - real) * len(genuine))
    return scores, np.repeat(ratio, np.diff(pools))


def _cost(genuine: np.ndarray, forged: np.ndarray) -> float:
    """Compute Cllr; infinite ratios are allowed."""
    bits = [
        np.logaddexp2(0, sign * llr * np.log2(10)) for sign, llr in ((-1, genuine), (1, forged))
    ]
    return float(np.mean(bits[0]) + np.mean(bits[1])) / 2


@dataclass(frozen=True)
class Tippett:
    """The points of a Tippett plot. All arrays are float64, (points,).

    Attributes
    ----------
    log10_lr : ndarray
        The different log10 likelihood ratios, ascending.
    genuine, forged : ndarray
        The shares of genuine signatures and of forgeries with at least this ratio, from 0 to 1.
    """

    log10_lr: np.ndarray
    genuine: np.ndarray
    forged: np.ndarray


def tippett(genuine: np.ndarray, forged: np.ndarray) -> Tippett:
    """Compute a Tippett plot: how often evidence of at least some strength is given.

    Parameters
    ----------
    genuine, forged : array_like of float, (n,) and (m,)
        Log10 likelihood ratios of genuine signatures and of forgeries.

    Returns
    -------
    Tippett
        The points. Forgeries at or above 0, and genuine signatures below, are misleading evidence.

    Raises
    ------
    FkdError
        If an array is empty or holds NaN or infinity.

    Examples
    --------
    >>> from fkd.verification import tippett
    >>> plot = tippett([1.0, 2.0], [-1.0, 1.0])
    >>> plot.log10_lr.tolist(), plot.genuine.tolist(), plot.forged.tolist()
    ([-1.0, 1.0, 2.0], [1.0, 1.0, 0.5], [1.0, 0.5, 0.0])
    """
    genuine, forged = plain_scores(genuine, forged)
    at = np.unique(np.concatenate([genuine, forged]))
    shares = [1 - np.searchsorted(np.sort(llr), at) / len(llr) for llr in (genuine, forged)]
    return Tippett(at, *shares)


@dataclass(frozen=True)
class Reliability:
    """The points of a reliability plot. All arrays have shape (bins,); empty bins are left out.

    Attributes
    ----------
    stated : ndarray of float64
        The mean stated probability of a genuine signature, from 0 to 1.
    seen : ndarray of float64
        The share of genuine signatures, from 0 to 1.
    low, high : ndarray of float64
        The confidence interval of the share, for independent scores.
    count : ndarray of int
        How many signatures a bin holds.
    """

    stated: np.ndarray
    seen: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray


def reliability(
    genuine: np.ndarray, forged: np.ndarray, bins: int = 10, level: float = 0.95
) -> Reliability:
    """Compute a reliability plot: whether stated probabilities are what is seen.

    Parameters
    ----------
    genuine, forged : array_like of float, (n,) and (m,)
        Log10 likelihood ratios of genuine signatures and of forgeries.
    bins : int
        The number of bins, of equal width in probability.
    level : float
        The confidence of the intervals.

    Returns
    -------
    Reliability
        The points. The prior odds with which ratios become probabilities are n : m, those of the
        scores at hand, so that shares can be counted.

    Raises
    ------
    FkdError
        If an array is empty or holds NaN or infinity, or a setting is out of range.

    Examples
    --------
    A ratio of 3 for three genuine signatures and one forgery, and a third for the opposite.

    >>> import numpy as np
    >>> from fkd.verification import reliability
    >>> strong = np.log10(3)
    >>> plot = reliability([strong] * 3 + [-strong], [strong] + [-strong] * 3, bins=2)
    >>> plot.stated.round(6).tolist(), plot.seen.tolist(), plot.count.tolist()
    ([0.25, 0.75], [0.25, 0.75], [4, 4])
    """
    if bins < 1 or not 0 < level < 1:
        raise FkdError(
            f"bins count from 1 and a level is between 0 and 1, found {bins} and {level}."
        )
    genuine, forged = plain_scores(genuine, forged)
    odds = LN10 * np.concatenate([genuine, forged]) + np.log(len(genuine) / len(forged))
    stated = np.exp(-np.logaddexp(0, -odds))
    place = np.minimum((stated * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    real = np.bincount(place[: len(genuine)], minlength=bins)
    total = np.bincount(place, weights=stated, minlength=bins)
    filled = count > 0
    count, real, total = count[filled], real[filled], total[filled]
    low, high = share_interval(real, count, level)
    return Reliability(total / count, real / count, low, high, count)
