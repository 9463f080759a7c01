"""The spanning trees of a teacher's maps, drawn over a signature."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from torch import Tensor

from fkd.figures.examples import describe_by_maps, genuine_signatures
from fkd.graph import MAPS, RADIUS, neighborhoods, spanning_tree, vectors_of_map
from fkd.preprocess import INPUT
from fkd.ranges import Count, checked
from fkd.study.style import (
    BLACK,
    BLUE,
    GRAY,
    ORANGE,
    RED,
    WIDTH,
    figure,
    frame_image,
    save,
    styled,
)

ABREAST = 2
"""The number of maps side by side."""

BOW = 0.35
"""The distance of a bowed edge from the nodes that it passes, in cells."""


class Tree(NamedTuple):
    """The spanning tree of a map, and the neighborhood that is marked in it.

    Attributes
    ----------
    grid : (int, int)
        Rows and columns of the map.
    edges : ndarray, (N - 1, 2), integer
        The edges of the tree, as :func:`fkd.graph.spanning_tree` gives them.
    equal : ndarray, (N - 1,), bool
        Which edges join equal vectors.
    node : int
        The node at the center of the marked neighborhood.
    near : ndarray, (N,), bool
        Which nodes are its neighbors.
    """

    grid: tuple[int, int]
    edges: np.ndarray
    equal: np.ndarray
    node: int
    near: np.ndarray

    def places(self) -> np.ndarray:
        """Compute the centers of the map's cells, as columns and rows of the image, (N, 2)."""
        rows, columns = self.grid
        row, column = np.divmod(np.arange(rows * columns), columns)
        return np.stack([(column + 0.5) * INPUT[1] / columns, (row + 0.5) * INPUT[0] / rows], 1)

    def within(self) -> np.ndarray:
        """Tell which edges lie in the marked neighborhood, (N - 1,), bool."""
        inside = self.near.copy()
        inside[self.node] = True
        return inside[self.edges].all(axis=1)


@checked
def figure_tree(
    *,
    signatures: Path,
    teacher: Path,
    svg: Path,
    png: Path,
    maps: list[str] = MAPS,
    radius: Count = RADIUS,
    seed: int = 0,
) -> None:
    """Draw the spanning trees of a teacher's maps over a signature.

    Parameters
    ----------
    signatures : Path
        Shard of kind "signatures"; one of the genuine ones is drawn at random.
    teacher : Path
        The teacher's weights.
    svg : Path
        The figure.
    png : Path
        The same figure.
    maps : list of str, optional
        The teacher's maps.
    radius : int, optional
        The largest number of hops between neighbors on the tree.
    seed : int, optional
        The study's seed.

    Raises
    ------
    FkdError
        Where there is no genuine signature, or the teacher has no such map.
    """
    image = genuine_signatures(signatures, 1, seed)[0]
    feature_maps = describe_by_maps(teacher, image[None], maps)
    trees = [find_tree(feature_maps[name][0], image, radius) for name in maps]
    with styled():
        rows = -(-len(trees) // ABREAST)  # rounded up
        drawing = figure(height=(WIDTH / ABREAST * INPUT[0] / INPUT[1] + 0.2) * rows + 0.3)
        axes = drawing.subplots(rows, ABREAST, squeeze=False).flat
        for axis in axes[len(trees) :]:
            axis.axis("off")
        for axis, name, tree in zip(axes, maps, trees, strict=False):
            _draw(axis, image, tree)
            title = "{}, {} × {}: {} neighbors".format(name, *tree.grid, tree.near.sum())
            axis.set_title(title, loc="left")
        drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        save(drawing, svg, png)


def find_tree(feature_map: Tensor, image: np.ndarray, radius: int = RADIUS) -> Tree:
    """Find the spanning tree of a map, and choose a node to mark with its neighborhood.

    The choice is among the nodes with ink in their cells. It falls on the node with the most
    neighbors; if several have as many, on the one with the most ink, and then on the first.

    Parameters
    ----------
    feature_map : Tensor, (D, H, W)
        The map.
    image : ndarray of uint8, shape (150, 220)
        The image from which the map was computed, ink bright on black.
    radius : int
        The largest number of hops between neighbors on the tree.

    Returns
    -------
    Tree
        The tree with its marked neighborhood.
    """
    grid = (int(feature_map.shape[1]), int(feature_map.shape[2]))
    vectors = vectors_of_map(feature_map[None])[0].numpy()
    edges = spanning_tree(vectors)
    near = neighborhoods(edges, radius)
    ink = ink_of_cells(image, grid)
    # The last key counts first: nodes with ink, then many neighbors, then much ink.
    node = int(np.lexsort((-ink, -near.sum(axis=1), ink == 0))[0])
    equal = (vectors[edges[:, 0]] == vectors[edges[:, 1]]).all(axis=1)
    return Tree(grid, edges, equal, node, near[node])


def ink_of_cells(image: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Sum the ink over the cells of a grid that is laid over an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        The image, ink bright on black.
    grid : (int, int)
        Rows and columns of the grid.

    Returns
    -------
    ndarray of float64, shape (rows * columns,)
        The sums. A pixel belongs to the cell that contains its center.
    """
    row, column = (
        ((np.arange(side) + 0.5) * cells / side).astype(int)
        for side, cells in zip(image.shape, grid, strict=True)
    )
    cell = row[:, None] * grid[1] + column
    return np.bincount(cell.ravel(), weights=image.ravel(), minlength=grid[0] * grid[1])


def courses(tree: Tree) -> list[np.ndarray]:
    """Find the course of each edge over the image: straight, or bowed around nodes on its way.

    A straight edge through a third node would look like two edges that meet there. Edges
    between equal vectors are always straight: they are many and thin, and nobody follows a
    single one.

    Parameters
    ----------
    tree : Tree
        The tree.

    Returns
    -------
    list of ndarray, (points, 2)
        For each edge, columns and rows of points from its first end to its second.
    """
    cell = min(np.array(INPUT) / tree.grid)
    along = np.linspace(0, 1, 15)[:, None]
    lines = []
    for (first, second), equal in zip(tree.places()[tree.edges], tree.equal, strict=True):
        way = second - first
        steps = np.round(way / INPUT[::-1] * tree.grid[::-1]).astype(int)
        # A line of m cells across and n down goes through centers of cells on its way exactly
        # if m and n have a common divisor.
        if np.gcd(*steps) > 1 and not equal:
            aside = np.array([-way[1], way[0]]) / np.hypot(*way)
            # A parabola, which is 0 at both ends and largest in the middle.
            lines.append(first + along * way + 4 * along * (1 - along) * BOW * cell * aside)
        else:
            lines.append(np.stack([first, second]))
    return lines


def _draw(axis: Axes, image: np.ndarray, tree: Tree) -> None:
    """Draw the signature, the tree over it, and the node with its neighborhood."""
    places, within, lines = tree.places(), tree.within(), courses(tree)
    ink = np.minimum(2 * image / max(1, image.max()), 1)[..., None]
    colored = 1 - ink * (1 - np.array(to_rgb(ORANGE)))
    axis.imshow(colored, extent=(0, INPUT[1], INPUT[0], 0), interpolation="bicubic")
    for edges, look in (
        (
            tree.equal & ~within,
            {"color": GRAY, "linewidth": 0.25, "label": "between equal vectors"},
        ),
        (~tree.equal & ~within, {"color": BLACK, "linewidth": 0.6, "label": "other edges"}),
        (within, {"color": BLUE, "linewidth": 1.4, "label": "neighborhood"}),
    ):
        axis.add_collection(LineCollection([lines[i] for i in np.flatnonzero(edges)], **look))
    axis.plot(*places.T, ".", color=BLACK, markersize=1.2)
    axis.plot(*places[tree.near].T, "o", color=BLUE, markersize=2.5, label="neighbor")
    axis.plot(*places[tree.node], "o", color=RED, markersize=4.5, label="its node")
    axis.set(xlim=(0, INPUT[1]), ylim=(INPUT[0], 0))
    frame_image(axis, linewidth=0.8)
