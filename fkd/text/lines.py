"""Lines of handwriting on a page: each one straight, whole, and without its neighbors.

The page is made level. Lines are the peaks in the profile of its rows, and neighboring
lines are separated by the path between them that crosses the least ink. Everything is
decided on a small copy of the page; only the cut is made on the full page. The paper's row
marks were never released, so this detector is the project's own.
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage, signal

from fkd.errors import FkdError
from fkd.preprocess import otsu

SMALL_WIDTH = 600
"""About how many columns the small copy has. At 300 dpi, four pixels become one."""

LARGEST_SMALL = 1 << 22
"""The most pixels of the small copy. An ordinary page has half a million, a strip of paper more."""

MIN_CONTRAST = 16
"""Gray levels by which ink must be darker than the paper around it."""

MIN_AREA = 4
"""Pixels of the small copy: connected spots with fewer are taken for grain, not for ink."""

MAX_SLOPE = 0.1
"""The steepest slope of lines that is corrected, about 6 degrees."""

RULE_SHARE = 0.5
"""A straight horizontal stroke over this share of the page's width is a printed rule."""


class Line(NamedTuple):
    """One line of a page.

    Attributes
    ----------
    top : int
        The row of the leveled page at which the band begins.
    pixels : ndarray of uint8, shape (rows, width)
        A band from the valley above the line to the valley below, or wider where the
        strokes of the line reach beyond. Strokes of neighboring lines are replaced by the
        paper around them.
    """

    top: int
    pixels: np.ndarray


def find_lines(page: np.ndarray) -> list[Line]:
    """Find the lines of a page of handwriting, from top to bottom.

    Where printed rules cross the page, as on forms with a printed header, only the
    tallest part between two rules (or a rule and the edge) is searched, since that is the
    room left for writing.

    Parameters
    ----------
    page : ndarray of uint8, shape (height, width)
        Dark ink on light paper, gray or of two levels, straight or slightly tilted.

    Returns
    -------
    list of Line
        The row at which each line begins, and its pixels.

    Raises
    ------
    FkdError
        Where no line is found, or the page is a strip many times as high as wide.
    """
    step = max(1, round(page.shape[1] / SMALL_WIDTH))
    height, width = (max(1, round(side / step)) for side in page.shape)
    if height * width > LARGEST_SMALL:
        # Lines are sought in arrays that take hundreds of times the memory of the small copy.
        raise FkdError(
            f"a strip of {page.shape[0]} x {page.shape[1]} pixels, no page. Cut it into pages."
        )
    small = cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA)
    paper = paper_around(small)
    ink = _ink_on(paper, small)
    if not ink.any():
        raise FkdError("blank: no ink on the page")
    slope = _slope(ink)
    white = int(np.median(paper))
    page, paper = _made_level(page, slope, white), _made_level(paper, slope, white)
    ink = _between_rules(_made_level(ink, slope, 0))
    centers, spacing = _centers(ink)
    if not len(centers):
        raise FkdError("no line of text on the page")
    seams = _seams(ink, centers, spacing)
    return [
        _cut(
            page,
            paper,
            step,
            seams[line : line + 2],
            _band(ink, seams[line : line + 2], center, spacing),
        )
        for line, center in enumerate(centers)
    ]


def paper_around(small: np.ndarray) -> np.ndarray:
    """Estimate the paper's gray around each pixel, under the ink too."""
    # Closing removes dark strokes narrower than its square. The median filter removes light
    # specks before, which closing would keep.
    size = 2 * (SMALL_WIDTH // 24) + 1
    lightest = cv2.morphologyEx(
        cv2.medianBlur(small, 3), cv2.MORPH_CLOSE, np.ones((size // 2, size // 2), np.uint8)
    )
    return cv2.blur(lightest, (size, size), borderType=cv2.BORDER_REPLICATE)


def _ink_on(paper: np.ndarray, small: np.ndarray) -> np.ndarray:
    """Mark with 1 the pixels that are darker than the paper around them, without grain."""
    contrast = cv2.subtract(paper, small)
    ink = (contrast > max(otsu(contrast), MIN_CONTRAST)).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    large = boxes[:, cv2.CC_STAT_AREA] >= MIN_AREA
    large[0] = False  # label 0 is the background
    return large.astype(np.uint8)[labels]


def _slope(ink: np.ndarray) -> float:
    """Find the slope of the lines: the one under which the row profile is sharpest."""
    rows, columns = np.nonzero(ink)
    columns = columns - ink.shape[1] / 2  # slopes turn about the middle column
    coarse, fine = np.linspace(-MAX_SLOPE, MAX_SLOPE, 41), np.linspace(-0.005, 0.005, 11)
    # Keeps the sheared rows positive, as bincount needs.
    margin = int((MAX_SLOPE + fine[-1]) * ink.shape[1] / 2) + 1

    # All rows together hold the same ink under any slope, so the sum of squares is largest
    # where few rows hold most of it.
    def sharpness(slope: float) -> float:
        profile = np.bincount((rows - slope * columns + margin).astype(int))
        return float((profile.astype(float) ** 2).sum())

    return float(max(max(coarse, key=sharpness) + fine, key=sharpness))


def _made_level(image: np.ndarray, slope: float, fill: int) -> np.ndarray:
    """Move each column up or down so that lines of `slope` become level."""
    # A shear about the middle column. Nearest pixels keep masks binary and gray levels pure.
    middle = image.shape[1] / 2
    shear = np.array([[1, 0, 0], [slope, 1, -slope * middle]])
    size = image.shape[::-1]
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, shear, size, flags=flags, borderValue=fill)


def _between_rules(ink: np.ndarray) -> np.ndarray:
    """Blank everything outside the tallest part between printed rules."""
    reach = int(RULE_SHARE * ink.shape[1])
    thick = cv2.dilate(ink, np.ones((3, 1), np.uint8))  # a rule may still lean by a row or two
    rule = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, reach), np.uint8))
    # Rows with a rule, and the edges of the page, which count as rules too.
    edges = np.flatnonzero(np.concatenate([[True], rule.any(axis=1), [True]]))
    tallest = np.argmax(np.diff(edges))
    inside = np.zeros_like(ink)
    rows = slice(edges[tallest], edges[tallest + 1] - 1)
    inside[rows] = ink[rows]
    return inside


def _line_spacing(profile: np.ndarray, ink: np.ndarray) -> float:
    """Find the distance between lines: the lag at which the row profile best matches itself.

    A page of one line has no such lag. Three times the height of its letters is taken instead.
    """
    _, _, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    heights = boxes[1:, cv2.CC_STAT_HEIGHT]  # box 0 is the background
    height = float(np.median(heights[heights > 2])) if (heights > 2).any() else 3.0
    varying = profile - profile.mean()
    likeness = signal.correlate(varying, varying)[len(profile) - 1 :]  # at lags 0, 1, 2, ...
    lags, _ = signal.find_peaks(likeness, height=0.05 * likeness[0])
    lags = lags[lags > height]
    if not len(lags):
        return 3 * height
    # The first good match: twice the distance between lines may match even better.
    return float(lags[likeness[lags] > 0.6 * likeness[lags].max()][0])


def _centers(ink: np.ndarray) -> tuple[np.ndarray, float]:
    """Find the row through the middle of each line, and the distance between lines."""
    profile = ndimage.gaussian_filter1d(ink.sum(axis=1).astype(float), 2, mode="constant")
    spacing = _line_spacing(profile, ink)
    smooth = ndimage.gaussian_filter1d(profile, spacing / 6, mode="constant")
    # The root raises a short last line above the required prominence. Padding lets a peak
    # stand at the edge.
    smooth = np.pad(np.sqrt(smooth), 1)
    peaks, _ = signal.find_peaks(
        smooth, distance=max(1, 0.5 * spacing), prominence=0.1 * smooth.max()
    )
    return peaks - 1, spacing


def _seams(ink: np.ndarray, centers: np.ndarray, spacing: float) -> np.ndarray:
    """Find the paths from left to right above, between and below the lines.

    Between two neighboring centers, the path is taken that crosses the least ink, keeps away
    from ink, and stays near the middle. Dynamic programming finds all paths at once. Above
    the first line and below the last one, another center is assumed at the usual distance.

    Parameters
    ----------
    ink : ndarray of uint8, shape (rows, columns)
        The small copy, 1 where there is ink.
    centers : ndarray of int, shape (lines,)
        The row through the middle of each line.
    spacing : float
        The distance between lines, rows.

    Returns
    -------
    ndarray of int, shape (lines + 1, columns)
        For each path and column, the first row below the path.
    """
    above = np.concatenate([[centers[0] - spacing], centers]).astype(int)
    below = np.concatenate([centers, [centers[-1] + spacing]]).astype(int)
    middle = (above + below) / 2
    rows = above[:, None] + np.arange((below - above).max() + 1)  # (paths, rows)
    outside = (rows > below[:, None]) | (rows < 0) | (rows >= len(ink))
    # Crossing ink costs most, then nearness to ink, then distance from the middle; leaving
    # the strip between two centers is ruled out.
    straying = ((rows - middle[:, None]) / spacing) ** 2
    near = 50.0 * ink + 10 * cv2.GaussianBlur(ink.astype(np.float32), (0, 0), 2)
    cost = np.ascontiguousarray(near.T)[:, np.clip(rows, 0, len(ink) - 1)]  # (columns, paths, rows)
    cost += straying
    cost[:, outside] = 1e6
    return np.clip(cheapest_paths(cost) + above[:, None], 0, len(ink))


def cheapest_paths(cost: np.ndarray) -> np.ndarray:
    """Find the paths from the first column to the last whose total cost is least.

    Parameters
    ----------
    cost : ndarray of float64, shape (columns, paths, rows)
        The cost of entering each place. A step up or down by one row costs 0.5 more.

    Returns
    -------
    ndarray of int, shape (paths, columns)
        The row of each path in each column.
    """
    columns, paths, rows = cost.shape
    totals = np.full((columns, paths, rows + 2), np.inf)
    # A row of infinity above and below makes the rows at the edges like all others.
    totals[0, :, 1:-1] = cost[0]
    # One column after another, for all paths and rows at once: the least cost to get there.
    for last, total, step_cost in zip(totals, totals[1:], cost[1:], strict=False):
        slanting = last + 0.5
        best = np.minimum(slanting[:, :-2], slanting[:, 2:])
        np.minimum(best, last[:, 1:-1], out=best)
        np.add(best, step_cost, out=total[:, 1:-1])
    level, up, down = totals[:-1, :, 1:-1], totals[:-1, :, :-2] + 0.5, totals[:-1, :, 2:] + 0.5
    # Then back from the cheapest end. Where costs tie, the level step is taken.
    came_from = np.where(up < level, np.int8(-1), np.int8(0))
    came_from[down < np.minimum(level, up)] = 1
    path = np.empty((columns, paths), int)
    path[-1] = totals[-1, :, 1:-1].argmin(axis=1)
    every = np.arange(paths)
    for column in range(columns - 1, 0, -1):
        path[column - 1] = path[column] + came_from[column - 1, every, path[column]]
    return path.T


def _band(ink: np.ndarray, seams: np.ndarray, center: int, spacing: float) -> tuple[int, int]:
    """Find the first row of a line, and the one after its last.

    The line reaches to the median rows of the paths around it, but at most 0.6 of the distance
    between lines away from its center, and further where its own ink does.
    """
    upper, lower = seams
    first, last = upper.min(), lower.max()
    row = np.arange(first, last)[:, None]
    inked = ink[first:last].astype(bool) & (row >= upper) & (row < lower)
    inked = first + np.flatnonzero(inked.any(axis=1))
    top = max(int(np.median(upper)), int(center - 0.6 * spacing), 0)
    bottom = min(int(np.median(lower)), int(center + 0.6 * spacing) + 1, len(ink))
    return (min(top, inked[0]), max(bottom, inked[-1] + 1)) if len(inked) else (top, bottom)


def _cut(
    page: np.ndarray, paper: np.ndarray, step: int, seams: np.ndarray, band: tuple[int, int]
) -> Line:
    """Cut a band out of the full page, and replace everything beyond its seams by paper."""
    top, bottom = band
    # `band`, `seams` and `paper` refer to the small copy, whose pixels are `step` pixels wide.
    stripe = page[top * step : bottom * step].copy()
    rows = top * step + np.arange(len(stripe), dtype=np.int32)
    small_rows = np.minimum(rows // step, len(paper) - 1)
    small_columns = np.minimum(np.arange(page.shape[1]) // step, paper.shape[1] - 1)
    upper, lower = (seams * step).astype(np.int32)[:, small_columns]
    others = (rows[:, None] < upper) | (rows[:, None] >= lower)
    blank = paper[small_rows].take(small_columns, axis=1)
    np.copyto(stripe, blank, where=others)
    return Line(top * step, stripe)
