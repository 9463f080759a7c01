"""How far drawn signatures are from those of people: what tells them apart, and how surely."""

from dataclasses import dataclass

import cv2
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from fkd.errors import FkdError

MEASURES = {
    "height": "height of the ink's box, pixels",
    "width": "width",
    "cover": "share of the box that ink covers",
    "length": "length of the line, as multiples of the box's diagonal",
    "stroke": "width of the line, pixels",
    "gray": "median level of the ink",
    "contrast": "spread of its levels, 90th less 10th percentile",
    "pieces": "connected pieces",
    "loops": "holes in the ink",
    **{f"direction_{angle}": f"share of edges at {angle} degrees" for angle in range(0, 180, 30)},
    "straightness": "coherence of the edges' direction nearby",
    **{f"band_{band}": f"share of the spectrum in band {band} of 5" for band in range(1, 6)},
    "low": "height of the ink's center over the box's bottom, as a share of the height",
    "early": "distance of its center from the left, as a share of the width",
}
"""What is measured of a signature, in pixels and levels of the prepared image."""

_INK = 32
"""The level from which a pixel counts as ink. Fainter ones are the edges of lines."""


def measure(image: np.ndarray) -> np.ndarray:
    """Measure one signature.

    Parameters
    ----------
    image : ndarray of uint8, (170, 242)
        A prepared signature, with bright ink on 0.

    Returns
    -------
    ndarray of float64, (measures,)
        The values of :data:`MEASURES`; zeros for an image without ink.
    """
    ink = (image >= _INK).astype(np.uint8)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return np.zeros(len(MEASURES))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    part, inked = image[box], ink[box]
    height, width = part.shape
    levels = part[inked > 0]
    distance = cv2.distanceTransform(np.pad(inked, 1), cv2.DIST_L2, 5)
    ridge = (distance > 0) & (distance >= cv2.dilate(distance, np.ones((3, 3))))
    stroke = 2 * distance[ridge].mean()
    tenth, middle, ninetieth = np.percentile(levels, (10, 50, 90))
    pieces = cv2.connectedComponents(inked, connectivity=8)[0] - 1
    holes = cv2.connectedComponents(np.pad(1 - inked, 1, constant_values=1), connectivity=4)[0] - 2
    y, x = np.nonzero(inked)
    return np.array(
        [
            height,
            width,
            inked.mean(),
            inked.sum() / stroke / np.hypot(height, width),
            stroke,
            middle,
            ninetieth - tenth,
            pieces,
            holes,
            *_directions(part),
            *_bands(part),
            1 - (y.mean() + 0.5) / height,
            (x.mean() + 0.5) / width,
        ]
    )


def _directions(part: np.ndarray) -> np.ndarray:
    """Measure at which angles edges run, and how alike their directions are nearby."""
    gray = np.pad(part, 2).astype(np.float32)  # so that the outermost edges are whole
    across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down)
    angle = np.rad2deg(np.arctan2(-across, -down)) % 180  # of the edge, counterclockwise
    at = np.rint(angle / 30).astype(int) % 6
    shares = np.bincount(at.ravel(), strength.ravel(), 6) / max(strength.sum(), 1e-9)
    # The structure tensor (Bigun and Granlund 1987), averaged over a few pixels.
    xx, yy, xy = (
        cv2.GaussianBlur(product, (0, 0), 2)
        for product in (across * across, down * down, across * down)
    )
    coherent = np.hypot(xx - yy, 2 * xy).sum() / max((xx + yy).sum(), 1e-9)
    return np.append(shares, coherent)


def _bands(part: np.ndarray) -> np.ndarray:
    """Measure how the power of the spectrum is divided among octaves, the finest last."""
    power = np.abs(np.fft.rfft2(part.astype(np.float64))) ** 2
    power[0, 0] = 0
    rows, columns = np.fft.fftfreq(part.shape[0]), np.fft.rfftfreq(part.shape[1])
    octave = np.floor(np.log2(np.maximum(np.hypot(rows[:, None], columns), 1e-9))) + 6
    band = np.clip(octave, 0, 4).astype(int)
    return np.bincount(band.ravel(), power.ravel(), 5) / max(power.sum(), 1e-9)


FOLDS = 5
"""The number of parts of the writers, by default: the least number of writers of either side."""


@dataclass(frozen=True)
class Gap:
    """How surely drawn and real signatures are told apart.

    Attributes
    ----------
    accuracy : float
        The mean of the shares of drawn and of real signatures that are recognized, 0.5 to 1 but
        for chance: 0.5 if nothing that is measured tells them apart.
    drawn, real : ndarray of float64, (n,)
        For each signature, the probability that it is drawn, by a classifier that has seen no
        signature of its writer.
    """

    accuracy: float
    drawn: np.ndarray
    real: np.ndarray


def tell_apart(
    drawn: np.ndarray,
    real: np.ndarray,
    drawn_writers: np.ndarray,
    real_writers: np.ndarray,
    folds: int = FOLDS,
    seed: int = 0,
) -> Gap:
    """Let a classifier tell drawn signatures from real ones.

    Parameters
    ----------
    drawn, real : ndarray of float64, (n, measures)
        Their values of :func:`measure`.
    drawn_writers, real_writers : ndarray, (n,)
        The writer of each.
    folds : int
        The number of parts of the writers; each is judged by a classifier of the others.
    seed : int
        The seed of the folds and of the classifier.

    Returns
    -------
    Gap

    Raises
    ------
    FkdError
        If there are fewer writers than folds.
    """
    names = [np.unique(whose, return_inverse=True) for whose in (drawn_writers, real_writers)]
    if min(len(writers) for writers, _ in names) < folds:
        raise FkdError(
            f"Drawn and real signatures are told apart by {folds} writers of each or more."
        )
    measures = np.concatenate([drawn, real])
    is_drawn = np.arange(len(measures)) < len(drawn)
    writer = np.concatenate([names[0][1], names[1][1] + len(names[0][0])])
    probability = np.empty(len(measures))
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with threadpool_limits(1):  # small parts of few signatures, for which threads wait longer
        for others, judged in parts.split(measures, is_drawn, writer):
            classifier = HistGradientBoostingClassifier(class_weight="balanced", random_state=seed)
            classifier.fit(measures[others], is_drawn[others])
            probability[judged] = classifier.predict_proba(measures[judged])[:, 1]
    right = (probability >= 0.5) == is_drawn
    accuracy = float((right[is_drawn].mean() + right[~is_drawn].mean()) / 2)
    return Gap(accuracy, probability[is_drawn], probability[~is_drawn])
