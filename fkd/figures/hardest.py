"""The hardest cases: signatures that a model takes most surely for what they are not."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import SubFigure

from fkd.errors import FkdError
from fkd.figures.style import FORGED, GENUINE, GRAY, WIDTH, figure, save, styled
from fkd.storage import shards
from fkd.storage.files import natural_order
from fkd.verification.metrics import equal_error_threshold
from fkd.verification.protocol import splits_of

ASPECT = 2
"""Width / height of the window through which a case is seen."""

MARGIN = 2
"""Pixels around the ink."""


@dataclass(frozen=True)
class Case:
    """A signature that was taken for what it is not.

    Attributes
    ----------
    row : int
        Of the questioned signature, in the set.
    writer : int
        The writer's number from 1, writers in natural order.
    split : int
        From 0.
    margin : float
        Score less the writer's own equal error threshold in this split.
    references : tuple of int
        Rows of the writer's references in this split.
    """

    row: int
    writer: int
    split: int
    margin: float
    references: tuple[int, ...]


def figure_hardest(
    *,
    signatures: Path,
    scores: Path,
    svg: Path,
    png: Path,
    cases: int = 6,
    references: int = 3,
) -> None:
    """Draw the hardest cases of one model on one set.

    Parameters
    ----------
    signatures : Path
        Shard of kind "signatures": the set.
    scores : Path
        Shard of kind "scores": the model's scores of the set.
    svg : Path
        The figure: on the left the genuine signatures rejected most surely, on the right the
        skilled forgeries accepted most surely, each with some of its writer's references.
    png : Path
        The same figure.
    cases : int
        How many of each.
    references : int
        How many references to show beside each.

    Raises
    ------
    FkdError
        Where the scores are not of these signatures.
    """
    shard = shards.read(scores, "scores", ["split", "row", "forgery", "score"])
    protocol = shard.attributes["protocol"]
    names = ("split", "row", "forgery", "score")
    with shards.opened(signatures, "signatures", ["image", "writer", "forgery"]) as images:
        tested = pd.DataFrame({name: shard[name] for name in names})
        writer, forgery = images.rows("writer"), images.rows("forgery")
        try:
            rejected, accepted = hardest(tested, writer, forgery, protocol, cases)
        except FkdError as error:
            raise FkdError(f"{scores}, {signatures}: {error}") from None
        pictures = {
            case: _cut([images.rows("image", r) for r in (case.row, *case.references[:references])])
            for case in rejected + accepted
        }
    rows = max(1, len(rejected), len(accepted))
    with styled():
        width = WIDTH / 2 / (1 + references)  # inches of an image
        drawing = figure(height=(width / ASPECT + 0.17) * rows + 0.3)
        left, right = drawing.subfigures(1, 2, wspace=0.03)
        for part, title, found, color in (
            (left, "genuine signatures rejected", rejected, GENUINE),
            (right, "skilled forgeries accepted", accepted, FORGED),
        ):
            part.suptitle(title, fontsize=8, color=color)
            _draw(part, {case: pictures[case] for case in found}, color, (rows, 1 + references))
        save(drawing, svg, png)


def hardest(
    tested: pd.DataFrame, writer: np.ndarray, forgery: np.ndarray, protocol: dict, cases: int
) -> tuple[list[Case], list[Case]]:
    """Find the errors that lie furthest beyond the writer's own threshold.

    Parameters
    ----------
    tested : DataFrame
        ``split``, ``row``, ``forgery`` and ``score`` of each tested signature.
    writer : ndarray of str, (n,)
        The writer of each row of the set (of a forgery: the writer it imitates).
    forgery : ndarray of bool, (n,)
        True for skilled forgeries.
    protocol : dict
        Arguments of the evaluation, as they stand in the scores' attributes.
    cases : int
        How many of each at most.

    Returns
    -------
    rejected, accepted : list of Case
        Genuine signatures under the threshold and skilled forgeries at it or over, the
        surest first. A signature stands but once, with the split of its largest error.

    Raises
    ------
    FkdError
        Where the scores are not of these signatures.
    """
    names = sorted(set(writer), key=natural_order)
    number = {name: place for place, name in enumerate(names)}
    y = np.array([number[name] for name in writer])
    drawn = {key: value for key, value in protocol.items() if key not in ("C", "gamma")}
    splits = list(splits_of(y, forgery, **drawn))
    for split, rows in tested.groupby("split")["row"]:
        again = set(chain(splits[split].test.flat, splits[split].forged.flat))
        if set(rows) != again:
            raise FkdError(
                f"the scores of split {split} are not of these signatures. Evaluate them anew."
            )
    tested = tested.assign(writer=y[tested["row"]], forgery=tested["forgery"].astype(bool))
    own = tested.groupby(["split", "writer"])[["score", "forgery"]].apply(
        lambda rows: equal_error_threshold(
            rows["score"][~rows["forgery"]].to_numpy(), rows["score"][rows["forgery"]].to_numpy()
        )
    )
    threshold = own.loc[pd.MultiIndex.from_frame(tested[["split", "writer"]])].to_numpy()
    tested["margin"] = tested["score"] - threshold

    def worst(rows: pd.DataFrame, ascending: bool) -> list[Case]:
        rows = rows.sort_values("margin", ascending=ascending, kind="stable")
        return [
            Case(
                row=int(case.row),
                writer=int(case.writer) + 1,
                split=int(case.split),
                margin=float(case.margin),
                references=tuple(map(int, splits[case.split].train[case.writer])),
            )
            for case in rows.drop_duplicates("row").head(cases).itertuples()
        ]

    genuine = tested[~tested["forgery"] & (tested["margin"] < 0)]
    skilled = tested[tested["forgery"] & (tested["margin"] >= 0)]
    return worst(genuine, True), worst(skilled, False)


def _cut(images: list[np.ndarray]) -> list[np.ndarray]:
    """Cut a case's images to one window around the ink of all, as dark ink on white."""
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
    part: SubFigure, found: dict[Case, list[np.ndarray]], color: str, shape: tuple[int, int]
) -> None:
    """Draw a case a row: the questioned signature in a frame, then references."""
    grid = part.subplots(*shape, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    if not found:
        grid[0, 0].text(0, 0.5, "none", color=GRAY, va="center")
    for axes, (case, images) in zip(grid, found.items(), strict=False):
        for axis, image in zip(axes, images, strict=False):
            axis.imshow(image, vmin=0, vmax=1)
        axes[0].set_axis_on()
        axes[0].grid(False)
        axes[0].set(xticks=[], yticks=[])
        axes[0].spines[:].set(visible=True, color=color, linewidth=1.2)
        said = f"writer {case.writer}, split {case.split}: {case.margin:+.2f}".replace("-", "−")
        axes[0].set_title(said, loc="left", fontsize=6, pad=2)
    if found:
        grid[0, -1].set_title("references", loc="right", fontsize=6, pad=2, color=GRAY)
