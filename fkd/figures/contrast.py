"""The Neighborhood Affinity Contrast (NAC) of a teacher's maps and of its students' maps."""

from pathlib import Path
from textwrap import fill
from typing import NamedTuple

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from torch import Tensor

from fkd.errors import FkdError
from fkd.figures.examples import describe_by_maps, genuine_signatures
from fkd.graph import MAPS, RADIUS, Neighborhoods, nac, rooted_trees, vectors_of_map
from fkd.ranges import Count, checked
from fkd.study.models import TEACHER, label
from fkd.study.parts import ARCHITECTURES
from fkd.study.students import Student
from fkd.study.style import WIDTH, figure, frame_image, save, styled

COLORS = "magma_r"
"""A color map that is perceptually uniform and prints well; its lightest color stands for 0."""


class Contrasts(NamedTuple):
    """The contrasts of one map of the teacher and of the students' maps connected with it.

    Attributes
    ----------
    name : str
        The teacher's map.
    by_model : dict of str to ndarray, (B, H, W)
        NAC of the teacher and of each student, all in the teacher's neighborhoods.
    """

    name: str
    by_model: dict[str, np.ndarray]

    def apart(self, model: str) -> np.ndarray:
        """Mean squared difference of a model's contrast from the teacher's, (B,)."""
        return ((self.by_model[model] - self.by_model[TEACHER]) ** 2).mean(axis=(1, 2))


@checked
def figure_contrast(
    *,
    signatures: Path,
    teacher: Path,
    weights: dict[str, Path],
    students: dict[str, Student],
    svg: Path,
    png: Path,
    maps: list[str] = MAPS,
    connections: dict[str, dict[str, str]] | None = None,
    radius: Count = RADIUS,
    seed: int = 0,
    count: Count = 3,
) -> None:
    """Draw the contrast of a teacher's maps beside that of its students' maps.

    Parameters
    ----------
    signatures : Path
        Shard of kind "signatures"; genuine ones are drawn at random.
    teacher : Path
        The teacher's weights.
    weights : dict of str to Path
        The weights of the students to show, by name and in this order.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure.
    png : Path
        The same figure.
    maps : list of str, optional
        The teacher's maps.
    connections : dict of str to dict of str to str, optional
        For each architecture, the map of a student that is connected with each map of the
        teacher; by default the connections of its :class:`fkd.study.parts.Architecture`.
    radius : int, optional
        The largest number of hops between neighbors on the teacher's tree.
    seed : int, optional
        The study's seed.
    count : int, optional
        How many signatures are shown.

    Raises
    ------
    FkdError
        Where there is no genuine signature, a student is unknown, or a student has no map that
        is connected with the teacher's.
    """
    images = genuine_signatures(signatures, count, seed)
    # For each model its maps, by the name of the teacher's map with which they are connected.
    maps_of = {TEACHER: describe_by_maps(teacher, images, maps)}
    for name, path in weights.items():
        connected = _connected_maps(name, students, maps, connections)
        values = describe_by_maps(path, images, list(connected.values()))
        maps_of[name] = {
            teacher_map: values[student_map] for teacher_map, student_map in connected.items()
        }
    contrasts = [
        measure(name, {model: values[name] for model, values in maps_of.items()}, radius)
        for name in maps
    ]
    labels = {model: label(model, students) for model in maps_of}
    with styled():
        _draw(images, contrasts, labels, svg, png)


def measure(name: str, maps: dict[str, Tensor], radius: int = RADIUS) -> Contrasts:
    """Measure NAC of a teacher's map and of connected maps, as the geometric loss does.

    Parameters
    ----------
    name : str
        The teacher's map.
    maps : dict of str to Tensor, (B, D, H, W)
        The map of the teacher and the connected map of each student, by model.
    radius : int
        The largest number of hops between neighbors on the teacher's tree.

    Returns
    -------
    Contrasts
        The contrasts by model.

    Raises
    ------
    FkdError
        Where a student's map has another grid than the teacher's.
    """
    grid = tuple(maps[TEACHER].shape[2:])
    # The teacher's neighborhoods serve all models.
    neighbors = Neighborhoods(rooted_trees(vectors_of_map(maps[TEACHER])), radius)
    contrasts = {}
    for model, values in maps.items():
        if tuple(values.shape[2:]) != grid:
            raise FkdError(
                f"geometry.connections: the map of {model} for {name} has a grid of "
                f"{values.shape[2]} x {values.shape[3]}, the teacher's {grid[0]} x {grid[1]}. "
                "Connect maps of one size."
            )
        contrasts[model] = nac(vectors_of_map(values), neighbors).numpy().reshape(-1, *grid)
    return Contrasts(name, contrasts)


def _connected_maps(
    name: str,
    students: dict[str, Student],
    maps: list[str],
    connections: dict[str, dict[str, str]] | None,
) -> dict[str, str]:
    """Find the student's map that is connected with each map of the teacher."""
    if name not in students:
        raise FkdError(f"weights: there is no student {name}; there are {', '.join(students)}.")
    architecture = students[name].architecture
    default = ARCHITECTURES[architecture].connections
    pairs = default if connections is None else connections.get(architecture, {})
    missing = [teacher_map for teacher_map in maps if teacher_map not in pairs]
    if missing:
        raise FkdError(
            f"geometry.connections: no map of {name} answers the teacher's {', '.join(missing)}."
        )
    return {teacher_map: pairs[teacher_map] for teacher_map in maps}


def _draw(
    images: np.ndarray, contrasts: list[Contrasts], labels: dict[str, str], *paths: Path
) -> None:
    """Draw a row for each map and signature: the signature, then NAC of teacher and students."""
    columns = 1 + len(labels)
    side = (WIDTH - 0.6) / columns
    ratio = images.shape[1] / images.shape[2]
    letters = int(14 * side)  # the number that fits above a map
    titles = [
        fill(text, letters, break_on_hyphens=False, break_long_words=False)
        for text in labels.values()
    ]
    above = 0.15 * (1 + max(title.count("\n") for title in titles))
    height = len(images) * (side * ratio + 0.2) + above + 0.15
    drawing = figure(height=len(contrasts) * height)
    blocks = np.atleast_1d(drawing.subfigures(len(contrasts)))
    for block, contrast in zip(blocks, contrasts, strict=True):
        axes = block.subplots(len(images), columns, squeeze=False)
        # One scale for all models, so that their contrasts can be compared.
        scale = Normalize(0, max(values.max() for values in contrast.by_model.values()))
        rows, wide = contrast.by_model[TEACHER].shape[1:]
        axes[0, 0].set_title(f"{contrast.name}, {rows} × {wide}", loc="left", weight="bold")
        for axis, title in zip(axes[0, 1:], titles, strict=True):
            axis.set_title(title)
        for at, row in enumerate(axes):
            row[0].imshow(1 - images[at] / max(1, images[at].max()), vmin=0, vmax=1)
            for axis, model in zip(row[1:], labels, strict=True):
                values = contrast.by_model[model][at]
                # Cells take the shape that they have over the signature.
                axis.imshow(values, norm=scale, cmap=COLORS, aspect=ratio * wide / rows)
                if model == TEACHER:  # this label says what the numbers to its right are
                    axis.set_xlabel("mean (ΔNAC)²:", loc="right", labelpad=2, fontsize=7)
                else:
                    number = _scientific(contrast.apart(model)[at])
                    axis.set_xlabel(number, labelpad=2, fontsize=7)
            for axis in row:
                frame_image(axis)
        colors = ScalarMappable(scale, COLORS)
        block.colorbar(colors, ax=axes, label="NAC", format="%.2f", aspect=30, pad=0.01)
    save(drawing, *paths)


def _scientific(number: float) -> str:
    """Write a number as digits times a power of ten."""
    digits, power = f"{number:.1e}".split("e")
    return rf"${digits} \times 10^{{{int(power)}}}$"
