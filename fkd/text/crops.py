"""From stripes to text images: pieces of handwriting that look like signatures.

A line is cut into neighboring intervals whose aspect ratios are drawn from the span of
the signature sets, and each piece is prepared like a signature, on a canvas drawn
from those of the sets.
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
    """Cut stripes into text images and prepare each on a canvas of its own.

    Parameters
    ----------
    stripes : Path
        Shard written by :func:`fkd.text.pages.segment_pages`.
    out : Path
        Shard of kind ``crops``, a row per text image: image (uint8, 170 x 242), writer
        (int32, index into the attribute writers), page (str), line and crop (int32,
        from 0), ratio (float32), canvas (int32, rows and columns), validation (bool).
        The attributes also hold the settings, and in oversized how many pieces were
        larger than their canvas and cut to it.
    quarantine : Path
        CSV of the pieces without ink.
    seed : int
        Of the study.
    canvases : sequence of [int, int], optional
        Rows and columns of the canvases that are drawn from.
    ratios : [float, float], optional
        Span from which the ratios width / height are drawn evenly.
    ratio_per : {"interval", "stripe"}, optional
        Draw a ratio for every piece, or one for all pieces of a stripe.
    max_per_page : int, optional
        At most so many pieces of a page, chosen at random; all by default.
    threads : int, optional
        Pieces worked on at a time; by default one on each core.

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
    pieces = []
    for row in range(len(source["line"])):
        place = (source["page"][row], int(source["line"][row]))
        shape = (int(source["height"][row]), int(source["width"][row]))
        pieces += [
            Piece(row, index, *interval)
            for index, interval in enumerate(
                intervals(shape, (low, high), ratio_per, canvases, (seed, "crop", *place))
            )
        ]
    if max_per_page is not None:
        pieces = _thin_out(pieces, source["page"], max_per_page, seed)
    aside = Quarantine()
    images, kept, oversized = [], [], 0
    for piece, found in zip(
        pieces, side_by_side(partial(_prepare, source), pieces, threads), strict=True
    ):
        if isinstance(found, str):
            page, line = source["page"][piece.row], source["line"][piece.row]
            aside.set_aside(f"{page} line {line} crop {piece.index}", found)
            continue
        images.append(found.image)
        kept.append(piece)
        oversized += found.is_cut
    if oversized:
        _log.warning(
            "%d of %d crops are larger than their canvas and cut to it", oversized, len(kept)
        )
    rows = np.array([piece.row for piece in kept], int)
    shards.write(
        out,
        "crops",
        {
            "image": np.array(images, np.uint8).reshape(-1, *SIZE),
            "writer": source["writer"][rows],
            "page": source["page"][rows],
            "line": source["line"][rows],
            "crop": np.array([piece.index for piece in kept], np.int32),
            "ratio": np.array([piece.ratio for piece in kept], np.float32),
            "canvas": np.array([piece.canvas for piece in kept], np.int32).reshape(-1, 2),
            "validation": source["validation"][rows],
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


class Piece(NamedTuple):
    """One interval of a stripe: the stripe's row in its shard, and what was drawn."""

    row: int
    index: int
    left: int
    width: int
    ratio: float
    canvas: tuple[int, int]


def intervals(
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


def _thin_out(pieces: list[Piece], page_of: np.ndarray, most: int, seed: int) -> list[Piece]:
    """Keep at most `most` pieces of a page, in their order."""
    of_page = defaultdict(list)
    for piece in pieces:
        of_page[page_of[piece.row]].append(piece)
    kept = []
    for page, group in of_page.items():
        chosen = generator(seed, "crops of a page", page).permutation(len(group))[:most]
        kept += [group[index] for index in sorted(chosen)]
    return kept


def _prepare(source: shards.Shard, piece: Piece) -> Prepared | str:
    """Cut one piece out of its stripe and normalize it; the reason where it has no ink."""
    start, height, width = (int(source[n][piece.row]) for n in ("offset", "height", "width"))
    stripe = source["pixels"][start : start + height * width].reshape(height, width)
    pixels = stripe[:, piece.left : piece.left + piece.width]
    try:
        return prepare(pixels, piece.canvas, threshold="blurred")
    except FkdError as error:
        return str(error)
