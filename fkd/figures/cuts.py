"""Where on a page its text crops come from: the stripes and the cuts, found again."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fkd.errors import FkdError
from fkd.preprocess import normalize
from fkd.seeding import generator
from fkd.storage import shards
from fkd.text.crops import Piece, intervals
from fkd.text.lines import Line
from fkd.text.pages import written_columns


class Stripe(NamedTuple):
    """A line of a page that was kept, and how it was cut.

    Attributes
    ----------
    top : int
        Where the band begins on the page, made level.
    pixels : ndarray of uint8, shape (rows, kept columns)
        As :func:`fkd.text.pages.segment_pages` wrote them, spaces removed.
    columns : ndarray of int, shape (kept columns,)
        Where each of them is on the page.
    pieces : list of Piece
        From left to right; what is left over at the end is in none.
    """

    top: int
    pixels: np.ndarray
    columns: np.ndarray
    pieces: list[Piece]

    @property
    def bottom(self) -> int:
        """The row of the page after the last one."""
        return self.top + len(self.pixels)

    def ends(self, piece: Piece) -> tuple[int, int]:
        """First column of a piece on the page, and the one after its last."""
        last = piece.left + piece.width - 1
        return int(self.columns[piece.left]), int(self.columns[last]) + 1

    def cuts(self) -> list[int]:
        """Columns of the page where pieces begin, and the one after the last piece."""
        starts = [self.ends(piece)[0] for piece in self.pieces]
        return starts + [self.ends(piece)[1] for piece in self.pieces[-1:]]

    def cut_out(self, piece: Piece) -> np.ndarray:
        """Pixels of a piece."""
        return self.pixels[:, piece.left : piece.left + piece.width]

    def on_canvas(self, piece: Piece) -> np.ndarray:
        """Lay a piece on its canvas, as it is shrunk to a crop; ink bright on black."""
        return normalize(self.cut_out(piece), piece.canvas, piece.canvas, threshold="blurred")


def most_cut(crops: Sequence[Path]) -> tuple[str, int]:
    """Find the first page of which most crops were made, and the number of its shard.

    Parameters
    ----------
    crops : sequence of Path
        Shards of kind "crops".

    Raises
    ------
    FkdError
        Where there is no crop.
    """
    counts = Counter(
        (page, shard)
        for shard, path in enumerate(crops)
        for page in shards.read(path, "crops", ["page"])["page"]
    )
    if not counts:
        raise FkdError(f"{', '.join(map(str, crops))}: there is no crop. Give more pages.")
    return counts.most_common(1)[0][0]  # of equal counts the first that was seen


def file_of(pages: Path, page: str) -> str:
    """Find the scan of a page.

    Parameters
    ----------
    pages : Path
        List written by :func:`fkd.text.pages.list_pages`.
    page : str
        Its name there.

    Raises
    ------
    FkdError
        Where the list does not name it.
    """
    with Path(pages).open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["page"] == page:
                return row["file"]
    raise FkdError(f"{pages}: does not list {page}, of which there are crops. List pages anew.")


def find_stripes(
    page: str,
    lines: Sequence[Line],
    stripes: Path,
    settings: Mapping[str, Any],
) -> list[Stripe]:
    """Find the stripes of a page on it again, and where they were cut.

    Parameters
    ----------
    page : str
        Its name in the shard.
    lines : sequence of Line
        What :func:`fkd.text.lines.find_lines` finds on it.
    stripes : Path
        The shard of its stripes.
    settings : mapping of str to Any
        The attributes of the shard of its crops.

    Returns
    -------
    list of Stripe
        Those that were kept for their size, in the order of their numbers.

    Raises
    ------
    FkdError
        Where the lines are not those that became the stripes.
    """
    names = ("page", "line", "offset", "height", "width")
    kept = []
    with shards.opened(stripes, "stripes", [*names, "pixels"]) as reader:
        table = {name: reader.rows(name) for name in names}
        for row in np.flatnonzero(table["page"] == page):
            line, start, height, width = (int(table[name][row]) for name in names[1:])
            pixels = reader.rows("pixels", slice(start, start + height * width))
            kept.append((int(row), line, pixels.reshape(height, width)))
    # Stripes are dropped for their size alone: those of a kept one's size were kept.
    wanted = [pixels.shape for _, _, pixels in kept]
    columns = [np.flatnonzero(written_columns(line.pixels)) for line in lines]
    found = [
        (line.top, own, size)
        for line, own in zip(lines, columns, strict=True)
        if (size := (len(line.pixels), len(own))) in wanted
    ]
    if [size for _, _, size in found] != wanted:
        raise FkdError(
            f"{stripes}: its stripes of the page {page} are not the lines found there now. "
            "Remove it and run the workflow again: the page is cut anew."
        )
    cut = []
    for (row, line, pixels), (top, own, _) in zip(kept, found, strict=True):
        drawn = intervals(
            pixels.shape,
            settings["ratios"],
            settings["ratio_per"],
            settings["canvases"],
            (settings["seed"], "crop", page, line),
        )
        pieces = [Piece(row, index, *interval) for index, interval in enumerate(drawn)]
        cut.append(Stripe(top, pixels, own, pieces))
    return cut


def choose_crops(source: shards.Shard, page: str, count: int) -> np.ndarray:
    """Choose crops of a page at random, one of each canvas before a second of any.

    Parameters
    ----------
    source : Shard
        Of kind "crops", with page and canvas.
    page : str
        The page.
    count : int
        How many at most.

    Returns
    -------
    ndarray of int
        Rows of the shard, in their order.
    """
    rows = np.flatnonzero(source["page"] == page)
    rows = generator(source.attributes["seed"], "shown", page).permutation(rows)
    first = np.unique(source["canvas"][rows], axis=0, return_index=True)[1]
    is_first = np.isin(np.arange(len(rows)), first)
    return np.sort(np.concatenate([rows[is_first], rows[~is_first]])[:count])
