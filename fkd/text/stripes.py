"""The segmentation of pages into stripes, each of which has the pixels of one line of text."""

import csv
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.preprocess import Levels, refuse_dark
from fkd.ranges import Count, CountFromZero, Gray, checked
from fkd.seeding import generator
from fkd.storage import shards
from fkd.storage.quarantine import Quarantine
from fkd.text.lines import Line, find_lines
from fkd.text.pages import choose_for_validation
from fkd.text.rules import without_rules
from fkd.threads import side_by_side


@checked
def segment_pages(
    *,
    pages: Path,
    shard: CountFromZero,
    out: Path,
    quarantine: Path,
    max_pixels: Count,
    seed: int,
    min_rows: Count = 20,
    min_columns: Count = 220,
    ink_gray: tuple[Gray, Gray] | None = None,
    ready_made: bool = False,
    threads: Count | None = None,
) -> None:
    """Cut the pages of one shard into stripes.

    If a page consists of several images, its lines are numbered from one to the next, as if the
    images were one below the other.

    Parameters
    ----------
    pages : Path
        The list written by :func:`fkd.text.pages.list_pages`.
    shard : int
        The number of the shard.
    out : Path
        The shard of kind ``stripes`` to write, with one row per stripe: ``offset`` (int64),
        ``height`` and ``width`` (int32) of its pixels in the flat array ``pixels`` (uint8);
        ``writer`` and ``page`` (str); ``line`` (int32, from 0); ``validation`` (bool); ``top``
        (int32), the row of the leveled page at which the stripe begins. The flat array ``columns``
        (int32) has, for each column of each stripe, the column of the page from which it comes.
        The attributes name the writers of all shards, give the number of stripes that were
        dropped because of their size, and say whether the stripes are ``ready_made``.
    quarantine : Path
        The CSV file to write of the pages without stripes, which are unreadable, too large or
        blank.
    max_pixels : int
        The largest number of pixels of a page. Larger pages are not read.
    seed : int
        The study's seed.
    min_rows : int, optional
        Stripes with this number of rows or fewer are dropped.
    min_columns : int, optional
        Stripes with this number of columns or fewer, without spaces, are dropped.
    ink_gray : [int, int], optional
        The range from which the gray level of the ink is drawn for pages that have only two gray
        levels, because their ink is blacker than any ink on a gray scan. By default, their ink
        is not changed.
    ready_made : bool, optional
        Whether the images are text crops that others cut. Each is a stripe as it is, of any size.
    threads : int, optional
        The number of pages that are processed at the same time; by default, one per CPU core.

    Raises
    ------
    FkdError
        If the list has no such shard.
    """
    with Path(pages).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    writers = sorted({row["writer"] for row in rows})
    aside = Quarantine()
    pixels, columns, table, dropped = [], [], [], 0
    shard_rows = [row for row in rows if int(row["shard"]) == shard]
    if not shard_rows:
        raise FkdError(f"{pages}: no page in shard {shard}. List the pages for more shards.")

    def stripes_of(row: dict[str, str]) -> tuple[list[Stripe], int] | str:
        try:
            image = read_gray(row["file"], max_pixels)
            refuse_dark(Levels(image))
            place = (seed, "ink", row["page"])
            return find_stripes(image, ink_gray, place, ready_made), len(image)
        except FkdError as error:
            return str(error).removeprefix(f"{row['file']}: ")

    found = zip(shard_rows, side_by_side(stripes_of, shard_rows, threads), strict=True)
    for _, images in groupby(found, key=lambda pair: pair[0]["page"]):
        kept, height_above = [], 0
        for row, result in images:
            if isinstance(result, str):
                aside.set_aside(row["file"], result)
                continue
            stripes, height = result
            large = [
                stripe._replace(top=height_above + stripe.top)
                for stripe in stripes
                if ready_made
                or (stripe.pixels.shape[0] > min_rows and stripe.pixels.shape[1] > min_columns)
            ]
            dropped += len(stripes) - len(large)
            if not large:
                aside.set_aside(row["file"], "no stripe is large enough")
            kept += large
            height_above += height
        share = float(row["validation_share"])
        validation = np.full(len(kept), share == 1)
        if 0 < share < 1:
            validation = choose_for_validation(
                len(kept), share, generator(seed, "lines", row["page"])
            )
        for line, stripe in enumerate(kept):
            where = (row["writer"], row["page"], line, validation[line], stripe.top)
            table.append((*stripe.pixels.shape, *where))
            pixels.append(stripe.pixels.ravel())
            columns.append(stripe.columns)
    height, width, writer, page, line, validation, top = (
        zip(*table, strict=True) if table else [()] * 7
    )
    sizes = np.array([len(part) for part in pixels], np.int64)
    shards.write(
        out,
        "stripes",
        {
            "pixels": np.concatenate([np.zeros(0, np.uint8), *pixels]),
            "offset": np.cumsum(sizes) - sizes,
            "height": np.array(height, np.int32),
            "width": np.array(width, np.int32),
            "writer": np.array(writer, object),
            "page": np.array(page, object),
            "line": np.array(line, np.int32),
            "validation": np.array(validation, bool),
            "top": np.array(top, np.int32),
            "columns": np.concatenate([np.zeros(0, np.int32), *columns]).astype(np.int32),
        },
        {
            "writers": writers,
            "shard": shard,
            "dropped": dropped,
            "ink_gray": ink_gray,
            "ready_made": ready_made,
        },
    )
    aside.write(quarantine)


class Stripe(NamedTuple):
    """A line of a page without the spaces between its words.

    Attributes
    ----------
    top : int
        The row of the leveled page at which the stripe begins.
    columns : ndarray of int, shape (kept columns,)
        For each column of the stripe, the column of the page from which it comes.
    pixels : ndarray of uint8, shape (rows, kept columns)
        The gray levels.
    """

    top: int
    columns: np.ndarray
    pixels: np.ndarray

    @property
    def bottom(self) -> int:
        """The row of the page after its last one."""
        return self.top + len(self.pixels)


def find_stripes(
    page: np.ndarray,
    ink_gray: list[int] | None,
    place: tuple[object, ...],
    ready_made: bool = False,
) -> list[Stripe]:
    """Cut a page into stripes without spaces, and without the rules of ruled paper.

    Parameters
    ----------
    page : ndarray of uint8, shape (height, width)
        The page, see :func:`fkd.text.lines.find_lines`.
    ink_gray : [int, int] or None
        The range of the ink's gray level, see :func:`segment_pages`.
    place : tuple
        The study's seed, "ink" and the page's name, from which the gray level is drawn.
    ready_made : bool, optional
        Whether to take the image as one stripe, as it is.

    Returns
    -------
    list of Stripe
        The stripes from top to bottom.
    """
    if ready_made:
        stripes = [Stripe(0, np.arange(page.shape[1]), page)]
    else:
        stripes = [_without_spaces(line) for line in find_lines(without_rules(page))]
    if ink_gray and _has_two_levels(page):
        level = generator(*place).integers(*ink_gray, endpoint=True)
        # Leveling the page may leave values between its two gray levels; the middle divides them.
        middle = (int(page.min()) + int(page.max())) / 2
        stripes = [
            stripe._replace(pixels=np.where(stripe.pixels < middle, level, 255).astype(np.uint8))
            for stripe in stripes
        ]
    return stripes


def _without_spaces(line: Line) -> Stripe:
    """Make a stripe of a line."""
    columns = np.flatnonzero(written_columns(line.pixels))
    return Stripe(line.top, columns, line.pixels[:, columns])


def written_columns(stripe: np.ndarray) -> np.ndarray:
    """Find the columns with ink, as opposed to spaces between words and to margins.

    As published, a column is kept if the standard deviation of its gray levels is more than 10 %
    of the largest one in the stripe. The published second pass, at 1 %, is left out because it
    could not remove any more columns.

    Parameters
    ----------
    stripe : ndarray of uint8, shape (rows, columns)
        The pixels of one line.

    Returns
    -------
    ndarray of bool, shape (columns,)
        Whether each column is kept.
    """
    spread = stripe.astype(np.float32).std(axis=0)
    return spread > 0.10 * spread.max(initial=0)


def _has_two_levels(page: np.ndarray) -> bool:
    """Tell whether a page has only two gray levels, like a binary scan."""
    return bool(((page == page.min()) | (page == page.max())).all())
