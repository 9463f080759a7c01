"""The alphabet: for each letter the targets that the pen aims at.

Coordinates are tenths of the x-height: the baseline is 0, small letters end at 10,
ascenders at 20, descenders at -10. A letter is a list of ``x y`` pairs. ``/`` lifts the
pen. ``;`` starts a stroke that is written when the word is finished (a dot or a bar).
``> X`` ends a letter that is not joined to the next one, where X is its width. The last
target of a joined letter is its exit, whose x is the width.
"""

from dataclasses import dataclass

import numpy as np

_SHAPES = {
    "a": ["8 9 4 10 1 5 4 0 8 4 9 10 9 3 11 0 14 3", "2 8 5 10 8 7 8 2 7 6 2 3 4 0 8 2 10 0 12 3"],
    "b": ["0 3 5 14 4 20 2 17 2 3 5 0 8 4 6 9 7 7 11 8", "2 20 2 1 3 7 6 10 9 5 6 0 2 1 > 11"],
    "c": ["8 8 5 10 1 5 4 0 7 1 11 3"],
    "d": ["8 9 4 10 1 5 4 0 8 5 10 20 9 3 11 0 14 3", "7 9 3 9 1 4 4 0 8 4 8 12 3 19 > 11"],
    "e": ["0 2 5 4 7 8 4 10 1 6 4 0 7 1 10 3", "7 9 4 10 2 8 5 5 1 3 4 0 9 2"],
    "f": ["0 3 6 14 5 20 3 16 3 -7 5 -10 6 -6 4 0 9 3", "8 18 5 20 3 16 3 -1 > 8 ; 0 10 8 10"],
    "g": ["8 9 4 10 1 5 4 0 8 4 9 10 8 -6 5 -10 2 -7 8 -1 13 3",
          "8 9 4 10 1 5 4 1 8 5 9 10 9 -6 5 -10 1 -8 > 12"],
    "h": ["0 3 5 14 4 20 2 16 2 0 3 7 6 10 8 7 8 2 10 0 13 3", "2 20 2 0 3 7 6 10 8 6 8 0 > 11"],
    "i": ["0 2 3 10 3 3 5 0 8 3 ; 4 15 5 14", "3 10 3 0 > 6 ; 3 16 4 14"],
    "j": ["0 2 4 10 4 -6 2 -10 0 -7 4 -1 8 3 ; 5 15 6 14", "4 10 4 -6 1 -10 -2 -8 > 7 ; 4 15 5 14"],
    "k": ["0 3 5 14 4 20 2 16 2 0 3 6 7 9 7 6 3 5 8 0 12 3", "2 20 2 0 / 8 10 3 5 9 0 11 2"],
    "l": ["0 3 5 14 4 20 2 16 2 3 4 0 8 3", "2 20 2 3 4 0 7 2", "2 20 2 0 > 5"],
    "m": ["0 2 2 10 2 0 4 8 6 10 7 7 7 0 9 8 11 10 12 7 12 3 14 0 17 3",
          "0 3 2 10 4 1 6 8 7 10 9 1 11 8 12 10 14 1 17 3"],
    "n": ["0 2 2 10 2 0 4 8 6 10 8 7 8 3 10 0 13 3", "0 3 2 10 4 1 6 8 7 10 9 1 12 3"],
    "o": ["6 10 3 9 1 5 4 0 8 4 7 9 5 10 7 8 11 8", "6 10 2 8 2 2 5 0 8 4 7 9 5 10 > 10"],
    "p": ["0 3 3 10 2 -10 3 6 6 10 9 5 6 0 4 1 12 3", "2 10 2 -10 / 2 7 5 10 9 6 6 0 2 1 > 11"],
    "q": ["8 9 4 10 1 5 4 0 8 4 9 10 9 -8 11 -10 11 -6 14 3"],
    "r": ["0 2 3 11 4 9 7 9 7 3 9 0 12 3", "0 9 2 10 2 0 3 7 6 10 8 9 > 9"],
    "s": ["0 1 5 11 7 4 4 0 1 2 10 2", "7 8 4 10 2 7 6 4 6 1 3 0 1 2 > 9"],
    "t": ["0 3 4 17 4 3 6 0 9 3 ; 0 12 8 12", "3 18 3 2 5 0 8 2 ; 0 11 8 13",
          "3 17 3 0 > 7 ; -1 11 7 11"],
    "u": ["0 2 2 10 2 3 5 0 8 4 9 10 9 3 11 0 14 3", "1 10 1 3 4 0 8 4 8 10 8 0 > 11"],
    "v": ["0 3 2 10 5 0 9 10 12 8", "1 10 5 0 9 10 > 10"],
    "w": ["0 3 2 10 4 0 7 9 10 0 13 10 16 8", "1 10 2 1 5 0 7 8 8 1 12 1 13 10 > 15"],
    "x": ["0 3 2 9 4 8 7 1 9 0 12 3 ; 8 10 1 0"],
    "y": ["0 3 2 10 3 3 6 2 9 10 8 -6 5 -10 2 -7 8 -1 13 3", "1 10 5 1 / 10 10 2 -10 > 11"],
    "z": ["0 8 3 10 8 10 2 0 9 0 12 2", "0 8 4 10 7 7 4 4 8 -2 5 -10 1 -7 7 -1 12 3"],
    "A": ["0 0 7 19 13 0 > 14 ; 3 7 12 7", "11 17 6 19 1 8 4 0 10 8 12 19 11 3 14 0 17 3"],
    "B": ["2 19 2 0 / 2 18 9 19 10 15 3 10 10 8 11 3 7 0 1 0 > 13"],
    "C": ["11 16 8 19 2 14 1 6 5 0 9 1 13 4"],
    "D": ["2 19 2 0 / 0 18 7 19 13 12 11 3 5 0 1 0 > 15"],
    "E": ["10 17 6 19 2 16 6 10 1 5 4 0 8 0 12 3", "9 19 2 19 2 0 10 0 > 12 ; 2 10 8 10"],
    "F": ["3 18 3 0 / 0 18 11 19 > 11 ; 1 10 8 10"],
    "G": ["11 16 8 19 2 14 1 5 5 0 10 3 10 8 / 6 8 13 8 > 14", "11 16 6 19 1 9 5 3 10 12 10 0 6 -9 1 -6 9 0 14 3"],
    "H": ["2 19 2 0 / 11 19 11 0 > 14 ; 0 10 13 10", "1 15 3 19 3 0 / 12 19 11 0 > 14 ; 3 9 12 10"],
    "I": ["5 19 5 0 > 8", "2 3 8 17 6 20 4 10 4 2 1 0 > 9"],
    "J": ["2 18 11 18 / 8 18 7 2 4 -4 0 0 > 11", "3 12 9 19 8 20 5 -6 1 -9 0 -5 10 3"],
    "K": ["2 19 2 0 / 11 19 2 9 12 0 14 2"],
    "L": ["3 12 8 19 5 20 4 10 2 1 0 1 3 2 9 0 13 3", "2 19 2 0 10 0 > 11"],
    "M": ["0 0 3 19 7 4 12 19 14 2 16 0 18 3", "1 0 1 19 8 6 15 19 15 0 > 17"],
    "N": ["0 0 2 18 10 1 12 19 > 14", "0 1 3 19 4 0 6 15 9 19 11 14 11 3 13 0 16 3"],
    "O": ["7 19 1 12 3 1 9 1 12 10 8 18 5 18 > 14"],
    "P": ["3 18 2 0 / 0 16 6 20 12 16 8 9 3 9 > 12", "2 0 3 18 9 19 11 14 7 9 3 10 > 12"],
    "R": ["3 18 2 0 / 0 16 6 20 11 16 8 10 3 9 11 0 15 3", "2 0 3 18 9 19 10 13 4 10 12 0 15 3"],
    "S": ["10 16 7 19 3 15 8 9 9 3 4 0 0 3 > 11", "0 2 9 16 7 20 4 16 9 6 5 0 1 2 > 11"],
    "T": ["0 18 14 19 / 7 18 6 2 4 0 > 13", "1 15 3 18 13 19 / 8 18 8 5 5 0 2 2 > 13"],
    "U": ["1 19 1 4 5 0 10 5 11 19 11 3 13 0 16 3"],
    "V": ["0 18 5 0 11 19 > 11"],
    "W": ["0 18 4 0 8 14 12 0 16 19 > 16"],
    "Y": ["0 18 5 10 10 19 / 10 19 3 -8 > 11", "0 17 3 18 4 9 9 10 11 19 9 -5 4 -9 3 -5 13 3"],
    "Z": ["1 17 11 19 1 1 12 0 14 2"],
    ".": ["1 0 2 0 > 4"],
    ",": ["2 1 1 -3 > 4"],
}  # fmt: skip


@dataclass(frozen=True)
class Letter:
    """One letter shape.

    Attributes
    ----------
    runs : tuple of (n, 2) float arrays
        Targets between two lifts of the pen, x and y in x-heights.
    late : tuple of (n, 2) float arrays
        Runs that are written after the word: dots and bars.
    width : float
        The distance from the start of this letter to that of the next one, in x-heights.
    joined : bool
        Whether the pen may stay down on the way to the next letter.
    """

    runs: tuple[np.ndarray, ...]
    late: tuple[np.ndarray, ...]
    width: float
    joined: bool


def _targets(text: str) -> np.ndarray:
    """Read pairs of tenths as targets in x-heights, (n, 2)."""
    return np.array(text.split(), float).reshape(-1, 2) / 10


def _letter(text: str) -> Letter:
    """Read one letter shape."""
    main, *late = text.split(";")
    shape, _, width = main.partition(">")
    runs = tuple(_targets(run) for run in shape.split("/"))
    joined = not width
    return Letter(
        runs=runs,
        late=tuple(_targets(run) for run in late),
        width=float(runs[-1][-1, 0]) if joined else float(width) / 10,
        joined=joined,
    )


#: The shapes in which each character may be written. The first is the one taught at school.
ALPHABET: dict[str, tuple[Letter, ...]] = {
    character: tuple(_letter(text) for text in shapes) for character, shapes in _SHAPES.items()
}

CAPITALS = "".join(character for character in ALPHABET if character.isupper())
