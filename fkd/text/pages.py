"""The pages of a handwriting database: listed, divided into shards, some kept for validation."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from fkd.errors import FkdError
from fkd.layouts import CVL_PAGE, ENDINGS
from fkd.seeding import generator
from fkd.storage.atomic import writing
from fkd.storage.files import NOT_UTF8, files_below, printable, refuse_alike
from fkd.storage.quarantine import Quarantine

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
    """List the pages of a handwriting database, and divide them into shards and for validation.

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
        except for a writer's only page.
    quarantine : Path
        CSV of the files that do not fit the layout, or whose name is not UTF-8.
    shards : int
        The number of blocks of neighboring pages into which the list is divided.
    validation_share : float
        Share of a writer's pages to keep for validation, at least 0 and less than 1:
        one page or more, but never all; none where it is 0.
    seed : int
        The study's seed.

    Raises
    ------
    FkdError
        Where the folder is missing, holds no page or fewer than `shards`, where
        ``writers.csv`` cannot be read or does not name one writer for each page, or where
        the layout or share is impossible.
    """
    source = Path(source)
    if layout not in READERS:
        raise FkdError(f"layout {layout!r} is unknown. Use one of {', '.join(READERS)}.")
    if not source.is_dir():
        raise FkdError(f"{source}: no such folder. Say where the pages lie.")
    if not 0 <= validation_share < 1:
        raise FkdError(f"validation_share: {validation_share} is not at least 0 and less than 1.")
    aside = Quarantine()
    found = sorted(READERS[layout](source, aside))
    aside.write(quarantine)
    if not found:
        raise FkdError(
            f"{printable(source)}: no page in the layout {layout!r}. {len(aside)} files were set "
            "aside, listed in the log of this stage."
        )
    if len(found) < shards:
        raise FkdError(f"{source}: {len(found)} pages cannot fill {shards} shards. Ask for fewer.")
    of_writer = defaultdict(list)
    for page, writer, _ in found:
        of_writer[writer].append(page)
    refuse_alike(of_writer, f"{printable(source)}: the writers", "Give one person one name.")
    share = {}
    for writer, pages in of_writer.items():
        chosen = choose_for_validation(
            len(pages), validation_share, generator(seed, "validation", writer)
        )
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
    for page, writer in (_stripped(row, "page", "writer") for row in rows):
        if writer and not page:
            raise FkdError(f"{path}: a line with the writer {writer} names no page.")
        if page and writer_of.setdefault(page, writer) != writer:
            raise FkdError(
                f"{path}: {page} has the writers {writer_of[page]} and {writer}. Remove one line."
            )
    return writer_of


def _stripped(row: dict[str, str | None], *columns: str) -> list[str]:
    """Read columns of a row, without the blanks around them."""
    return [(row[column] or "").strip() for column in columns]


def _folder(source: Path, aside: Quarantine) -> list[tuple[str, str, Path]]:
    pages = []
    for file in _files(source, aside):
        parts = file.relative_to(source).parts
        if len(parts) == 2:
            pages.append(("/".join(parts), parts[0], file))
        else:
            aside.set_aside(file, "not in a writer's folder")
    return pages


READERS: dict[str, Callable[[Path, Quarantine], list[tuple[str, str, Path]]]] = {
    "cvl": _cvl,
    "iam": _iam,
    "folder": _folder,
}
"""For each layout of pages who lists them: the page's name, its writer, its file."""


def _files(source: Path, aside: Quarantine) -> Iterator[Path]:
    """Give the images at any depth, in order, except those whose name no list can hold.

    Other files, such as notes and what systems leave in folders, are passed over.
    """
    for file in sorted(files_below(source)):
        if printable(file) != str(file):
            aside.set_aside(file, NOT_UTF8)
        elif file.suffix.lower() in ENDINGS:
            yield file
        else:
            aside.pass_over(file, f"not an image by its ending ({', '.join(ENDINGS)})")


def choose_for_validation(count: int, share: float, draw: np.random.Generator) -> np.ndarray:
    """Choose share * count of a writer's pages, or lines: at least one, never all, none for 0.

    The fraction is rounded up or down at random, so that the share holds over many
    writers of a few pages each.

    Parameters
    ----------
    count : int
        How many there are.
    share : float
        The share to choose, from 0 to 1.
    draw : numpy.random.Generator
        The source of the draws.

    Returns
    -------
    ndarray of bool, shape (count,)
        Which are chosen.
    """
    chosen = np.zeros(count, bool)
    if count > 1 and share > 0:
        number = min(max(int(share * count + draw.random()), 1), count - 1)
        chosen[draw.permutation(count)[:number]] = True
    return chosen
