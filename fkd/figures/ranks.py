"""The critical-difference diagram: which models Nemenyi's test tells apart."""

from collections.abc import Collection
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import scikit_posthocs

from fkd.figures.splits import rates_of_splits
from fkd.study.models import in_order, label
from fkd.study.students import Student
from fkd.study.style import BLACK, figure, save, set_label, styled
from fkd.study.summary import SIGNIFICANCE, over_seeds, read_splits
from fkd.verification.significance import average_ranks, critical_difference, friedman, nemenyi

FEWEST = 3
"""The number of models from which ranks are compared."""

ROW = 0.13
"""The height of a model's line, in inches."""

SIDES = 0.08
"""The share of the width that is kept free on each side: the layout gives names too little room."""


def figure_ranks(
    *,
    metrics: list[Path],
    students: dict[str, Student],
    svg: Path,
    png: Path,
    drawn: Collection[str] = (),
) -> None:
    """Draw the average ranks of all models on each set, with what Nemenyi's test tells apart.

    Parameters
    ----------
    metrics : list of Path
        CSV files of :func:`fkd.verification.stage.evaluate_wd`, of all models, sets and NREF.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure, with a diagram for each set at its largest NREF. A model's rank is that of its
        EER with user thresholds, averaged over the splits. A bar joins models that do not differ.
    png : Path
        The same figure.
    drawn : collection of str, optional
        The sets that a program drew, which the figure then says.
    """
    rates = rates_of_splits(over_seeds(read_splits(metrics)))
    most = max(table.shape[1] for table in rates.values())
    with styled():
        drawing = figure(height=(ROW * most + 1.2) * len(rates))
        drawing.get_layout_engine().set(rect=(SIDES, 0, 1 - 2 * SIDES, 1))
        axes = drawing.subplots(len(rates), 1, squeeze=False)[:, 0]
        for axis, ((name, references), table) in zip(axes, rates.items(), strict=True):
            ranks, pairs, told = ranked(table)
            names = {model: label(model, students) for model in table}
            diagram = scikit_posthocs.critical_difference_diagram(
                ranks.rename(names),
                pairs.rename(index=names, columns=names),
                alpha=SIGNIFICANCE,
                ax=axis,
                label_fmt_left="{label} ({rank:.1f})",
                label_fmt_right="({rank:.1f}) {label}",
                label_props={"fontsize": 7},
                marker_props={"s": 12},
                elbow_props={"linewidth": 0.8},
                color_palette=[BLACK] * len(ranks),
            )
            for bar in chain.from_iterable(diagram["crossbars"]):
                # The library joins models in the order of a set, which differs from run to run.
                bar.set_xdata(np.sort(bar.get_xdata()))
            axis.grid(visible=False)
            axis.set_title(f"{set_label(name, drawn)}, NREF {references}: {told}")
        save(drawing, svg, png)


def ranked(table: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame, str]:
    """Rank models over splits, and test which of them differ.

    Parameters
    ----------
    table : DataFrame
        A rate for each split (row) and model (column).

    Returns
    -------
    ranks : Series
        The average rank of each model.
    pairs : DataFrame
        The p-values of Nemenyi's test of each pair; 1 unless Friedman's test is significant.
    told : str
        The critical difference, or that models do not differ.
    """
    table = table[in_order(table)]
    ranks = pd.Series(average_ranks(table), table.columns)
    pairs = pd.DataFrame(1.0, table.columns, table.columns)
    p = friedman(table)
    if p >= SIGNIFICANCE:
        return ranks, pairs, f"no model differs (Friedman's p {p:.2f})"
    pairs[:] = nemenyi(table)
    splits, models = table.shape
    distance = critical_difference(models, splits, SIGNIFICANCE)
    return ranks, pairs, f"critical difference {distance:.1f}"
