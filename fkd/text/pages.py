"""From a database of handwritten pages to stripes, each the pixels of one line.

First all pages are listed, with their writers, and parted into training and validation.
Then the pages of each shard of that list are cut into stripes.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.layouts import CVL_PAGE
from fkd.seeding import generator
from fkd.storage.atomic import writing
from fkd.storage.files import NOT_UTF8, files_below, shown
from fkd.storage.quarantine import Quarantine
from fkd.storage.shards import write as write_shard
from fkd.text.lines import find_stripes
from fkd.threads import side_by_side

COLUMNS = ("page", "writer", "file", "shard", "validation_share")


def list_pages(
    *,
    source: Path,
    layout: str,
    out: Path,
    quarantine: Path,
    shards: int,
    validation_share: float,
    seed: int,
) -> None:
    """List the pages of a handwriting database, parted into shards and for validation.

    Parameters
    ----------
    source : Path
        The database's folder.
    layout : {"cvl", "iam", "folder"}
        ``cvl``: ``WWWW-T.tif`` or ``WWWW-T-cropped.tif`` (W writer, T text) at any
        depth, the cropped one where both exist. ``iam``: ``pages/*.png`` and
        ``writers.csv`` (UTF-8) with the columns page and writer. ``folder``: a sub-folder
        for every writer.
    out : Path
        CSV with the columns page, writer, file, shard and validation_share, by page.
        The last is the share of the page's lines that is kept for validation: 0 or 1,
        but for the only page of a writer.
    quarantine : Path
        CSV of the files that do not fit the layout, or whose name is not UTF-8.
    shards : int
        Into how many blocks of neighboring pages the list is parted.
    validation_share : float
        Share of a writer's pages to keep for validation, at least 0 and less than 1:
        one page or more, but never all; none where it is 0.
    seed : int
        Of the study.

    Raises
    ------
    FkdError
        Where the folder is missing, holds no page or fewer than `shards`, where
        ``writers.csv`` cannot be read or does not name one writer for each page, or where
        the layout or share is impossible.
    """
    source = Path(source)
    if layout not in LAYOUTS:
        raise FkdError(f"layout {layout!r} is unknown. Use one of {', '.join(LAYOUTS)}.")
    if not source.is_dir():
        raise FkdError(f"{source}: no such folder. Say where the pages lie.")
    if not 0 <= validation_share < 1:
        raise FkdError(f"validation_share: {validation_share} is not at least 0 and less than 1.")
    aside = Quarantine()
    found = sorted(LAYOUTS[layout](source, aside))
    aside.write(quarantine)
    if not found:
        raise FkdError(
            f"{shown(source)}: no page in the layout {layout!r}. {len(aside)} files were set "
            "aside, listed in the log of this stage."
        )
    if len(found) < shards:
        raise FkdError(f"{source}: {len(found)} pages cannot fill {shards} shards. Ask for fewer.")
    of_writer = defaultdict(list)
    for page, writer, _ in found:
        of_writer[writer].append(page)
    share = {}
    for writer, pages in of_writer.items():
        chosen = _choose(len(pages), validation_share, generator(seed, "validation", writer))
        of_lines = [validation_share] if len(pages) == 1 else chosen.astype(int)
        share.update(zip(pages, of_lines, strict=True))
    with writing(out) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for index, (page, writer, file) in enumerate(found):
            table.writerow((page, writer, file, index * shards // len(found), share[page]))


def _cvl(source: Path, aside: Quarantine) -> list[tuple[str, str, Path]]:
    found: dict[tuple[str, bool], tuple[str, str, Path]] = {}
    for file in _files(source, aside):
        if {"lines", "words", "xml"} & set(file.relative_to(source).parts):
            continue  # other parts of the database
        if not (name := re.fullmatch(CVL_PAGE, file.name)):
            aside.set_aside(file, "the name is not WWWW-T.tif or WWWW-T-cropped.tif")
        elif (key := (name["page"], bool(name["cropped"]))) in found:
            aside.set_aside(file, f"the same page is taken from {found[key][2]}")
        else:
            found[key] = (name["page"], name["writer"], file)
    cropped = {page for page, is_cropped in found if is_cropped}
    return [row for (page, is_cropped), row in found.items() if is_cropped or page not in cropped]


def _iam(source: Path, aside: Quarantine) -> list[tuple[str, str, Path]]:
    table, folder = source / "writers.csv", source / "pages"
    writer_of = _read_writers(table)
    pages = []
    for file in _files(folder, aside) if folder.is_dir() else ():
        if file.parent != folder:
            aside.set_aside(file, "not directly in the folder pages")
        elif file.suffix.lower() != ".png":
            aside.set_aside(file, "not a .png file")
        elif not writer_of.get(file.name):
            raise FkdError(f"{table}: no writer for {file.name}. Add a line or remove the page.")
        else:
            pages.append((file.name, writer_of[file.name], file))
    for page in sorted(set(writer_of) - {page for page, _, _ in pages}):
        aside.set_aside(folder / page, "named in writers.csv, but not there")
    return pages


def _read_writers(path: Path) -> dict[str, str]:
    """Read who wrote each page; a byte order mark, as spreadsheets write it, is accepted."""
    if not path.is_file():
        raise FkdError(f"{path}: no such file. It says who wrote each page: page,writer.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns, rows = table.fieldnames or (), list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FkdError(f"{path}: no CSV in UTF-8 ({error}). Save it anew as that.") from None
    if not {"page", "writer"} <= set(columns):
        raise FkdError(
            f"{path}: the first line must name the columns page and writer, with a comma between, "
            "in UTF-8."
        )
    writer_of = {}
    for page, writer in ((row["page"], row["writer"]) for row in rows):
        if writer and not page:
            raise FkdError(f"{path}: a line with the writer {writer} names no page.")
        if page and writer_of.setdefault(page, writer) != writer:
            raise FkdError(
                f"{path}: {page} has the writers {writer_of[page]} and {writer}. Remove one line."
            )
    return writer_of


def _folder(source: Path, aside: Quarantine) -> list[tuple[str, str, Path]]:
    pages = []
    for file in _files(source, aside):
        parts = file.relative_to(source).parts
        if len(parts) == 2:
            pages.append(("/".join(parts), parts[0], file))
        else:
            aside.set_aside(file, "not in a writer's folder")
    return pages


LAYOUTS = {"cvl": _cvl, "iam": _iam, "folder": _folder}


def _files(source: Path, aside: Quarantine) -> Iterator[Path]:
    """Give the files at any depth, in order, but for those whose name no list can hold."""
    for file in sorted(files_below(source)):
        if shown(file) == str(file):
            yield file
        else:
            aside.set_aside(file, NOT_UTF8)


def _choose(count: int, share: float, draw: np.random.Generator) -> np.ndarray:
    """Choose share * count of `count` things: at least one, never all, none for 0.

    The fraction is rounded up or down at random, so that the share holds over many
    writers of a few pages each.
    """
    chosen = np.zeros(count, bool)
    if count > 1 and share > 0:
        number = min(max(int(share * count + draw.random()), 1), count - 1)
        chosen[draw.permutation(count)[:number]] = True
    return chosen


def segment_pages(
    *,
    pages: Path,
    shard: int,
    out: Path,
    quarantine: Path,
    max_pixels: int,
    seed: int,
    min_rows: int = 20,
    min_columns: int = 220,
    ink_gray: list[int] | None = None,
    threads: int | None = None,
) -> None:
    """Cut the pages of one shard into stripes.

    Parameters
    ----------
    pages : Path
        List written by :func:`list_pages`.
    shard : int
        Which part of the list.
    out : Path
        Shard of kind ``stripes``, a row per stripe: offset (int64), height and width
        (int32) of its pixels in the flat array pixels (uint8), writer (int32, index
        into the attribute writers), page (str), line (int32, from 0), validation
        (bool). The attributes also say how many stripes were dropped for their size.
    quarantine : Path
        CSV of the pages without stripes: unreadable, too large, blank.
    max_pixels : int
        Larger pages are not read.
    seed : int
        Of the study.
    min_rows : int, optional
        A stripe of no more rows is dropped.
    min_columns : int, optional
        A stripe of no more columns, spaces removed, is dropped.
    ink_gray : [int, int], optional
        Range of the gray level that the ink of a page of two levels gets, drawn per
        page. Such ink is blacker than any on a gray scan. By default it stays as it is.
    threads : int, optional
        Pages worked on at a time; by default one on each core.

    Raises
    ------
    FkdError
        Where the list has no such shard.
    """
    with Path(pages).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    writers = sorted({row["writer"] for row in rows})
    number = {writer: index for index, writer in enumerate(writers)}
    aside = Quarantine()
    pixels, table, dropped = [], [], 0
    wanted = [row for row in rows if int(row["shard"]) == shard]
    if not wanted:
        raise FkdError(f"{pages}: no page in shard {shard}. List the pages for more shards.")

    def stripes_of(row: dict[str, str]) -> list[np.ndarray] | str:
        try:
            return _stripes(
                read_gray(row["file"], max_pixels), ink_gray, (seed, "ink", row["page"])
            )
        except FkdError as error:
            return str(error).removeprefix(f"{row['file']}: ")

    for row, stripes in zip(wanted, side_by_side(stripes_of, wanted, threads), strict=True):
        if isinstance(stripes, str):
            aside.set_aside(row["file"], stripes)
            continue
        kept = [s for s in stripes if s.shape[0] > min_rows and s.shape[1] > min_columns]
        dropped += len(stripes) - len(kept)
        if not kept:
            aside.set_aside(row["file"], "no stripe is large enough")
        share = float(row["validation_share"])
        validation = np.full(len(kept), share == 1)
        if 0 < share < 1:
            validation = _choose(len(kept), share, generator(seed, "lines", row["page"]))
        for line, stripe in enumerate(kept):
            entry = (*stripe.shape, number[row["writer"]], row["page"], line, validation[line])
            pixels.append(stripe.ravel())
            table.append(entry)
    height, width, writer, page, line, validation = zip(*table, strict=True) if table else [()] * 6
    sizes = np.array([len(part) for part in pixels], np.int64)
    write_shard(
        out,
        "stripes",
        {
            "pixels": np.concatenate([np.zeros(0, np.uint8), *pixels]),
            "offset": np.cumsum(sizes) - sizes,
            "height": np.array(height, np.int32),
            "width": np.array(width, np.int32),
            "writer": np.array(writer, np.int32),
            "page": np.array(page, object),
            "line": np.array(line, np.int32),
            "validation": np.array(validation, bool),
        },
        {"writers": writers, "shard": shard, "dropped": dropped, "ink_gray": ink_gray},
    )
    aside.write(quarantine)


def _stripes(
    page: np.ndarray, ink_gray: list[int] | None, place: tuple[object, ...]
) -> list[np.ndarray]:
    """Cut a page into stripes without spaces, and give black ink a gray drawn for its `place`."""
    stripes = [remove_spaces(stripe) for stripe in find_stripes(page)]
    if ink_gray and _has_two_levels(page):
        level = generator(*place).integers(*ink_gray, endpoint=True)
        middle = (int(page.min()) + int(page.max())) / 2
        stripes = [np.where(stripe < middle, np.uint8(level), np.uint8(255)) for stripe in stripes]
    return stripes


def remove_spaces(stripe: np.ndarray) -> np.ndarray:
    """Remove the columns without ink: spaces between words, and margins.

    Parameters
    ----------
    stripe : ndarray of uint8, shape (rows, columns)
        One line.

    Returns
    -------
    ndarray of uint8, shape (rows, kept columns)
        The same line, closed up.
    """
    return stripe[:, written_columns(stripe)]


def written_columns(stripe: np.ndarray) -> np.ndarray:
    """Tell the columns with ink from spaces between words, and margins.

    Kept are columns whose standard deviation is over 10 % of the largest one's, as
    published. The second pass published, at 1 %, has then nothing to remove.

    Parameters
    ----------
    stripe : ndarray of uint8, shape (rows, columns)
        One line.

    Returns
    -------
    ndarray of bool, shape (columns,)
        Which columns :func:`remove_spaces` keeps.
    """
    spread = stripe.astype(np.float32).std(axis=0)
    return spread > 0.10 * spread.max(initial=0)


def _has_two_levels(page: np.ndarray) -> bool:
    return bool(((page == page.min()) | (page == page.max())).all())
