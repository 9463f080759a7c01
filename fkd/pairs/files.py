"""Pair files as they are handed round: two images and a label on each line, with a header or not.

A file is read line by line. Of each pair 13 bytes are kept, and each name is kept once, so that
:data:`MOST_PAIRS` pairs take 65 MB besides their names.
"""

import csv
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from fkd.errors import FkdError
from fkd.patterns import ENDINGS
from fkd.storage.files import check_file, files_below, printable

MOST_PAIRS = 5_000_000
"""The largest number of pairs in a file."""

LONGEST = 4096
"""The largest number of bytes of a line."""

FORM = "image1,image2,label"
"""What a line of a pair file holds."""


@dataclass(frozen=True, eq=False)
class PairFile:
    """The content of a pair file.

    Attributes
    ----------
    names : list of str
        The images that are named, once each, with ``/`` between the parts of a path.
    first, second : ndarray of int32, (n,)
        The images of each pair, as positions in `names`.
    forged : ndarray of bool, (n,)
        Whether the label says that one of the two is a forgery.
    line : ndarray of int32, (n,)
        The line of each pair, from 1.
    """

    names: list[str]
    first: np.ndarray
    second: np.ndarray
    forged: np.ndarray
    line: np.ndarray


def read_pair_file(path: Path, forged: int) -> PairFile:
    """Read a pair file.

    Parameters
    ----------
    path : Path
        A CSV file with the columns image1, image2 and label. Its first line may be a header: it is
        one if its label is no label, and neither of its images has the ending of an image.
    forged : {0, 1}
        The label that stands for a forgery, because files differ in it.

    Returns
    -------
    PairFile
        The pairs.

    Raises
    ------
    FkdError
        If the file is missing or empty, a line is no pair, an image lies outside the folder, or
        there are more than :data:`MOST_PAIRS`. The message names file and line.
    """
    check_file(path)
    place: dict[str, int] = {}
    number: dict[str, int] = {}  # by a cell as it stands, so that each is looked at once
    first, second, label, line = array("i"), array("i"), array("b"), array("i")
    reader = csv.reader(_lines(path), strict=True)
    try:
        for cells in reader:
            try:
                if not any(cells) or not any(cell.strip() for cell in cells):
                    continue
                if not line and reader.line_num == 1 and _is_header(cells):
                    continue
                if len(line) == MOST_PAIRS:
                    raise FkdError(
                        f"more than {MOST_PAIRS} pairs. Divide the file, or keep a random part."
                    )
                value = _label_of(cells)
                for cell, column in zip(cells, (first, second), strict=False):
                    if cell not in number:
                        name = _inside(cell)
                        number[cell] = place.setdefault(cell if cell == name else name, len(place))
                    column.append(number[cell])
            except FkdError as error:
                where = f"{printable(path)}, line {reader.line_num}"
                raise FkdError(f"{where}: {error}") from None
            label.append(value == forged)
            line.append(reader.line_num)
    except csv.Error as error:
        raise FkdError(
            f"{printable(path)}, line {reader.line_num}: not a line of a CSV file ({error}). "
            f"Write {FORM}."
        ) from None
    if not line:
        raise FkdError(f"{printable(path)}: no pair in this file. Each line holds {FORM}.")
    ends = np.array(first), np.array(second)
    return PairFile(list(place), *ends, np.array(label).astype(bool), np.array(line))


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, none of which may be longer than :data:`LONGEST` bytes."""
    with Path(path).open("rb") as stream:
        number = 0
        while content := stream.readline(LONGEST + 1):
            number += 1
            fault = f"longer than {LONGEST} bytes" if len(content) > LONGEST else ""
            try:
                text = content.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                fault = fault or "not UTF-8. Save the file as UTF-8"
            if not fault and "\0" in text:
                fault = "holds a null byte"
            if fault:
                raise FkdError(
                    f"{printable(path)}, line {number}: {fault}. Each line holds {FORM}."
                )
            yield text


def _is_header(cells: list[str]) -> bool:
    """Tell whether a first line names columns. A line with a label or an image is a pair."""
    is_image = any(cell.strip().lower().endswith(ENDINGS) for cell in cells)
    return not is_image and not any(_label(cell) is not None for cell in cells)


def _label(cell: str) -> int | None:
    """Read a label; None if it is none. Tables of floating point write 0.0 and 1.0."""
    return {"0": 0, "1": 1, "0.0": 0, "1.0": 1}.get(cell.strip())


def _label_of(cells: list[str]) -> int:
    """Read the label of one line."""
    if len(cells) != 3:
        raise FkdError(f"{len(cells)} values, expected 3: {FORM}. Complete the line.")
    label = _label(cells[2])
    if label is None:
        raise FkdError(f"the label {printable(cells[2].strip())!r} is neither 0 nor 1. Correct it.")
    return label


def _inside(cell: str) -> str:
    """Give the path of an image within the folder, with ``/`` between its parts."""
    name = cell.strip().replace("\\", "/")
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or ":" in name.partition("/")[0]:
        raise FkdError(
            f"{printable(cell.strip())!r} is no path within the folder of the images. "
            "Write it relative to that folder."
        )
    return str(path)


def found_files(folder: Path, names: Iterable[str]) -> Mapping[str, str | None]:
    """Find images by their names in a pair file, whose endings may be in another case.

    Parameters
    ----------
    folder : Path
        The folder of the images.
    names : iterable of str
        Paths within the folder.

    Returns
    -------
    mapping of str to str or None
        The path within the folder under which each image lies; None if there is none.
    """
    there = [file.relative_to(folder).as_posix() for file in files_below(folder)]
    exact, alike = set(there), {_plain_ending(file): file for file in reversed(there)}
    return {name: name if name in exact else alike.get(_plain_ending(name)) for name in names}


def _plain_ending(name: str) -> str:
    """Write the ending of a name in lower case."""
    path = PurePosixPath(name)
    return str(path.with_suffix(path.suffix.lower()))
