"""The equal error rate against the number of references."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from fkd.study.models import in_order, label
from fkd.study.students import Student
from fkd.study.style import (
    by_network,
    figure,
    legend,
    legend_height,
    looks,
    save,
    set_label,
    styled,
)
from fkd.study.summary import read_splits, summarize

SPAN = 0.6
"""The distance on the axis of NREF between the first and the last model at each NREF."""


def figure_references(
    *,
    metrics: list[Path],
    students: dict[str, Student],
    svg: Path,
    png: Path,
    drawn: Collection[str] = (),
) -> None:
    """Draw the equal error rate with user thresholds against the number of references.

    Parameters
    ----------
    metrics : list of Path
        CSV files of :func:`fkd.verification.stage.evaluate_wd`, of all models, sets and NREF.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure: mean and population standard deviation over the splits, with a row for
        each set and a column for each network.
    png : Path
        The same figure.
    drawn : collection of str, optional
        The sets that a program drew, which the figure then says.
    """
    rates = summarize(read_splits(metrics), students)
    models = in_order(rates["model"].unique())
    sets = list(rates["set"].unique())
    counts = sorted(rates["references"].unique())
    columns = by_network(models, students)
    look = looks(models, students)
    with styled():
        drawing = figure(height=2.6 * len(sets) + 0.5 + legend_height(len(models)))
        grid = drawing.subplots(len(sets), len(columns), sharex=True, sharey="row", squeeze=False)
        for axes, name in zip(grid, sets, strict=True):
            axes[0].set_ylabel(f"{set_label(name, drawn)}\nEER, user thresholds (%)")
            for axis, members in zip(axes, columns.values(), strict=True):
                # Models are shifted sideways so that their bars do not cover each other.
                shifts = np.linspace(-SPAN / 2, SPAN / 2, len(members)) if len(members) > 1 else [0]
                for model, shift in zip(members, shifts, strict=True):
                    rows = rates[(rates["set"] == name) & (rates["model"] == model)]
                    axis.errorbar(
                        rows["references"] + shift,
                        rows["EER_userthresholds_mean"],
                        rows["EER_userthresholds_sd"],
                        elinewidth=0.8,
                        **look[model] | {"linewidth": 0.9},
                    )
                axis.set_xticks(counts)
                axis.set_xlim(counts[0] - 1, counts[-1] + 1)
                axis.set_ylim(bottom=0)
        for axis, network in zip(grid[0], columns, strict=True):
            axis.set_title(network)
        for axis in grid[-1]:
            axis.set_xlabel("NREF, genuine references of a writer")
        legend(drawing, {label(model, students): look[model] for model in models})
        save(drawing, svg, png)
