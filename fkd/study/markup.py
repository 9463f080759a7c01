"""Text of users within markup: for each language, one function that keeps the text as it is.

Titles, licenses, and names of sets, students, models, writers and files may contain characters
that have a meaning in the language into which they are written. The captions of the report are in
reStructuredText; they escape the title themselves, because Snakemake renders them.
"""

import re

from fkd.storage.files import printable

_MARKDOWN = re.compile(
    r"[\\`*\[\]|~$#]"
    r"|<(?=[A-Za-z/!?])"  # HTML and links
    r"|&(?=#?\w+;)"  # entities
    r"|(?<![^\W_])_|_(?![^\W_])"  # within a word, an underscore is one
)
"""What Markdown, or a page that shows it, would not print as it is."""

_LATEX = str.maketrans(
    {
        **{sign: rf"\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "|": r"\textbar{}",
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
"""What stands in LaTeX text for characters that it cannot take as they are."""


def escape_markdown(text: str) -> str:
    r"""Escape what has a meaning in Markdown, so that text is printed as it is, on one line.

    The result may stand anywhere in a line but at its start, also in a cell of a table.

    Examples
    --------
    >>> from fkd.study.markup import escape_markdown
    >>> print(escape_markdown("A *new* <b>set</b> | of bhsig_hindi_"))
    A \*new\* \<b>set\</b> \| of bhsig_hindi\_
    """
    return _MARKDOWN.sub(r"\\\g<0>", _one_line(text))


def code_markdown(text: str) -> str:
    """Set text as code in a line of Markdown.

    Examples
    --------
    >>> from fkd.study.markup import code_markdown
    >>> print(code_markdown("teacher.onnx"))
    `teacher.onnx`
    """
    text = _one_line(text)
    # Within code nothing is escaped, so its marks must be longer than any in it.
    mark = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    room = " " * (len(mark) > 1)
    return f"{mark}{room}{text}{room}{mark}"


def escape_latex(text: str) -> str:
    r"""Escape what has a meaning in LaTeX, so that text is printed as it is, on one line.

    Examples
    --------
    >>> from fkd.study.markup import escape_latex
    >>> print(escape_latex("100 % of my_set"))
    100 \% of my\_set
    """
    return _one_line(text).translate(_LATEX)


def _one_line(text: str) -> str:
    """Put a text on one line, and spell out its control characters."""
    return printable(" ".join(text.split()))
