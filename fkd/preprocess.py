"""From a scan to the 170 x 242 image that all networks see: signatures and text alike.

The steps are those of the published code. The ink is found on a blurred copy of the
scan, cut out, and centered by its mass on a white canvas; the paper between the strokes
is made white, and the canvas is inverted and shrunk. The canvas sets the scale: all
images of a set share one, so their sizes stay comparable.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from fkd.errors import FkdError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CANVAS = (952, 1360)
"""Rows and columns of the published canvas of all signature sets, the size of the largest of GPDS."""

SIZE = (170, 242)
"""Rows and columns of a prepared image, as published."""

INPUT = (150, 220)
"""Rows and columns of the networks' input, the center of a prepared image, as published."""

BLUR_SIGMA = 2.0
"""Pixels: the standard deviation of the Gaussian that joins strokes before the threshold."""

BLUR_TRUNCATE = 4.0
"""Standard deviations at which that Gaussian is cut off."""

BLUR_REACH = int(BLUR_TRUNCATE * BLUR_SIGMA + 0.5)
"""Pixels to each side that the cut-off Gaussian reaches."""

BAND = 1 << 23
"""Pixels that are blurred at a time."""

HAIR = 1e-9
"""Gray levels by which a value may lie below a whole level that it stands for."""

MOST_DARK = 0.5
"""The largest share of dark pixels that a scan of dark ink on light paper may have."""

_log = logging.getLogger(__name__)


def normalize(
    image: np.ndarray,
    canvas: tuple[int, int] = CANVAS,
    size: tuple[int, int] = SIZE,
    threshold: str = "image",
    found: "Ink | None" = None,
) -> np.ndarray:
    """Prepare the image of one signature, or of one interval of text.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Dark ink on light paper.
    canvas : (int, int), optional
        Rows and columns of the canvas. Larger ink is cut to its central part, and a
        warning is logged.
    size : (int, int), optional
        Rows and columns of the result.
    threshold : {"image", "blurred"}, optional
        Take Otsu's threshold of the image (the published rule for signatures) or of
        its blurred copy (the published rule for text). Where an image has two levels,
        its own threshold is the level of the ink itself. After the blur, only the middle
        of thick strokes is so dark, so the threshold of the blurred copy is taken instead.
    found : Ink, optional
        What :func:`find_ink` found with the same threshold, where that is known.

    Returns
    -------
    ndarray of uint8, shape `size`
        Ink is bright, paper is 0.

    Raises
    ------
    FkdError
        Where the image has another type or shape, is blank, or no ink is left.
    ValueError
        Where `threshold` is neither of the two.

    Notes
    -----
    The canvas is never drawn. Once inverted, all of it but the ink is 0, and the
    resampling is linear along each axis. So the result is ``R @ ink @ C.T``, where R and C
    hold those rows and columns of the resampling matrices that the ink covers.

    Examples
    --------
    A dark bar on light paper, first at the size that networks see, then at its own size:

    >>> import numpy as np
    >>> from fkd.preprocess import normalize
    >>> scan = np.full((60, 90), 230, np.uint8)
    >>> scan[20:40, 30:60] = 10
    >>> normalize(scan).shape
    (170, 242)
    >>> np.unique(normalize(scan, canvas=(60, 90), size=(60, 90))).tolist()
    [0, 245]
    """
    prepared = prepare(image, canvas, size, threshold, found)
    if prepared.is_cut:
        _log.warning("the ink is too large and cut to the canvas of %d x %d", *canvas)
    return prepared.image


class Prepared(NamedTuple):
    """The result of :func:`prepare`.

    Attributes
    ----------
    image : ndarray of uint8, shape `size`
        Ink is bright, paper is 0.
    is_cut : bool
        Whether the ink was larger than the canvas and was cut to it.
    """

    image: np.ndarray
    is_cut: bool


def prepare(
    image: np.ndarray,
    canvas: tuple[int, int] = CANVAS,
    size: tuple[int, int] = SIZE,
    threshold: str = "image",
    found: "Ink | None" = None,
) -> Prepared:
    """Prepare an image as :func:`normalize` does, and say whether its ink was cut.

    The parameters and errors are those of :func:`normalize`. Nothing is logged.

    Returns
    -------
    Prepared
        The image, and whether the ink was cut to the canvas.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 2:
        raise FkdError(
            f"a scan of the type {image.dtype} and shape {image.shape}; expected gray levels as "
            "uint8 (0 is black, 255 is white), shape (height, width). Make colors gray, and of "
            "levels from 0 to 1 take (255 * image).round().astype(numpy.uint8)."
        )
    level, (top, bottom, left, right), (row, column) = found or find_ink(image, threshold)
    ink = image[top:bottom, left:right]
    # Pixels are integers, for which <= level and <= int(level) are the same; integers
    # are compared faster.
    ink = (255 - ink) * (ink <= int(level))
    rows, first_row = _place(ink.shape[0], canvas[0], row - top)
    columns, first_column = _place(ink.shape[1], canvas[1], column - left)
    is_cut = rows is not None or columns is not None
    if is_cut:
        ink = ink[rows or slice(None), columns or slice(None)]
    return Prepared(_shrink(ink, (first_row, first_column), canvas, size), is_cut)


class Ink(NamedTuple):
    """The result of :func:`find_ink`.

    Attributes
    ----------
    level : float
        The threshold: lighter pixels are paper.
    box : tuple of int
        Top, bottom, left and right of the ink, as bounds of two slices. As in the published
        code, bottom and right are the last row and column with ink, which slices leave out.
    center : (float, float)
        Row and column of the ink's center of mass in the image.
    """

    level: float
    box: tuple[int, int, int, int]
    center: tuple[float, float]


class Levels:
    """How often an image has each gray level, and what follows from that alone.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Dark ink on light paper.

    Attributes
    ----------
    present : ndarray of int, shape (levels,)
        The levels that the image has, in their order; one level if it is blank.
    cut : float
        Otsu's threshold, see :func:`otsu`.
    is_mostly_dark : bool
        Whether more pixels are dark than a scan of dark ink on light paper may have.
    """

    def __init__(self, image: np.ndarray) -> None:
        counts = _histogram(image)
        self.present = np.flatnonzero(counts)
        self.cut = _best_cut(counts, np.arange(256.0)) if image.size else 0.0
        dark = counts[: int(self.cut) + 1].sum()
        self.is_mostly_dark = len(self.present) > 1 and bool(dark > MOST_DARK * image.size)


def find_ink(image: np.ndarray, threshold: str, levels: Levels | None = None) -> Ink:
    """Find the ink of an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Dark ink on light paper.
    threshold : {"image", "blurred"}
        As for :func:`normalize`.
    levels : Levels, optional
        Those of the image, where they are known.

    Returns
    -------
    Ink
        The place of the ink: the pixels at which the blurred image is at most at the
        threshold.

    Raises
    ------
    FkdError
        Where the image is blank or no ink is left.
    ValueError
        Where `threshold` is neither of the two.
    """
    if threshold not in ("image", "blurred"):
        raise ValueError(f"threshold is 'image' or 'blurred', not {threshold!r}")
    levels = levels or Levels(image)
    if len(levels.present) < 2:
        raise FkdError("blank: all pixels are equal")
    level = levels.cut
    # A threshold at the darkest level means ink of a single level; see `normalize`.
    if threshold == "blurred" or level == levels.present[0]:
        top, left, bands = 0, 0, _blurred(image)
        level = _otsu_of(bands)
    else:
        # The same ink as on the whole blurred image, for less work.
        top, left, bottom, right = _surroundings(image <= int(level))
        bands = _blurred(image[top:bottom, left:right])
    ink = np.concatenate([band <= level for band in bands()]).view(np.uint8)
    in_row, in_column = (
        cv2.reduce(ink, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for axis in (1, 0)
    )
    rows, columns = top + np.flatnonzero(in_row), left + np.flatnonzero(in_column)
    # The box leaves out the last row and column, so a single one would leave nothing.
    if len(rows) < 2 or len(columns) < 2:
        raise FkdError("no ink is left under the threshold")
    mass = in_row.sum()
    center = (
        float(in_row @ np.arange(top, top + len(in_row)) / mass),
        float(in_column @ np.arange(left, left + len(in_column)) / mass),
    )
    return Ink(level, (rows[0], rows[-1], columns[0], columns[-1]), center)


def refuse_dark(levels: Levels) -> None:
    """Refuse light ink on dark paper: the ink search would take the paper for ink.

    In 1,200 scans of public sets, at most a fifth of the pixels is dark.

    Parameters
    ----------
    levels : Levels
        Those of a scan.

    Raises
    ------
    FkdError
        Where more than half of the pixels are dark, by Otsu's threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.preprocess import Levels, refuse_dark
    >>> scan = np.full((9, 9), 255, np.uint8)
    >>> scan[4, 2:7] = 0
    >>> refuse_dark(Levels(scan))
    >>> refuse_dark(Levels(255 - scan))
    Traceback (most recent call last):
    ...
    fkd.errors.FkdError: mostly dark: ink must be dark on light paper. Invert the image; bring prepared images, whose ink is bright, as .npz
    """
    if levels.is_mostly_dark:
        raise FkdError(
            "mostly dark: ink must be dark on light paper. Invert the image; bring prepared images, "
            "whose ink is bright, as .npz"
        )


def dark_pixels(image: np.ndarray, levels: Levels) -> np.ndarray:
    """Tell which pixels are dark: those at most at Otsu's threshold.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        A scan.
    levels : Levels
        Those of the image.

    Returns
    -------
    ndarray of bool, shape (height, width)
    """
    return image <= int(levels.cut)  # integers are compared faster


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

    Raises
    ------
    FkdError
        Where the images are smaller than `size`.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.preprocess import center_crop
    >>> center_crop(np.arange(20).reshape(4, 5), size=(2, 3)).tolist()
    [[6, 7, 8], [11, 12, 13]]
    """
    if len(images.shape) < 2 or any(f < p for f, p in zip(images.shape[-2:], size, strict=True)):
        raise FkdError(f"images of shape {images.shape} are smaller than {size[0]} x {size[1]}")
    top, left = ((full - part) // 2 for full, part in zip(images.shape[-2:], size, strict=True))
    return images[..., top : top + size[0], left : left + size[1]]


def otsu(image: np.ndarray) -> float:
    """Find Otsu's threshold, which best separates an image's levels into two classes.

    The threshold maximizes n_0 n_1 (m_0 - m_1)^2, with the sizes n and the mean levels m
    of the two classes (N. Otsu, A threshold selection method from gray-level histograms,
    1979).

    Parameters
    ----------
    image : ndarray of uint8 or float
        For uint8, the histogram has one bin for each level. For float, it has 256 bins
        from the smallest to the largest value, each represented by its middle.

    Returns
    -------
    float
        The largest level of the darker class; the first one where several separate
        equally well. For an image of one level, that level.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.preprocess import otsu
    >>> otsu(np.array([[10, 12, 200], [202, 10, 201]], np.uint8))
    12.0
    """
    if image.dtype == np.uint8:
        return _best_cut(_histogram(image), np.arange(256.0))
    return _otsu_of(lambda: [image])


def _otsu_of(bands: Callable[[], Iterable[np.ndarray]]) -> float:
    """Find Otsu's threshold of an image of floats. Its bands are asked for twice."""
    ends = np.array([(band.min(), band.max()) for band in bands()])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if low == high:
        return low
    counts = np.zeros(256)
    for band in bands():
        bins = band - low
        bins *= 256 / (high - low)
        counts += _histogram(np.minimum(bins, 255, out=bins).astype(np.uint8))
    edges = np.linspace(low, high, 257)
    return _best_cut(counts, (edges[:-1] + edges[1:]) / 2)


def _histogram(bins: np.ndarray) -> np.ndarray:
    return cv2.calcHist([bins], [0], None, [256], [0, 256]).ravel().astype(float)


def _best_cut(counts: np.ndarray, levels: np.ndarray) -> float:
    """Find the threshold by the number of pixels at each level."""
    # Without the empty bins at the ends, neither class is ever empty.
    used = np.flatnonzero(counts)
    counts, levels = counts[used[0] : used[-1] + 1], levels[used[0] : used[-1] + 1]
    if len(levels) == 1:
        return float(levels[0])
    below, mass = np.cumsum(counts), np.cumsum(counts * levels)
    below, above = below[:-1], below[-1] - below[:-1]
    gap = mass[:-1] / below - (mass[-1] - mass[:-1]) / above
    # scikit-image, by which the published images were made, counts in single precision,
    # which decides between thresholds that are nearly equally good.
    pairs = below.astype(np.float32) * above.astype(np.float32)
    return float(levels[np.argmax(pairs * gap**2)])


def blur(image: np.ndarray) -> np.ndarray:
    """Blur an image as :func:`find_ink` does.

    Parameters
    ----------
    image : ndarray, shape (height, width)
        Any real type.

    Returns
    -------
    ndarray of float64, shape (height, width)
        The image under a Gaussian of sigma 2 that is cut off at 4 sigma, with the edges
        replicated.
    """
    width = 2 * BLUR_REACH + 1
    return cv2.GaussianBlur(
        image.astype(np.float64), (width, width), BLUR_SIGMA, borderType=cv2.BORDER_REPLICATE
    )


def _blurred(image: np.ndarray) -> Callable[[], Iterable[np.ndarray]]:
    """Blur an image. The result gives its bands from top to bottom, whenever it is called.

    The blurred copy takes eight times the memory of the image, so that of a large image is made
    band by band.
    """
    if image.size <= BAND:
        whole = [blur(image)]
        return lambda: whole

    def bands() -> Iterator[np.ndarray]:
        rows = max(1, BAND // image.shape[1])
        for top in range(0, len(image), rows):
            # With the rows that the blur reaches, the band is that of the whole image.
            first = max(top - BLUR_REACH, 0)
            yield blur(image[first : top + rows + BLUR_REACH])[top - first :][:rows]

    return bands


def _surroundings(dark: np.ndarray) -> tuple[int, int, int, int]:
    """Find the top, left, bottom and right outside which no blurred pixel can be dark.

    A blurred pixel that is dark has a dark pixel within the reach of the blur. Its own value
    depends on pixels as far away again, hence twice the reach.
    """
    left, top, width, height = cv2.boundingRect(dark.view(np.uint8))
    reach = 2 * BLUR_REACH
    return max(top - reach, 0), max(left - reach, 0), top + height + reach, left + width + reach


def _place(extent: int, canvas: int, center: float) -> tuple[slice | None, int]:
    """Place ink on one axis of the canvas.

    Parameters
    ----------
    extent, canvas : int
        Lengths of the ink and of the canvas.
    center : float
        The ink's center of mass, from its start.

    Returns
    -------
    kept : slice or None
        The part of the ink to keep; None for all of it.
    start : int
        Where that part starts on the canvas.
    """
    if extent > canvas:
        cut = (extent - canvas) // 2
        return slice(cut, cut + canvas), 0
    # Centered by its mass, truncated as published, then moved back inside at the edges.
    return None, min(max(canvas // 2 - int(center), 0), canvas - extent)


def _shrink(
    ink: np.ndarray, first: tuple[int, int], canvas: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Shrink a canvas that is empty but for inverted ink.

    Parameters
    ----------
    ink : ndarray of uint8, shape (rows, columns)
        The ink.
    first : (int, int)
        Row and column of the canvas at which the ink starts.
    canvas : (int, int)
        Rows and columns of the canvas.
    size : (int, int)
        Rows and columns of the result. The canvas is shrunk until it just covers them,
        and cut to the center.

    Returns
    -------
    ndarray of uint8, shape `size`
        The image.
    """
    factor = min(canvas[0] / size[0], canvas[1] / size[1])
    weights = []
    for axis in (0, 1):
        resized = round(canvas[axis] / factor)
        start = round((resized - size[axis]) / 2)
        weights.append(
            _sparse_resampling(canvas[axis], resized)[
                start : start + size[axis], first[axis] : first[axis] + ink.shape[axis]
            ]
        )
    by_row, by_column = weights
    # Levels are truncated, as in the published code. Even ink gives a whole level, from which the
    # rounding of sums may take a hair.
    return (by_row @ ink.astype(np.float64) @ by_column.T + HAIR).astype(np.uint8)


@lru_cache(maxsize=64)
def _sparse_resampling(source: int, target: int) -> "csr_array":
    """Give :func:`resampling_matrix` without its zeros.

    A pixel of the result takes from few of the source. And sums in a fixed order, in one thread, are
    the same on every processor, and faster where the cores are busy.
    """
    from scipy.sparse import csr_array  # slow to load; those who only cut images do without

    return csr_array(resampling_matrix(source, target))


@lru_cache(maxsize=64)
def resampling_matrix(source: int, target: int) -> np.ndarray:
    """Build the matrix that shrinks one axis as scikit-image's resize does.

    It is a Gaussian of sigma (factor - 1) / 2 against aliasing, then linear interpolation
    between pixels. Pixel centers are aligned, and everything outside the source is 0.

    Parameters
    ----------
    source, target : int
        Pixels along the axis, before and after; factor is source / target.

    Returns
    -------
    ndarray of float64, shape (target, source)
        Read-only. Times the pixels along the axis, it gives those of the shrunk axis.
    """
    factor = source / target
    sigma = max(0.0, (factor - 1) / 2)
    radius = int(4 * sigma + 0.5)
    reach = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (reach / sigma) ** 2) if sigma > 0 else np.ones(1)
    kernel /= kernel.sum()
    # Pixel k spans k to k + 1, so its center lies at k + 0.5.
    position = (np.arange(target) + 0.5) * factor - 0.5
    left = np.floor(position).astype(int)
    matrix = np.zeros((target, source))
    for neighbor, share in ((left, left + 1 - position), (left + 1, position - left)):
        for row in np.flatnonzero((neighbor >= 0) & (neighbor < source)):
            columns = neighbor[row] + reach
            inside = (columns >= 0) & (columns < source)
            matrix[row, columns[inside]] += share[row] * kernel[inside]
    matrix.setflags(write=False)  # the cache hands out the same array again
    return matrix
