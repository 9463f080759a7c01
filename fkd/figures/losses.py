"""The course of training: each term of the loss over the epochs, in training and validation."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from fkd.study.models import in_order, label
from fkd.study.parts import RESPONSE_LOSSES
from fkd.study.students import Student
from fkd.study.style import GRAY, by_network, figure, legend, legend_height, looks, save, styled

ROW = 1.2
"""The height of a row of panels, in inches."""

_SUBSETS = ("training", "validation")
_NOT_TERMS = ("images", "total", "seconds")
"""Columns of the CSV files that are not drawn."""

_NAMES = {"classification": "CL (nats)", "accuracy": "accuracy (%)"}
"""Labels of terms, by their columns in the CSV files."""


def figure_losses(
    *, losses: list[Path], students: dict[str, Student], svg: Path, png: Path
) -> None:
    """Draw each term of the loss over the epochs.

    Parameters
    ----------
    losses : list of Path
        CSV files of the training stages, each in a folder named after its model.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure, with a row for each term and a column for each network and subset.
    png : Path
        The same figure.
    """
    tables = {Path(path).parent.name: pd.read_csv(path) for path in losses}
    models = in_order(tables)
    terms = terms_over_epochs(tables, students)
    columns = [
        (network, subset, members)
        for network, members in by_network(models, students).items()
        for subset in _SUBSETS
    ]
    look = looks(models, students)
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
        legend(drawing, {label(model, students): look[model] for model in models})
        drawing.align_ylabels(grid[:, 0])
        save(drawing, svg, png)


def terms_over_epochs(
    tables: Mapping[str, pd.DataFrame], students: Mapping[str, Student]
) -> dict[str, dict[tuple[str, str], pd.Series]]:
    """Group the series that can share an axis: those of the same term of the loss.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The CSV file of each model's training: ``epoch``, ``subset`` and the terms.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    dict of str to dict of (str, str) to Series
        For each term, the values by epoch of each model and subset. The accuracy is in
        percent. Response losses of different kinds or with different parameters are
        different terms.
    """
    terms: dict[str, dict[tuple[str, str], pd.Series]] = {}
    for model in in_order(tables):
        for subset, rows in tables[model].groupby("subset"):
            rows = rows.set_index("epoch").drop(columns="subset").dropna(axis=1, how="all")
            for column in rows.columns.difference(_NOT_TERMS, sort=False):
                values = 100 * rows[column] if column == "accuracy" else rows[column]
                name = _name(column, students.get(model))
                terms.setdefault(name, {})[model, subset] = values
    kinds = ("CL", "GEOM", "T-CE", "BT", "BC", "", "accuracy")

    def place(name: str) -> tuple:
        kind = name.split()[0]
        return kinds.index(kind if kind in kinds else ""), name  # "" stands for other kinds

    return {name: terms[name] for name in sorted(terms, key=place)}


def _name(column: str, student: Student | None) -> str:
    """Name the term in a column of a model's CSV file, as the figure does."""
    if column == "response" and student is not None and student.response is not None:
        response = student.response
        name = RESPONSE_LOSSES[response.loss].label
        name += " (nats)" * (response.loss == "temperature_cross_entropy")
        parameters = sorted(response.parameters.items())
        settings = ", ".join(f"{key}={value:g}" for key, value in parameters)
        return f"{name}\n({settings})" if settings else name
    if column.startswith("geometry_"):
        return f"GEOM {column.removeprefix('geometry_')}"
    return _NAMES.get(column, column)


def _scale(axis: Axes, series: list[pd.Series]) -> None:
    """Take a logarithmic axis for a term that spans more than a factor of 5.

    Cross-entropy and accuracy keep linear axes.
    """
    least, most = min(map(min, series)), max(map(max, series))
    if axis.get_ylabel() not in _NAMES.values() and 0 < least < most / 5:
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
