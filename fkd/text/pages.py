"""The list of a handwriting database's pages, divided into shards and for validation."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from fkd.errors import FkdError
from fkd.layouts import CROPS, CVL_PAGE, NAMED_FREELY
from fkd.patterns import ENDINGS, Pattern, compile_patterns
from fkd.ranges import Count, ShareBelowAll, checked
from fkd.seeding import generator
from fkd.storage.atomic import writing
from fkd.storage.files import NOT_UTF8, files_below, is_utf8, printable, refuse_alike
from fkd.storage.quarantine import Quarantine

COLUMNS = ("page", "writer", "file", "shard", "validation_share")


@checked
def list_pages(
    *,
    source: Path,
    layout: str,
    out: Path,
    quarantine: Path,
    shards: Count,
    validation_share: ShareBelowAll,
    seed: int,
    pattern: list[str] | str | None = None,
) -> None:
    """List the pages of a handwriting database, and assign them to shards and to validation.

    Instead of pages, the database can have text crops that others cut. Images with the same page
    stay together: they are all for training or all for validation, unless the writer has no other
    page.

    Parameters
    ----------
    source : Path
        The database's folder.
    layout : {"cvl", "iam", "folder", "crops"}
        How the pages are stored. ``cvl``: ``WWWW-T.tif`` or ``WWWW-T-cropped.tif`` at any depth,
        where W is the writer and T the text; the cropped file is used if both exist. ``iam``:
        ``pages/*.png``, and ``writers.csv`` in UTF-8 with the columns page and writer.
        ``folder``: one subfolder for each writer, or as `pattern` says. ``crops``: text crops,
        stored like the pages of ``folder``; without `pattern`, each counts as a page.
    out : Path
        The CSV file to write, with one row per image and the columns page, writer, file, shard
        and validation_share. The last is the share of the page's lines that is used for
        validation. It is 0 or 1, except for a writer with only one page.
    quarantine : Path
        The CSV file to write of the files that do not fit the layout, or whose names are not
        UTF-8.
    shards : int
        The number of shards into which the list is divided. Each has consecutive pages.
    validation_share : float
        The share of each writer's pages to use for validation, at least 0 and less than 1. For 0,
        no page is used. Otherwise, at least one page is used, but never all.
    seed : int
        The study's seed.
    pattern : str or list of str, optional
        The pattern of the files' names, or several, see :mod:`fkd.patterns`. It reads ``{writer}``
        and ``{page}``. Files that do not fit are passed over. Only for ``folder`` and ``crops``.

    Raises
    ------
    FkdError
        If the folder is missing, holds no pages or fewer than `shards`, if ``writers.csv`` cannot
        be read or does not name one writer for each page, or if the layout or the share is
        invalid.
    """
    source = Path(source)
    if layout not in READERS:
        raise FkdError(f"layout {layout!r} is unknown. Use one of {', '.join(READERS)}.")
    if pattern and layout not in NAMED_FREELY:
        raise FkdError(f"pattern: {layout} has names of its own. Use {' or '.join(NAMED_FREELY)}.")
    if not source.is_dir():
        raise FkdError(f"{source}: no such folder. Say where the pages lie.")
    aside = Quarantine()
    if pattern:
        listed = sorted(_by_pattern(source, compile_patterns(pattern, "page"), aside))
    else:
        listed = sorted(READERS[layout](source, aside))
    aside.write(quarantine)
    if not listed:
        raise FkdError(
            f"{printable(source)}: no page in the layout {layout!r}. The log of this "
            "stage lists the files that were set aside."
        )
    number = {page: at for at, page in enumerate(dict.fromkeys(page for page, _, _ in listed))}
    if len(number) < shards:
        raise FkdError(f"{source}: {len(number)} pages cannot fill {shards} shards. Ask for fewer.")
    pages_of = defaultdict(list)
    for page, writer in dict.fromkeys((page, writer) for page, writer, _ in listed):
        pages_of[writer].append(page)
    refuse_alike(pages_of, f"{printable(source)}: the writers", "Give one person one name.")
    share = {}
    for writer, pages in pages_of.items():
        chosen = choose_for_validation(
            len(pages), validation_share, generator(seed, "validation", writer)
        )
        # A writer's only page gives some of its lines to validation, as segment_pages() chooses.
        shares = [validation_share] if len(pages) == 1 else chosen.astype(int)
        share.update(zip(pages, shares, strict=True))
    with writing(out) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for page, writer, file in listed:
            table.writerow((page, writer, file, number[page] * shards // len(number), share[page]))


def _cvl(source: Path, aside: Quarantine) -> list[tuple[str, str, Path]]:
    """List the pages of a folder in the layout ``cvl``."""
    candidates: dict[tuple[str, bool], tuple[str, str, Path]] = {}
    for file in _files(source, aside):
        if {"lines", "words", "xml"} & set(file.relative_to(source).parts):
            continue  # these parts of the database are not pages
        if not (name := re.fullmatch(CVL_PAGE, file.name)):
            aside.set_aside(file, "the name is not WWWW-T.tif or WWWW-T-cropped.tif")
        elif (key := (name["page"], bool(name["cropped"]))) in candidates:
            aside.set_aside(file, f"the same page is taken from {candidates[key][2]}")
        else:
            candidates[key] = (name["page"], name["writer"], file)
    cropped = {page for page, is_cropped in candidates if is_cropped}
    return [
        row for (page, is_cropped), row in candidates.items() if is_cropped or page not in cropped
    ]


def _iam(source: Path, aside: Quarantine) -> list[tuple[str, str, Path]]:
    """List the pages of a folder in the layout ``iam``."""
    table, folder = source / "writers.csv", source / "pages"
    writer_of = _read_writers(table)
    pages = []
    for file in _files(folder, aside) if folder.is_dir() else ():
        if file.parent != folder:
            aside.set_aside(file, "not directly in the folder pages")
        elif file.suffix.lower() != ".png":
            aside.set_aside(file, "not a .png file")
        elif not writer_of.get(file.name):
            name = printable(file.name)
            raise FkdError(f"{table}: no writer for {name}. Add a line or remove the page.")
        else:
            pages.append((file.name, writer_of[file.name], file))
    for page in sorted(set(writer_of) - {page for page, _, _ in pages}):
        aside.set_aside(folder / page, "named in writers.csv, but not there")
    return pages


def _read_writers(path: Path) -> dict[str, str]:
    """Read the writer of each page. A byte order mark, which spreadsheets write, is accepted."""
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
            raise FkdError(f"{path}: a line with the writer {printable(writer)} names no page.")
        if page and writer_of.setdefault(page, writer) != writer:
            page, *both = map(printable, (page, writer_of[page], writer))
            raise FkdError(f"{path}: {page} has the writers {' and '.join(both)}. Remove one line.")
    return writer_of


def _stripped(row: dict[str, str | None], *columns: str) -> list[str]:
    """Read columns of a row, without leading and trailing blanks."""
    return [(row[column] or "").strip() for column in columns]


def _folder(source: Path, aside: Quarantine) -> list[tuple[str, str, Path]]:
    """List the pages of a folder in the layout ``folder``."""
    pages = []
    for file in _files(source, aside):
        parts = file.relative_to(source).parts
        if len(parts) == 2:
            pages.append(("/".join(parts), parts[0], file))
        else:
            aside.set_aside(file, "not in a writer's folder")
    return pages


def _by_pattern(
    source: Path, patterns: list[Pattern], aside: Quarantine
) -> list[tuple[str, str, Path]]:
    """List the images whose names fit a pattern. Their pages are named after their writers."""
    pages = []
    for file in _files(source, aside):
        name = file.relative_to(source).as_posix()
        read = {tuple(found.items()) for p in patterns if (found := p.read(name))}
        if len(read) > 1:
            raise FkdError(
                f"{file}: matches several patterns, which say different things of it. Make them "
                "narrower."
            )
        if read:
            found = dict(*read)
            pages.append((f"{found['writer']}/{found['page']}", found["writer"], file))
        else:
            aside.pass_over(file, "fits no pattern")
    return pages


READERS: dict[str, Callable[[Path, Quarantine], list[tuple[str, str, Path]]]] = {
    "cvl": _cvl,
    "iam": _iam,
    "folder": _folder,
    CROPS: _folder,
}
"""The function that lists the pages of each layout: their names, writers and files."""


def _files(source: Path, aside: Quarantine) -> Iterator[Path]:
    """Yield the images at any depth in order, except those whose names are not UTF-8.

    Other files, such as notes and hidden files of operating systems, are passed over.
    """
    for file in sorted(files_below(source)):
        if not is_utf8(file):
            aside.set_aside(file, NOT_UTF8)
        elif file.suffix.lower() in ENDINGS:
            yield file
        else:
            aside.pass_over(file, f"not an image by its ending ({', '.join(ENDINGS)})")


def choose_for_validation(count: int, share: float, draw: np.random.Generator) -> np.ndarray:
    """Choose a share of a writer's pages, or of a page's lines, at random.

    At least one is chosen, but never all, unless the share is 0. A fractional number is rounded
    up or down at random, so that the share is right on average over many writers with few pages.

    Parameters
    ----------
    count : int
        The number of pages or lines.
    share : float
        The share to choose, from 0 to 1.
    draw : numpy.random.Generator
        The source of the random numbers.

    Returns
    -------
    ndarray of bool, shape (count,)
        Whether each page or line is chosen.
    """
    chosen = np.zeros(count, bool)
    if count > 1 and share > 0:
        number = min(max(int(share * count + draw.random()), 1), count - 1)
        chosen[draw.permutation(count)[:number]] = True
    return chosen
