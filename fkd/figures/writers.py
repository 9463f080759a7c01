"""The error rates of each writer: whether the same writers are hard for all models."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from fkd.storage import shards
from fkd.study.models import in_order, label
from fkd.study.students import Student
from fkd.study.style import figure, save, set_label, styled
from fkd.verification.judging import splits_by_writer
from fkd.verification.thresholds import equal_error_rate

ROW = 0.24
"""The height of a model's row, in inches."""

NAMED = 30
"""The largest number of writers who are all named."""

HARDEST = 8
"""How many writers are named where there are more: the hardest."""

LEGIBLE = 12
"""The largest number of characters of a writer's name."""


def figure_writers(
    *,
    scores: list[Path],
    students: dict[str, Student],
    svg: Path,
    png: Path,
    drawn: Collection[str] = (),
) -> None:
    """Draw the equal error rate of each writer of a set, model by model.

    Parameters
    ----------
    scores : list of Path
        Shards of kind "scores", one for each model, of one set at one NREF.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure: a row for each model and a column for each writer, from the hardest on the left.
        Gray levels are the EER with the writer's threshold, averaged over the splits.
    png : Path
        The same figure.
    drawn : collection of str, optional
        The sets that a program drew, which the figure then says.
    """
    rates = rates_of_writers(scores)
    with shards.opened(scores[0], "scores") as shard:
        name, references = shard.attributes["set"], shard.attributes["protocol"]["references"]
    with styled():
        drawing = figure(height=ROW * len(rates) + 1.1)
        axis = drawing.subplots()
        shown = axis.imshow(rates, cmap="Greys", aspect="auto", vmin=0, interpolation="none")
        drawing.colorbar(shown, ax=axis, label="EER (%)", pad=0.01)
        axis.set_yticks(range(len(rates)), [label(model, students) for model in rates.index])
        shown_names = len(rates.columns) if len(rates.columns) <= NAMED else HARDEST
        names = [str(writer)[:LEGIBLE] for writer in rates.columns[:shown_names]]
        axis.set_xticks(range(shown_names), names, rotation=90, fontsize=6)
        axis.set_xlabel(f"{len(rates.columns)} writers, from the hardest")
        axis.tick_params(length=0)
        axis.grid(visible=False)
        axis.set_title(f"{set_label(name, drawn)}, NREF {references}")
        save(drawing, svg, png)


def rates_of_writers(scores: list[Path]) -> pd.DataFrame:
    """Compute the equal error rates of each writer, under a threshold for the writer and split.

    Parameters
    ----------
    scores : list of Path
        Shards of kind "scores", one for each model, of one set at one NREF.

    Returns
    -------
    DataFrame
        The rates in percent, averaged over the splits: a row for each model in the order of the
        tables, a column for each writer, by falling mean over the models. Writers without
        forgeries are left out.
    """
    found = {}
    for path in scores:
        shard = shards.read(path, "scores", ["split", "writer", "forgery", "score"])
        names, by_split = shard.attributes["writers"], splits_by_writer(shard)
        rates = {}
        for at, writer in enumerate(names):
            own = [split.of_writer(at) for split in by_split]
            of_splits = [equal_error_rate(*kinds) for kinds in own if all(map(len, kinds))]
            if of_splits:
                rates[writer] = 100 * float(np.mean(of_splits))
        found[shard.attributes["model"]] = rates
    table = pd.DataFrame({model: found[model] for model in in_order(found)}).T
    order = table.mean().sort_values(ascending=False, kind="stable").index
    return table[order]
