"""Signature preprocessing, straightforward: every step as it is described, on the full canvas."""

from itertools import count, islice

import numpy as np
from scipy import ndimage
from skimage.filters import gaussian, threshold_otsu
from skimage.transform import resize
from threadpoolctl import threadpool_limits

from benchmarks.timing import Benchmark
from fkd.preprocess import CANVAS, SIZE, normalize
from fkd.seeding import generator
from fkd.synthesis.signers import make_signature
from fkd.synthesis.specimens import sign

BATCH = 16
"""Signatures in one run."""

SMALLEST, LARGEST = (250, 400), (500, 700)
"""Rows and columns of the scans; half of CEDAR's are within 330 x 570, all within 500 x 700."""


def normalize_plainly(
    image: np.ndarray,
    canvas: tuple[int, int] = CANVAS,
    size: tuple[int, int] = SIZE,
    threshold: str = "image",
) -> np.ndarray:
    """Do what :func:`fkd.preprocess.normalize` does with the usual libraries.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Dark ink on light paper, of more than two levels, and no larger than the canvas.
    canvas, size, threshold
        As for :func:`fkd.preprocess.normalize`.

    Returns
    -------
    ndarray of uint8, shape `size`
        Ink is bright, paper 0.
    """
    blurred = gaussian(image, sigma=2, truncate=4, mode="nearest", preserve_range=True)
    level = threshold_otsu(image if threshold == "image" else blurred)
    ink = blurred <= level
    rows, columns = np.nonzero(ink)
    box = image[rows.min() : rows.max(), columns.min() : columns.max()]
    center = ndimage.center_of_mass(ink)
    first = [
        min(max(full // 2 - int(middle - edge.min()), 0), full - part)
        for full, part, middle, edge in zip(canvas, box.shape, center, (rows, columns), strict=True)
    ]
    sheet = np.full(canvas, 255, np.uint8)
    sheet[first[0] : first[0] + box.shape[0], first[1] : first[1] + box.shape[1]] = box
    sheet[sheet > level] = 255
    sheet = 255 - sheet
    factor = min(full / part for full, part in zip(canvas, size, strict=True))
    small = resize(
        sheet,
        [round(full / factor) for full in canvas],
        order=1,
        mode="constant",
        anti_aliasing=True,  # of sigma (factor - 1) / 2
        preserve_range=True,
    ).astype(np.uint8)
    top, left = (round((full - part) / 2) for full, part in zip(small.shape, size, strict=True))
    return small[top : top + size[0], left : left + size[1]]


def same_images(ours: np.ndarray, baseline: np.ndarray) -> None:
    """Refuse images that differ, but for a truncation that fell the other way.

    Parameters
    ----------
    ours, baseline : ndarray of uint8
        Prepared images, of the same shape. No pixel may be more than one level apart,
        and one in a thousand of those with ink may be so.
    """
    apart = np.abs(ours.astype(int) - baseline)
    inked = np.maximum(ours, baseline) > 0
    assert ours.shape == baseline.shape and inked.any()
    assert apart.max() <= 1, f"pixels are up to {apart.max()} levels apart"
    share = np.mean(apart[inked] == 0)
    assert share >= 0.999, f"{share:.4%} of the pixels with ink are equal"


def draw_scans(number: int) -> list[np.ndarray]:
    """Draw signatures as large as CEDAR's.

    Parameters
    ----------
    number : int
        How many, each by another writer.

    Returns
    -------
    list of ndarray of uint8, each of shape (height, width)
        Dark ink on light paper.
    """
    drawn = (
        sign(
            make_signature(generator(0, "benchmark writer", writer)),
            generator(0, "benchmark signature", writer),
        )
        for writer in count()
    )
    fitting = (
        scan
        for scan in drawn
        if all(np.greater_equal(scan.shape, SMALLEST)) and all(np.less_equal(scan.shape, LARGEST))
    )
    return list(islice(fitting, number))


def benchmarks() -> list[Benchmark]:
    """Compare the preprocessing of a batch of signatures, image by image."""
    scans = draw_scans(BATCH)

    def ours() -> np.ndarray:
        # As the stage does: the products are too small to be shared by cores.
        with threadpool_limits(1, "blas"):
            return np.stack([normalize(scan) for scan in scans])

    return [
        Benchmark(
            name="normalize",
            what=f"preprocessing {BATCH} CEDAR-size signatures",
            ours=ours,
            baseline=lambda: np.stack([normalize_plainly(scan) for scan in scans]),
            check=same_images,
        )
    ]
