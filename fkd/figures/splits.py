"""The error rates of every split, behind the means of the tables."""

from pathlib import Path

import numpy as np
import pandas as pd

from fkd.figures.style import GRAY, figure, looks, save, styled
from fkd.study.naming import in_order, label
from fkd.study.students import TEACHER, Student

ROW = 0.27
"""Inches that a model takes."""

SPREAD = 0.32
"""How far from the middle of its row the first and the last split lie, in rows."""


def figure_splits(*, metrics: list[Path], students: dict[str, dict], svg: Path, png: Path) -> None:
    """Draw the equal error rate with user thresholds of every split, model by model.

    Parameters
    ----------
    metrics : list of Path
        CSV files of :func:`fkd.verification.stage.evaluate_wd`, of all models, sets and NREF.
    students : dict of str to dict
        The students of the study, as :meth:`fkd.study.students.Student.to_dict` gives them.
    svg : Path
        The figure: a row a model, in the order of the tables; a column a set, at its
        largest NREF.
    png : Path
        The same figure.
    """
    specs = {name: Student.from_dict(spec) for name, spec in students.items()}
    rates = rates_of_splits(pd.concat(map(pd.read_csv, metrics), ignore_index=True))
    models = in_order({model for table in rates.values() for model in table})
    look = looks(models, specs)
    with styled():
        drawing = figure(height=ROW * len(models) + 0.8)
        axes = drawing.subplots(1, len(rates), sharey=True, squeeze=False)[0]
        for axis, ((name, references), table) in zip(axes, rates.items(), strict=True):
            # The same split lies at the same height in every row: pairs can be followed.
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
            axis.set_title(f"{name}, NREF {references}")
            axis.set_xlabel("EER, user thresholds (%)")
            axis.grid(axis="y", visible=False)
            axis.tick_params(axis="y", length=0)
        axes[0].set_ylim(len(models) - 0.4, -0.6)
        axes[0].set_yticks(range(len(models)), [label(model, specs) for model in models])
        save(drawing, svg, png)


def rates_of_splits(splits: pd.DataFrame) -> dict[tuple[str, int], pd.DataFrame]:
    """Take each set's rates at its largest number of references.

    Parameters
    ----------
    splits : DataFrame
        Columns ``model``, ``set``, ``references``, ``split`` and ``EER_userthresholds``, a
        share.

    Returns
    -------
    dict of (str, int) to DataFrame
        For each set and its largest NREF, EER in percent: a row a split, a column a model.
    """
    found = {}
    for name, group in splits.groupby("set"):
        references = int(group["references"].max())
        group = group[group["references"] == references]
        table = group.pivot(index="split", columns="model", values="EER_userthresholds")
        found[name, references] = 100 * table
    return found
