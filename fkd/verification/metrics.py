"""Error rates of one split. Every threshold here is a posteriori: chosen on the test scores."""

import numpy as np


def roc(genuine: np.ndarray, skilled: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Receiver operating characteristic, at the corners of the curve only.

    The same as ``sklearn.metrics.roc_curve`` at its defaults, which drops points that
    lie on a line with their neighbors; the published error rates rest on it.

    Parameters
    ----------
    genuine, skilled : ndarray of float, (n,) and (m,)
        Scores, higher for genuine.

    Returns
    -------
    fpr, tpr, thresholds : ndarray of float64
        Share of forgeries and of genuine signatures at or over each threshold;
        thresholds descend from infinity.
    """
    scores = np.concatenate([genuine, skilled])
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))  # of equal scores
    true = np.cumsum(order < len(genuine))[last]
    false = last + 1 - true
    if len(last) > 2:
        corner = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
        keep = np.concatenate([[True], corner, [True]])
        true, false, last = true[keep], false[keep], last[keep]
    return (
        np.append(0, false) / len(skilled),
        np.append(0, true) / len(genuine),
        np.append(np.inf, scores[last]),
    )


def area_under_curve(genuine: np.ndarray, skilled: np.ndarray) -> float:
    """Area under :func:`roc`: how often a genuine score is over a forgery's, ties half."""
    fpr, tpr, _ = roc(genuine, skilled)
    return float(np.trapezoid(tpr, fpr))


def equal_error_threshold(genuine: np.ndarray, skilled: np.ndarray) -> float:
    """The first threshold of :func:`roc` where |FPR - (1 - TPR)| is smallest."""
    fpr, tpr, thresholds = roc(genuine, skilled)
    return float(thresholds[np.argmin(np.abs(fpr - (1 - tpr)))])


def error_rates(genuine: np.ndarray, skilled: np.ndarray, random: np.ndarray) -> dict[str, float]:
    """Rates of one split from the scores of all writers.

    Parameters
    ----------
    genuine : ndarray of float, (writers, test genuine)
        Scores of genuine signatures under their writer's model.
    skilled : ndarray of float, (writers, test skilled)
        Scores of skilled forgeries under the model of the writer they imitate.
    random : ndarray of float, any shape
        Scores of other writers' genuine signatures (random forgeries).

    Returns
    -------
    dict of str to float
        ``FRR``, ``FAR_random``, ``FAR_skilled`` at the global equal error threshold;
        ``mean_AUC`` over the writers; ``EER`` at that threshold, the mean of FRR and
        FAR_skilled; ``EER_userthresholds`` with one threshold a writer, errors counted
        over all writers; ``global_threshold``. Rates are shares, 0 to 1.
    """
    threshold = equal_error_threshold(genuine.ravel(), skilled.ravel())
    frr = float(np.mean(genuine < threshold))
    far = float(np.mean(skilled >= threshold))
    writers = list(zip(genuine, skilled, strict=True))
    own = np.array([[equal_error_threshold(*scores)] for scores in writers])
    own_eer = (np.mean(genuine < own) + np.mean(skilled >= own)) / 2
    return {
        "FRR": frr,
        "FAR_random": float(np.mean(random >= threshold)),
        "FAR_skilled": far,
        "mean_AUC": float(np.mean([area_under_curve(*scores) for scores in writers])),
        "EER": (frr + far) / 2,
        "EER_userthresholds": float(own_eer),
        "global_threshold": threshold,
    }
