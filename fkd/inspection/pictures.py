"""Pictures of what is in a file, for ``python -m fkd inspect FILE --png OUT``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection

from fkd.storage.files import printable
from fkd.study.style import (
    BLACK,
    BLUE,
    FORGED,
    GENUINE,
    GRAY,
    ORANGE,
    RED,
    WIDTH,
    figure,
    save,
    styled,
)

SHEET = 5
"""The number of images in each row of a contact sheet."""

LEGIBLE = 26
"""The largest number of characters of a name above a small image."""


def draw_contact_sheet(images: Sequence[np.ndarray], names: Sequence[str], png: Path) -> None:
    """Draw a sheet of small images, each below its name, with dark ink on white paper.

    All images are cut to one box, which holds the ink of each of them, and darkened alike.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (H, W)
        The images, with bright ink on black.
    names : sequence of str
        The images' names.
    png : Path
        The picture to write.
    """
    images = np.stack(list(images))
    box = _box_of_ink(images.max(axis=0))
    images = images[:, *box]
    rows, darkest = -(-len(images) // SHEET), max(1, int(images.max()))
    with styled():
        high = WIDTH / SHEET * images.shape[1] / images.shape[2]
        drawing = figure(height=rows * (0.25 + high))
        grid = drawing.subplots(rows, SHEET, squeeze=False).ravel()
        for axis in grid:
            axis.axis("off")
        for axis, image, name in zip(grid, images, names, strict=False):
            axis.imshow(image, cmap="gray_r", vmin=0, vmax=darkest, interpolation="antialiased")
            axis.set_title(_short(name), fontsize=6, pad=2)
        save(drawing, png)


def draw_stripes(images: Sequence[np.ndarray], names: Sequence[str], png: Path) -> None:
    """Draw stripes of text one below the other, all at the same scale.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (rows, columns)
        The stripes, with dark ink. They may differ in size.
    names : sequence of str
        The stripes' names.
    png : Path
        The picture to write.
    """
    widest = max(image.shape[1] for image in images)
    heights = [image.shape[0] for image in images]
    with styled():
        drawing = figure(height=0.3 + 0.2 * len(images) + 6.8 * sum(heights) / widest)
        grid = drawing.subplots(len(images), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axis, image, name in zip(grid, images, names, strict=True):
            axis.imshow(image, vmin=0, vmax=255, aspect="equal", interpolation="antialiased")
            axis.set_xlim(0, widest)
            axis.axis("off")
            axis.set_title(_short(name, 80), loc="left", fontsize=6, pad=2)
        save(drawing, png)


def draw_features(
    features: np.ndarray, groups: np.ndarray | None, rows: str, png: Path, most: int = 2000
) -> None:
    """Draw feature vectors as one image, with their elements sorted by their mean.

    Parameters
    ----------
    features : ndarray, shape (n, F)
        The feature vectors.
    groups : ndarray, shape (n,), or None
        The group of each vector. Orange lines stand between the groups, unless there are
        100 lines or more.
    rows : str
        What the rows are, for the label of the axis.
    png : Path
        The picture to write.
    most : int
        The largest number of vectors to draw.
    """
    shown = features[:most].astype(np.float32)
    order = np.argsort(-shown.mean(axis=0), kind="stable")
    with styled():
        drawing = figure(height=4.6)
        axis = drawing.subplots()
        top = np.percentile(shown, 99) or shown.max() or 1
        image = axis.imshow(
            shown[:, order], cmap="gray_r", vmin=min(0, shown.min()), vmax=top, aspect="auto",
            interpolation="nearest",
        )  # fmt: skip
        axis.grid(False)
        axis.set_xlabel("element of the feature, sorted by its mean")
        axis.set_ylabel(rows)
        if groups is not None:
            changes = (
                np.flatnonzero(groups[1:most] != groups[: most - 1][: len(groups[1:most])]) + 0.5
            )
            if len(changes) < 100:
                axis.hlines(changes, -0.5, features.shape[1] - 0.5, color=ORANGE, linewidth=0.4)
        drawing.colorbar(image, label="value, cut at the 99th percentile", pad=0.01)
        save(drawing, png)


def draw_geometry(
    maps: Mapping[str, tuple[tuple[int, int], np.ndarray, np.ndarray]], rows: list[int], png: Path
) -> None:
    """Draw the spanning trees and the affinity contrasts of a few images.

    Parameters
    ----------
    maps : mapping of str to tuple
        For each map of N nodes its rows and columns, the trees of shape (n, N) and the
        contrasts of shape (n, N).
    rows : list of int
        The images' rows in their shard.
    png : Path
        The picture to write.
    """
    with styled():
        drawing = figure(height=0.4 + 1.35 * len(rows))
        grid = drawing.subplots(len(rows), 2 * len(maps), squeeze=False)
        for column, (name, ((high, wide), trees, contrasts)) in enumerate(maps.items()):
            for at, row in enumerate(rows):
                tree_axis, nac_axis = grid[at, 2 * column : 2 * column + 2]
                nodes = np.arange(high * wide)
                ends = np.stack([nodes, trees[at].astype(int)], axis=1)  # (N, 2)
                points = np.stack([ends % wide, ends // wide], axis=2)  # (N, 2, x and y)
                tree_axis.add_collection(LineCollection(points, colors=BLUE, linewidths=6 / high))
                tree_axis.plot(nodes % wide, nodes // wide, ".", color=BLACK, markersize=1.2)
                tree_axis.set(xlim=(-0.7, wide - 0.3), ylim=(high - 0.3, -0.7), aspect="equal")
                image = nac_axis.imshow(
                    contrasts[at].reshape(high, wide), cmap="viridis", vmin=0,
                    vmax=max(float(contrasts.max()), 1e-6),
                )  # fmt: skip
                for axis in (tree_axis, nac_axis):
                    axis.set(xticks=[], yticks=[])
                    axis.grid(False)
                    axis.spines[:].set_visible(True)
                if not at:
                    tree_axis.set_title(f"{name}: spanning tree")
                    nac_axis.set_title(f"{name}: affinity contrast")
                if not column:
                    tree_axis.set_ylabel(f"row {row}")
            drawing.colorbar(
                image, ax=grid[:, 2 * column + 1], location="bottom", shrink=0.9, pad=0.02
            )
        save(drawing, png)


def draw_scores(genuine: np.ndarray, forged: np.ndarray, png: Path) -> None:
    """Draw how the scores of genuine signatures and of skilled forgeries are distributed.

    Parameters
    ----------
    genuine, forged : ndarray, shape (n,)
        The scores.
    png : Path
        The picture to write.
    """
    everything = np.concatenate([genuine, forged])
    bins = np.linspace(everything.min(), everything.max() + 1e-9, 41)
    with styled():
        drawing = figure(height=2.8)
        axis = drawing.subplots()
        for scores, color, name, hatch in (
            (genuine, GENUINE, "genuine", ""),
            (forged, FORGED, "skilled forgeries", "////"),
        ):
            if not len(scores):
                continue
            axis.hist(
                scores, bins, weights=np.full(len(scores), 100 / len(scores)),
                histtype="stepfilled", facecolor=f"{color}55" if not hatch else "none",
                edgecolor=color, hatch=hatch, label=f"{name} ({len(scores):,})", linewidth=1.2,
            )  # fmt: skip
        axis.set_xlabel("score of the writer's verifier")
        axis.set_ylabel("share of the signatures (%)")
        axis.legend()
        save(drawing, png)


def draw_filters(filters: np.ndarray, name: str, png: Path) -> None:
    """Draw the filters of a first layer in one scale of colors, with zero in white.

    Parameters
    ----------
    filters : ndarray, shape (n, rows, columns)
        The filters, of which the first 128 are drawn.
    name : str
        The layer's name.
    png : Path
        The picture to write.
    """
    shown = filters[:128]
    across = min(16, len(shown))
    rows = -(-len(shown) // across)
    limit = float(np.abs(shown).max()) or 1.0
    with styled():
        drawing = figure(height=0.7 + 0.43 * rows)
        grid = drawing.subplots(rows, across, squeeze=False).ravel()
        for axis in grid:
            axis.axis("off")
        for axis, values in zip(grid, shown, strict=False):
            image = axis.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
        bar = drawing.colorbar(
            image, ax=list(grid), location="bottom", shrink=0.4, aspect=40, pad=0.02
        )
        bar.set_label(f"weights of {name}")
        save(drawing, png)


def draw_losses(log: Sequence[Mapping[str, float | str]], png: Path) -> None:
    """Draw each term of a loss, and the accuracy, over the epochs.

    Parameters
    ----------
    log : sequence of mapping
        A row for each epoch and subset, with the values by their names.
    png : Path
        The picture to write.
    """
    aside = ("epoch", "subset", "images", "seconds")
    terms = [name for name in log[0] if name not in aside]
    across = min(3, len(terms))
    rows = -(-len(terms) // across)
    with styled():
        drawing = figure(height=0.2 + 1.9 * rows)
        grid = drawing.subplots(rows, across, squeeze=False, sharex=True).ravel()
        for axis in grid[len(terms) :]:
            axis.axis("off")
        for axis, term in zip(grid, terms, strict=False):
            for subset, color, line in (("training", BLACK, "-"), ("validation", RED, "--")):
                points = [(row["epoch"], row[term]) for row in log if row["subset"] == subset]
                if points:
                    axis.plot(
                        *zip(*points, strict=True), line, color=color, label=subset, marker="."
                    )
            axis.set_title(term.replace("_", " "))
            axis.xaxis.get_major_locator().set_params(integer=True)
        for axis in grid[max(0, len(terms) - across) : len(terms)]:
            axis.set_xlabel("epoch")
            axis.tick_params(labelbottom=True)
        grid[0].legend()
        save(drawing, png)


def draw_rates(rates: Mapping[str, Sequence[float]], png: Path) -> None:
    """Draw error rates: a circle for each split, and a diamond for their mean.

    Parameters
    ----------
    rates : mapping of str to sequence of float
        The values of each rate in percent, one for each split.
    png : Path
        The picture to write.
    """
    with styled():
        drawing = figure(height=0.8 + 0.35 * len(rates))
        axis = drawing.subplots()
        for at, values in enumerate(rates.values()):
            axis.plot(values, [at] * len(values), "o", color=GRAY, markerfacecolor="none")
            axis.plot(np.mean(values), at, "D", color=BLACK)
        axis.set_yticks(range(len(rates)), [name.replace("_", " ") for name in rates])
        axis.set(
            ylim=(len(rates) - 0.5, -0.5), xlabel="rate (%): splits, and their mean as a diamond"
        )
        axis.set_xlim(left=0)
        save(drawing, png)


def draw_eer(groups: Mapping[str, Sequence[tuple[str, float, float]]], png: Path) -> None:
    """Draw the mean and standard deviation of each model's EER, with a panel for each group.

    Parameters
    ----------
    groups : mapping of str to sequence of (str, float, float)
        For each group the models' names, means and standard deviations in percent.
    png : Path
        The picture to write.
    """
    names = list(dict.fromkeys(name for found in groups.values() for name, _, _ in found))
    across = min(4, len(groups))
    rows = -(-len(groups) // across)
    with styled():
        drawing = figure(height=rows * (0.7 + 0.2 * len(names)))
        grid = drawing.subplots(rows, across, squeeze=False, sharey=True, sharex=True).ravel()
        for axis in grid[len(groups) :]:
            axis.axis("off")
        for axis, (group, found) in zip(grid, groups.items(), strict=False):
            for name, mean, deviation in found:
                axis.errorbar(
                    mean, names.index(name), xerr=deviation, fmt="o", color=BLUE, capsize=2
                )
            axis.set_title(group.replace(", ", "\n", 1))
            axis.set_yticks(range(len(names)), names)
            axis.set(ylim=(len(names) - 0.5, -0.5), xlabel="EER (%)")
        save(drawing, png)


def draw_counts(counts: Mapping[int, int], what: str, of: str, png: Path) -> None:
    """Draw how often each number occurs.

    Parameters
    ----------
    counts : mapping of int to int
        How often each number occurs.
    what, of : str
        What the numbers and what the counts are, for the labels of the axes.
    png : Path
        The picture to write.
    """
    with styled():
        drawing = figure(height=2.4, width=4)
        axis = drawing.subplots()
        axis.bar(list(counts), list(counts.values()), color=BLUE, width=0.7)
        axis.set(xlabel=what, ylabel=of, xlim=(min(counts) - 1.5, max(counts) + 1.5))
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.yaxis.get_major_locator().set_params(integer=True)
        save(drawing, png)


def _box_of_ink(image: np.ndarray) -> tuple[slice, slice]:
    """Find the rows and columns with ink and a small margin, or all where there is no ink."""
    box = []
    for axis in (1, 0):
        marked = np.flatnonzero(image.any(axis=axis))
        ends = (marked[0] - 4, marked[-1] + 5) if len(marked) else (0, len(image))
        box.append(slice(max(0, ends[0]), ends[1] if len(marked) else None))
    return box[0], box[1]


def _short(name: str, most: int = LEGIBLE) -> str:
    name = printable(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"
