"""A page with its stripes and cuts, and some of its text crops on their canvases."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.patches import Rectangle

from fkd.figures.cuts import Stripe, choose_crops, file_of, find_stripes, most_cut
from fkd.figures.style import BLACK, BLUE, DPI, GRAY, RED, WIDTH, figure, save, styled
from fkd.images import read_gray
from fkd.preprocess import INPUT, SIZE
from fkd.storage import shards
from fkd.text.crops import Piece
from fkd.text.lines import Line, find_lines

SHOWN = 4
"""Crops of the page that are shown on their canvases."""

TINTS = ((0.80, 0.89, 0.97), (1.00, 0.91, 0.74))
"""Red, green and blue of the bands, from 0 to 1; where two overlap, both show."""

HIGHEST = 5.0
"""Inches of the figure's height that the page may take."""

ROWS = {"cut out": 0.45, "on its canvas": 1.3, "{} × {}".format(*SIZE): 1.25}
"""What is shown of each crop, and inches for it."""


class Crop(NamedTuple):
    """A text crop, beside where it comes from.

    Attributes
    ----------
    stripe : Stripe
        Out of which it was cut.
    piece : Piece
        Where, and what was drawn for it.
    image : ndarray of uint8, shape (170, 242)
        As :func:`fkd.text.crops.make_crops` wrote it, ink bright on black.
    """

    stripe: Stripe
    piece: Piece
    image: np.ndarray


def figure_page(
    *,
    pages: Path,
    stripes: list[Path],
    crops: list[Path],
    svg: Path,
    png: Path,
    max_pixels: int = 200_000_000,
) -> None:
    """Draw a page with its stripes and cuts, and some of its crops on their canvases.

    The page is the first of those of which most crops were made.

    Parameters
    ----------
    pages : Path
        List written by :func:`fkd.text.pages.list_pages`.
    stripes : list of Path
        Shards of kind "stripes".
    crops : list of Path
        Shards of kind "crops", one for each of `stripes`, in the same order.
    svg : Path
        The figure.
    png : Path
        The same figure.
    max_pixels : int, optional
        A larger page is not read.

    Raises
    ------
    FkdError
        Where there is no crop at all, or the page is missing or not the one that
        was cut into stripes.
    """
    page, shard = most_cut(crops)
    lines = find_lines(read_gray(file_of(pages, page), max_pixels))
    source = shards.read(crops[shard], "crops", ["page", "line", "crop", "canvas"])
    cut = find_stripes(page, lines, stripes[shard], source.attributes)
    shown = {}
    with shards.opened(crops[shard], "crops", ["image"]) as reader:
        rows = choose_crops(source, page, SHOWN)
        for name, row in zip(ascii_uppercase, rows, strict=False):
            stripe = cut[source["line"][row]]
            piece = stripe.pieces[source["crop"][row]]
            shown[name] = Crop(stripe, piece, reader.rows("image", int(row)))
    with styled():
        left, right, bottom, top = _box(cut)
        high = min(HIGHEST, WIDTH * (bottom - top) / (right - left))
        height = sum(ROWS.values()) + 0.6  # and their titles
        drawing = figure(height=high + height)
        above, below = drawing.subfigures(2, height_ratios=(high, height))
        _draw_cuts(above.subplots(), lines, cut, shown)
        _draw_crops(below, shown)
        save(drawing, svg, png)


def _box(cut: Sequence[Stripe]) -> tuple[int, int, int, int]:
    """Left, right, bottom and top of the stripes on the page."""
    left, right = min(s.columns[0] for s in cut), max(s.columns[-1] for s in cut)
    return left, right + 1, max(s.bottom for s in cut), min(s.top for s in cut)


def join(lines: Sequence[Line], cut: Sequence[Stripe]) -> np.ndarray:
    """Lay all lines on one page, each seen through the others' paper, and tint what was cut.

    Parameters
    ----------
    lines : sequence of Line
        All lines of the page.
    cut : sequence of Stripe
        Those that were kept.

    Returns
    -------
    ndarray of float32, shape (rows, width, 3)
        From 0 to 1, most of the paper white.
    """
    bottom = max(line.top + len(line.pixels) for line in lines)
    page = np.full((bottom, lines[0].pixels.shape[1]), 255, np.uint8)
    for line in lines:
        band = page[line.top : line.top + len(line.pixels)]
        np.minimum(band, line.pixels, out=band)
    colors = np.minimum(page / np.float32(np.median(page)), 1)[..., None].repeat(3, axis=2)
    for index, stripe in enumerate(cut):
        if cuts := stripe.cuts():
            colors[stripe.top : stripe.bottom, cuts[0] : cuts[-1]] *= np.float32(TINTS[index % 2])
    return colors


def _draw_cuts(
    axis: Axes, lines: Sequence[Line], cut: Sequence[Stripe], shown: Mapping[str, Crop]
) -> None:
    """Draw the page, the cuts, and a frame around each crop that is shown."""
    _draw_image(axis, join(lines, cut))
    for stripe in cut:
        axis.vlines(stripe.cuts(), stripe.top, stripe.bottom, BLUE, linewidth=0.9)
    for name, (stripe, piece, _) in shown.items():
        start, end = stripe.ends(piece)
        _frame(axis, (start, end, stripe.bottom, stripe.top), color=RED, linewidth=1.8)
        axis.annotate(
            name,
            (start, stripe.top),
            xytext=(2, -2),
            textcoords="offset points",
            va="top",
            color="white",
            weight="bold",
            bbox={"facecolor": RED, "edgecolor": "none", "boxstyle": "square,pad=0.15"},
        )
    left, right, bottom, top = _box(cut)
    margin = 0.005 * (right - left)
    axis.set(xlim=(left - margin, right + margin), ylim=(bottom + margin, top - margin))


def _draw_crops(drawing: SubFigure, shown: Mapping[str, Crop]) -> None:
    """Draw a column for each crop: cut out, on its canvas, and shrunk; a row has one scale."""
    axes = drawing.subplots(len(ROWS), len(shown), squeeze=False, height_ratios=list(ROWS.values()))
    images = []
    for name, (stripe, piece, image), column in zip(shown, shown.values(), axes.T, strict=True):
        paper = np.median(stripe.pixels)
        on_canvas, image = (1 - ink / max(1, ink.max()) for ink in (stripe.on_canvas(piece), image))
        images.append((np.minimum(stripe.cut_out(piece) / paper, 1), on_canvas, image))
        column[0].set_title(f"{name}: ratio {piece.ratio:.2f}")
        column[1].set_title("{} × {}".format(*piece.canvas))
        top, left = ((full - seen) / 2 for full, seen in zip(SIZE, INPUT, strict=True))
        center = (left, left + INPUT[1], top + INPUT[0], top)
        _frame(column[2], center, color=GRAY, linewidth=0.8, linestyle=(0, (4, 3)))
    for name, row, of_row in zip(ROWS, axes, zip(*images, strict=True), strict=True):
        row[0].set_ylabel(name)
        high, wide = np.max([image.shape for image in of_row], axis=0)
        for axis, image in zip(row, of_row, strict=True):
            rows, columns = image.shape
            _draw_image(axis, image)
            _frame(axis, (0, columns, rows, 0), color=BLACK, linewidth=0.8)
            axis.set(xlim=((columns - wide) / 2, (columns + wide) / 2))
            axis.set(ylim=((rows + high) / 2, (rows - high) / 2))
    drawing.align_ylabels(axes[:, 0])


def _draw_image(axis: Axes, image: np.ndarray) -> None:
    """Draw gray or colors from 0 to 1, in pixels, without ticks."""
    rows, columns = image.shape[:2]
    scale = min(1, WIDTH * DPI / columns)  # no more pixels than are printed
    size = (round(scale * columns), round(scale * rows))
    small = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    axis.imshow(small.clip(0, 1), extent=(0, columns, rows, 0), vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.grid(visible=False)


def _frame(axis: Axes, box: tuple[float, float, float, float], **look: Any) -> None:
    """Draw a frame, given by left, right, bottom and top, over all else."""
    left, right, bottom, top = box
    size = (right - left, bottom - top)
    axis.add_patch(Rectangle((left, top), *size, fill=False, zorder=3, clip_on=False, **look))
