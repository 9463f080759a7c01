"""Tables for readers, typeset in Markdown and in LaTeX."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tabulate import tabulate

from fkd.study.markup import escape_latex, escape_markdown

_MARKS = {"*": "*", "†": r"\dagger", "‡": r"\ddagger"}
"""Marks of significance in LaTeX's math mode, where :func:`escape_latex` does not apply."""


@dataclass(frozen=True)
class Rate:
    """A mean with its standard deviation.

    Attributes
    ----------
    mean, sd : float
        The two numbers, printed with two decimals.
    marks : str
        Any of ``*``, ``†`` and ``‡``, printed behind the numbers.
    is_best : bool
        Whether the rate is printed bold.
    """

    mean: float
    sd: float
    marks: str = ""
    is_best: bool = False

    def markdown(self) -> str:
        """Typeset the rate, such as ``**2.74 ± 0.28** \\*†``."""
        text = f"{self.mean:.2f} ± {self.sd:.2f}"
        text = f"**{text}**" if self.is_best else text
        return f"{text} {escape_markdown(self.marks)}".rstrip()

    def latex(self, digits: int = 1) -> str:
        """Typeset the rate, such as ``$\\mathbf{2.74 \\pm 0.28}^{*\\dagger}$``.

        Parameters
        ----------
        digits : int
            The largest number of digits before the decimal point in the column. A shorter
            mean is indented by invisible zeros, so that the points align.
        """
        room = r"\phantom{" + "0" * (digits - self.digits) + "}" if digits > self.digits else ""
        text = rf"{room}{self.mean:.2f} \pm {self.sd:.2f}"
        text = rf"\mathbf{{{text}}}" if self.is_best else text
        marks = "".join(_MARKS[mark] for mark in self.marks)
        return f"${text}^{{{marks}}}$" if marks else f"${text}$"

    @property
    def digits(self) -> int:
        """The number of digits of the mean before its decimal point."""
        return len(f"{self.mean:.2f}") - 3


@dataclass(frozen=True)
class Sheet:
    """The contents of a table.

    Attributes
    ----------
    columns : list of (str, str)
        For each column a heading that it shares with its neighbors, or "", and its own heading.
    rows : list of list of Rate or str
        The cells.
    rules : set of int
        Numbers of the rows, from 0, above which LaTeX draws a line.
    """

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Rate | str]]
    rules: set[int] = field(default_factory=set)

    def markdown(self) -> str:
        """Typeset the table as a pipe table, without the rules."""
        cells = [
            [c.markdown() if isinstance(c, Rate) else escape_markdown(c) for c in row]
            for row in self.rows
        ]
        headers = [
            escape_markdown(f"{shared}: {name}" if shared else name)
            for shared, name in self.columns
        ]
        return tabulate(cells, headers, "pipe", disable_numparse=True)

    def latex(self, caption: str, label: str, notes: Sequence[str] = ()) -> str:
        """Typeset the table as a ``table`` environment, for the packages booktabs and graphicx.

        Parameters
        ----------
        caption : str
            The caption, as plain text.
        label : str
            The key for ``\\ref``.
        notes : sequence of str
            Notes below the table, as plain text.
        """
        lines = [
            r"\begin{table}[tbp]",
            r"\centering",
            rf"\caption{{{escape_latex(caption)}}}",
            rf"\label{{{label}}}",
            r"\smallskip",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{4pt}",
            # Shrinks a table that is wider than the page, and leaves others at their size.
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
        """Give the rows of headings: shared ones, the lines below these, and the columns' own."""
        shared, lines, first = [], [], 1  # LaTeX numbers columns from 1
        while first <= len(self.columns):
            name, last = self.columns[first - 1][0], first
            while last < len(self.columns) and name and self.columns[last][0] == name:
                last += 1
            span = f"{{{last - first + 1}}}{{l}}{{{escape_latex(name)}}}"
            shared.append(rf"\multicolumn{span}" if name else "")
            lines += [rf"\cmidrule(lr){{{first}-{last}}}"] if name else []
            first = last + 1
        names = " & ".join(escape_latex(name) for _, name in self.columns) + r" \\"
        return [" & ".join(shared) + r" \\", " ".join(lines), names] if lines else [names]
