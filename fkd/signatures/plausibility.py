"""Signs that an image is no scan of one whole signature.

None of them is proof, so such images are counted and named, but used.
"""

import cv2
import numpy as np

from fkd.preprocess import otsu

SIGNS = {
    "much_ink": "much ink",
    "ink_at_border": "ink at the border",
    "several_bodies": "several bodies of ink",
}
"""The signs, as they are called in shards and for readers."""

MOST_INK = 0.4
"""The share of its own box that ink covers at most. Signatures cover less than a third."""

AT_BORDER = 3
"""The number of dark pixels in the first or last row or column that mean more than a speck."""

GAP = 0.15
"""The gap between bodies of ink, as a share of the image's longer side."""

BODY = 0.25
"""The least share of the ink that is a body by itself and no dot or stroke."""

_SIDE = 256  # pixels of the longer side on which bodies are searched


def signs(image: np.ndarray) -> list[str]:
    """Find the signs that an image is no scan of one whole signature.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Dark ink on light paper.

    Returns
    -------
    list of str
        Keys of :data:`SIGNS`.
    """
    ink = image <= otsu(image)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    border = (ink[0], ink[-1], ink[:, 0], ink[:, -1])
    found = {
        "much_ink": box.mean() > MOST_INK,
        "ink_at_border": max(side.sum() for side in border) >= AT_BORDER,
        "several_bodies": (bodies(ink) >= BODY).sum() > 1,
    }
    return [name for name, is_found in found.items() if is_found]


def bodies(ink: np.ndarray, gap: float = GAP) -> np.ndarray:
    """Find the bodies of ink that lie apart from each other.

    Parameters
    ----------
    ink : ndarray of bool, shape (height, width)
        Where the ink is, at one pixel at least.
    gap : float
        The gap between bodies, as a share of the image's longer side.

    Returns
    -------
    ndarray of float64, shape (bodies,)
        The share of the ink that each body has.
    """
    scale = min(1, _SIDE / max(ink.shape))
    size = tuple(max(1, round(side * scale)) for side in ink.shape[::-1])
    dark = ink.view(np.uint8) * np.uint8(255)
    amount = cv2.resize(dark, size, interpolation=cv2.INTER_AREA)
    reach = max(1, round(gap * max(size) / 2))
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    joined = cv2.dilate((amount > 0).astype(np.uint8), shape)
    number, label = cv2.connectedComponents(joined)
    return np.bincount(label.ravel(), amount.ravel(), number)[1:] / amount.sum()
