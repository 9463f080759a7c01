"""The one style of all figures: readable in print and by the color-blind, equal from run to run."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle, product
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from fkd.storage.atomic import writing
from fkd.study.naming import network_name
from fkd.study.students import TEACHER, Student

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
"""Colors that the color-blind tell apart (Okabe and Ito 2008)."""

GRAY = "#7F7F7F"

GENUINE, FORGED = BLUE, RED
"""Genuine signatures and skilled forgeries, in every figure."""

WIDTH = 7.0
"""Inches: the text width of a page."""

DPI = 150
"""Of the PNG files, and of images within the SVG files."""

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "image.cmap": "gray",
    "path.simplify_threshold": 0.5,  # in points: long curves make smaller files
    "savefig.dpi": DPI,
    "svg.hashsalt": "fkd",  # names within the file are equal from run to run
}

_RESPONSE_COLORS = {
    None: ORANGE,
    "temperature_cross_entropy": SKY,
    "barlow_twins": PURPLE,
    "barlow_colleagues": GREEN,
}
_NETWORK_LINES = {"resnet18": "-", "signet": "--"}

LEGEND_COLUMNS = 3


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the one style; nothing of a user's own matplotlib settings shows."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def figure(height: float, width: float = WIDTH) -> Figure:
    """Make an empty figure of a size in inches, within :func:`styled`."""
    return Figure(figsize=(width, height), layout="constrained")


def save(drawing: Figure, *paths: Path) -> None:
    """Write a figure, within :func:`styled`; without a date, so that equal figures are equal files.

    Parameters
    ----------
    drawing : Figure
        What to write.
    paths : Path
        Where; the ending of each says the format, ``.svg`` or ``.png``.
    """
    _settle(drawing)
    for path in paths:
        metadata = {"Date": None} if Path(path).suffix == ".svg" else None
        with writing(path) as part:
            drawing.savefig(part, metadata=metadata)


def _settle(drawing: Figure) -> None:
    """Place all axes once, in whole steps.

    The solver behind the layout sums in the order of memory addresses. Its last bits would
    decide on which side of a pixel's edge an image begins.
    """
    drawing.draw_without_rendering()
    drawing.set_layout_engine("none")
    parts: list[Figure | SubFigure] = [drawing]
    for part in parts:
        parts += part.subfigs
        if isinstance(part, SubFigure):
            part.bbox_relative.set_points(part.bbox_relative.get_points().round(4))
    for axis in drawing.axes:
        axis.set_position(Bbox(axis.get_position(original=True).get_points().round(4)))


def looks(models: list[str], students: Mapping[str, Student]) -> dict[str, dict]:
    """Give each model a look of its own, the same in every figure of a study.

    A student's color says its response loss, a filled marker its geometric loss, the line
    its network: solid for ResNet-18, dashed for SigNet. The teacher is black, random
    weights are gray; the paper's other models share no look, and those of others get
    what is left.

    Parameters
    ----------
    models : list of str
        Their names.
    students : mapping of str to Student
        The students among them.

    Returns
    -------
    dict of str to dict
        For each model keyword arguments of ``Axes.plot``: color, linestyle, marker and
        markerfacecolor.
    """
    rest = cycle(product(("^", "D", "v", "P"), (BLUE, RED, YELLOW)))
    taken: set[tuple] = set()
    found = {}
    for model in models:
        student = students.get(model)
        if model == TEACHER:
            color, line, marker, filled = BLACK, "-", "s", True
        elif student is None:
            marker, color = next(rest)
            line, filled = ":", True
        else:
            color = _RESPONSE_COLORS.get(student.response.loss if student.response else None, BLUE)
            color = color if student.is_trained else GRAY
            line = _NETWORK_LINES.get(student.architecture, "-.")
            marker, filled = "o", bool(student.maps)
            if (color, line, filled) in taken:  # a student that differs by its weights alone
                marker, color = next(rest)
            taken.add((color, line, filled))
        face = color if filled else "white"
        found[model] = {
            "color": color,
            "linestyle": line,
            "marker": marker,
            "markerfacecolor": face,
        }
    return found


def by_network(models: list[str], students: Mapping[str, Student]) -> dict[str, list[str]]:
    """Part models into one column of a figure for each network of the students.

    Parameters
    ----------
    models : list of str
        Their names.
    students : mapping of str to Student
        The students among them; all other models, such as the teacher, stand in every
        column for comparison.

    Returns
    -------
    dict of str to list of str
        Models by the column's title, both in the order given.
    """
    networks = dict.fromkeys(students[m].architecture for m in models if m in students)
    return {
        network_name(network): [
            m for m in models if m not in students or students[m].architecture == network
        ]
        for network in networks
    } or {"": models}


def legend(drawing: Figure, entries: Mapping[str, Mapping]) -> None:
    """Put one legend below all panels of a figure; :func:`legend_height` is its share.

    Parameters
    ----------
    drawing : Figure
        The figure, as high as its panels and its legend need.
    entries : mapping of str to mapping
        Keyword arguments of ``Line2D``, such as those of :func:`looks`, by label.
    """
    drawing.legend(
        handles=[Line2D([], [], label=label, **look) for label, look in entries.items()],
        loc="outside lower center",
        ncols=min(LEGEND_COLUMNS, len(entries)),
        handlelength=3,
    )


def legend_height(entries: int) -> float:
    """Inches that a legend of so many entries takes."""
    return 0.15 + 0.16 * math.ceil(entries / LEGEND_COLUMNS)
