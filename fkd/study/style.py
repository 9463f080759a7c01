"""The style of all figures: readable in print and by the color-blind, the same from run to run."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle, product
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from fkd.storage.atomic import writing
from fkd.study.models import Kind, model_of, network_label
from fkd.study.students import Student

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
"""Colors that the color-blind can tell apart (Okabe and Ito 2008)."""

GRAY = "#7F7F7F"

GENUINE, FORGED = BLUE, RED
"""The colors of genuine signatures and of skilled forgeries, in every figure."""

WIDTH = 7.0
"""The width of a figure in inches, which is the text width of a page."""

DPI = 150
"""The resolution of the PNG files, and of images in the SVG files, in pixels per inch."""

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib brings it along
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
    "path.simplify_threshold": 0.5,  # simplifies long curves, for smaller files
    "savefig.dpi": DPI,
    "svg.hashsalt": "fkd",  # makes the ids in SVG files the same in every run
}

_RESPONSE_COLORS = {
    None: ORANGE,
    "temperature_cross_entropy": SKY,
    "barlow_twins": PURPLE,
    "barlow_colleagues": GREEN,
}
_NETWORK_LINES = {"resnet18": "-", "signet": "--"}

LEGEND_COLUMNS = 3
"""The largest number of columns of a legend."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of all figures, whatever matplotlib settings the user has."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def figure(height: float, width: float = WIDTH) -> Figure:
    """Make an empty figure of a size in inches. Call it within :func:`styled`."""
    return Figure(figsize=(width, height), layout="constrained")


def save(drawing: Figure, *paths: Path) -> None:
    """Write a figure, in such a way that equal figures become equal files.

    Call it within :func:`styled`.

    Parameters
    ----------
    drawing : Figure
        The figure.
    paths : Path
        The files to write. Their endings, ``.svg`` or ``.png``, give the formats.
    """
    _settle(drawing)
    for path in paths:
        # By default an SVG file contains the date on which it was written.
        metadata = {"Date": None} if Path(path).suffix == ".svg" else None
        with writing(path) as part:
            drawing.savefig(part, metadata=metadata)


def _settle(drawing: Figure) -> None:
    """Lay the figure out once and for all, and round the positions of its axes.

    The solver of matplotlib's layout engine adds numbers in the order of memory addresses, so
    the last bits of a position differ from run to run. Without rounding they would decide
    at which pixel an image begins, and the files would differ.
    """
    drawing.draw_without_rendering()
    drawing.set_layout_engine("none")
    parts: list[Figure | SubFigure] = [drawing]
    for part in parts:  # the list grows while the loop runs, down to the innermost subfigure
        parts += part.subfigs
        if isinstance(part, SubFigure):
            part.bbox_relative.set_points(part.bbox_relative.get_points().round(4))
    for axis in drawing.axes:
        axis.set_position(Bbox(axis.get_position(original=True).get_points().round(4)))


def frame_image(axis: Axes, color: str = GRAY, linewidth: float = 0.5) -> None:
    """Show an axis as a frame around an image, without ticks and grid.

    Parameters
    ----------
    axis : Axes
        The axis that contains the image.
    color : str
        The color of the frame.
    linewidth : float
        The width of the frame's lines, in points.
    """
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    axis.spines[:].set(visible=True, color=color, linewidth=linewidth)


def looks(models: list[str], students: Mapping[str, Student]) -> dict[str, dict]:
    """Choose colors, lines and markers for models.

    A student's color stands for its response loss, and its line for its network: solid for
    ResNet-18, dashed for SigNet. Its marker is filled if it has a geometric loss. The teacher
    is black, and random weights are gray. So each model of the paper has its own look, which
    is the same in every figure. Students that would look like an earlier one, and models
    trained by others, take their markers and colors from a list of other ones.

    Parameters
    ----------
    models : list of str
        The names of the models.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    dict of str to dict
        For each model the keyword arguments of ``Axes.plot``: color, linestyle, marker and
        markerfacecolor.
    """
    unused = cycle(product(("^", "D", "v", "P"), (BLUE, RED, YELLOW)))
    taken: set[tuple] = set()
    looks_of = {}
    for name in models:
        model = model_of(name, students)
        match model.kind:
            case Kind.TEACHER:
                color, line, marker, filled = BLACK, "-", "s", True
            case Kind.FOREIGN:
                marker, color = next(unused)
                line, filled = ":", True
            case Kind.STUDENT:
                color, line, marker, filled = _student_look(model.student)
                if (color, line, filled) in taken:  # another student has the same kinds of terms
                    marker, color = next(unused)
                taken.add((color, line, filled))
        looks_of[name] = {
            "color": color,
            "linestyle": line,
            "marker": marker,
            "markerfacecolor": color if filled else "white",
        }
    return looks_of


def _student_look(student: Student) -> tuple[str, str, str, bool]:
    """Give a student's color, line and marker, and whether the marker is filled."""
    color = _RESPONSE_COLORS.get(student.response.loss if student.response else None, BLUE)
    color = color if student.is_trained else GRAY
    line = _NETWORK_LINES.get(student.architecture, "-.")
    return color, line, "o", bool(student.guiding_maps)


def by_network(models: list[str], students: Mapping[str, Student]) -> dict[str, list[str]]:
    """Divide models into the columns of a figure, one for each network of the students.

    Parameters
    ----------
    models : list of str
        The names of the models.
    students : mapping of str to Student
        The students among the models. All other models, such as the teacher, appear in
        every column for comparison.

    Returns
    -------
    dict of str to list of str
        The models of each column, by its title. Columns and models keep the order of
        `models`. Without students there is one column, with an empty title.
    """
    networks = dict.fromkeys(students[m].architecture for m in models if m in students)
    return {
        network_label(network): [
            m for m in models if m not in students or students[m].architecture == network
        ]
        for network in networks
    } or {"": models}


def legend(drawing: Figure, entries: Mapping[str, Mapping]) -> None:
    """Put a legend below all panels of a figure.

    Parameters
    ----------
    drawing : Figure
        The figure. Its height includes :func:`legend_height`.
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
    """Compute the height in inches of a legend with this number of entries."""
    return 0.15 + 0.16 * math.ceil(entries / LEGEND_COLUMNS)
