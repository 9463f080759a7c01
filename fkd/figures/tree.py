"""The spanning trees of a teacher's maps, drawn over a signature."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from torch import Tensor

from fkd.figures.examples import describe_by_maps, genuine_signatures
from fkd.figures.style import BLACK, BLUE, GRAY, ORANGE, RED, WIDTH, figure, save, styled
from fkd.graph import MAPS, RADIUS, neighborhoods, spanning_tree, vectors_of_map
from fkd.preprocess import INPUT

ABREAST = 2
"""Maps side by side."""

BOW = 0.35
"""How far an edge bows out around nodes on its way, in cells."""


class Tree(NamedTuple):
    """What is shown of one map.

    Attributes
    ----------
    grid : (int, int)
        Rows and columns of the map.
    edges : ndarray, (N - 1, 2), integer
        Of the spanning tree, as :func:`fkd.graph.spanning_tree` gives them.
    equal : ndarray, (N - 1,), bool
        Which of them join equal vectors.
    node : int
        The node whose neighborhood is marked.
    near : ndarray, (N,), bool
        Its neighbors.
    """

    grid: tuple[int, int]
    edges: np.ndarray
    equal: np.ndarray
    node: int
    near: np.ndarray

    def places(self) -> np.ndarray:
        """Centers of the grid's cells over the image, column and row, (N, 2)."""
        rows, columns = self.grid
        row, column = np.divmod(np.arange(rows * columns), columns)
        return np.stack([(column + 0.5) * INPUT[1] / columns, (row + 0.5) * INPUT[0] / rows], 1)

    def within(self) -> np.ndarray:
        """Which edges join the node and its neighbors, (N - 1,), bool."""
        inside = self.near.copy()
        inside[self.node] = True
        return inside[self.edges].all(axis=1)


def figure_tree(
    *,
    signatures: Path,
    teacher: Path,
    svg: Path,
    png: Path,
    maps: list[str] = MAPS,
    radius: int = RADIUS,
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
        Hops on the tree within which two vectors are neighbors.
    seed : int, optional
        The study's seed.

    Raises
    ------
    FkdError
        Where there is no genuine signature, or the teacher has no such map.
    """
    image = genuine_signatures(signatures, 1, seed)[0]
    found = describe_by_maps(teacher, image[None], maps)
    trees = [find_tree(found[name][0], image, radius) for name in maps]
    with styled():
        rows = -(-len(trees) // ABREAST)
        drawing = figure(height=(WIDTH / ABREAST * INPUT[0] / INPUT[1] + 0.2) * rows + 0.3)
        axes = drawing.subplots(rows, ABREAST, squeeze=False).flat
        for axis in axes[len(trees) :]:
            axis.axis("off")
        for axis, name, tree in zip(axes, maps, trees, strict=False):
            _draw(axis, image, tree)
            about = (name, *tree.grid, tree.near.sum())
            axis.set_title("{}, {} × {}: {} neighbors".format(*about), loc="left")
        drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        save(drawing, svg, png)


def find_tree(found: Tensor, image: np.ndarray, radius: int = RADIUS) -> Tree:
    """Find the spanning tree of a map, and choose the node whose neighborhood is marked.

    Of the nodes whose cell holds ink, it is the one with most neighbors; of equals the one
    with most ink, then the first.

    Parameters
    ----------
    found : Tensor, (D, H, W)
        The map.
    image : ndarray of uint8, shape (150, 220)
        Of which it is, ink bright on black.
    radius : int
        Hops on the tree within which two vectors are neighbors.

    Returns
    -------
    Tree
    """
    grid = (int(found.shape[1]), int(found.shape[2]))
    vectors = vectors_of_map(found[None])[0].numpy()
    edges = spanning_tree(vectors)
    near = neighborhoods(edges, radius)
    ink = ink_of_cells(image, grid)
    node = int(np.lexsort((-ink, -near.sum(axis=1), ink == 0))[0])
    equal = (vectors[edges[:, 0]] == vectors[edges[:, 1]]).all(axis=1)
    return Tree(grid, edges, equal, node, near[node])


def ink_of_cells(image: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Sum the ink over the cells of a grid that is laid over an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Ink bright on black.
    grid : (int, int)
        Rows and columns of the grid.

    Returns
    -------
    ndarray of float64, shape (rows * columns,)
        A pixel belongs to the cell in which its center lies.
    """
    row, column = (
        ((np.arange(side) + 0.5) * cells / side).astype(int)
        for side, cells in zip(image.shape, grid, strict=True)
    )
    cell = row[:, None] * grid[1] + column
    return np.bincount(cell.ravel(), weights=image.ravel(), minlength=grid[0] * grid[1])


def courses(tree: Tree) -> list[np.ndarray]:
    """Say how edges run over the image: straight, or bowed around nodes on their way.

    Those between equal vectors are so many that they run straight in any case.

    Parameters
    ----------
    tree : Tree
        The tree.

    Returns
    -------
    list of ndarray, (points, 2)
        For each edge columns and rows, from its first end to its second.
    """
    cell = min(np.array(INPUT) / tree.grid)
    along = np.linspace(0, 1, 15)[:, None]
    runs = []
    for (first, second), equal in zip(tree.places()[tree.edges], tree.equal, strict=True):
        way = second - first
        steps = np.round(way / INPUT[::-1] * tree.grid[::-1]).astype(int)
        if np.gcd(*steps) > 1 and not equal:  # so it would pass through the center of another cell
            aside = np.array([-way[1], way[0]]) / np.hypot(*way)
            runs.append(first + along * way + 4 * along * (1 - along) * BOW * cell * aside)
        else:
            runs.append(np.stack([first, second]))
    return runs


def _draw(axis: Axes, image: np.ndarray, tree: Tree) -> None:
    """Draw the signature, the tree over it, and the node with its neighborhood."""
    places, within, runs = tree.places(), tree.within(), courses(tree)
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
        axis.add_collection(LineCollection([runs[at] for at in np.flatnonzero(edges)], **look))
    axis.plot(*places.T, ".", color=BLACK, markersize=1.2)
    axis.plot(*places[tree.near].T, "o", color=BLUE, markersize=2.5, label="neighbor")
    axis.plot(*places[tree.node], "o", color=RED, markersize=4.5, label="its node")
    axis.set(xticks=[], yticks=[], xlim=(0, INPUT[1]), ylim=(INPUT[0], 0))
    axis.grid(visible=False)
    axis.spines[:].set(visible=True, color=GRAY)
