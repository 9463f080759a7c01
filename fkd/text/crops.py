"""From stripes to text crops: images of handwriting that look like signatures.

A stripe is cut into neighboring intervals whose aspect ratios are drawn from the span of
the signature sets, and each is prepared like a signature, on a canvas drawn from those of
the sets.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fkd.errors import FkdError
from fkd.preprocess import SIZE, Prepared, prepare
from fkd.seeding import generator
from fkd.storage import shards
from fkd.storage.quarantine import Quarantine
from fkd.threads import side_by_side

_log = logging.getLogger(__name__)

CANVASES = ((952, 1360), (600, 850), (730, 1042), (1440, 1825))
"""Rows and columns of the canvases of GPDS, MCYT, CEDAR and UTSig."""

RATIOS = (1.6757, 2.7210)
"""Smallest and largest width / height of the signature sets (UTSig and CEDAR)."""


def make_crops(
    *,
    stripes: Path,
    out: Path,
    quarantine: Path,
    seed: int,
    canvases: Sequence[Sequence[int]] = CANVASES,
    ratios: Sequence[float] = RATIOS,
    ratio_per: str = "interval",
    max_per_page: int | None = None,
    threads: int | None = None,
) -> None:
    """Cut stripes into text crops and prepare each on a canvas of its own.

    Parameters
    ----------
    stripes : Path
        Shard written by :func:`fkd.text.stripes.segment_pages`.
    out : Path
        Shard of kind ``crops``, a row per crop: ``image`` (uint8, 170 x 242); ``writer``,
        ``page`` (str); ``line`` and ``crop`` (int32, from 0); ``ratio`` (float32); ``canvas``
        (int32, rows and columns); ``validation`` (bool). Where it was cut: ``stripe`` (int32),
        the row of its stripe in `stripes`, ``left`` and ``width`` (int32), columns of that
        stripe. The attributes name the writers of all shards, hold the settings, and say in
        ``oversized`` how many crops were larger than their canvas and cut to it.
    quarantine : Path
        CSV of the crops without ink.
    seed : int
        The study's seed.
    canvases : sequence of [int, int], optional
        Rows and columns of the canvases that are drawn from.
    ratios : [float, float], optional
        Span from which the ratios width / height are drawn evenly.
    ratio_per : {"interval", "stripe"}, optional
        Draw a ratio for every interval, or one for all intervals of a stripe.
    max_per_page : int, optional
        At most so many intervals of a page, chosen at random; all by default.
    threads : int, optional
        Intervals worked on at a time; by default one on each core.

    Raises
    ------
    FkdError
        Where `ratios` is no span of positive numbers, `ratio_per` is unknown or
        `canvases` is empty.
    """
    low, high = ratios
    if not 0 < low <= high < math.inf:
        raise FkdError(f"crops.ratios: {low} to {high} is no span of positive ratios.")
    if ratio_per not in ("interval", "stripe"):
        raise FkdError(f"crops.ratio_per: {ratio_per!r} is neither 'interval' nor 'stripe'.")
    if not canvases:
        raise FkdError("crops.canvases: name at least one canvas, as [rows, columns].")
    source = shards.read(stripes, "stripes")
    intervals = []
    for row in range(len(source["line"])):
        place = (source["page"][row], int(source["line"][row]))
        shape = (int(source["height"][row]), int(source["width"][row]))
        intervals += [
            Interval(row, index, *drawn)
            for index, drawn in enumerate(
                draw_intervals(shape, (low, high), ratio_per, canvases, (seed, "crop", *place))
            )
        ]
    if max_per_page is not None:
        intervals = _thin_out(intervals, source["page"], max_per_page, seed)
    aside = Quarantine()
    images, kept, oversized = [], [], 0
    for interval, found in zip(
        intervals, side_by_side(partial(_prepare, source), intervals, threads), strict=True
    ):
        if isinstance(found, str):
            page, line = source["page"][interval.row], source["line"][interval.row]
            aside.set_aside(f"{page} line {line} crop {interval.index}", found)
            continue
        images.append(found.image)
        kept.append(interval)
        oversized += found.is_cut
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


class Interval(NamedTuple):
    """One interval of a stripe: the stripe's row in its shard, and what was drawn."""

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
    """Cut a stripe from the left, as long as a whole interval is left.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the stripe, spaces removed.
    ratios, ratio_per, canvases
        See :func:`make_crops`.
    place : tuple
        The study's seed, "crop", page and line: where the draws come from.

    Yields
    ------
    left, width : int
        The columns.
    ratio : float
        As it was drawn.
    canvas : (int, int)
        Its rows and columns.
    """
    height, whole = shape
    left, ratio = 0, 0.0
    for index in count():
        draw = generator(*place, index)
        drawn = draw.uniform(*ratios)
        ratio = drawn if index == 0 or ratio_per == "interval" else ratio
        rows, columns = canvases[draw.integers(len(canvases))]
        width = max(1, round(height * ratio))
        if left + width > whole:
            return
        yield left, width, ratio, (int(rows), int(columns))
        left += width


def _thin_out(
    intervals: list[Interval], page_of: np.ndarray, most: int, seed: int
) -> list[Interval]:
    """Keep at most `most` intervals of a page, in their order."""
    of_page = defaultdict(list)
    for interval in intervals:
        of_page[page_of[interval.row]].append(interval)
    kept = []
    for page, group in of_page.items():
        chosen = generator(seed, "crops of a page", page).permutation(len(group))[:most]
        kept += [group[index] for index in sorted(chosen)]
    return kept


def _prepare(source: shards.Shard, interval: Interval) -> Prepared | str:
    """Cut one interval out of its stripe and normalize it; the reason where it has no ink."""
    start, height, width = (int(source[n][interval.row]) for n in ("offset", "height", "width"))
    stripe = source["pixels"][start : start + height * width].reshape(height, width)
    pixels = stripe[:, interval.left : interval.left + interval.width]
    try:
        return prepare(pixels, interval.canvas, threshold="blurred")
    except FkdError as error:
        return str(error)
