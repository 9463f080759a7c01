"""The quality of a scan: what may be wrong with it, each with a code and a sentence.

Most of it a study knows too, which sets such images aside or counts them. A finding either refuses
the scan, or warns: then the scan is used, and whoever reads the answer sees why to doubt it.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from fkd.errors import FkdError
from fkd.preprocess import CANVAS, Ink, Levels, dark_pixels, find_ink
from fkd.resolution import TARGET
from fkd.signatures.plausibility import Bodies, halved, signs

Severity = Literal["refuse", "warn"]

CODES: dict[str, tuple[Severity, str]] = {
    "unreadable": ("refuse", "It cannot be read as an image."),
    "blank": ("refuse", "All of its pixels are equal: there is no signature on it."),
    "no_ink": ("refuse", "No ink is left when it is told from the paper. Scan it darker."),
    "inverted": (
        "refuse",
        "It is mostly dark: ink must be dark on light paper. Invert it.",
    ),
    "too_small": (
        "warn",
        "The signature is only {height} x {width} pixels large: scan it at {target} dpi.",
    ),
    "wrong_resolution": (
        "warn",
        "It states {found:g} dpi, and the verifier was measured on scans taken for {target} dpi: "
        "scan it again at {target} dpi.",
    ),
    "two_levels": (
        "warn",
        "It has two gray levels only, so nothing is left of the pressure: scan it in gray.",
    ),
    "cut_by_canvas": (
        "warn",
        "The signature is larger than the canvas of {rows} x {columns} pixels, and its ends are "
        "cut off. Check the resolution of the scan.",
    ),
    "ink_at_border": (
        "warn",
        "Ink touches the border: the signature may go on beyond it. Scan more of the paper.",
    ),
    "much_ink": (
        "warn",
        "More of it is ink than a signature has: a stamp, a shadow or a picture may be in it.",
    ),
    "several_bodies": (
        "warn",
        "There is more than one large piece of ink: cut out one signature.",
    ),
    "stray_ink": (
        "warn",
        "There is ink far from the signature, such as text, a stamp or a stroke: cut out the "
        "signature alone.",
    ),
    "ruled_line": (
        "warn",
        "A straight line runs across it, as on a form: have the signature above or without it.",
    ),
}
"""What is found, whether it refuses the scan, and the sentence that says what to do."""

LEAST_EXTENT = 60
"""Pixels: the least longer side of a signature, 5 mm at 300 dpi. In public sets, 225 and more."""

OF_SCREENS = (72, 96)
"""Dots per inch that programs state when they know none."""

RESOLUTIONS = (0.75, 1.33)
"""The least and the largest factor by which a stated resolution may differ from the usual one."""

STRAY_GAP, STRAY_SHARE = 0.1, 0.01
"""The gap between the signature and stray ink, as a share of the image's longer side, and the least
share of the ink. With these, 2 % of 270 scans of public sets have stray ink, all of them dots."""

LINE = 0.9
"""The share of the image's width or height across which a straight line runs. Strokes of public sets
run across up to 0.8 of images that are cut to the signature."""

_SIDE = 512  # pixels of the longer side on which lines are searched

_DARK = 60  # of 255: how much of a pixel of the smaller image is ink, at least


@dataclass(frozen=True)
class Finding:
    """What was found on a scan.

    Attributes
    ----------
    code : str
        A key of :data:`CODES`.
    severity : {"refuse", "warn"}
        Whether the scan cannot be used.
    sentence : str
        What it is, and what to do.
    """

    code: str
    severity: Severity
    sentence: str


def finding(code: str, reason: str = "", **values: float) -> Finding:
    """Make a finding, with the values that its sentence names, or with a reason in its place."""
    severity, sentence = CODES[code]
    return Finding(code, severity, reason or sentence.format(**values))


def examine(
    image: np.ndarray,
    canvas: tuple[int, int] = CANVAS,
    threshold: str = "image",
    resolution: float | None = None,
) -> list[Finding]:
    """Examine the scan of a signature.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Dark ink on light paper.
    canvas : (int, int)
        The rows and columns of the canvas on which the signature is placed.
    threshold : {"image", "blurred"}
        As for :func:`fkd.preprocess.normalize`.
    resolution : float, optional
        The dots per inch that the file states, if the scan is taken as it is.

    Returns
    -------
    list of Finding
        What was found, in the order of :data:`CODES`. A scan that is refused is examined no
        further.

    Examples
    --------
    A stroke with a second one far below.

    >>> import numpy as np
    >>> from fkd.service import examine
    >>> scan = np.tile(np.array([250, 244], np.uint8), (400, 200))
    >>> scan[40:48, 30:330] = scan[80:88, 60:300] = 10
    >>> [found.code for found in examine(scan)]
    []
    >>> scan[300:310, 200:230] = 10
    >>> [found.code for found in examine(scan)]
    ['stray_ink']
    """
    return examined(image, canvas, threshold, resolution)[0]


def examined(
    image: np.ndarray,
    canvas: tuple[int, int] = CANVAS,
    threshold: str = "image",
    resolution: float | None = None,
) -> tuple[list[Finding], Ink | None]:
    """Examine a scan as :func:`examine` does, and give the ink, unless the scan is refused."""
    levels = Levels(image)
    if len(levels.present) < 2:
        return [finding("blank")], None
    if levels.is_mostly_dark:
        return [finding("inverted")], None
    try:
        place = find_ink(image, threshold, levels)
    except FkdError:
        return [finding("no_ink")], None
    top, bottom, left, right = place.box
    height, width = int(bottom - top), int(right - left)
    found = []
    if max(height, width) < LEAST_EXTENT:
        found.append(finding("too_small", height=height, width=width, target=TARGET))
    if resolution is not None and _is_other(resolution):
        found.append(finding("wrong_resolution", found=resolution, target=TARGET))
    if len(levels.present) == 2:
        found.append(finding("two_levels"))
    if height > canvas[0] or width > canvas[1]:
        found.append(finding("cut_by_canvas", rows=canvas[0], columns=canvas[1]))
    ink = dark_pixels(image, levels)
    bodies = Bodies(ink)
    seen = signs(ink, bodies)
    found += [finding(code) for code in seen]
    share = np.sort(bodies.shares(STRAY_GAP))[:-1]
    if "several_bodies" not in seen and (share >= STRAY_SHARE).any():
        found.append(finding("stray_ink"))
    if _has_line(ink):
        found.append(finding("ruled_line"))
    order = list(CODES)
    return sorted(found, key=lambda one: order.index(one.code)), place


def _is_other(resolution: float) -> bool:
    """Tell whether a scan was made at another resolution than the usual one."""
    low, high = (factor * TARGET for factor in RESOLUTIONS)
    return round(resolution) not in OF_SCREENS and not low <= resolution <= high


def _has_line(ink: np.ndarray) -> bool:
    """Tell whether a straight line runs from side to side, even a slightly slanted one."""
    scale = min(1, _SIDE / max(ink.shape))
    size = tuple(max(1, round(side * scale)) for side in ink.shape[::-1])
    dark = cv2.resize(halved(ink, 2 * _SIDE), size, interpolation=cv2.INTER_LINEAR)
    small = (dark > _DARK).view(np.uint8)
    return _runs_across(small) or _runs_across(np.ascontiguousarray(small.T))


def _runs_across(dark: np.ndarray) -> bool:
    """Tell whether a straight line runs from left to right, even a slightly slanted one."""
    length = max(2, round(LINE * dark.shape[1]))
    if length > dark.shape[1]:
        return False
    thick = cv2.dilate(dark, np.ones((3, 1), np.uint8))
    # A run of this length covers the middle of its row, wherever it begins. Few rows are like that.
    rows = thick[thick[:, dark.shape[1] - length : length].all(axis=1)]
    if not len(rows):
        return False
    across = np.ones((1, length), np.uint8)
    return bool(cv2.erode(rows, across, borderType=cv2.BORDER_CONSTANT, borderValue=0).any())
