"""From a scan to the 170 x 242 image that all networks see: signatures and text alike.

The ink is found on a blurred copy, cut out, centered by its mass on a white canvas,
freed of its paper, inverted, and shrunk. The canvas sets the scale: all images
of a set share one, so their sizes stay comparable.
"""

import logging
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from fkd.errors import FkdError

CANVAS = (952, 1360)
"""Rows and columns of the canvas of all signature sets (the largest of GPDS)."""

SIZE = (170, 242)
"""Rows and columns of a prepared image."""

INPUT = (150, 220)
"""Rows and columns of its center, which the networks take."""

BLUR_SIGMA = 2.0
BLUR_TRUNCATE = 4.0
"""The Gaussian that joins the ink before its threshold, in pixels and in sigmas."""

BLUR_REACH = int(BLUR_TRUNCATE * BLUR_SIGMA + 0.5)
"""Pixels that it sees to each side."""

_log = logging.getLogger(__name__)


def normalize(
    image: np.ndarray,
    canvas: tuple[int, int] = CANVAS,
    size: tuple[int, int] = SIZE,
    threshold: str = "image",
) -> np.ndarray:
    """Prepare the image of one signature, or of one piece of text.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Dark ink on light paper.
    canvas : (int, int), optional
        Rows and columns of the canvas. Larger ink is cut centrally to it, and a
        warning logged.
    size : (int, int), optional
        Rows and columns of the result.
    threshold : {"image", "blurred"}, optional
        Take Otsu's threshold of the image (the published rule for signatures) or of
        its blurred copy (the published rule for text). Where an image has two levels,
        its own threshold is the level of the ink itself, which leaves no ink after the
        blur, or only the heart of thick strokes: the blurred copy's is taken instead.

    Returns
    -------
    ndarray of uint8, shape `size`
        Ink is bright, paper 0.

    Raises
    ------
    FkdError
        Where the image is blank or no ink is left.
    ValueError
        Where `threshold` is none of the two.

    Notes
    -----
    The canvas is never drawn. All of it but the ink is 0 once inverted, and the
    resampling is linear along each axis, so the result is ``R @ ink @ C.T`` with the
    rows and columns of the resampling matrices where the ink lies.
    """
    prepared = prepare(image, canvas, size, threshold)
    if prepared.is_cut:
        _log.warning("the ink is too large and cut to the canvas of %d x %d", *canvas)
    return prepared.image


class Prepared(NamedTuple):
    """What :func:`prepare` gives.

    Attributes
    ----------
    image : ndarray of uint8, shape `size`
        Ink is bright, paper 0.
    is_cut : bool
        Whether the ink was larger than the canvas, and cut to it.
    """

    image: np.ndarray
    is_cut: bool


def prepare(
    image: np.ndarray,
    canvas: tuple[int, int] = CANVAS,
    size: tuple[int, int] = SIZE,
    threshold: str = "image",
) -> Prepared:
    """Do what :func:`normalize` does, for callers who count what is cut.

    Parameters and errors are those of :func:`normalize`.
    """
    if threshold not in ("image", "blurred"):
        raise ValueError(f"threshold is 'image' or 'blurred', not {threshold!r}")
    level, (top, bottom, left, right), (row, column) = find_ink(image, threshold)
    ink = image[top:bottom, left:right]
    ink = (255 - ink) * (ink <= int(level))  # the same for whole numbers, and faster
    rows, first_row = _place(ink.shape[0], canvas[0], row - top)
    columns, first_column = _place(ink.shape[1], canvas[1], column - left)
    is_cut = rows is not None or columns is not None
    if is_cut:
        ink = ink[rows or slice(None), columns or slice(None)]
    return Prepared(_shrink(ink, (first_row, first_column), canvas, size), is_cut)


class Ink(NamedTuple):
    """What :func:`find_ink` finds.

    Attributes
    ----------
    level : float
        The threshold: lighter pixels are paper.
    box : tuple of int
        Top, bottom, left and right of the ink. The last row and column with ink are
        left out, as published.
    center : (float, float)
        Row and column of the ink's center of mass.
    """

    level: float
    box: tuple[int, int, int, int]
    center: tuple[float, float]


def find_ink(image: np.ndarray, threshold: str) -> Ink:
    """Find the ink of an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Dark ink on light paper.
    threshold : {"image", "blurred"}
        As for :func:`normalize`.

    Returns
    -------
    Ink
        Where the blurred image is not over the threshold.

    Raises
    ------
    FkdError
        Where the image is blank or no ink is left.
    """
    if image.size == 0 or image.min() == image.max():
        raise FkdError("blank: all pixels are equal")
    level = otsu(image) if threshold == "image" else None
    if level in (None, image.min()):
        top, left, blurred = 0, 0, blur(image)
        level = otsu(blurred)
    else:
        top, left, bottom, right = _surroundings(image <= level)
        blurred = blur(image[top:bottom, left:right])
    ink = (blurred <= level).view(np.uint8)
    in_row, in_column = (
        cv2.reduce(ink, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for axis in (1, 0)
    )
    rows, columns = top + np.flatnonzero(in_row), left + np.flatnonzero(in_column)
    if len(rows) < 2 or len(columns) < 2:
        raise FkdError("no ink is left under the threshold")
    mass = in_row.sum()
    center = (
        float(in_row @ np.arange(top, top + len(in_row)) / mass),
        float(in_column @ np.arange(left, left + len(in_column)) / mass),
    )
    return Ink(level, (rows[0], rows[-1], columns[0], columns[-1]), center)


def center_crop(images: np.ndarray, size: tuple[int, int] = INPUT) -> np.ndarray:
    """Cut the center out of images.

    Parameters
    ----------
    images : ndarray, shape (..., height, width)
        One image or many.
    size : (int, int), optional
        Rows and columns of the center.

    Returns
    -------
    ndarray, shape (..., *size)
        A view of `images`.
    """
    top, left = ((full - part) // 2 for full, part in zip(images.shape[-2:], size, strict=True))
    return images[..., top : top + size[0], left : left + size[1]]


def otsu(image: np.ndarray) -> float:
    """Find Otsu's threshold, which best separates an image's levels in two classes.

    Parameters
    ----------
    image : ndarray of uint8 or float
        Its histogram has one bin per level for uint8, and 256 bins from the smallest
        to the largest value for float, each standing for its middle.

    Returns
    -------
    float
        The largest level of the darker class; the first one where several separate
        equally well. For an image of one level, that level.
    """
    if image.dtype == np.uint8:
        bins, levels = image, np.arange(256.0)
    else:
        low, high = float(image.min()), float(image.max())
        if low == high:
            return low
        bins = image - low
        bins *= 256 / (high - low)
        bins = np.minimum(bins, 255, out=bins).astype(np.uint8)
        edges = np.linspace(low, high, 257)
        levels = (edges[:-1] + edges[1:]) / 2
    counts = cv2.calcHist([bins], [0], None, [256], [0, 256]).ravel().astype(float)
    used = np.flatnonzero(counts)
    counts, levels = counts[used[0] : used[-1] + 1], levels[used[0] : used[-1] + 1]
    if len(levels) == 1:
        return float(levels[0])
    below, mass = np.cumsum(counts), np.cumsum(counts * levels)
    below, above = below[:-1], below[-1] - below[:-1]
    gap = mass[:-1] / below - (mass[-1] - mass[:-1]) / above
    # Single precision here decides near-ties as the published images have them.
    pairs = below.astype(np.float32) * above.astype(np.float32)
    return float(levels[np.argmax(pairs * gap**2)])


def blur(image: np.ndarray) -> np.ndarray:
    """Blur as the ink search does.

    Parameters
    ----------
    image : ndarray, shape (height, width)
        Any real type.

    Returns
    -------
    ndarray of float64, shape (height, width)
        Gaussian of sigma 2, cut off at 4 sigma, the edges replicated.
    """
    width = 2 * BLUR_REACH + 1
    return cv2.GaussianBlur(
        image.astype(np.float64), (width, width), BLUR_SIGMA, borderType=cv2.BORDER_REPLICATE
    )


def _surroundings(dark: np.ndarray) -> tuple[int, int, int, int]:
    """Find the top, left, bottom and right outside which no blurred pixel can be dark.

    One that is dark has a dark pixel within the blur's reach, and sees as far again.
    """
    left, top, width, height = cv2.boundingRect(dark.view(np.uint8))
    reach = 2 * BLUR_REACH
    return max(top - reach, 0), max(left - reach, 0), top + height + reach, left + width + reach


def _place(extent: int, canvas: int, center: float) -> tuple[slice | None, int]:
    """Place ink on one axis of the canvas: which part of it to keep, and where it starts."""
    if extent > canvas:
        cut = (extent - canvas) // 2
        return slice(cut, cut + canvas), 0
    return None, min(max(canvas // 2 - int(center), 0), canvas - extent)


def _shrink(
    ink: np.ndarray, first: tuple[int, int], canvas: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Resample inverted ink that lies at `first` on an empty canvas to cover `size`."""
    factor = min(canvas[0] / size[0], canvas[1] / size[1])
    weights, reached = [], []
    for axis in (0, 1):
        resized = round(canvas[axis] / factor)
        matrix = _resampling(canvas[axis], resized)
        start = round((resized - size[axis]) / 2)
        matrix = matrix[start : start + size[axis], first[axis] : first[axis] + ink.shape[axis]]
        reached.append(matrix.any(axis=1))
        weights.append(matrix[reached[axis]])
    by_row, by_column = weights
    image = np.zeros(size, np.uint8)
    image[np.ix_(*reached)] = by_row @ ink.astype(np.float64) @ by_column.T
    return image


@lru_cache(maxsize=64)
def _resampling(source: int, target: int) -> np.ndarray:
    """Build the matrix (target, source) of a Gaussian of sigma (factor - 1) / 2 and bilinear steps.

    Pixel centers are aligned, and outside the source all is 0.
    """
    factor = source / target
    sigma = max(0.0, (factor - 1) / 2)
    radius = int(4 * sigma + 0.5)
    reach = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (reach / sigma) ** 2) if sigma > 0 else np.ones(1)
    kernel /= kernel.sum()
    position = (np.arange(target) + 0.5) * factor - 0.5
    left = np.floor(position).astype(int)
    matrix = np.zeros((target, source))
    for neighbor, share in ((left, left + 1 - position), (left + 1, position - left)):
        for row in np.flatnonzero((neighbor >= 0) & (neighbor < source)):
            columns = neighbor[row] + reach
            inside = (columns >= 0) & (columns < source)
            matrix[row, columns[inside]] += share[row] * kernel[inside]
    matrix.setflags(write=False)
    return matrix
