"""The places on a page from which its text crops were cut, read from the shards."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fkd.errors import FkdError
from fkd.preprocess import normalize
from fkd.seeding import generator
from fkd.storage import shards
from fkd.text.stripes import Stripe


class Crop(NamedTuple):
    """A text crop and the interval of the stripe from which it was cut.

    Attributes
    ----------
    stripe : Stripe
        The stripe.
    left, width : int
        The first column of the interval and the number of its columns.
    ratio : float
        The ratio of width to height that was drawn for the crop.
    canvas : (int, int)
        Rows and columns of the canvas that was drawn for the crop.
    row : int
        The crop's row in its shard.
    """

    stripe: Stripe
    left: int
    width: int
    ratio: float
    canvas: tuple[int, int]
    row: int

    @property
    def ends(self) -> tuple[int, int]:
        """The interval's first column on the page, and the column after its last one."""
        last = self.left + self.width - 1
        return int(self.stripe.columns[self.left]), int(self.stripe.columns[last]) + 1

    def cut_out(self) -> np.ndarray:
        """Give the gray levels of the interval, as they are in the stripe."""
        return self.stripe.pixels[:, self.left : self.left + self.width]

    def on_canvas(self) -> np.ndarray:
        """Lay the interval on the crop's canvas without shrinking it, ink bright on black."""
        return normalize(self.cut_out(), self.canvas, self.canvas, threshold="blurred")


def most_cut(crops: Sequence[Path]) -> tuple[str, int]:
    """Find the page with the most crops, and the number of its shard.

    Parameters
    ----------
    crops : sequence of Path
        Shards of kind "crops".

    Returns
    -------
    page : str
        The name of the page; the first one if several have as many crops.
    shard : int
        The place of its shard in `crops`.

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
    return counts.most_common(1)[0][0]  # of equal counts, the one that was counted first


def file_of(pages: Path, page: str) -> str:
    """Find the scan of a page.

    Parameters
    ----------
    pages : Path
        List written by :func:`fkd.text.pages.list_pages`.
    page : str
        The name of the page in the list.

    Raises
    ------
    FkdError
        Where the list does not contain the page.
    """
    with Path(pages).open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["page"] == page:
                return row["file"]
    raise FkdError(f"{pages}: does not list {page}, of which there are crops. List pages anew.")


def read_cuts(page: str, stripes: Path, crops: Path) -> tuple[list[Stripe], list[Crop]]:
    """Read the stripes of a page, and the crops that were cut from them.

    Parameters
    ----------
    page : str
        The name of the page in the shards.
    stripes : Path
        The shard with the page's stripes.
    crops : Path
        The shard with the page's crops.

    Returns
    -------
    stripes : list of Stripe
        The stripes from top to bottom.
    crops : list of Crop
        The crops in the order of their rows in the shard.

    Raises
    ------
    FkdError
        Where the crops were cut from other stripes.
    """
    names = ("page", "offset", "height", "width", "top")
    by_row: dict[int, Stripe] = {}  # by its row in the shard
    with shards.opened(stripes, "stripes", [*names, "pixels", "columns"]) as reader:
        table = {name: reader.rows(name) for name in names}
        # The flat array "columns" lists the columns of all stripes one after another.
        first_columns = np.cumsum(table["width"]) - table["width"]
        for row in np.flatnonzero(table["page"] == page):
            start, height, width = (int(table[name][row]) for name in names[1:4])
            first = int(first_columns[row])
            pixels = reader.rows("pixels", slice(start, start + height * width))
            columns = reader.rows("columns", slice(first, first + width))
            top = int(table["top"][row])
            by_row[int(row)] = Stripe(top, columns, pixels.reshape(height, width))
    source = shards.read(crops, "crops", ["page", "stripe", "left", "width", "ratio", "canvas"])
    rows = np.flatnonzero(source["page"] == page)
    if not set(source["stripe"][rows].tolist()) <= set(by_row):
        raise FkdError(f"{crops}: was cut out of other stripes than {stripes}. Cut it anew.")
    return list(by_row.values()), [
        Crop(
            by_row[int(source["stripe"][row])],
            int(source["left"][row]),
            int(source["width"][row]),
            float(source["ratio"][row]),
            tuple(map(int, source["canvas"][row])),
            int(row),
        )
        for row in rows
    ]


def choose_crops(crops: Sequence[Crop], page: str, seed: int, count: int) -> list[Crop]:
    """Choose crops of a page at random, one on each canvas before a second one on any.

    Parameters
    ----------
    crops : sequence of Crop
        All crops of the page.
    page : str
        The name of the page, which seeds the choice together with `seed`.
    seed : int
        The study's seed.
    count : int
        The largest number of crops to choose.

    Returns
    -------
    list of Crop
        The chosen crops in the order of their rows.
    """
    order = generator(seed, "shown", page).permutation(len(crops))
    shuffled = [crops[index] for index in order]
    first = {crop.canvas: crop for crop in reversed(shuffled)}
    first_on_canvas = [crop for crop in shuffled if first[crop.canvas] is crop]
    others = [crop for crop in shuffled if first[crop.canvas] is not crop]
    return sorted((first_on_canvas + others)[:count], key=lambda crop: crop.row)
