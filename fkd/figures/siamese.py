"""The course of the training of Siamese networks: loss, accuracy and F1 over the epochs."""

from pathlib import Path

import pandas as pd
from matplotlib.ticker import MaxNLocator

from fkd.study.style import figure, legend, legend_height, looks, save, styled

ROWS = (("total", "loss", 1), ("accuracy", "accuracy (%)", 100), ("f1", "F1 (%)", 100))
"""The columns that are drawn, with their labels and factors."""

SUBSETS = ("training", "validation")


def figure_siamese(*, losses: list[Path], svg: Path, png: Path) -> None:
    """Draw loss, accuracy and F1 of Siamese networks over the epochs.

    Parameters
    ----------
    losses : list of Path
        CSV files of :func:`fkd.training.siamese.train_siamese`, each in a folder named after its
        network.
    svg : Path
        The figure, with a row for each of :data:`ROWS` and a column for each subset.
    png : Path
        The same figure.
    """
    tables = {Path(path).parent.name: pd.read_csv(path) for path in losses}
    look = looks(list(tables), {})
    with styled():
        drawing = figure(height=1.2 * len(ROWS) + legend_height(len(tables)) + 0.4)
        grid = drawing.subplots(len(ROWS), len(SUBSETS), sharex=True, sharey="row", squeeze=False)
        for axes, (column, label, factor) in zip(grid, ROWS, strict=True):
            axes[0].set_ylabel(label)
            for axis, subset in zip(axes, SUBSETS, strict=True):
                for name, table in tables.items():
                    rows = table[table["subset"] == subset]
                    axis.plot(rows["epoch"], factor * rows[column], markevery=[-1], **look[name])
                if column == "total":
                    axis.set_yscale("log")
        for axis, subset in zip(grid[0], SUBSETS, strict=True):
            axis.set_title(subset)
        for axis in grid[-1]:
            axis.set_xlabel("epoch")
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        legend(drawing, look)
        drawing.align_ylabels(grid[:, 0])
        save(drawing, svg, png)
