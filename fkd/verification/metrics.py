"""Error rates of one split.

Every threshold that is chosen here is a posteriori, as in the paper: it is chosen on the very scores
whose errors are counted. A score at or above the threshold accepts a signature as genuine.
Thresholds that are set beforehand are in :mod:`fkd.verification.thresholds`.
"""

from collections.abc import Sequence

import numpy as np

from fkd.errors import FkdError


def plain_scores(genuine: np.ndarray, forged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Check scores that come from outside.

    Parameters
    ----------
    genuine, forged : array_like of float, (n,) and (m,)
        Scores, higher for genuine.

    Returns
    -------
    ndarray of float64, (n,) and (m,)
        The same scores.

    Raises
    ------
    FkdError
        If one of the arrays is empty, is not one-dimensional, or holds NaN or infinity.
    """
    checked = []
    for kind, given in (("genuine signatures", genuine), ("forgeries", forged)):
        try:
            scores = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            raise FkdError(f"Scores of {kind} are one number each.") from None
        if scores.ndim != 1 or not len(scores):
            raise FkdError(
                f"Scores of {kind} are an array of shape (n,) with n from 1, found {scores.shape}."
            )
        broken = np.flatnonzero(~np.isfinite(scores))
        if len(broken):
            raise FkdError(
                f"{len(broken)} of {len(scores)} scores of {kind} are NaN or infinite, the first "
                f"is number {broken[0]}. A score that is missing is to be left out."
            )
        checked.append(scores)
    return checked[0], checked[1]


def roc(genuine: np.ndarray, skilled: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the receiver operating characteristic, at the corners of the curve only.

    The result equals that of ``sklearn.metrics.roc_curve`` at its defaults, which drops points
    halfway between their neighbors. The published error rates depend on this: a point that is
    dropped cannot become the equal error threshold.

    Parameters
    ----------
    genuine, skilled : ndarray of float, (n,) and (m,)
        Scores, higher for genuine.

    Returns
    -------
    fpr, tpr, thresholds : ndarray of float64
        The shares of forgeries and of genuine signatures at or above each threshold.
        Thresholds descend from infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification.metrics import roc
    >>> fpr, tpr, thresholds = roc(np.array([3.0, 2.0]), np.array([2.0, 1.0]))
    >>> fpr.tolist(), tpr.tolist(), thresholds.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0], [inf, 3.0, 2.0, 1.0])
    """
    scores = np.concatenate([genuine, skilled])
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    # Equal scores are accepted together, so only the last one of each counts is a threshold.
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    true = np.cumsum(order < len(genuine))[last]
    false = last + 1 - true
    if len(last) > 2:
        # Second differences are 0 where a point lies halfway between its neighbors.
        corner = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
        keep = np.concatenate([[True], corner, [True]])
        true, false, last = true[keep], false[keep], last[keep]
    return (
        np.append(0, false) / len(skilled),
        np.append(0, true) / len(genuine),
        np.append(np.inf, scores[last]),
    )


def area_under_curve(genuine: np.ndarray, skilled: np.ndarray) -> float:
    """Compute the area under :func:`roc`.

    It is the share of pairs in which the genuine signature scores higher than the forgery;
    ties count half.

    Parameters
    ----------
    genuine, skilled : ndarray of float, (n,) and (m,)
        Scores, higher for genuine.

    Returns
    -------
    float
        The area, from 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification.metrics import area_under_curve
    >>> area_under_curve(np.array([3.0, 2.0]), np.array([2.0, 1.0]))
    0.875
    """
    fpr, tpr, _ = roc(genuine, skilled)
    return float(np.trapezoid(tpr, fpr))


def equal_error_threshold(genuine: np.ndarray, skilled: np.ndarray) -> float:
    """Find the equal error threshold, the first of :func:`roc` where |FPR - (1 - TPR)| is least.

    Parameters
    ----------
    genuine, skilled : ndarray of float, (n,) and (m,)
        Scores, higher for genuine.

    Returns
    -------
    float
        The threshold.

    Examples
    --------
    At 1.5, one of three forgeries is accepted and one of three genuine signatures rejected.

    >>> import numpy as np
    >>> from fkd.verification.metrics import equal_error_threshold
    >>> equal_error_threshold(np.array([3.0, 2.0, 1.0]), np.array([1.5, 0.0, -1.0]))
    1.5
    """
    fpr, tpr, thresholds = roc(genuine, skilled)
    return float(thresholds[np.argmin(np.abs(fpr - (1 - tpr)))])


def false_rejection_rate(genuine: np.ndarray, threshold: float | np.ndarray) -> float:
    """Compute the share of genuine signatures that score below the threshold, FRR.

    Parameters
    ----------
    genuine : ndarray of float, any shape
        Scores, higher for genuine.
    threshold : float or ndarray of float
        One threshold, or several that broadcast against the scores.

    Returns
    -------
    float
        The share, from 0 to 1.
    """
    return float(np.mean(genuine < threshold))


def false_acceptance_rate(forged: np.ndarray, threshold: float | np.ndarray) -> float:
    """Compute the share of forgeries that score at or above the threshold, FAR.

    Parameters
    ----------
    forged : ndarray of float, any shape
        Scores of skilled or of random forgeries, higher for genuine.
    threshold : float or ndarray of float
        One threshold, or several that broadcast against the scores.

    Returns
    -------
    float
        The share, from 0 to 1.
    """
    return float(np.mean(forged >= threshold))


def half_total_error(
    genuine: np.ndarray, forged: np.ndarray, threshold: float | np.ndarray
) -> float:
    """Compute the mean of FRR and FAR at a threshold, HTER.

    At the equal error threshold of the same scores, this is the equal error rate.

    Parameters
    ----------
    genuine, forged : ndarray of float, any shape
        Scores, higher for genuine.
    threshold : float or ndarray of float
        One threshold, or several that broadcast against both.

    Returns
    -------
    float
        The mean, from 0 to 1.
    """
    rejected = false_rejection_rate(genuine, threshold)
    return (rejected + false_acceptance_rate(forged, threshold)) / 2


def error_rates(
    genuine: Sequence[np.ndarray],
    skilled: Sequence[np.ndarray],
    random: Sequence[np.ndarray],
    fixed: float | None = None,
) -> dict[str, float]:
    """Compute the rates of one split from the scores of all writers.

    Parameters
    ----------
    genuine : ndarray of float, (writers, test genuine), or sequence of ndarray
        Scores of genuine signatures under their writer's model: a matrix, or one array per writer.
    skilled : ndarray of float, (writers, test skilled), or sequence of ndarray
        Scores of skilled forgeries under the model of the writer they imitate.
    random : ndarray of float, any shape, or sequence of ndarray
        Scores of other writers' genuine signatures (random forgeries).
    fixed : float, optional
        A threshold at which FRR and FARs are counted, in place of the global one.

    Returns
    -------
    dict of str to float
        ``FRR``, ``FAR_random`` and ``FAR_skilled`` at the global equal error threshold, which
        is the ``global_threshold``, or at `fixed`; ``EER``, the mean of FRR and FAR_skilled at
        the global threshold; ``mean_AUC`` over the writers; ``EER_userthresholds`` with one
        threshold for each writer, where errors are counted over all writers. Rates are shares
        from 0 to 1. The last two leave out writers without forgeries.

    Raises
    ------
    FkdError
        If a score is not finite.

    Examples
    --------
    Two writers, two genuine signatures and two skilled forgeries each. One forgery is above
    the threshold of 0.4.

    >>> import numpy as np
    >>> from fkd.verification import error_rates
    >>> genuine = np.array([[3.0, 1.0], [0.5, 0.4]])
    >>> skilled = np.array([[2.0, 0.0], [0.3, 0.2]])
    >>> rates = error_rates(genuine, skilled, random=np.array([0.45, 0.1, 5.0, 0.0]))
    >>> for name, rate in rates.items():
    ...     print(f"{name} {rate:.3f}")
    FRR 0.000
    FAR_random 0.500
    FAR_skilled 0.250
    mean_AUC 0.875
    EER 0.125
    EER_userthresholds 0.250
    global_threshold 0.400
    """
    for kind, scores in (("genuine", genuine), ("skilled", skilled), ("random", random)):
        broken = int((~np.isfinite(_flat(scores))).sum())
        if broken:
            raise FkdError(
                f"{broken} {kind} scores are not finite, so no rate can be computed. Check the "
                "model and its features."
            )
    judged = [pair for pair in zip(genuine, skilled, strict=True) if all(map(len, pair))]
    own = [equal_error_threshold(*scores) for scores in judged]
    # A score less its writer's threshold is negative exactly where it is below this threshold.
    above = [[scores - t for scores in pair] for pair, t in zip(judged, own, strict=True)]
    genuine, skilled, random = map(_flat, (genuine, skilled, random))
    threshold = equal_error_threshold(genuine, skilled)
    at = threshold if fixed is None else fixed
    return {
        "FRR": false_rejection_rate(genuine, at),
        "FAR_random": false_acceptance_rate(random, at),
        "FAR_skilled": false_acceptance_rate(skilled, at),
        "mean_AUC": float(np.mean([area_under_curve(*scores) for scores in judged])),
        "EER": half_total_error(genuine, skilled, threshold),
        "EER_userthresholds": half_total_error(*map(np.concatenate, zip(*above, strict=True)), 0),
        "global_threshold": threshold,
    }


def _flat(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Join the scores of all writers."""
    return scores.ravel() if isinstance(scores, np.ndarray) else np.concatenate(scores)
