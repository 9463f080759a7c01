"""The effect of the response losses: a student's feature elements correlated with the teacher's."""

from pathlib import Path

import numpy as np
import torch

from fkd.errors import FkdError
from fkd.losses import standardize
from fkd.storage import shards
from fkd.study.models import in_order, label
from fkd.study.students import Student
from fkd.study.style import GREEN, PURPLE, figure, save, styled

ELEMENTS = 48
"""The largest number of feature elements that the images show."""

BINS = np.linspace(-1, 1, 41)
"""The edges of the histograms' bins."""

TWINS, COLLEAGUES = PURPLE, GREEN
"""The colors of Barlow Twins and Barlow Colleagues, as in the other figures."""


def figure_correlations(
    *, teacher: Path, features: list[Path], students: dict[str, Student], svg: Path, png: Path
) -> None:
    """Draw the correlation of some students' feature elements with the teacher's.

    Parameters
    ----------
    teacher : Path
        The teacher's shard of kind "features" for one set.
    features : list of Path
        Shards of some students for the same set, such as those that
        :func:`fkd.study.choices.compared` chooses.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure, with a column for each student. Above are the correlations of the first
        elements with the teacher's first elements; in the middle those with the teacher's
        elements with which each correlates most; below the histograms of both over all
        elements.
    png : Path
        The same figure.

    Raises
    ------
    FkdError
        Where there are no features, or the shards describe different signatures.
    """
    if not features:
        raise FkdError("There is no student to correlate with the teacher: give --features.")
    teacher_shard = shards.read(teacher, "features", ["feature", "writer", "forgery"])
    genuine = ~teacher_shard["forgery"].astype(bool)
    matrices = {}
    for path in features:
        shard = shards.read(path, "features", ["feature"])
        if shard.attributes["set"] != teacher_shard.attributes["set"] or any(
            shard.digests[name] != teacher_shard.digests[name] for name in ("writer", "forgery")
        ):
            raise FkdError(f"{path} describes other signatures than {teacher}.")
        matrices[shard.attributes["model"]] = correlations(
            shard["feature"][genuine], teacher_shard["feature"][genuine]
        )
    with styled():
        _draw({label(model, students): matrices[model] for model in in_order(matrices)}, svg, png)


def correlations(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Correlate each feature element of a student with each of the teacher, C = Z_s^T Z_t / B.

    Parameters
    ----------
    student, teacher : ndarray of float, (B, F_s) and (B, F_t)
        Features of the same images.

    Returns
    -------
    ndarray of float64, (F_s, F_t)
        The correlations, scaled as in the losses, which gives (B - 1) / B times Pearson's
        correlation. They are 0 if an element is the same for all images.
    """
    zs, zt = (standardize(torch.from_numpy(np.asarray(x, float))) for x in (student, teacher))
    return (zs.T @ zt / len(zs)).numpy()


def twins_and_colleagues(matrix: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Find the twin and the colleague of each of the student's elements among the teacher's.

    The twin of an element is the teacher's element of the same number, and its colleague the
    one with which it correlates most.

    Parameters
    ----------
    matrix : ndarray of float, (F_s, F_t)
        The result of :func:`correlations`.

    Returns
    -------
    twins : ndarray of float, (F_s,), or None
        The correlations C_ii with the twins; None if student and teacher have different
        numbers of elements, so that there are no twins.
    colleagues : ndarray of int, (F_s,)
        For each i the j of the largest C_ij.
    """
    twins = np.diag(matrix) if matrix.shape[0] == matrix.shape[1] else None
    return twins, matrix.argmax(axis=1)


def _draw(matrices: dict[str, np.ndarray], *paths: Path) -> None:
    """Draw a column for each matrix."""
    columns = len(matrices)
    side = min(6.0 / columns, 2.0)  # inches of an image
    drawing = figure(height=2 * side + 2.4, width=side * columns + 1.0)
    grid = drawing.subplots(3, columns, squeeze=False, sharey="row", height_ratios=[side, side, 1])
    for axes, (name, matrix) in zip(grid.T, matrices.items(), strict=True):
        count = min(ELEMENTS, *matrix.shape)
        twins, colleagues = twins_and_colleagues(matrix)
        axes[0].set_title(name)
        for axis, image in (
            (axes[0], matrix[:count, :count]),
            (axes[1], matrix[:count, colleagues[:count]]),
        ):
            edges = (0.5, count + 0.5, count + 0.5, 0.5)  # elements are numbered from 1
            drawn = axis.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1, extent=edges)
            axis.grid(False)
            axis.spines[:].set_visible(True)
            axis.set_xticks(_ticks(count))
            axis.set_yticks(_ticks(count))
        axes[0].set_xlabel("teacher's element")
        axes[1].set_xlabel("colleague of element")
        for name, values, color in (
            ("twins", twins, TWINS),
            ("colleagues", matrix.max(axis=1), COLLEAGUES),
        ):
            if values is not None:
                axes[2].hist(
                    values,
                    BINS,
                    weights=np.full(len(values), 100 / len(values)),
                    histtype="stepfilled",
                    facecolor=(color, 0.3),
                    edgecolor=color,
                    label=f"{name} {values.mean():.2f}",
                )
                axes[2].axvline(values.mean(), color=color, linestyle="--", linewidth=1)
        axes[2].set_xlabel("correlation")
        axes[2].set_xlim(-1, 1)
        axes[2].set_xticks([-0.5, 0, 0.5])
        axes[2].legend(
            loc="upper left",
            handlelength=1,
            borderaxespad=0,
            frameon=True,
            framealpha=1,
            edgecolor="none",
        )
    grid[2, 0].set_ylim(top=1.3 * grid[2, 0].get_ylim()[1])  # room for the legends
    for axis, text in zip(
        grid[:, 0], ("student's element", "student's element", "elements (%)"), strict=True
    ):
        axis.set_ylabel(text)
    drawing.colorbar(drawn, ax=grid[:2].ravel().tolist(), label="correlation", shrink=0.5, pad=0.01)
    save(drawing, *paths)


def _ticks(count: int) -> list[int]:
    """List the numbers of the first and the last element, and of some between them."""
    return [1, *range(16, count - 7, 16), count] if count > 1 else [1]
