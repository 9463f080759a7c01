"""Signs that an image is no scan of one whole signature.

None of them is proof, so such images are counted and named, but used.
"""

import cv2
import numpy as np

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

_SIDE = 256  # pixels of the longer side at most, on which bodies are searched


def signs(ink: np.ndarray, bodies: "Bodies") -> list[str]:
    """Find the signs that an image is no scan of one whole signature.

    Parameters
    ----------
    ink : ndarray of bool, shape (height, width)
        Where the ink is, at one pixel at least, see :func:`fkd.preprocess.dark_pixels`.
    bodies : Bodies
        Its bodies.

    Returns
    -------
    list of str
        Keys of :data:`SIGNS`.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    border = (ink[0], ink[-1], ink[:, 0], ink[:, -1])
    found = {
        "much_ink": np.count_nonzero(box) > MOST_INK * box.size,
        "ink_at_border": max(map(np.count_nonzero, border)) >= AT_BORDER,
        "several_bodies": (bodies.shares(GAP) >= BODY).sum() > 1,
    }
    return [name for name, is_found in found.items() if is_found]


class Bodies:
    """The bodies of ink that lie apart from each other.

    Parameters
    ----------
    ink : ndarray of bool, shape (height, width)
        Where the ink is, at one pixel at least.
    """

    def __init__(self, ink: np.ndarray) -> None:
        self._amount = halved(ink, _SIDE)
        paper = (self._amount == 0).view(np.uint8)
        self._distance = cv2.distanceTransform(paper, cv2.DIST_L2, cv2.DIST_MASK_5)

    def shares(self, gap: float) -> np.ndarray:
        """Tell the share of the ink that each body has.

        Parameters
        ----------
        gap : float
            The gap between bodies, as a share of the image's longer side.

        Returns
        -------
        ndarray of float64, shape (bodies,)
            The shares, in no order.
        """
        # A distance between two pixels is one more than the paper between them.
        reach = (round(gap * max(self._amount.shape)) + 1) / 2
        number, label = cv2.connectedComponents((self._distance <= reach).view(np.uint8))
        return np.bincount(label.ravel(), self._amount.ravel(), number)[1:] / self._amount.sum()


def halved(ink: np.ndarray, side: int) -> np.ndarray:
    """Halve the image of ink until its longer side has at most `side` pixels.

    Parameters
    ----------
    ink : ndarray of bool, shape (height, width)
        Where the ink is.
    side : int
        Pixels.

    Returns
    -------
    ndarray of uint8
        How much of each pixel is ink, of 255.
    """
    amount = ink.view(np.uint8) * np.uint8(255)
    while max(amount.shape) > side:
        amount = np.pad(amount, [(0, length % 2) for length in amount.shape])
        height, width = amount.shape
        amount = cv2.resize(amount, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return amount
