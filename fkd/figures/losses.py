"""The course of training: each term of the loss over the epochs, in training and validation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from fkd.study.models import in_order, label
from fkd.study.parts import MAP_LOSSES, RESPONSE_LOSSES, Parameter
from fkd.study.students import Student
from fkd.study.style import GRAY, by_network, figure, legend, legend_height, looks, save, styled

ROW = 1.2
"""The height of a row of panels, in inches."""

WINDOW = 5
"""The number of epochs over whose median a value may stand out as a spike."""

FLATTENED = 5
"""How many times as much as without its spikes a term spans where its axis is cut."""

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
            shown = _scale(axes[0], list(series.values()))
            for axis, (_, subset, members) in zip(axes, columns, strict=True):
                drawn = {m: series[m, subset] for m in members if (m, subset) in series}
                for model, values in drawn.items():
                    axis.plot(values.index, values, markevery=[-1], **look[model])
                if shown:
                    _tell_of_spikes(axis, shown, [*drawn.values()])
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
    for response in student.responses if student is not None else ():
        if column in ("response", f"response_{response.loss}"):
            name = RESPONSE_LOSSES[response.loss].label
            name += " (nats)" * (response.loss == "temperature_cross_entropy")
            return name + _settings(response.parameters)
    for term in student.terms_of_maps if student is not None else ():
        if column.removeprefix(f"{term.loss}_") in term.compared:
            name = f"{MAP_LOSSES[term.loss].label} {column.removeprefix(f'{term.loss}_')}"
            return name + _settings(term.parameters)
    return _NAMES.get(column, column)


def _settings(parameters: Mapping[str, Parameter]) -> str:
    """Write the parameters of a loss that a config gives, on a line of their own."""
    settings = ", ".join(
        f"{key}={value}" if isinstance(value, str) else f"{key}={value:g}"
        for key, value in sorted(parameters.items())
    )
    return f"\n({settings})" if settings else ""


def limits_without_spikes(
    series: Sequence[pd.Series], is_logarithmic: bool
) -> tuple[float, float] | None:
    """Find the limits of an axis that single epochs far from all others would flatten.

    Parameters
    ----------
    series : sequence of Series
        The values of a term by epoch, of all models and subsets that share the axis.
    is_logarithmic : bool
        Whether the axis is logarithmic.

    Returns
    -------
    (float, float) or None
        The limits, which hold all values near the medians over :data:`WINDOW` epochs; None if
        all values together span no more than :data:`FLATTENED` times as much as these.
    """
    taken = np.log if is_logarithmic else np.asarray
    usual, every = taken(_usual(series)), taken(np.concatenate(series))
    every = every[np.isfinite(every)]
    low, high = usual.min(), usual.max()
    # Values that are all the same have limits a little apart, too.
    span = max(high - low, 0.05 * (1 if is_logarithmic else abs(high)), 1e-9)
    near = every[(every >= low - 2 * span) & (every <= high + 2 * span)]
    span = max(span, np.ptp(near))
    if np.ptp(every) <= FLATTENED * span:
        return None
    ends = near.min() - 0.1 * span, near.max() + 0.1 * span
    return tuple(map(float, np.exp(ends) if is_logarithmic else ends))


def _usual(series: Sequence[pd.Series]) -> np.ndarray:
    """Take the values of all series without their spikes.

    These are the medians over neighboring epochs, which a spike of one or two does not change. A
    training of fewer epochs has no such medians: of its values, those of more than ten times the
    median over all series are left out, unless all of them are.
    """
    typical = np.nanmedian(np.abs(np.concatenate(series)))
    usual = []
    for values in series:
        values = values[np.isfinite(values)]
        if len(values) >= WINDOW:
            values = values.rolling(WINDOW, center=True, min_periods=WINDOW // 2 + 1).median()
        elif (is_near := values.abs() <= 10 * typical).any():
            values = values[is_near]
        usual.append(values)
    return np.concatenate(usual)


def _tell_of_spikes(axis: Axes, shown: tuple[float, float], series: Sequence[pd.Series]) -> None:
    """Say at the edge of a panel which values lie beyond it: how far, and at which epoch."""
    values = pd.concat(series) if series else pd.Series(dtype=float)
    for beyond, word, furthest, height in (
        (values[values > shown[1]], "up", pd.Series.idxmax, 0.98),
        (values[values < shown[0]], "down", pd.Series.idxmin, 0.12),
    ):
        if len(beyond):
            values_of_epochs = beyond.reset_index(drop=True)
            at = furthest(values_of_epochs)
            others = f", and {len(beyond) - 1} more" if len(beyond) > 1 else ""
            axis.text(
                0.98,
                height,
                f"{word} to {values_of_epochs[at]:.3g} at epoch {beyond.index[at]}{others}",
                transform=axis.transAxes,
                ha="right",
                va="top",
                fontsize=6,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                zorder=3,
            )


def _scale(axis: Axes, series: list[pd.Series]) -> tuple[float, float] | None:
    """Take a logarithmic axis for a term that spans more than a factor of 5.

    Cross-entropy and accuracy keep linear axes. If spikes would flatten the axis, it is cut,
    and the result is its limits.
    """
    least, most = min(map(min, series)), _usual(series).max()
    is_logarithmic = axis.get_ylabel() not in _NAMES.values() and 0 < least < most / 5
    shown = limits_without_spikes(series, is_logarithmic)
    if is_logarithmic:
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
    if shown:
        axis.set_ylim(*shown)
    return shown
