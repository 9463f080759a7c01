"""The error rates of the single splits, of which the tables give the means."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from fkd.study.models import TEACHER, in_order, label
from fkd.study.students import Student
from fkd.study.style import GRAY, figure, looks, save, set_label, styled
from fkd.study.summary import over_seeds, read_splits

ROW = 0.27
"""The height of a model's row, in inches."""

SPREAD = 0.32
"""The distance of the first and of the last split from the middle of the row, in rows."""


def figure_splits(
    *,
    metrics: list[Path],
    students: dict[str, Student],
    svg: Path,
    png: Path,
    drawn: Collection[str] = (),
) -> None:
    """Draw the equal error rate with user thresholds of every split, model by model.

    Parameters
    ----------
    metrics : list of Path
        CSV files of :func:`fkd.verification.stage.evaluate_wd`, of all models, sets and NREF.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure, with a row for each model, in the order of the tables, and a column for
        each set at its largest NREF.
    png : Path
        The same figure.
    drawn : collection of str, optional
        The sets that a program drew, which the figure then says.
    """
    rates = rates_of_splits(over_seeds(read_splits(metrics)))
    models = in_order({model for table in rates.values() for model in table})
    look = looks(models, students)
    with styled():
        drawing = figure(height=ROW * len(models) + 0.8)
        axes = drawing.subplots(1, len(rates), sharey=True, squeeze=False)[0]
        for axis, ((name, references), table) in zip(axes, rates.items(), strict=True):
            # A split has the same height in every row, so that models can be compared in pairs.
            heights = np.linspace(-SPREAD, SPREAD, len(table)) if len(table) > 1 else np.zeros(1)
            if TEACHER in table:
                axis.axvline(table[TEACHER].mean(), color=GRAY, linewidth=0.8, linestyle=":")
            for row, model in enumerate(models):
                if model not in table:
                    continue
                mean = [table[model].mean()] * 2
                axis.plot(
                    table[model],
                    row + heights,
                    **look[model] | {"linestyle": "none", "markersize": 2.8},
                )
                axis.plot(mean, [row - 0.4, row + 0.4], color=look[model]["color"], linewidth=1.2)
            axis.set_title(f"{set_label(name, drawn)}, NREF {references}")
            axis.set_xlabel("EER, user thresholds (%)")
            axis.grid(axis="y", visible=False)
            axis.tick_params(axis="y", length=0)
        axes[0].set_ylim(len(models) - 0.4, -0.6)
        axes[0].set_yticks(range(len(models)), [label(model, students) for model in models])
        save(drawing, svg, png)


def rates_of_splits(splits: pd.DataFrame) -> dict[tuple[str, int], pd.DataFrame]:
    """Select the rates of each set at its largest number of references.

    Parameters
    ----------
    splits : DataFrame
        Columns ``model``, ``set``, ``references``, ``split`` and ``EER_userthresholds``, a
        share.

    Returns
    -------
    dict of (str, int) to DataFrame
        For each set and its largest NREF, the EER in percent, with a row for each split and a
        column for each model.
    """
    rates = {}
    for name, group in splits.groupby("set"):
        references = int(group["references"].max())
        group = group[group["references"] == references]
        table = group.pivot(index="split", columns="model", values="EER_userthresholds")
        rates[name, references] = 100 * table
    return rates
