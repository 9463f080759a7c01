"""The distributions of a model's scores: genuine signatures, skilled and random forgeries."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from fkd.storage import shards
from fkd.study.models import label
from fkd.study.students import Student
from fkd.study.style import BLACK, FORGED, GENUINE, GRAY, figure, save, set_label, styled
from fkd.verification.bootstrap import WriterScores
from fkd.verification.judging import splits_by_writer
from fkd.verification.metrics import equal_error_threshold

BINS = 60
"""The number of bars across the axis of scores."""

KINDS = {"genuine": GENUINE, "skilled forgeries": FORGED, "random forgeries": GRAY}
"""The kinds of signatures with their colors."""


def figure_scores(
    *,
    scores: Path,
    students: dict[str, Student],
    svg: Path,
    png: Path,
    drawn: Collection[str] = (),
) -> None:
    """Draw how the scores of one model on one set are distributed.

    Parameters
    ----------
    scores : Path
        Shard of kind "scores".
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure: on the left the scores of all splits with the global threshold of equal errors,
        on the right each score less the threshold of its writer in its split.
    png : Path
        The same figure.
    drawn : collection of str, optional
        The sets that a program drew, which the figure then says.
    """
    names = ["split", "writer", "forgery", "score"]
    names += ["random_split", "random_writer", "random_score"]
    shard = shards.read(scores, "scores", names)
    forgery = shard["forgery"].astype(bool)
    genuine, skilled = shard["score"][~forgery], shard["score"][forgery]
    with styled():
        drawing = figure(height=2.6)
        left, right = drawing.subplots(1, 2)
        threshold = equal_error_threshold(genuine, skilled)
        _draw(left, (genuine, skilled, shard["random_score"]), threshold, "score")
        _draw(right, less_own_thresholds(shard), 0.0, "score less the writer's threshold")
        left.set_ylabel("density")
        left.legend(fontsize=6, handlelength=1)
        about = shard.attributes
        name, references = about["set"], about["protocol"]["references"]
        drawing.suptitle(
            f"{label(about['model'], students)}, {set_label(name, drawn)}, NREF {references}",
            fontsize=8,
        )
        save(drawing, svg, png)


def less_own_thresholds(shard: shards.Shard) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Subtract from each score the equal error threshold of its writer in its split.

    Parameters
    ----------
    shard : Shard
        Of kind "scores".

    Returns
    -------
    genuine, skilled, random : ndarray of float64, (n,), (m,) and (k,)
        The differences. Writers without forgeries have no threshold and are left out.
    """
    kinds: tuple[list, list, list] = ([], [], [])
    splits = zip(np.unique(shard["split"]), splits_by_writer(shard), strict=True)
    for number, split in splits:
        of_split = shard["random_split"] == number
        writer, score = shard["random_writer"][of_split], shard["random_score"][of_split]
        for at, threshold in enumerate(_own_thresholds(split)):
            if threshold is None:
                continue
            own = (*split.of_writer(at), score[writer == at])
            for kept, values in zip(kinds, own, strict=True):
                kept.append(values - threshold)
    return tuple(np.concatenate(kind) if kind else np.zeros(0) for kind in kinds)


def _own_thresholds(split: WriterScores) -> list[float | None]:
    """Find the equal error threshold of each writer; None where there are no forgeries."""
    own = (split.of_writer(writer) for writer in range(split.writers))
    return [
        equal_error_threshold(genuine, skilled) if len(genuine) and len(skilled) else None
        for genuine, skilled in own
    ]


def _draw(
    axis: Axes, kinds: tuple[np.ndarray, np.ndarray, np.ndarray], threshold: float, name: str
) -> None:
    """Draw the densities of three kinds of scores, and the threshold."""
    bins = np.histogram_bin_edges(np.concatenate(kinds), BINS)
    for (kind, color), values in zip(KINDS.items(), kinds, strict=True):
        axis.hist(values, bins, density=True, histtype="stepfilled", color=color, alpha=0.25)
        axis.hist(values, bins, density=True, histtype="step", color=color, label=kind)
    axis.axvline(threshold, color=BLACK, linewidth=0.8, linestyle=":", label="threshold")
    axis.set_xlabel(name)
    axis.set_yticks([])
    axis.grid(axis="y", visible=False)
