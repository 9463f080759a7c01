"""What the response losses do: how a student's feature elements correlate with the teacher's."""

from pathlib import Path

import numpy as np
import torch

from fkd.errors import FkdError
from fkd.figures.style import GREEN, PURPLE, figure, save, styled
from fkd.losses import standardize
from fkd.storage import shards
from fkd.study.naming import in_order, label
from fkd.study.students import Student

ELEMENTS = 48
"""How many feature elements the images show."""

BINS = np.linspace(-1, 1, 41)

TWINS, COLLEAGUES = PURPLE, GREEN


def figure_correlations(
    *, teacher: Path, features: list[Path], students: dict[str, dict], svg: Path, png: Path
) -> None:
    """Draw the correlation of some students' feature elements with the teacher's.

    Parameters
    ----------
    teacher : Path
        The teacher's shard of kind "features" for one set.
    features : list of Path
        Some students' shards for the same set, such as those of :func:`fkd.study.choices.compared`.
    students : dict of str to dict
        The students of the study, as :meth:`fkd.study.students.Student.to_dict` gives them.
    svg : Path
        The figure, a column a student: the first elements with the teacher's of the same
        numbers, then with the teacher's with which each correlates most, and how both
        correlations are distributed over all elements.
    png : Path
        The same figure.

    Raises
    ------
    FkdError
        Where there are no features, or not of the same signatures.
    """
    if not features:
        raise FkdError("There is no student to correlate with the teacher: give --features.")
    specs = {name: Student.from_dict(spec) for name, spec in students.items()}
    guide = shards.read(teacher, "features", ["feature", "writer", "forgery"])
    genuine = ~guide["forgery"].astype(bool)
    found = {}
    for path in features:
        shard = shards.read(path, "features", ["feature"])
        if shard.attributes["set"] != guide.attributes["set"] or any(
            shard.digests[name] != guide.digests[name] for name in ("writer", "forgery")
        ):
            raise FkdError(f"{path} describes other signatures than {teacher}.")
        found[shard.attributes["model"]] = correlations(
            shard["feature"][genuine], guide["feature"][genuine]
        )
    with styled():
        _draw({label(model, specs): found[model] for model in in_order(found)}, svg, png)


def correlations(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Correlate each feature element of a student with each of the teacher, C = Z_s^T Z_t / B.

    Parameters
    ----------
    student, teacher : ndarray of float, (B, F_s) and (B, F_t)
        Features of the same images.

    Returns
    -------
    ndarray of float64, (F_s, F_t)
        As in the losses, (B - 1) / B of Pearson's correlation; 0 where an element is the
        same for all images.
    """
    zs, zt = (standardize(torch.from_numpy(np.asarray(x, float))) for x in (student, teacher))
    return (zs.T @ zt / len(zs)).numpy()


def twins_and_colleagues(matrix: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Find each student's element with its twin, and with its colleague.

    Parameters
    ----------
    matrix : ndarray of float, (F_s, F_t)
        Of :func:`correlations`.

    Returns
    -------
    twins : ndarray of float, (F_s,), or None
        C_ii; None where the numbers of elements differ, so that there are no twins.
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
        shown = min(ELEMENTS, *matrix.shape)
        twins, colleagues = twins_and_colleagues(matrix)
        axes[0].set_title(name)
        for axis, image in (
            (axes[0], matrix[:shown, :shown]),
            (axes[1], matrix[:shown, colleagues[:shown]]),
        ):
            edges = (0.5, shown + 0.5, shown + 0.5, 0.5)
            drawn = axis.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1, extent=edges)
            axis.grid(False)
            axis.spines[:].set_visible(True)
            axis.set_xticks(_ticks(shown))
            axis.set_yticks(_ticks(shown))
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
    for axis, what in zip(
        grid[:, 0], ("student's element", "student's element", "elements (%)"), strict=True
    ):
        axis.set_ylabel(what)
    drawing.colorbar(drawn, ax=grid[:2].ravel().tolist(), label="correlation", shrink=0.5, pad=0.01)
    save(drawing, *paths)


def _ticks(shown: int) -> list[int]:
    """Number the first element and the last, and some between."""
    return [1, *range(16, shown - 7, 16), shown] if shown > 1 else [1]
