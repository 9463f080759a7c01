"""The hardest cases: the signatures that a model misjudges by the largest margins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import SubFigure

from fkd.errors import FkdError
from fkd.ranges import Count, checked
from fkd.storage import shards
from fkd.storage.files import printable
from fkd.study.style import FORGED, GENUINE, GRAY, WIDTH, figure, frame_image, save, styled
from fkd.verification.metrics import equal_error_threshold

ASPECT = 2
"""The ratio of width to height of the window that shows the signatures of a case."""

LEGIBLE = 24
"""The largest number of characters of a writer's name above a case."""

MARGIN = 2
"""The number of pixels around the ink in that window."""


@dataclass(frozen=True)
class Case:
    """A misjudged signature: a genuine one that was rejected, or a forgery that was accepted.

    Attributes
    ----------
    row : int
        The signature's row in the shard of the set.
    writer : str
        The writer's name in the set.
    split : int
        The number of the split, from 0.
    margin : float
        The score minus the equal error threshold of the writer in this split.
    references : tuple of int
        The rows of the writer's references in this split.
    """

    row: int
    writer: str
    split: int
    margin: float
    references: tuple[int, ...]


@checked
def figure_hardest(
    *,
    signatures: Path,
    scores: Path,
    svg: Path,
    png: Path,
    cases: Count = 6,
    references: Count = 3,
) -> None:
    """Draw the hardest cases of one model on one set.

    Parameters
    ----------
    signatures : Path
        Shard of kind "signatures": the set.
    scores : Path
        Shard of kind "scores": the model's scores of the set.
    svg : Path
        The figure: on the left the genuine signatures rejected by the largest margins, on the
        right the skilled forgeries accepted by the largest, each beside some references.
    png : Path
        The same figure.
    cases : int
        The number of cases on each side.
    references : int
        How many references to show beside each case.

    Raises
    ------
    FkdError
        Where the scores belong to other signatures.
    """
    names = ("split", "row", "writer", "forgery", "score")
    shard = shards.read(scores, "scores", [*names, "references"])
    with shards.opened(signatures, "signatures", ["image", "writer", "forgery"]) as images:
        columns = {name: images.rows(name) for name in ("writer", "forgery")}
        row = shard["row"]
        if row.max(initial=0) >= len(columns["writer"]) or any(
            (values[row] != shard[name]).any() for name, values in columns.items()
        ):
            raise FkdError(
                f"{scores}, {signatures}: the scores are not of these signatures. Evaluate them anew."
            )
        tested = pd.DataFrame({name: shard[name] for name in names})
        writers = shard.attributes["writers"]
        rejected, accepted = hardest(tested, writers, shard["references"], cases)
        pictures = {
            case: _cut([images.rows("image", r) for r in (case.row, *case.references[:references])])
            for case in rejected + accepted
        }
    rows = max(1, len(rejected), len(accepted))
    with styled():
        width = WIDTH / 2 / (1 + references)  # inches of an image
        drawing = figure(height=(width / ASPECT + 0.17) * rows + 0.3)
        left, right = drawing.subfigures(1, 2, wspace=0.03)
        for part, title, chosen, color in (
            (left, "genuine signatures rejected", rejected, GENUINE),
            (right, "skilled forgeries accepted", accepted, FORGED),
        ):
            part.suptitle(title, fontsize=8, color=color)
            _draw(part, {case: pictures[case] for case in chosen}, color, (rows, 1 + references))
        save(drawing, svg, png)


def hardest(
    tested: pd.DataFrame, writers: Sequence[str], references: np.ndarray, cases: int
) -> tuple[list[Case], list[Case]]:
    """Find the errors that lie furthest beyond the equal error threshold of their writer.

    Parameters
    ----------
    tested : DataFrame
        ``split``, ``row``, ``writer``, ``forgery`` and ``score`` of each tested signature.
    writers : sequence of str
        The writers of the set, in natural order.
    references : ndarray of int, (splits, writers, NREF)
        The rows of each writer's references in each split.
    cases : int
        The largest number of cases of each kind.

    Returns
    -------
    rejected, accepted : list of Case
        Genuine signatures below the threshold, and skilled forgeries at the threshold or
        above it, the largest errors first. Each signature is listed once, with the split
        of its largest error.
    """
    number = {name: place for place, name in enumerate(writers)}
    tested = tested.assign(
        writer=tested["writer"].map(number), forgery=tested["forgery"].astype(bool)
    )
    thresholds = tested.groupby(["split", "writer"])[["score", "forgery"]].apply(
        lambda rows: equal_error_threshold(
            rows["score"][~rows["forgery"]].to_numpy(), rows["score"][rows["forgery"]].to_numpy()
        )
    )
    keys = pd.MultiIndex.from_frame(tested[["split", "writer"]])
    tested["margin"] = tested["score"] - thresholds.loc[keys].to_numpy()

    def worst(rows: pd.DataFrame, ascending: bool) -> list[Case]:
        """Take the first cases by margin, each signature once."""
        rows = rows.sort_values("margin", ascending=ascending, kind="stable")
        return [
            Case(
                row=int(case.row),
                writer=str(writers[case.writer]),
                split=int(case.split),
                margin=float(case.margin),
                references=tuple(map(int, references[case.split, case.writer])),
            )
            for case in rows.drop_duplicates("row").head(cases).itertuples()
        ]

    genuine = tested[~tested["forgery"] & (tested["margin"] < 0)]
    skilled = tested[tested["forgery"] & (tested["margin"] >= 0)]
    return worst(genuine, True), worst(skilled, False)


def _cut(images: list[np.ndarray]) -> list[np.ndarray]:
    """Cut the images of a case to a common window around their ink, as dark ink on white."""
    ink = np.max(images, axis=0)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    height = max(np.ptp(rows) + 1, int(np.ceil((np.ptp(columns) + 1) / ASPECT))) + 2 * MARGIN
    shape = np.array([height, ASPECT * height], int)
    top, left = (shape - ink[box].shape) // 2
    cut = []
    for image in images:
        window = np.ones(shape)
        part = image[box]
        window[top : top + part.shape[0], left : left + part.shape[1]] -= part / ink.max()
        cut.append(window)
    return cut


def _draw(
    part: SubFigure, pictures: dict[Case, list[np.ndarray]], color: str, shape: tuple[int, int]
) -> None:
    """Draw a row for each case: the misjudged signature in a frame, then references."""
    grid = part.subplots(*shape, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    if not pictures:
        grid[0, 0].text(0, 0.5, "none", color=GRAY, va="center")
    for axes, (case, images) in zip(grid, pictures.items(), strict=False):
        for axis, image in zip(axes, images, strict=False):
            axis.imshow(image, vmin=0, vmax=1)
        axes[0].set_axis_on()
        frame_image(axes[0], color, linewidth=1.2)
        name = printable(case.writer)
        name = name if len(name) <= LEGIBLE else f"{name[: LEGIBLE - 1]}…"
        margin = f"{case.margin:+.2f}".replace("-", "−")
        title = f"writer {name}, split {case.split}: {margin}"
        axes[0].set_title(title, loc="left", fontsize=6, pad=2)
    if pictures:
        grid[0, -1].set_title("references", loc="right", fontsize=6, pad=2, color=GRAY)
