"""The rules of ruled and squared paper, which are found on a page and taken out of it.

A rule is a thin and almost straight line across the page. Ruled paper has several at equal
distances, in one direction or in both. A page without such rules is returned as it is. So is a
form, whose few horizontal rules separate the handwriting from what is printed; see
:func:`fkd.text.lines.find_lines`.

Rules are found on a small copy of the page, as rows that are darker than the rows above and below
over most of the width. Each is then followed on the full page, and its pixels become paper, except
where a stroke crosses it.
"""

import cv2
import numpy as np
from scipy import ndimage, signal

from fkd.preprocess import otsu
from fkd.text.lines import MAX_SLOPE, SMALL_WIDTH, cheapest_paths, paper_around

REACH = 3
"""Pixels of the small copy: a rule is darker than what is so far above and below it."""

MIN_DROP = 4
"""Gray levels by which it is darker."""

MIN_SHARE = 0.5
"""The share of the page's width over which it is darker. Rows of IAM's handwriting reach 0.45."""

MIN_SHARE_BETWEEN = 0.25
"""The same for a rule that is missing between others, because writing may cover it."""

MIN_RULES = 4
"""Ruled paper has as many horizontal rules, or more."""

MIN_ON_PAGE = 0.05
"""The share of the width over which a rule must be on the page to be noticed."""

UNEVEN = 1.5
"""Pixels of the small copy by which a rule may differ from equal distances."""

STRAYING = 3
"""Pixels of the small copy by which a rule may depart from a straight line."""

FAINT = 2
"""Gray levels: a rule ends where it is at most this much darker than the paper."""

MIN_APART = 16
"""Gray levels by which ink is darker than rules if gray levels distinguish the two."""


def without_rules(page: np.ndarray) -> np.ndarray:
    """Take the rules of ruled or squared paper out of a page.

    Parameters
    ----------
    page : ndarray of uint8, shape (height, width)
        Dark ink on light paper.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        The page with paper in place of its rules, or `page` itself if it has none.
    """
    step = max(1, round(page.shape[1] / SMALL_WIDTH))
    cleaned = _without_horizontal(page, step, MIN_RULES)
    # A single vertical rule is the margin of ruled paper.
    turned = np.ascontiguousarray(cleaned.T)
    without = _without_horizontal(turned, step, 1)
    return cleaned if without is turned else np.ascontiguousarray(without.T)


def _without_horizontal(page: np.ndarray, step: int, least: int) -> np.ndarray:
    """Take out the horizontal rules of a page if it has `least` or more."""
    small = cv2.resize(
        page,
        tuple(max(1, round(side / step)) for side in page.shape[::-1]),
        interpolation=cv2.INTER_AREA,
    )
    slope, rows = _find(small, least)
    if not len(rows):
        return page
    paper = cv2.resize(paper_around(small), page.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return _take_out(page, paper, _follow(page, step, slope, rows), REACH * step)


def _drop(image: np.ndarray, reach: int) -> np.ndarray:
    """Compute by how much pixels are darker than those `reach` rows above and below them."""
    # At the edge of the page, both are the rows on the inner side.
    padded = np.pad(image.astype(np.int16), ((reach, reach), (0, 0)), mode="reflect")
    return np.minimum(padded[: -2 * reach], padded[2 * reach :]) - image


def _find(small: np.ndarray, least: int) -> tuple[float, np.ndarray]:
    """Find the slope of the rules on the small copy, and their rows in the middle column."""
    height, width = small.shape
    rows, columns = np.nonzero(_drop(small, REACH) >= MIN_DROP)
    columns = columns - width / 2  # slopes turn about the middle column
    margin = int(MAX_SLOPE * width / 2) + 1  # keeps the sheared rows positive

    def shares(slope: float) -> np.ndarray:
        sheared = (rows - slope * columns + margin + 0.5).astype(np.int32)
        return np.bincount(sheared, minlength=height + 2 * margin + 1) / width

    # A step moves the ends of a rule by a third of a row.
    slopes = np.arange(-MAX_SLOPE, MAX_SLOPE, 0.6 / width)
    slope = float(max(slopes, key=lambda slope: _sharpness(shares(slope))))
    profile = shares(slope)
    found, _ = signal.find_peaks(profile, height=MIN_SHARE, distance=REACH)
    if least > 1:
        # Of a row that leaves the page above or below, only a part can be a rule.
        course = np.arange(-margin, len(profile) - margin)[:, None]
        course = course + slope * (np.arange(width) - width / 2)
        on_page = ((course >= 0) & (course < height)).mean(axis=1)
        found = _at_equal_distances(found, profile / np.maximum(on_page, MIN_ON_PAGE))
    return slope, found - margin


def _sharpness(profile: np.ndarray) -> float:
    """Rate how well rules are level: the more of them fall into one row, the sharper."""
    return float((profile[profile >= MIN_SHARE] ** 2).sum())


def _at_equal_distances(rows: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Keep the rules at equal distances, and add missing ones between and next to them.

    The rules between others may be covered by writing. Those before the first and after the last
    may leave the page.
    """
    best = rows[:0]
    distance = np.median(np.diff(rows)) if len(rows) >= MIN_RULES else 1.0
    for first in rows:
        number = np.round((rows - first) / distance)
        # The median is a whole number of rows, so that errors add up over several distances.
        near = np.abs(rows - first - number * distance) <= UNEVEN + 0.5 * np.abs(number)
        if near.sum() < max(MIN_RULES, len(best) + 1):
            continue
        exact, start = np.polyfit(number[near], rows[near], 1)
        near &= np.abs(rows - start - number * exact) <= UNEVEN
        if near.sum() < max(MIN_RULES, len(best) + 1):
            continue
        lowest, highest = number[near].min(), number[near].max()
        others = np.setdiff1d(np.arange(lowest - 1, highest + 2), number[near])
        places = np.clip(np.round(start + exact * others).astype(int), 1, len(profile) - 2)
        around = places[:, None] + np.arange(-1, 2)
        places = around[np.arange(len(places)), profile[around].argmax(axis=1)]
        between = (others >= lowest) & (others <= highest)
        missing = profile[places] >= np.where(between, MIN_SHARE_BETWEEN, MIN_SHARE)
        best = np.unique(np.concatenate([rows[near], places[missing]]))
    return best


def _follow(page: np.ndarray, step: int, slope: float, rows: np.ndarray) -> np.ndarray:
    """Follow rules on the full page: their rows in each column, shape (rules, width)."""
    height, width = page.shape
    # Columns of the small copy, but rows of the page.
    columns = max(1, round(width / step))
    tall = cv2.resize(page, (columns, height), interpolation=cv2.INTER_AREA)
    # Blurred, so that a rule is darkest in its middle.
    drop = ndimage.gaussian_filter1d(_drop(tall, REACH * step).astype(float), step / 2, axis=0)
    across = np.arange(columns)
    straight = ((rows[:, None] + 0.5 + slope * (across - columns / 2)) * step).astype(int)
    offsets = np.arange(-STRAYING * step, STRAYING * step + 1)
    rows_around = straight.T[:, :, None] + offsets  # (columns, rules, rows)
    places = np.clip(rows_around, 0, height - 1)
    on_page = places == rows_around
    drops = np.where(on_page, drop[places, across[:, None, None]], 0)
    usual = max(MIN_DROP, np.median(drops.max(axis=2)))
    cost = 1 - np.clip(drops / usual, 0, 1)
    # Where there is more ink than a rule's, as along a word, the rule goes straight on.
    levels = tall[places, across[:, None, None]].astype(int)
    dark = (on_page & (levels.max(axis=2, keepdims=True) - levels > usual / 2)).sum(axis=2)
    cost[dark > 1.5 * np.median(dark) + 1] = 1
    cost += 0.001 * np.abs(offsets)
    paths = straight + offsets[0] + cheapest_paths(cost)
    between = (np.arange(width) + 0.5) * columns / width - 0.5
    return np.stack([np.rint(np.interp(between, across, path)) for path in paths]).astype(np.int32)


def _take_out(page: np.ndarray, paper: np.ndarray, paths: np.ndarray, reach: int) -> np.ndarray:
    """Replace rules by paper, except where strokes cross them."""
    height, width = page.shape
    columns = np.arange(width)
    contrast = paper.astype(np.int16) - page
    offsets = np.arange(-reach, reach + 1, dtype=np.int32)
    # By how much pixels are darker than paper, by their distance from a rule's path.
    rows = paths + offsets[:, None, None]  # (offsets, rules, width)
    on_page = (rows >= 0) & (rows < height)
    around = np.where(on_page, contrast[np.clip(rows, 0, height - 1), columns], 0)
    usual = np.median(around.reshape(len(offsets), -1), axis=1)
    middle = reach - 2 + int(np.argmax(usual[reach - 2 : reach + 3]))
    spread = np.median(np.abs(around[middle] - usual[middle]))
    # What is clearly darker than the rule, here and in the next rows, is ink.
    rule = ndimage.maximum_filter1d(usual, 3)
    ink = _ink_contrast(contrast)
    stroke = around > ((rule + ink) / 2)[:, None, None]
    alike = np.flatnonzero(ink - rule <= max(6 * spread, MIN_APART))
    if len(alike):
        _bridge(stroke, max(alike[0], 1), min(alike[-1], len(offsets) - 2))
    cleaned = page.copy()
    within = _rows_of_rule(usual, middle)
    only_rule = on_page[within] & ~stroke[within]
    places = rows[within][only_rule], np.broadcast_to(columns, only_rule.shape)[only_rule]
    cleaned[places] = paper[places]
    return cleaned


def _rows_of_rule(usual: np.ndarray, middle: int) -> slice:
    """Find the rows around the middle of a rule where it is visible, and one more at each side."""
    faint = usual <= FAINT
    above, below = np.flatnonzero(faint[:middle]), middle + np.flatnonzero(faint[middle:])
    return slice(above[-1] if len(above) else 0, below[0] + 1 if len(below) else len(usual))


def _ink_contrast(contrast: np.ndarray) -> float:
    """Find by how many gray levels ink is darker than paper."""
    values = np.clip(contrast[::2, ::2], 0, 255).astype(np.uint8)
    dark = values[values > otsu(values)]
    darker = dark[dark > otsu(dark)] if len(dark) else dark  # without rules and edges of strokes
    return float(np.median(darker if len(darker) else dark)) if len(dark) else 255.0


def _bridge(stroke: np.ndarray, first: int, last: int) -> None:
    """In rows where ink and rule are alike, mark the straight ways from ink above to ink below."""
    over, under = stroke[first - 1], stroke[last + 1]
    rows = last - first + 2
    stroke[first : last + 1] = False
    for lean in range(-rows, rows + 1):
        both = over & np.roll(under, -lean, axis=-1)
        for at in range(first, last + 1):
            stroke[at] |= np.roll(both, round(lean * (at - first + 1) / rows), axis=-1)
