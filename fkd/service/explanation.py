"""Where a score comes from: how it changes as parts of the images are covered.

A window of paper slides over an image, and the model describes each covered copy (M. D. Zeiler and
R. Fergus, Visualizing and understanding convolutional networks, ECCV 2014). Nothing but the model's
ONNX file is needed. Where the score falls, what is covered speaks for a genuine signature; where it
rises, against it.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from fkd.preprocess import INPUT
from fkd.service.verifier import Verifier

CELLS = (6, 8)
"""The rows and columns of cells into which the box of the ink is divided. A window covers two by
two, so that there are at most 35 windows for each image."""

FOR, AGAINST = (0, 90, 200), (225, 100, 0)
"""The colors of what speaks for and against a genuine signature: blue and orange."""

STRONGEST = 0.75
"""How much of a pixel is color where the change is largest."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where the score of a questioned signature comes from.

    Attributes
    ----------
    score : float
        The score, as of :class:`~fkd.service.verifier.Judgment`.
    reference : int
        The number, from 0, of the reference that is most alike, and is shown.
    questioned_map, reference_map : ndarray of float64, (150, 220)
        By how much the score falls where the questioned signature or that reference is covered,
        as the mean over the windows that cover a pixel; 0 where there is only paper.
    """

    score: float
    reference: int
    questioned_map: np.ndarray
    reference_map: np.ndarray

    @property
    def largest(self) -> float:
        """The largest change in both maps, which has the full color."""
        return float(max(np.abs(self.questioned_map).max(), np.abs(self.reference_map).max()))


def explain(
    verifier: Verifier, references: list[np.ndarray], questioned: np.ndarray
) -> Explanation:
    """Explain the score of a questioned signature.

    Parameters
    ----------
    verifier : Verifier
        The verifier.
    references : list of ndarray of uint8, (150, 220)
        Prepared references.
    questioned : ndarray of uint8, (150, 220)
        The prepared questioned signature.

    Returns
    -------
    Explanation
        The maps. Windows without ink are not described: covering paper by paper changes nothing.
    """
    described = verifier.describe([*references, questioned])
    known, own = described[:-1], described[-1:]
    pairs = verifier.scores(known, own)[0]
    score, best = verifier.fused(pairs[None])[0], int(np.argmax(pairs))
    shown = references[best]
    windows, others = _windows(questioned), _windows(shown)
    covered = [_covered(questioned, window) for window in windows]
    covered += [_covered(shown, window) for window in others]
    features = verifier.describe(covered)
    of_questioned = verifier.fused(verifier.scores(known, features[: len(windows)]))
    changed = np.tile(pairs, (len(others), 1))
    changed[:, best] = verifier.scores(features[len(windows) :], own)[0]
    return Explanation(
        float(score),
        best,
        _map(windows, score - of_questioned),
        _map(others, score - verifier.fused(changed)),
    )


Window = tuple[slice, slice]


def _windows(image: np.ndarray) -> list[Window]:
    """List the windows over the box of the ink that hold some of it, from the top left."""
    edges = []
    for axis, cells in zip((1, 0), CELLS, strict=True):
        at = np.flatnonzero(image.any(axis=axis))
        # Each cell has a pixel at least, however small the ink is.
        first, last = (at[0], max(at[-1] + 1, at[0] + cells)) if len(at) else (0, cells)
        edges.append(np.linspace(first, last, cells + 1).round().astype(int))
    rows, columns = edges
    found = [
        (slice(rows[i], rows[i + 2]), slice(columns[j], columns[j + 2]))
        for i in range(CELLS[0] - 1)
        for j in range(CELLS[1] - 1)
    ]
    return [window for window in found if image[window].any()]


def _covered(image: np.ndarray, window: Window) -> np.ndarray:
    covered = image.copy()
    covered[window] = 0  # paper, in the input of networks
    return covered


def _map(windows: list[Window], falls: np.ndarray) -> np.ndarray:
    """Give each pixel the mean of the windows that cover it."""
    total, number = np.zeros(INPUT), np.zeros(INPUT)
    for window, fall in zip(windows, falls, strict=True):
        total[window] += fall
        number[window] += 1
    return total / np.maximum(number, 1)


def overlay(image: np.ndarray, change: np.ndarray, largest: float) -> Image.Image:
    """Lay a map over a prepared image.

    Parameters
    ----------
    image : ndarray of uint8, (150, 220)
        The prepared image, with bright ink on black.
    change : ndarray of float64, (150, 220)
        A map of :class:`Explanation`.
    largest : float
        The change that has the full color.

    Returns
    -------
    PIL.Image.Image
        Dark ink on white paper, in blue where it speaks for a genuine signature, and in orange
        where it speaks against one.
    """
    brightest = max(int(image.max()), 1)
    paper = 255 - image.astype(float) * (255 / brightest)
    strength = STRONGEST * np.abs(change) / (largest or 1)
    color = np.where(change[..., None] > 0, FOR, AGAINST)
    mixed = paper[..., None] * (1 - strength[..., None]) + color * strength[..., None]
    return Image.fromarray(mixed.round().astype(np.uint8))


def as_png(image: Image.Image) -> bytes:
    """Encode an image as PNG."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def picture(found: Explanation, questioned: np.ndarray, reference: np.ndarray) -> Image.Image:
    """Draw both prepared images, and both with their maps, in one picture.

    Parameters
    ----------
    found : Explanation
        The maps.
    questioned, reference : ndarray of uint8, (150, 220)
        The questioned signature, and the reference that is shown.

    Returns
    -------
    PIL.Image.Image
        Two rows, the questioned signature above, with what each panel is written over it.
    """
    height, width = INPUT
    line, gap = 16, 8
    drawn = Image.new("RGB", (2 * width + 3 * gap, 2 * (height + line) + 3 * gap), "white")
    pen = ImageDraw.Draw(drawn)
    nothing = np.zeros(INPUT)
    rows = (
        ("questioned", questioned, found.questioned_map),
        (f"reference {found.reference + 1}", reference, found.reference_map),
    )
    for row, (name, image, change) in enumerate(rows):
        top = gap + row * (height + line + gap)
        panels = ((name, nothing), ("blue: for genuine, orange: against", change))
        for column, (title, shown) in enumerate(panels):
            left = gap + column * (width + gap)
            pen.text((left, top), title, fill="black")
            drawn.paste(overlay(image, shown, found.largest), (left, top + line))
            box = (left - 1, top + line - 1, left + width, top + line + height)
            pen.rectangle(box, outline="gray")
    return drawn
