"""How training went: each term of the loss over the epochs, in training and in validation."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from fkd.figures.style import GRAY, by_network, figure, legend, legend_height, looks, save, styled
from fkd.study.naming import RESPONSES, in_order, label
from fkd.study.students import Student

ROW = 1.2
"""Inches that a term takes."""

_SUBSETS = ("training", "validation")
_NOT_TERMS = ("images", "total", "seconds")
_NAMES = {"classification": "CL (nats)", "accuracy": "accuracy (%)"}


def figure_losses(*, losses: list[Path], students: dict[str, dict], svg: Path, png: Path) -> None:
    """Draw each term of the loss over the epochs.

    Parameters
    ----------
    losses : list of Path
        CSV files of the training stages, each in a folder with the model's name.
    students : dict of str to dict
        The students of the study, as :meth:`fkd.study.students.Student.to_dict` gives them.
    svg : Path
        The figure: a row a term, a column a network and subset.
    png : Path
        The same figure.
    """
    specs = {name: Student.from_dict(spec) for name, spec in students.items()}
    tables = {Path(path).parent.name: pd.read_csv(path) for path in losses}
    models = in_order(tables)
    terms = terms_over_epochs(tables, specs)
    columns = [
        (network, subset, members)
        for network, members in by_network(models, specs).items()
        for subset in _SUBSETS
    ]
    look = looks(models, specs)
    with styled():
        drawing = figure(height=ROW * len(terms) + legend_height(len(models)) + 0.4)
        grid = drawing.subplots(len(terms), len(columns), sharex=True, sharey="row", squeeze=False)
        for axis, (network, subset, _) in zip(grid[0], columns, strict=True):
            axis.set_title(f"{network}\n{subset}".strip())
        for axis in grid[-1]:
            axis.set_xlabel("epoch")
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for axes, (term, series) in zip(grid, terms.items(), strict=True):
            axes[0].set_ylabel(term)
            _scale(axes[0], list(series.values()))
            for axis, (_, subset, members) in zip(axes, columns, strict=True):
                for model in members:
                    if (model, subset) in series:
                        values = series[model, subset]
                        axis.plot(values.index, values, markevery=[-1], **look[model])
                if not axis.lines:
                    axis.grid(False)
                    axis.text(0.5, 0.5, "none", transform=axis.transAxes, color=GRAY, ha="center")
        legend(drawing, {label(model, specs): look[model] for model in models})
        drawing.align_ylabels(grid[:, 0])
        save(drawing, svg, png)


def terms_over_epochs(
    tables: Mapping[str, pd.DataFrame], students: Mapping[str, Student]
) -> dict[str, dict[tuple[str, str], pd.Series]]:
    """Gather what can share an axis: one term of the models that have it.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        What was written while each model was trained: ``epoch``, ``subset`` and the terms.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    dict of str to dict of (str, str) to Series
        For each term its values by epoch, for each model and subset; accuracy in percent.
        Response losses of different kinds, or of different parameters, are different terms.
    """
    found: dict[str, dict[tuple[str, str], pd.Series]] = {}
    for model in in_order(tables):
        for subset, rows in tables[model].groupby("subset"):
            rows = rows.set_index("epoch").drop(columns="subset").dropna(axis=1, how="all")
            for column in rows.columns.difference(_NOT_TERMS, sort=False):
                values = 100 * rows[column] if column == "accuracy" else rows[column]
                name = _name(column, students.get(model))
                found.setdefault(name, {})[model, subset] = values
    kinds = ("CL", "GEOM", "T-CE", "BT", "BC", "", "accuracy")

    def place(name: str) -> tuple:
        kind = name.split()[0]
        return kinds.index(kind if kind in kinds else ""), name

    return {name: found[name] for name in sorted(found, key=place)}


def _name(column: str, student: Student | None) -> str:
    """Name the term that a column holds."""
    if column == "response" and student is not None and student.response is not None:
        response = student.response
        name = RESPONSES.get(response.loss, response.loss)
        name += " (nats)" * (response.loss == "temperature_cross_entropy")
        given = ", ".join(f"{key}={value:g}" for key, value in sorted(response.parameters.items()))
        return f"{name}\n({given})" if given else name
    if column.startswith("geometry_"):
        return f"GEOM {column.removeprefix('geometry_')}"
    return _NAMES.get(column, column)


def _scale(axis: Axes, series: list[pd.Series]) -> None:
    """Take a logarithmic axis for a term that falls far."""
    least, most = min(map(min, series)), max(map(max, series))
    if axis.get_ylabel() not in _NAMES.values() and 0 < least < most / 5:
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
