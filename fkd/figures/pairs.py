"""The pairs of which a Siamese network is surest, right and wrong, with their scores."""

from pathlib import Path

import numpy as np
from matplotlib.figure import SubFigure

from fkd.errors import FkdError
from fkd.images import resized
from fkd.pairs.parts import PARTS
from fkd.pairs.stored import Pairs, read_pairs
from fkd.preprocess import INPUT
from fkd.ranges import Count, checked
from fkd.storage import shards
from fkd.storage.files import printable
from fkd.study.style import FORGED, GENUINE, GRAY, WIDTH, figure, frame_image, save, styled

GROUPS = (
    ("genuine, accepted", False, True),
    ("forged, refused", True, False),
    ("genuine, refused", False, False),
    ("forged, accepted", True, True),
)
"""The groups of pairs: a title, whether there is a forgery, and whether the pair is accepted."""


@checked
def figure_pairs(*, pairs: Path, scores: Path, svg: Path, png: Path, cases: Count = 4) -> None:
    """Draw the test pairs of which a Siamese network is surest, right and wrong.

    Parameters
    ----------
    pairs : Path
        The shard of kind "pairs".
    scores : Path
        The shard of kind "pair_scores": the network's scores of these pairs.
    svg : Path
        The figure: for each group of :data:`GROUPS` the pairs whose scores lie farthest from the
        threshold, with the distance from it above each.
    png : Path
        The same figure.
    cases : int
        The number of pairs of each group.

    Raises
    ------
    FkdError
        If the scores belong to other pairs.
    """
    listed = read_pairs(pairs)
    shard = shards.read(scores, "pair_scores", ["row", "forged", "part", "score"])
    if shard.attributes["content"] != listed.digest:
        raise FkdError(f"{scores}: scores of other pairs than {pairs}. Evaluate them anew.")
    images = listed.images(INPUT)
    chosen = surest(shard["score"] - shard.attributes["threshold"], shard, cases)
    with styled():
        drawing = figure(height=0.6 * cases * 2 + 0.5, width=WIDTH)
        for part, (title, forged, _), found in zip(
            drawing.subfigures(2, 2, wspace=0.03).flat, GROUPS, chosen, strict=True
        ):
            color = FORGED if forged else GENUINE
            part.suptitle(title, fontsize=8, color=color)
            _draw(part, listed, images, found, cases, color)
        save(drawing, svg, png)


def surest(margin: np.ndarray, shard: shards.Shard, cases: int) -> list[list[tuple[int, float]]]:
    """Choose the pairs farthest from the threshold.

    Parameters
    ----------
    margin : ndarray of float, (n,)
        The score of each pair minus the threshold.
    shard : Shard
        With ``row``, ``forged`` and ``part`` of each pair.
    cases : int
        The largest number of pairs of a group.

    Returns
    -------
    list of list of (int, float)
        For each of :data:`GROUPS`, the rows of pairs and their margins, the surest first.
    """
    is_test = shard["part"] == PARTS.index("test")
    groups = []
    for _, forged, accepted in GROUPS:
        inside = is_test & (shard["forged"].astype(bool) == forged) & ((margin >= 0) == accepted)
        rows = np.flatnonzero(inside)
        order = rows[np.argsort(-np.abs(margin[rows]), kind="stable")][:cases]
        groups.append([(int(shard["row"][at]), float(margin[at])) for at in order])
    return groups


def _draw(
    part: SubFigure,
    listed: Pairs,
    images: np.ndarray,
    found: list[tuple[int, float]],
    cases: int,
    color: str,
) -> None:
    """Draw the pairs of a group, each in a row."""
    grid = part.subplots(cases, 2, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    if not found:
        grid[0, 0].text(0, 0.5, "none", color=GRAY, va="center")
    for axes, (row, margin) in zip(grid, found, strict=False):
        for axis, end in zip(axes, (listed.first[row], listed.second[row]), strict=True):
            axis.imshow(255 - resized(images[end], INPUT), vmin=0, vmax=255, aspect="auto")
            axis.set_axis_on()
            frame_image(axis, color)
        writer = printable(listed.writer[listed.first[row]])
        title = f"writer {writer}: {margin:+.2f}".replace("-", "−")
        axes[0].set_title(title, loc="left", fontsize=6, pad=2)
