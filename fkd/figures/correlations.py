"""The effect of the response losses: a student's feature elements correlated with the teacher's."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes

from fkd.errors import FkdError
from fkd.losses import standardize
from fkd.storage import shards
from fkd.study.models import in_order, label
from fkd.study.students import Student
from fkd.study.style import GRAY, GREEN, PURPLE, figure, save, styled

ELEMENTS = 48
"""The largest number of feature elements that the images show."""

BINS = np.linspace(-1, 1, 41)
"""The edges of the histograms' bins."""

COLORS = mpl.colormaps["RdBu_r"].with_extremes(bad=GRAY)
"""The colors of correlations, and of elements that correlate with nothing as they are constant."""

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
        elements. Elements that are constant, and thus correlate with nothing, are gray above
        and counted in the title, and are in no histogram.
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
    taught = teacher_shard["feature"][genuine]
    matrices, constant = {}, {}
    for path in features:
        shard = shards.read(path, "features", ["feature"])
        if shard.attributes["set"] != teacher_shard.attributes["set"] or any(
            shard.digests[name] != teacher_shard.digests[name] for name in ("writer", "forgery")
        ):
            raise FkdError(f"{path} describes other signatures than {teacher}.")
        name, learned = shard.attributes["model"], shard["feature"][genuine]
        matrices[name] = correlations(learned, taught)
        constant[name] = is_constant(learned), is_constant(taught)
    with styled():
        shown = {
            label(name, students): (matrices[name], *constant[name]) for name in in_order(matrices)
        }
        _draw(shown, svg, png)


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


def is_constant(features: np.ndarray) -> np.ndarray:
    """Whether each element of features (B, F) is the same for all images, as bool (F,)."""
    return np.ptp(features, axis=0) == 0


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


def _draw(shown: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], *paths: Path) -> None:
    """Draw a column for each matrix, given with the constant elements of student and teacher."""
    columns = len(shown)
    side = min(6.0 / columns, 2.0)  # inches of an image
    drawing = figure(height=2 * side + 2.9, width=side * columns + 1.0)
    grid = drawing.subplots(3, columns, squeeze=False, sharey="row", height_ratios=[side, side, 1])
    for axes, (name, (matrix, of_student, of_teacher)) in zip(grid.T, shown.items(), strict=True):
        count = min(ELEMENTS, *matrix.shape)
        twins, colleagues = twins_and_colleagues(matrix)
        axes[0].set_title(_title(name, of_student, of_teacher), fontsize=7)
        masked = np.ma.array(matrix, mask=of_student[:, None] | of_teacher)
        for axis, image in (
            (axes[0], masked[:count, :count]),
            (axes[1], masked[:count, colleagues[:count]]),
        ):
            edges = (0.5, count + 0.5, count + 0.5, 0.5)  # elements are numbered from 1
            drawn = axis.imshow(image, cmap=COLORS, vmin=-1, vmax=1, extent=edges)
            axis.grid(False)
            axis.spines[:].set_visible(True)
            axis.set_xticks(_ticks(count))
            axis.set_yticks(_ticks(count))
        axes[0].set_xlabel("teacher's element")
        axes[1].set_xlabel("colleague of element")
        if twins is not None:
            _draw_histogram(axes[2], "twins", twins[~of_student & ~of_teacher], len(twins), TWINS)
        largest = matrix.max(axis=1)
        _draw_histogram(axes[2], "colleagues", largest[~of_student], len(largest), COLLEAGUES)
        axes[2].set_xlabel("correlation")
        axes[2].set_xlim(-1, 1)
        axes[2].set_xticks([-0.5, 0, 0.5])
        # Above the bars, where it can hide none.
        axes[2].legend(
            loc="lower left", bbox_to_anchor=(0, 1), handlelength=1, borderaxespad=0, borderpad=0.2
        )
    for axis, text in zip(
        grid[:, 0], ("student's element", "student's element", "elements (%)"), strict=True
    ):
        axis.set_ylabel(text)
    drawing.colorbar(drawn, ax=grid[:2].ravel().tolist(), label="correlation", shrink=0.5, pad=0.01)
    save(drawing, *paths)


def _draw_histogram(axis: Axes, name: str, values: np.ndarray, count: int, color: str) -> None:
    """Draw how values are distributed, in percent of a number of elements, with their mean."""
    if not len(values):
        return
    mean = values.mean()
    axis.hist(
        values,
        BINS,
        weights=np.full(len(values), 100 / count),
        histtype="stepfilled",
        facecolor=(color, 0.3),
        edgecolor=color,
        label=f"{name} {round(mean, 2) + 0.0:.2f}",  # a sum with 0.0 is never minus zero
    )
    axis.axvline(mean, color=color, linestyle="--", linewidth=1)


def _title(name: str, of_student: np.ndarray, of_teacher: np.ndarray) -> str:
    """Name a student, and count the constant elements of the student and of the teacher."""
    if not of_student.any() and not of_teacher.any():
        return name
    return f"{name}\nconstant: {of_student.sum()}, the teacher's {of_teacher.sum()}"


def _ticks(count: int) -> list[int]:
    """List the numbers of the first and the last element, and of some between them."""
    return [1, *range(16, count - 7, 16), count] if count > 1 else [1]
