"""What was found in a file, and how it is told."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabulate import tabulate

from fkd.storage.files import printable

LONGEST = 160
"""The number of characters that are shown of a value from a file."""

MOST_ROWS = 40
"""The number of rows that are shown of a list."""


@dataclass
class Finding:
    """What was found in a file.

    Attributes
    ----------
    file : Path
        The file.
    what : str
        What the file is and what made it, in a sentence or two.
    facts : list of str
        What the file holds and how much of it, in sentences.
    columns : tuple of str
        The headings of `rows`.
    rows : list of tuple
        The file's arrays, tensors or columns, one a row.
    settings : dict of str to Any
        The settings with which the file was made.
    verdict : str
        A sentence that says whether the file is whole.
    draw : callable, optional
        A function that draws the file's picture into a PNG file.
    """

    file: Path
    what: str
    facts: list[str] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    rows: list[tuple] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""
    draw: Callable[[Path], None] | None = None

    def __str__(self) -> str:
        parts = [[plain(self.file, 4 * LONGEST)], [self.what, *(plain(f) for f in self.facts)]]
        if self.rows:
            shown = [tuple(plain(cell) for cell in row) for row in self.rows[:MOST_ROWS]]
            table = tabulate(shown, self.columns, disable_numparse=True).splitlines()
            left = len(self.rows) - len(shown)
            parts.append(table + [f"... and {left} more"] * bool(left))
        if self.settings:
            pairs = [(plain(key), plain(value)) for key, value in flat(self.settings)]
            left = len(pairs) - MOST_ROWS
            lines = tabulate(pairs[:MOST_ROWS], tablefmt="plain", disable_numparse=True)
            more = [f"... and {left} more"] * (left > 0)
            parts.append(["made with", *(f"  {line}" for line in lines.splitlines()), *more])
        if self.verdict:
            parts.append([self.verdict])
        return "\n\n".join("\n".join(part) for part in parts)


def plain(value: Any, longest: int = LONGEST) -> str:
    """Make a value of unknown origin printable, and cut it where it is long."""
    text = value if isinstance(value, str) else str(value)
    return printable(text[:longest]) + (" ..." if len(text) > longest else "")


def flat(values: dict[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    """List nested settings with dotted names, as a config would name them."""
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and value and name.count(".") < 5:
            yield from flat(value, f"{name}.")
        else:
            yield name, json.dumps(value) if isinstance(value, list | dict | bool) else value


def times(shape: Iterable[int]) -> str:
    """Spell a shape, such as ``835 x 170 x 242``."""
    return " x ".join(map(str, shape)) or "one number"
