"""Scans of other resolutions are brought to the one for which canvas and networks are made."""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from fkd.errors import FkdError
from fkd.images import resolution_of

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


def at_target(
    image: np.ndarray, file: Path, resolution: float | Literal["file"] | None
) -> tuple[np.ndarray, float | None]:
    """Bring the scan of a file to :data:`TARGET` dots per inch, if its resolution is to be used.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        The scan.
    file : Path
        Its file.
    resolution : float or "file" or None
        Its resolution in dots per inch, or ``file`` for the one that the file states. With None,
        the scan is taken as it is.

    Returns
    -------
    image : ndarray of uint8
        The scan, see :func:`rescaled`.
    resolution : float or None
        From which resolution it was brought.

    Raises
    ------
    FkdError
        If the file states no resolution, or no scanner has it.
    """
    if resolution is None:
        return image, None
    dpi = resolution_of(file) if resolution == "file" else resolution
    if dpi is None:
        raise FkdError("the file states no resolution. Give it as a number in resolution")
    return rescaled(image, dpi), dpi
