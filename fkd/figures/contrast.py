"""The Neighborhood Affinity Contrast of a teacher's maps, and of its students'."""

from pathlib import Path
from textwrap import fill
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from torch import Tensor

from fkd.errors import FkdError
from fkd.figures.examples import describe_by_maps, genuine_signatures
from fkd.figures.style import GRAY, WIDTH, figure, save, styled
from fkd.graph import MAPS, RADIUS, Neighborhoods, nac, rooted_trees, vectors_of_map
from fkd.models import CONNECTIONS
from fkd.study.naming import label
from fkd.study.students import TEACHER, Student

COLORS = "magma_r"
"""Even to the eye and in print: the lightest is 0."""


class Contrasts(NamedTuple):
    """NAC under one map of the teacher, of all that is shown.

    Attributes
    ----------
    name : str
        The teacher's map.
    of : dict of str to ndarray, (B, H, W)
        NAC of the teacher and of each student, under the teacher's neighborhoods.
    """

    name: str
    of: dict[str, np.ndarray]

    def apart(self, model: str) -> np.ndarray:
        """Mean squared difference from the teacher's, (B,)."""
        return ((self.of[model] - self.of[TEACHER]) ** 2).mean(axis=(1, 2))


def figure_contrast(
    *,
    signatures: Path,
    teacher: Path,
    weights: dict[str, Path],
    students: dict[str, dict],
    svg: Path,
    png: Path,
    maps: list[str] = MAPS,
    connections: dict[str, dict[str, str]] = CONNECTIONS,
    radius: int = RADIUS,
    seed: int = 0,
    count: int = 3,
) -> None:
    """Draw the contrast of a teacher's maps beside that of its students'.

    Parameters
    ----------
    signatures : Path
        Shard of kind "signatures"; genuine ones are drawn at random.
    teacher : Path
        The teacher's weights.
    weights : dict of str to Path
        The weights of the students to show, by name and in this order.
    students : dict of str to dict
        The students of the study, as :meth:`fkd.study.students.Student.to_dict` gives them.
    svg : Path
        The figure.
    png : Path
        The same figure.
    maps : list of str, optional
        The teacher's maps.
    connections : dict of str to dict of str to str, optional
        For each architecture, which map of a student answers which map of the teacher.
    radius : int, optional
        Hops on the teacher's tree within which two vectors are neighbors.
    seed : int, optional
        The study's seed.
    count : int, optional
        How many signatures are shown.

    Raises
    ------
    FkdError
        Where there is no genuine signature, a student is unknown, or its map does not
        answer the teacher's.
    """
    specs = {name: Student.from_dict(spec) for name, spec in students.items()}
    images = genuine_signatures(signatures, count, seed)
    described = {TEACHER: describe_by_maps(teacher, images, maps)}
    for name, path in weights.items():
        answers = _answers(name, specs, maps, connections)
        found = describe_by_maps(path, images, list(answers.values()))
        described[name] = {of: found[answer] for of, answer in answers.items()}
    shown = [
        measure(name, {m: found[name] for m, found in described.items()}, radius) for name in maps
    ]
    labels = {model: label(model, specs) for model in described}
    with styled():
        _draw(images, shown, labels, svg, png)


def measure(name: str, maps: dict[str, Tensor], radius: int = RADIUS) -> Contrasts:
    """Measure NAC of a teacher's map and of those that answer it, as the geometric loss does.

    Parameters
    ----------
    name : str
        The teacher's map.
    maps : dict of str to Tensor, (B, D, H, W)
        Of the teacher and of each student.
    radius : int
        Hops on the teacher's tree within which two vectors are neighbors.

    Returns
    -------
    Contrasts

    Raises
    ------
    FkdError
        Where a student's map has another grid than the teacher's.
    """
    grid = tuple(maps[TEACHER].shape[2:])
    near = Neighborhoods(rooted_trees(vectors_of_map(maps[TEACHER])), radius)
    found = {}
    for model, values in maps.items():
        if tuple(values.shape[2:]) != grid:
            raise FkdError(
                f"geometry.connections: the map of {model} for {name} has a grid of "
                f"{values.shape[2]} x {values.shape[3]}, the teacher's {grid[0]} x {grid[1]}. "
                "Connect maps of one size."
            )
        found[model] = nac(vectors_of_map(values), near).numpy().reshape(-1, *grid)
    return Contrasts(name, found)


def _answers(
    name: str, students: dict[str, Student], maps: list[str], connections: dict[str, dict[str, str]]
) -> dict[str, str]:
    """Find which of a student's maps answer the teacher's."""
    if name not in students:
        raise FkdError(f"weights: there is no student {name}; there are {', '.join(students)}.")
    pairs = connections.get(students[name].architecture, {})
    missing = [of for of in maps if of not in pairs]
    if missing:
        raise FkdError(
            f"geometry.connections: no map of {name} answers the teacher's {', '.join(missing)}."
        )
    return {of: pairs[of] for of in maps}


def _draw(images: np.ndarray, shown: list[Contrasts], labels: dict[str, str], *paths: Path) -> None:
    """Draw a row for each map and signature: the signature, the teacher's NAC, the students'."""
    columns = 1 + len(labels)
    side = (WIDTH - 0.6) / columns
    ratio = images.shape[1] / images.shape[2]
    letters = int(14 * side)  # as many as fit above a map
    titles = [
        fill(text, letters, break_on_hyphens=False, break_long_words=False)
        for text in labels.values()
    ]
    above = 0.15 * (1 + max(title.count("\n") for title in titles))
    drawing = figure(height=len(shown) * (len(images) * (side * ratio + 0.2) + above + 0.15))
    blocks = np.atleast_1d(drawing.subfigures(len(shown)))
    for block, found in zip(blocks, shown, strict=True):
        axes = block.subplots(len(images), columns, squeeze=False)
        scale = Normalize(0, max(values.max() for values in found.of.values()))
        rows, wide = found.of[TEACHER].shape[1:]
        axes[0, 0].set_title(f"{found.name}, {rows} × {wide}", loc="left", weight="bold")
        for axis, title in zip(axes[0, 1:], titles, strict=True):
            axis.set_title(title)
        for at, row in enumerate(axes):
            row[0].imshow(1 - images[at] / max(1, images[at].max()), vmin=0, vmax=1)
            for axis, model in zip(row[1:], labels, strict=True):
                values = found.of[model][at]
                axis.imshow(values, norm=scale, cmap=COLORS, aspect=ratio * wide / rows)
                if model == TEACHER:  # names the numbers to its right
                    axis.set_xlabel("mean (ΔNAC)²:", loc="right", labelpad=2, fontsize=7)
                else:
                    axis.set_xlabel(_said(found.apart(model)[at]), labelpad=2, fontsize=7)
            for axis in row:
                _bare(axis)
        colors = ScalarMappable(scale, COLORS)
        block.colorbar(colors, ax=axes, label="NAC", format="%.2f", aspect=30, pad=0.01)
    save(drawing, *paths)


def _said(difference: float) -> str:
    """Say a small number in digits and a power of ten."""
    digits, power = f"{difference:.1e}".split("e")
    return rf"${digits} \times 10^{{{int(power)}}}$"


def _bare(axis: Axes) -> None:
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    axis.spines[:].set(visible=True, color=GRAY, linewidth=0.5)
