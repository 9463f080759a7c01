"""Thresholds that are set beforehand, on scores of development writers.

A rate at such a threshold is what a user of the threshold can expect. All functions take plain
arrays of scores, higher for genuine, and refuse NaN and infinity. A score at or above the
threshold accepts a signature as genuine.
"""

from dataclasses import dataclass

import numpy as np

from fkd.errors import FkdError
from fkd.verification.metrics import (
    equal_error_threshold,
    false_acceptance_rate,
    false_rejection_rate,
    half_total_error,
    plain_scores,
)

AIMS: dict[str, float | None] = {"EER": None, "FAR 1 %": 0.01, "FAR 0.1 %": 0.001}
"""What thresholds aim at: equal errors, or the share of forgeries that may be accepted."""


@dataclass(frozen=True)
class Threshold:
    """A threshold, and what it was set on.

    Attributes
    ----------
    value : float
        The threshold.
    frr, far : float
        The shares of errors on the scores on which it was set, from 0 to 1.
    genuine, forged : int
        The numbers of these scores.
    note : str
        Why the threshold cannot hold what it aims at; empty where it can.
    """

    value: float
    frr: float
    far: float
    genuine: int
    forged: int
    note: str = ""


def equal_error_rate(genuine: np.ndarray, forged: np.ndarray) -> float:
    """Compute the equal error rate, EER, with a threshold chosen on these very scores.

    Parameters
    ----------
    genuine, forged : array_like of float, (n,) and (m,)
        Scores, higher for genuine.

    Returns
    -------
    float
        The mean of FRR and FAR at the threshold where they differ least, from 0 to 1; see
        :func:`fkd.verification.metrics.equal_error_threshold`.

    Raises
    ------
    FkdError
        If an array is empty or holds NaN or infinity.

    Examples
    --------
    One of three genuine signatures scores below one of three forgeries.

    >>> from fkd.verification import equal_error_rate
    >>> f"{equal_error_rate([3.0, 2.0, 1.0], [1.5, 0.0, -1.0]):.3f}"
    '0.333'
    """
    genuine, forged = plain_scores(genuine, forged)
    return half_total_error(genuine, forged, equal_error_threshold(genuine, forged))


def far_threshold(forged: np.ndarray, most: float) -> float:
    """Find the lowest threshold at which no more than a share of the forgeries is accepted.

    Parameters
    ----------
    forged : array_like of float, (m,)
        Scores of forgeries, higher for genuine.
    most : float
        The highest FAR, from 0 to below 1.

    Returns
    -------
    float
        The threshold, just above a forgery's score. Where `most` is less than one of the
        forgeries, it is above all of them.

    Raises
    ------
    FkdError
        If the array is empty or holds NaN or infinity, or `most` is out of range.

    Examples
    --------
    With 200 forgeries, 1 % are two of them.

    >>> import numpy as np
    >>> from fkd.verification import far_threshold
    >>> forged = np.arange(200.0)
    >>> threshold = far_threshold(forged, most=0.01)
    >>> (forged >= threshold).sum().item(), round(threshold, 6)
    (2, 197.0)
    """
    if not 0 <= most < 1:
        raise FkdError(f"A share of forgeries is from 0 to below 1, found {most}.")
    forged, _ = plain_scores(forged, [0.0])
    # A product such as 0.07 * 100 may fall just short of the whole number that it stands for.
    accepted = int(most * len(forged) + 1e-9)
    return float(np.nextafter(np.sort(forged)[::-1][accepted], np.inf))


def set_thresholds(genuine: np.ndarray, forged: np.ndarray) -> dict[str, Threshold]:
    """Set all thresholds of :data:`AIMS` on the scores of development writers.

    Parameters
    ----------
    genuine, forged : array_like of float, (n,) and (m,)
        Scores of genuine signatures and of skilled forgeries, higher for genuine.

    Returns
    -------
    dict of str to Threshold
        By aim. A FAR of less than one of the m forgeries cannot be resolved: then the threshold
        is above all of them, and its note says so.

    Raises
    ------
    FkdError
        If an array is empty or holds NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification import set_thresholds
    >>> found = set_thresholds(np.linspace(50, 250, 100), np.arange(200.0))
    >>> for aim, threshold in found.items():
    ...     print(f"{aim}: FRR {threshold.frr:.3f}, FAR {threshold.far:.3f}")
    EER: FRR 0.380, FAR 0.375
    FAR 1 %: FRR 0.730, FAR 0.010
    FAR 0.1 %: FRR 0.740, FAR 0.000
    >>> found["FAR 0.1 %"].note
    'A FAR of 0.1 % needs 1000 forgeries to be seen, and 200 were at hand.'
    """
    genuine, forged = plain_scores(genuine, forged)
    found = {}
    for aim, most in AIMS.items():
        note = ""
        if most is None:
            value = equal_error_threshold(genuine, forged)
        else:
            value = far_threshold(forged, most)
            needed = round(1 / most)
            if len(forged) < needed:
                note = (
                    f"A FAR of {100 * most:g} % needs {needed} forgeries to be seen, and "
                    f"{len(forged)} were at hand."
                )
        rates = (false_rejection_rate(genuine, value), false_acceptance_rate(forged, value))
        found[aim] = Threshold(value, *rates, len(genuine), len(forged), note)
    return found


def rates_at(
    threshold: float,
    genuine: np.ndarray,
    skilled: np.ndarray,
    random: np.ndarray | None = None,
) -> dict[str, float]:
    """Compute the error rates of judged writers at a threshold that was set beforehand.

    Parameters
    ----------
    threshold : float
        The threshold.
    genuine, skilled : array_like of float, (n,) and (m,)
        Scores of genuine signatures and of skilled forgeries, higher for genuine.
    random : array_like of float, (k,), optional
        Scores of random forgeries.

    Returns
    -------
    dict of str to float
        ``FRR``, ``FAR_skilled``, ``FAR_random`` where it can be, and ``HTER``, the mean of FRR
        and FAR_skilled: shares from 0 to 1.

    Raises
    ------
    FkdError
        If an array is empty or holds NaN or infinity, or the threshold is NaN.

    Examples
    --------
    >>> from fkd.verification import rates_at
    >>> rates_at(0.0, genuine=[2.0, 1.0, -1.0, 3.0], skilled=[0.0, -1.0], random=[-1.0])
    {'FRR': 0.25, 'FAR_skilled': 0.5, 'FAR_random': 0.0, 'HTER': 0.375}
    """
    if np.isnan(threshold):
        raise FkdError("The threshold is NaN.")
    genuine, skilled = plain_scores(genuine, skilled)
    rates = {
        "FRR": false_rejection_rate(genuine, threshold),
        "FAR_skilled": false_acceptance_rate(skilled, threshold),
    }
    if random is not None:
        rates["FAR_random"] = false_acceptance_rate(plain_scores(genuine, random)[1], threshold)
    return rates | {"HTER": half_total_error(genuine, skilled, threshold)}
