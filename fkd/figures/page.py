"""A page with its stripes, the places of its text crops, and some of the crops on their canvases."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.patches import Rectangle

from fkd.figures.cuts import Crop, Stripe, choose_crops, most_cut, read_cuts
from fkd.preprocess import INPUT, SIZE
from fkd.storage import shards
from fkd.study.style import BLACK, BLUE, DPI, GRAY, RED, WIDTH, figure, save, styled

SHOWN = 4
"""The number of crops that are shown on their canvases."""

TINTS = ((0.80, 0.89, 0.97), (1.00, 0.91, 0.74))
"""The tints of alternating stripes: red, green and blue from 0 to 1, multiplied in overlaps."""

HIGHEST = 5.0
"""The largest height of the page in the figure, in inches."""

ROWS = {"cut out": 0.45, "on its canvas": 1.3, "{} × {}".format(*SIZE): 1.25}
"""The images of each crop by their labels, with the heights of their rows in inches."""


def figure_page(
    *, stripes: list[Path], crops: list[Path], svg: Path, png: Path, seed: int = 0
) -> None:
    """Draw the page with the most crops: its stripes and cuts, and some crops on their canvases.

    Parameters
    ----------
    stripes : list of Path
        Shards of kind "stripes".
    crops : list of Path
        Shards of kind "crops", one for each of `stripes`, in the same order.
    svg : Path
        The figure.
    png : Path
        The same figure.
    seed : int
        The study's seed.

    Raises
    ------
    FkdError
        Where there is no crop at all, or the crops were cut from other stripes.
    """
    page, shard = most_cut(crops)
    lines, all_crops = read_cuts(page, stripes[shard], crops[shard])
    shown = dict(zip(ascii_uppercase, choose_crops(all_crops, page, seed, SHOWN), strict=False))
    with shards.opened(crops[shard], "crops", ["image"]) as reader:
        images = {name: reader.rows("image", crop.row) for name, crop in shown.items()}
    with styled():
        left, right, bottom, top = _box(lines)
        page_height = min(HIGHEST, WIDTH * (bottom - top) / (right - left))
        crops_height = sum(ROWS.values()) + 0.6  # with room for titles
        drawing = figure(height=page_height + crops_height)
        above, below = drawing.subfigures(2, height_ratios=(page_height, crops_height))
        _draw_cuts(above.subplots(), lines, all_crops, shown)
        _draw_crops(below, shown, images)
        save(drawing, svg, png)


def _box(lines: Sequence[Stripe]) -> tuple[int, int, int, int]:
    """Find left, right, bottom and top of the box around all stripes on the page."""
    left, right = min(s.columns[0] for s in lines), max(s.columns[-1] for s in lines)
    return left, right + 1, max(s.bottom for s in lines), min(s.top for s in lines)


def join(lines: Sequence[Stripe], crops: Sequence[Crop]) -> np.ndarray:
    """Put all stripes of a page together, and tint the intervals that became crops.

    Where stripes overlap, the darker pixel shows, so that none hides the ink of another.

    Parameters
    ----------
    lines : sequence of Stripe
        The stripes of the page.
    crops : sequence of Crop
        The crops that were cut from them.

    Returns
    -------
    ndarray of float32, shape (rows, columns, 3)
        Colors from 0 to 1. Paper of the median gray level or lighter is white.
    """
    _, right, bottom, _ = _box(lines)
    page = np.full((bottom, right), 255, np.uint8)
    for stripe in lines:
        band = page[stripe.top : stripe.bottom]
        band[:, stripe.columns] = np.minimum(band[:, stripe.columns], stripe.pixels)
    # Most pixels of a page are paper, so the median is its gray level.
    paper = np.float32(np.median(np.concatenate([stripe.pixels.ravel() for stripe in lines])))
    colors = np.minimum(page / paper, 1)[..., None].repeat(3, axis=2)
    for index, stripe in enumerate(lines):
        for crop in (crop for crop in crops if crop.stripe is stripe):
            colors[stripe.top : stripe.bottom, slice(*crop.ends)] *= np.float32(TINTS[index % 2])
    return colors


def _draw_cuts(
    axis: Axes, lines: Sequence[Stripe], crops: Sequence[Crop], shown: Mapping[str, Crop]
) -> None:
    """Draw the page, the cuts, and a frame around each crop that is shown below."""
    _draw_image(axis, join(lines, crops))
    for crop in crops:
        axis.vlines(crop.ends, crop.stripe.top, crop.stripe.bottom, BLUE, linewidth=0.9)
    for name, crop in shown.items():
        start, end = crop.ends
        _frame(axis, (start, end, crop.stripe.bottom, crop.stripe.top), color=RED, linewidth=1.8)
        axis.annotate(
            name,
            (start, crop.stripe.top),
            xytext=(2, -2),
            textcoords="offset points",
            va="top",
            color="white",
            weight="bold",
            bbox={"facecolor": RED, "edgecolor": "none", "boxstyle": "square,pad=0.15"},
        )
    left, right, bottom, top = _box(lines)
    margin = 0.005 * (right - left)
    axis.set(xlim=(left - margin, right + margin), ylim=(bottom + margin, top - margin))


def _draw_crops(
    drawing: SubFigure, shown: Mapping[str, Crop], prepared: Mapping[str, np.ndarray]
) -> None:
    """Draw a column for each crop: its interval, its canvas, and the prepared image.

    All images of a row have the same scale.
    """
    axes = drawing.subplots(len(ROWS), len(shown), squeeze=False, height_ratios=list(ROWS.values()))
    images = []
    for (name, crop), column in zip(shown.items(), axes.T, strict=True):
        paper = np.median(crop.stripe.pixels)
        inks = (crop.on_canvas(), prepared[name])
        on_canvas, image = (1 - ink / max(1, ink.max()) for ink in inks)
        images.append((np.minimum(crop.cut_out() / paper, 1), on_canvas, image))
        column[0].set_title(f"{name}: ratio {crop.ratio:.2f}")
        column[1].set_title("{} × {}".format(*crop.canvas))
        # The part that networks see.
        top, left = ((full - part) / 2 for full, part in zip(SIZE, INPUT, strict=True))
        center = (left, left + INPUT[1], top + INPUT[0], top)
        _frame(column[2], center, color=GRAY, linewidth=0.8, linestyle=(0, (4, 3)))
    for name, row, row_images in zip(ROWS, axes, zip(*images, strict=True), strict=True):
        row[0].set_ylabel(name)
        # Axes of the same size and limits give all images of the row the same scale.
        high, wide = np.max([image.shape for image in row_images], axis=0)
        for axis, image in zip(row, row_images, strict=True):
            rows, columns = image.shape
            _draw_image(axis, image)
            _frame(axis, (0, columns, rows, 0), color=BLACK, linewidth=0.8)
            axis.set(xlim=((columns - wide) / 2, (columns + wide) / 2))
            axis.set(ylim=((rows + high) / 2, (rows - high) / 2))
    drawing.align_ylabels(axes[:, 0])


def _draw_image(axis: Axes, image: np.ndarray) -> None:
    """Draw an image of grays or colors from 0 to 1, with pixels as units and without ticks."""
    rows, columns = image.shape[:2]
    scale = min(1, WIDTH * DPI / columns)  # more pixels than the figure has are not needed
    size = (round(scale * columns), round(scale * rows))
    small = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    axis.imshow(small.clip(0, 1), extent=(0, columns, rows, 0), vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.grid(visible=False)


def _frame(axis: Axes, box: tuple[float, float, float, float], **look: Any) -> None:
    """Draw a frame, given by left, right, bottom and top, above everything else."""
    left, right, bottom, top = box
    size = (right - left, bottom - top)
    axis.add_patch(Rectangle((left, top), *size, fill=False, zorder=3, clip_on=False, **look))
