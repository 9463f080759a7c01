"""A table for readers, in Markdown and in LaTeX."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tabulate import tabulate

_LATEX = str.maketrans(
    {
        **{sign: rf"\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "±": r"$\pm$",
        "–": "--",
        "₁": "$_1$",
        "₂": "$_2$",
        "*": "$^*$",
        "†": r"$^\dagger$",
        "‡": r"$^\ddagger$",
    }
)
_MARKS = {"*": "*", "†": r"\dagger", "‡": r"\ddagger"}


@dataclass(frozen=True)
class Rate:
    """A mean with its standard deviation.

    Attributes
    ----------
    mean, sd : float
        Shown with two decimals.
    marks : str
        Of ``*``, ``†`` and ``‡``, set behind it.
    is_best : bool
        Whether it is printed bold.
    """

    mean: float
    sd: float
    marks: str = ""
    is_best: bool = False

    def markdown(self) -> str:
        """Such as ``**2.74 ± 0.28** \\*†``."""
        text = f"{self.mean:.2f} ± {self.sd:.2f}"
        text = f"**{text}**" if self.is_best else text
        return f"{text} {escape_markdown(self.marks)}".rstrip()

    def latex(self, digits: int = 1) -> str:
        """Such as ``$\\mathbf{2.74 \\pm 0.28}^{*\\dagger}$``.

        Parameters
        ----------
        digits : int
            Before the point, for which room is left, so that points stand in a column.
        """
        room = r"\phantom{" + "0" * (digits - self.digits) + "}" if digits > self.digits else ""
        text = rf"{room}{self.mean:.2f} \pm {self.sd:.2f}"
        text = rf"\mathbf{{{text}}}" if self.is_best else text
        marks = "".join(_MARKS[mark] for mark in self.marks)
        return f"${text}^{{{marks}}}$" if marks else f"${text}$"

    @property
    def digits(self) -> int:
        """Digits before the point."""
        return len(f"{self.mean:.2f}") - 3


@dataclass(frozen=True)
class Sheet:
    """What a table shows.

    Attributes
    ----------
    columns : list of (str, str)
        A heading over neighboring columns, empty where there is none, and each column's own.
    rows : list of list of Rate or str
        The cells.
    rules : set of int
        Rows over which LaTeX draws a line.
    """

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Rate | str]]
    rules: set[int] = field(default_factory=set)

    def markdown(self) -> str:
        """Typeset it as a pipe table."""
        cells = [
            [c.markdown() if isinstance(c, Rate) else escape_markdown(c) for c in row]
            for row in self.rows
        ]
        headers = [f"{over}: {name}" if over else name for over, name in self.columns]
        return tabulate(cells, headers, "pipe", disable_numparse=True)

    def latex(self, caption: str, label: str, notes: Sequence[str] = ()) -> str:
        """Typeset it as a ``table`` environment, for the packages booktabs and graphicx.

        Parameters
        ----------
        caption, label : str
            Of the table; the caption is plain text.
        notes : sequence of str
            Paragraphs of plain text under it.
        """
        lines = [
            r"\begin{table}[tbp]",
            r"\centering",
            rf"\caption{{{escape_latex(caption)}}}",
            rf"\label{{{label}}}",
            r"\smallskip",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{4pt}",
            # No wider than the page.
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{@{{}}{'l' * len(self.columns)}@{{}}}}",
            r"\toprule",
            *self._headings(),
            r"\midrule",
        ]
        digits = [
            max((cell.digits for cell in column if isinstance(cell, Rate)), default=1)
            for column in zip(*self.rows, strict=True)
        ]
        for at, row in enumerate(self.rows):
            lines += [r"\midrule"] if at in self.rules else []
            cells = (
                cell.latex(room) if isinstance(cell, Rate) else escape_latex(cell)
                for cell, room in zip(row, digits, strict=True)
            )
            lines.append(" & ".join(cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}}"]
        if notes:
            text = " ".join(map(escape_latex, notes))
            lines += [r"\par\smallskip", rf"\parbox{{\linewidth}}{{\scriptsize {text}}}"]
        return "\n".join([*lines, r"\end{table}", ""])

    def _headings(self) -> list[str]:
        """Give the columns' names, below the headings that several share, with their lines."""
        over, lines, first = [], [], 1
        while first <= len(self.columns):
            name, last = self.columns[first - 1][0], first
            while last < len(self.columns) and name and self.columns[last][0] == name:
                last += 1
            span = f"{{{last - first + 1}}}{{l}}{{{escape_latex(name)}}}"
            over.append(rf"\multicolumn{span}" if name else "")
            lines += [rf"\cmidrule(lr){{{first}-{last}}}"] if name else []
            first = last + 1
        names = " & ".join(escape_latex(name) for _, name in self.columns) + r" \\"
        return [" & ".join(over) + r" \\", " ".join(lines), names] if lines else [names]


def escape_latex(text: str) -> str:
    """Let text stand in LaTeX as it is."""
    return text.translate(_LATEX)


def escape_markdown(text: str) -> str:
    """Let marks stand in Markdown as they are."""
    return text.replace("*", r"\*")
