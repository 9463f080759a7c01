"""Scans of other resolutions are brought to the one for which canvas and networks are made."""

import cv2
import numpy as np

from fkd.errors import FkdError

TARGET = 300
"""The resolution of the published sets, in dots per inch."""

KNOWN = (50, 2400)
"""The lowest and the highest resolution of a scanner, in dots per inch."""

_SAME = 0.01
"""Resolutions that differ by this share at most are the same: files store them rounded."""


def rescaled(image: np.ndarray, resolution: float) -> np.ndarray:
    """Bring a scan to :data:`TARGET` dots per inch.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        The scan.
    resolution : float
        Its resolution, in dots per inch.

    Returns
    -------
    ndarray of uint8
        The same scan, smaller or larger. Pixels are averaged where it becomes smaller. A scan of
        the right resolution is returned as it is.

    Raises
    ------
    FkdError
        If no scanner has such a resolution.
    """
    low, high = KNOWN
    if not low <= resolution <= high:
        raise FkdError(
            f"a resolution of {resolution:g} dpi, and scans have {low} to {high}. Give the true one "
            "as a number in resolution"
        )
    if abs(resolution / TARGET - 1) <= _SAME:
        return image
    scale = TARGET / resolution
    height, width = (max(1, round(side * scale)) for side in image.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=how)
