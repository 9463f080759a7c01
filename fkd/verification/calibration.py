"""Calibration: the scores of a verifier become likelihood ratios.

A calibration is fitted to the scores of development writers. It cannot give stronger evidence than
they support: if all of m forgeries score lower, the probability of a forgery's scoring as high is
taken for 1 / (m + 1) and not for 0 (Laplace's rule of succession), so that no ratio exceeds m + 1.
P. Vergeer et al., Numerical likelihood ratios outputted by LR systems are often based on
extrapolation: when to stop extrapolating?, Science and Justice 56, 2016, show what happens to
evidence that is not bounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fkd.errors import FkdError
from fkd.verification.evidence import LN10, pav
from fkd.verification.metrics import plain_scores

KINDS = ("logistic", "isotonic")
"""Kinds of calibration."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """A rising function from scores to log10 likelihood ratios: straight between its knots.

    Below its first knot and above its last one, it is constant.

    Attributes
    ----------
    kind : {"logistic", "isotonic"}
        How it was fitted.
    scores : ndarray of float64, (k,)
        The scores of the knots, ascending.
    log10_lr : ndarray of float64, (k,)
        The log10 likelihood ratios of the knots, never falling.
    genuine, forged : int
        The numbers of the scores to which it was fitted. No likelihood ratio is below
        1 / (genuine + 1) or above forged + 1.

    Raises
    ------
    FkdError
        If this does not describe such a function.
    """

    kind: str
    scores: np.ndarray
    log10_lr: np.ndarray
    genuine: int
    forged: int

    def __post_init__(self) -> None:
        faults = []
        if self.kind not in KINDS:
            faults.append(f"its kind is one of {', '.join(KINDS)}, found {self.kind!r}")
        counts = (self.genuine, self.forged)
        if not all(isinstance(count, int) and count > 0 for count in counts):
            faults.append(
                "genuine and forged are counts from 1, found {!r} and {!r}".format(*counts)
            )
        arrays = (self.scores, self.log10_lr)
        if not all(isinstance(a, np.ndarray) and a.dtype == np.float64 for a in arrays):
            faults.append("its knots are arrays of float64")
        elif not (self.scores.shape == self.log10_lr.shape == (self.scores.size,)):
            faults.append("its knots have one score and one ratio each")
        elif not self.scores.size or not np.isfinite(arrays).all():
            faults.append("it needs a knot, and knots are finite")
        elif (np.diff(self.scores) <= 0).any() or (np.diff(self.log10_lr) < 0).any():
            faults.append("its scores rise, and its ratios do not fall")
        if not faults:
            low, high = bounds(self.genuine, self.forged)
            if self.log10_lr[0] < low - 1e-9 or self.log10_lr[-1] > high + 1e-9:
                faults.append(
                    f"log10 ratios of {self.genuine} genuine and {self.forged} forged scores are "
                    f"from {low:.2f} to {high:.2f}"
                )
        if faults:
            raise FkdError(f"Not a calibration: {'; '.join(faults)}. Fit it again.")

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Calibrate scores.

        Parameters
        ----------
        scores : array_like of float, any shape
            Scores of the verifier, higher for genuine.

        Returns
        -------
        ndarray of float64, of the same shape
            Log10 likelihood ratios.

        Raises
        ------
        FkdError
            If a score is NaN or infinite.
        """
        scores = np.asarray(scores, np.float64)
        if not np.isfinite(scores).all():
            raise FkdError("A score that is NaN or infinite has no likelihood ratio.")
        return np.interp(scores, self.scores, self.log10_lr)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays to store: ``scores`` and ``log10_lr``."""
        return {"scores": self.scores, "log10_lr": self.log10_lr}

    def settings(self) -> dict[str, Any]:
        """Return the settings to store, which JSON can represent."""
        return {"kind": self.kind, "genuine": self.genuine, "forged": self.forged}

    @classmethod
    def restored(
        cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> "Calibration":
        """Make a calibration of what was stored.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            As of :meth:`arrays`.
        settings : mapping of str to Any
            As of :meth:`settings`.

        Returns
        -------
        Calibration
            An equal calibration.

        Raises
        ------
        FkdError
            If something is missing, or it is not a calibration.
        """
        wanted = {"scores": arrays, "log10_lr": arrays}
        wanted |= dict.fromkeys(("kind", "genuine", "forged"), settings)
        missing = [name for name, place in wanted.items() if name not in place]
        if missing:
            raise FkdError(f"Not a calibration: {', '.join(missing)} are missing. Fit it again.")
        return cls(**{name: place[name] for name, place in wanted.items()})


def bounds(genuine: int, forged: int) -> tuple[float, float]:
    """Compute the log10 likelihood ratios that development scores support at most.

    Parameters
    ----------
    genuine, forged : int
        The numbers of development scores.

    Returns
    -------
    float, float
        The lowest, -log10(genuine + 1), and the highest, log10(forged + 1).

    Examples
    --------
    >>> from fkd.verification.calibration import bounds
    >>> bounds(genuine=9, forged=99)
    (-1.0, 2.0)
    """
    return -float(np.log10(genuine + 1)), float(np.log10(forged + 1))


def calibrate(genuine: np.ndarray, forged: np.ndarray, kind: str = "logistic") -> Calibration:
    """Fit a calibration to the scores of development writers.

    Parameters
    ----------
    genuine, forged : array_like of float, (n,) and (m,)
        Scores of genuine signatures and of skilled forgeries, higher for genuine.
    kind : {"logistic", "isotonic"}
        A straight line, by :func:`logistic`, or steps, by :func:`isotonic`.

    Returns
    -------
    Calibration
        The calibration.

    Raises
    ------
    FkdError
        If an array is empty or holds NaN or infinity, the kind is unknown, or the scores do not
        tell genuine signatures from forgeries.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification import calibrate
    >>> calibration = calibrate(np.linspace(-1, 3, 50), np.linspace(-3, 1, 50))
    >>> calibration([-5.0, 0.0, 5.0]).round(2).tolist()
    [-1.71, 0.0, 1.71]
    """
    if kind not in KINDS:
        raise FkdError(f"A calibration is one of {', '.join(KINDS)}, found {kind!r}.")
    genuine, forged = plain_scores(genuine, forged)
    if kind == "isotonic":
        return isotonic(genuine, forged)
    slope, offset = logistic(genuine, forged)
    if slope <= 0:
        raise FkdError(
            "A calibration rises with the scores, but these are no higher for genuine signatures "
            "than for forgeries."
        )
    ends = np.array(bounds(len(genuine), len(forged)))
    return Calibration(kind, (ends - offset) / slope, ends, len(genuine), len(forged))


def logistic(genuine: np.ndarray, forged: np.ndarray) -> tuple[float, float]:
    """Fit log10 LR = slope * score + offset by logistic regression.

    Parameters
    ----------
    genuine, forged : ndarray of float64, (n,) and (m,)
        Scores, higher for genuine.

    Returns
    -------
    slope, offset : float
        The line.

    Notes
    -----
    Each class weighs one half, whatever its number of scores, so that the regression's log odds
    are a log-likelihood ratio (Brümmer and du Preez 2006; :mod:`fkd.verification.evidence`).
    Targets are (n + 1) / (n + 2) and 1 / (m + 2) rather than 1 and 0 (J. Platt, Probabilistic
    outputs for support vector machines, 1999). So there is an optimum also where a threshold parts
    all scores.
    """
    from sklearn.linear_model import LogisticRegression  # takes long to load

    n, m = len(genuine), len(forged)
    scores = np.concatenate([genuine, forged])
    center, spread = scores.mean(), scores.std()
    if not spread:
        return 0.0, 0.0
    target = np.repeat([(n + 1) / (n + 2), 1 / (m + 2)], [n, m])
    weight = np.repeat([0.5 / n, 0.5 / m], [n, m]) * (n + m)
    # Each score counts for both classes: a share for its own, and the rest for the other.
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8, max_iter=1000)
    model.fit(
        np.tile((scores - center) / spread, 2)[:, None],
        np.repeat([1, 0], n + m),
        sample_weight=np.concatenate([target, 1 - target]) * np.tile(weight, 2),
    )
    slope = model.coef_[0, 0] / spread
    return slope / LN10, (model.intercept_[0] - slope * center) / LN10


def isotonic(genuine: np.ndarray, forged: np.ndarray) -> Calibration:
    """Fit the steps of :func:`fkd.verification.evidence.pav`, within the bounds.

    Parameters
    ----------
    genuine, forged : ndarray of float64, (n,) and (m,)
        Scores, higher for genuine.

    Returns
    -------
    Calibration
        Its knots are the ends of the steps; between steps it is straight.
    """
    scores, log10_lr = pav(genuine, forged)
    log10_lr = np.clip(log10_lr, *bounds(len(genuine), len(forged)))
    new = np.diff(log10_lr) != 0
    ends = np.append(True, new) | np.append(new, True)
    return Calibration("isotonic", scores[ends], log10_lr[ends], len(genuine), len(forged))
