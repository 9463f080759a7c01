"""The style of all figures: readable in print and by the color-blind, the same from run to run."""

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import count, cycle
from pathlib import Path

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from fkd.storage.atomic import writing
from fkd.storage.files import printable_lines
from fkd.study.models import TEACHER, Kind, in_order, model_of, network_label
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
    "text.parse_math": False,  # a name may contain dollar signs
    "svg.hashsalt": "fkd",  # makes the ids in SVG files the same in every run
}

_RESPONSE_COLORS = {
    None: ORANGE,
    "temperature_cross_entropy": SKY,
    "barlow_twins": PURPLE,
    "barlow_colleagues": GREEN,
}

Line = str | tuple[float, tuple[float, ...]]
"""A line's style as matplotlib takes it: by name, or as an offset and lengths on and off."""

_NETWORK_LINES: dict[str, tuple[Line, Line]] = {
    "resnet18": ((0, (4.0, 1.6)), "-"),
    "signet": ((0, (1.0, 1.2)), "-."),
}
"""The lines of students without and with a geometric loss, by network."""

_OTHER_LINES: tuple[Line, Line] = ((0, (2.0, 2.0)), (0, (9.0, 2.0)))
"""The same for networks that the paper does not have."""

OTHERS = "other models"
"""The title of the column of models that are neither teacher nor students."""

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
    for text in drawing.findobj(Text):
        _make_legible(text)
    _settle(drawing)
    for path in paths:
        # By default an SVG file contains the date on which it was written.
        metadata = {"Date": None} if Path(path).suffix == ".svg" else None
        with writing(path) as part:
            drawing.savefig(part, metadata=metadata)


def _make_legible(text: Text) -> None:
    """Let no character of a text become an empty box.

    Characters that the figures' font lacks are taken from the first installed font that has
    them, or else spelled out, such as ``U+7F72``.
    """
    shown, families = "", list(STYLE["font.sans-serif"])
    for character in printable_lines(text.get_text()):
        family = "" if character == "\n" else _family_with(character)
        shown += f"U+{ord(character):04X}" if family is None else character
        families += [family] if family and family not in families else []
    if (shown, len(families)) != (text.get_text(), 1):
        text.set_text(shown)
        text.set_fontfamily(families)


@cache
def _family_with(character: str) -> str | None:
    """Find a font that has a character: the figures' own, or the first installed one by name."""
    own = STYLE["font.sans-serif"][0]
    upright = {
        font.name: font.fname
        for font in font_manager.fontManager.ttflist
        if (font.style, font.weight, font.stretch) == ("normal", 400, "normal")
    }
    for name in (own, *sorted(set(upright) - {own})):
        has_character = font_manager.get_font(upright[name]).get_char_index(ord(character))
        if has_character and "Last Resort" not in name:  # that font has a box for any character
            return name
    return None


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

    A student's color stands for its response loss, and its line for its network and whether it
    has a geometric loss: solid and dashed for ResNet-18, dash-dotted and dotted for SigNet. Its
    marker is filled if it has a geometric loss. The teacher is black, and random weights are
    gray. Students that would have the line of an earlier one, and models trained by others, take
    a line from a list that has no end. So no two models have the same line, even where it has no
    marker, and each of the study's models has the same look in every figure.

    Parameters
    ----------
    models : list of str
        The names of the models.
    students : mapping of str to Student
        The students of the study.

    Returns
    -------
    dict of str to dict
        For each model the keyword arguments of ``Axes.plot``: color, linestyle, marker and
        markerfacecolor.
    """
    looks_of, taken, further = {}, set(), _further_lines()
    # Students first, all of them: which figure shows which models makes no difference to them.
    for name in dict.fromkeys([*in_order(students), *models]):
        model = model_of(name, students)
        marker, is_filled = "o", True
        match model.kind:
            case Kind.TEACHER:
                color, line, marker = BLACK, "-", "s"
            case Kind.FOREIGN:
                color, line, marker = next(further)
            case Kind.STUDENT:
                color, line = _student_line(model.student)
                if (color, line) in taken:
                    color, line, marker = next(further)
                taken.add((color, line))
                is_filled = bool(model.student.guiding_maps)
        looks_of[name] = {
            "color": color,
            "linestyle": line,
            "marker": marker,
            "markerfacecolor": color if is_filled else "white",
        }
    return {name: looks_of[name] for name in models}


def _further_lines() -> Iterator[tuple[str, Line, str]]:
    """Yield colors, lines and markers that no student of the paper has, each only once.

    The lines are a dash and one dot, a dash and two dots, and so on.
    """
    markers = cycle("^DvP")
    for dots in count(1):
        line = (0, (5.0, 1.5, *(1.0, 1.5) * dots))
        for color in (BLUE, RED, YELLOW):
            yield color, line, next(markers)


def _student_line(student: Student) -> tuple[str, Line]:
    """Give the color and the line of a student by its losses and its network."""
    losses = [response.loss for response in student.responses]
    color = _RESPONSE_COLORS.get(losses[0] if losses else None, BLUE)
    lines = _NETWORK_LINES.get(student.architecture, _OTHER_LINES)
    return color if student.is_trained else GRAY, lines[bool(student.guiding_maps)]


def by_network(models: list[str], students: Mapping[str, Student]) -> dict[str, list[str]]:
    """Divide models into the columns of a figure: the students' networks, and models of others.

    Parameters
    ----------
    models : list of str
        The names of the models.
    students : mapping of str to Student
        The students among the models. The teacher appears in every column for comparison.

    Returns
    -------
    dict of str to list of str
        The models of each column, by its title. Columns and models keep the order of
        `models`. Without students there is one column, with an empty title.
    """
    title_of = {
        m: network_label(students[m].architecture) if m in students else OTHERS
        for m in models
        if m != TEACHER
    }
    titles = sorted(dict.fromkeys(title_of.values()), key=lambda title: title == OTHERS)
    if not set(titles) - {OTHERS}:
        return {"": models}
    return {title: [m for m in models if title_of.get(m, title) == title] for title in titles}


def set_label(name: str, drawn: Collection[str]) -> str:
    """Name a set of signatures in a figure of its rates, and say whether a program drew it."""
    return f"{name}, drawn by a program" if name in drawn else name


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
