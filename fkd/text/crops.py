"""The cutting of stripes into text crops, which are images of handwriting that resemble signatures.

The columns of a stripe are divided into consecutive intervals. Their aspect ratios are drawn from
the range of the signature sets. Each interval is cut out as a text crop and prepared like a
signature, on a canvas that is drawn from the canvases of the sets.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from fkd.errors import FkdError
from fkd.preprocess import SIZE, Prepared, prepare
from fkd.ranges import Count, Positive, checked
from fkd.seeding import generator
from fkd.storage import shards
from fkd.storage.quarantine import Quarantine
from fkd.threads import side_by_side

_log = logging.getLogger(__name__)

CANVASES = ((952, 1360), (600, 850), (730, 1042), (1440, 1825))
"""The rows and columns of the canvases of GPDS, MCYT, CEDAR and UTSig."""

RATIOS = (1.6757, 2.7210)
"""The smallest and the largest ratio width / height of the signature sets (UTSig and CEDAR)."""


@checked
def make_crops(
    *,
    stripes: Path,
    out: Path,
    quarantine: Path,
    seed: int,
    canvases: Sequence[tuple[Count, Count]] = CANVASES,
    ratios: tuple[Positive, Positive] = RATIOS,
    ratio_per: Literal["interval", "stripe"] = "interval",
    max_per_page: Count | None = None,
    threads: Count | None = None,
) -> None:
    """Cut stripes into text crops, and prepare each on a random canvas.

    Parameters
    ----------
    stripes : Path
        The shard written by :func:`fkd.text.stripes.segment_pages`. Stripes that are ready-made
        text crops are not cut: their ratio is their own, and `ratios` is not used.
    out : Path
        The shard of kind ``crops`` to write, with one row per crop: ``image`` (uint8,
        170 x 242); ``writer`` and ``page`` (str); ``line`` and ``crop`` (int32, from 0);
        ``ratio`` (float32); ``canvas`` (int32, rows and columns); ``validation`` (bool). Three
        more arrays (int32) describe the interval: ``stripe``, the row of its stripe in
        `stripes`, and ``left`` and ``width``, its columns in that stripe. The attributes name the
        writers of all shards and hold the settings. ``oversized`` is the number of crops that
        were larger than their canvas and were therefore cut to its size.
    quarantine : Path
        The CSV file to write of the crops without ink.
    seed : int
        The study's seed.
    canvases : sequence of [int, int], optional
        The rows and columns of the canvases, one of which is drawn for each crop.
    ratios : [float, float], optional
        The range from which the ratios width / height are drawn uniformly.
    ratio_per : {"interval", "stripe"}, optional
        Whether to draw a ratio for every interval, or one for all intervals of a stripe.
    max_per_page : int, optional
        The largest number of crops per page, which are chosen at random; by default, all.
    threads : int, optional
        The number of crops that are prepared at the same time; by default, one per CPU core.

    Raises
    ------
    FkdError
        If `ratios` is not a range of positive numbers, `ratio_per` is unknown or `canvases` is
        empty.
    """
    low, high = ratios
    if low > high:
        raise FkdError(f"ratios: the least ratio {low} is larger than the largest, {high}.")
    if not canvases:
        raise FkdError("canvases: name at least one canvas, as [rows, columns].")
    source = shards.read(stripes, "stripes")
    _check_places(source, stripes)
    intervals = []
    ready_made = source.attributes.get("ready_made", False)
    for row in range(len(source["line"])):
        place = (seed, "crop", source["page"][row], int(source["line"][row]))
        shape = (int(source["height"][row]), int(source["width"][row]))
        drawn = (
            [draw_canvas(shape, canvases, place)]
            if ready_made
            else draw_intervals(shape, (low, high), ratio_per, canvases, place)
        )
        intervals += [Interval(row, index, *interval) for index, interval in enumerate(drawn)]
    if max_per_page is not None:
        intervals = _thin_out(intervals, source["page"], max_per_page, seed)
    aside = Quarantine()
    images, kept, oversized = [], [], 0
    for interval, prepared in zip(
        intervals, side_by_side(partial(_prepare, source), intervals, threads), strict=True
    ):
        if isinstance(prepared, str):
            page, line = source["page"][interval.row], source["line"][interval.row]
            aside.set_aside(f"{page} line {line} crop {interval.index}", prepared)
            continue
        images.append(prepared.image)
        kept.append(interval)
        oversized += prepared.is_cut
    if oversized:
        _log.warning(
            "%d of %d crops are larger than their canvas and cut to it", oversized, len(kept)
        )
    rows = np.array([interval.row for interval in kept], int)
    shards.write(
        out,
        "crops",
        {
            "image": np.array(images, np.uint8).reshape(-1, *SIZE),
            "writer": source["writer"][rows],
            "page": source["page"][rows],
            "line": source["line"][rows],
            "crop": np.array([interval.index for interval in kept], np.int32),
            "ratio": np.array([interval.ratio for interval in kept], np.float32),
            "canvas": np.array([interval.canvas for interval in kept], np.int32).reshape(-1, 2),
            "validation": source["validation"][rows],
            "stripe": rows.astype(np.int32),
            "left": np.array([interval.left for interval in kept], np.int32),
            "width": np.array([interval.width for interval in kept], np.int32),
        },
        {
            "writers": source.attributes["writers"],
            "canvases": [list(canvas) for canvas in canvases],
            "ratios": [low, high],
            "ratio_per": ratio_per,
            "max_per_page": max_per_page,
            "seed": seed,
            "oversized": oversized,
        },
    )
    aside.write(quarantine)


def _check_places(source: shards.Shard, path: Path) -> None:
    """Refuse stripes that do not lie one after another in the pixels of their shard."""
    sizes = source["height"].astype(np.int64) * source["width"]
    places = np.cumsum(sizes) - sizes
    if (
        (source["height"] < 1).any()
        or (source["width"] < 1).any()
        or not np.array_equal(source["offset"], places)
        or sizes.sum() != len(source["pixels"])
    ):
        raise FkdError(f"{path}: its stripes are not where it says. {shards.MEND}")


class Interval(NamedTuple):
    """The consecutive columns of a stripe from which a text crop is cut.

    Attributes
    ----------
    row : int
        The row of the stripe in its shard.
    index : int
        The number of the interval in its stripe, from 0.
    left, width : int
        The first column of the interval, and the number of its columns.
    ratio : float
        The aspect ratio that was drawn.
    canvas : (int, int)
        The rows and columns of the canvas that was drawn.
    """

    row: int
    index: int
    left: int
    width: int
    ratio: float
    canvas: tuple[int, int]


def draw_intervals(
    shape: tuple[int, int],
    ratios: tuple[float, float],
    ratio_per: str,
    canvases: Sequence[Sequence[int]],
    place: tuple[object, ...],
) -> Iterator[tuple[int, int, float, tuple[int, int]]]:
    """Divide a stripe into intervals from left to right, as long as a whole interval fits.

    Parameters
    ----------
    shape : (int, int)
        The rows and columns of the stripe without spaces.
    ratios, ratio_per, canvases
        See :func:`make_crops`.
    place : tuple
        The study's seed, "crop", page and line, from which the random numbers are drawn.

    Yields
    ------
    left, width : int
        The first column of the interval, and the number of its columns.
    ratio : float
        The aspect ratio that was drawn.
    canvas : (int, int)
        The rows and columns of the canvas that was drawn.
    """
    height, whole = shape
    left, ratio = 0, 0.0
    for index in count():
        # A random stream for each interval, so that one does not depend on the others' draws.
        draw = generator(*place, index)
        drawn = draw.uniform(*ratios)
        ratio = drawn if index == 0 or ratio_per == "interval" else ratio
        rows, columns = canvases[draw.integers(len(canvases))]
        width = max(1, round(height * ratio))
        if left + width > whole:
            return
        yield left, width, ratio, (int(rows), int(columns))
        left += width


def draw_canvas(
    shape: tuple[int, int], canvases: Sequence[Sequence[int]], place: tuple[object, ...]
) -> tuple[int, int, float, tuple[int, int]]:
    """Take a whole stripe as one interval, and draw its canvas.

    Parameters and return values are those of :func:`draw_intervals`.
    """
    height, width = shape
    rows, columns = canvases[generator(*place, 0).integers(len(canvases))]
    return 0, width, width / height, (int(rows), int(columns))


def _thin_out(
    intervals: list[Interval], page_of: np.ndarray, most: int, seed: int
) -> list[Interval]:
    """Choose at most `most` intervals of each page at random, and keep their order."""
    by_page = defaultdict(list)
    for interval in intervals:
        by_page[page_of[interval.row]].append(interval)
    kept = []
    for page, group in by_page.items():
        chosen = generator(seed, "crops of a page", page).permutation(len(group))[:most]
        kept += [group[index] for index in sorted(chosen)]
    return kept


def _prepare(source: shards.Shard, interval: Interval) -> Prepared | str:
    """Cut one text crop out of its stripe and prepare it, or return the reason if it has no ink."""
    start, height, width = (int(source[n][interval.row]) for n in ("offset", "height", "width"))
    stripe = source["pixels"][start : start + height * width].reshape(height, width)
    pixels = stripe[:, interval.left : interval.left + interval.width]
    try:
        # As published, the ink of text is separated at the threshold of the blurred image.
        return prepare(pixels, interval.canvas, threshold="blurred")
    except FkdError as error:
        return str(error)
