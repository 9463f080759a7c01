"""The user's files: how folders, links and unusual names are read."""

import logging
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from fkd.errors import FkdError

NOT_UTF8 = "the name is not UTF-8: rename it"
"""The reason given for passing over a file whose name no list and no shard can store."""

_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
"""The bidirectional classes of the marks that turn the direction of the text after them."""

_log = logging.getLogger(__name__)


def printable(name: Path | str) -> str:
    r"""Spell out the characters of a name that a terminal obeys or that cannot be stored.

    These are control characters, such as escapes and line breaks, bytes that are not UTF-8, and
    the marks that turn the direction of the text after them. All other characters stay as they
    are, in any script.

    Parameters
    ----------
    name : Path or str
        A name as Python reads it from the disk, or any other text of one line.

    Returns
    -------
    str
        The name on one line, with each such character spelled out.

    Examples
    --------
    >>> from fkd.storage.files import printable
    >>> printable("caf\udce9.png")
    'caf\\udce9.png'
    >>> printable("\x1b[2Jred.png")
    '\\x1b[2Jred.png'
    """
    return "".join(_spelled(c) if _is_obeyed(c) else c for c in str(name))


def printable_lines(text: str) -> str:
    r"""Make a text of several lines printable, see :func:`printable`, and keep its line breaks.

    Examples
    --------
    >>> from fkd.storage.files import printable_lines
    >>> printable_lines("two files:\na\x07.png")
    'two files:\na\\x07.png'
    """
    return "\n".join(map(printable, text.split("\n")))


def _is_obeyed(character: str) -> bool:
    """Whether a character controls a terminal, breaks a line, or stands for a byte, not a letter."""
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in _TURNING
    )


def _spelled(character: str) -> str:
    """Spell a character as Python's string literals do, such as ``\\x1b``."""
    return character.encode("unicode_escape").decode("ascii")


def is_utf8(name: Path | str) -> bool:
    """Whether a name is UTF-8, so that lists and shards can store it."""
    return not any(unicodedata.category(character) == "Cs" for character in str(name))


def refuse_alike(names: Iterable[str], what: str, remedy: str) -> None:
    """Refuse names that differ only by case, by blanks, or by how Unicode spells them.

    Parameters
    ----------
    names : iterable of str
        Names by which things are told apart.
    what : str
        The things that are named, in the plural, for the message.
    remedy : str
        What the user should do, for the message.

    Raises
    ------
    FkdError
        Where there are such names. The message names the first pair.

    Examples
    --------
    >>> from fkd.storage.files import refuse_alike
    >>> refuse_alike(["ann", "anna"], "the writers", "Give one person one name.")
    >>> refuse_alike(["ann", "Ann"], "the writers", "Give one person one name.")
    Traceback (most recent call last):
    ...
    fkd.errors.FkdError: the writers 'Ann' and 'ann' differ only by case, blanks or Unicode spelling. Give one person one name.
    """
    first: dict[str, str] = {}  # the first name of each plain spelling
    for name in sorted(set(names)):
        plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        if (other := first.get(plain)) is not None:
            raise FkdError(
                f"{what} {printable(other)!r} and {printable(name)!r} differ only by case, blanks "
                f"or Unicode spelling. {remedy}"
            )
        first[plain] = name


def check_file(path: Path | str, remedy: str = "") -> None:
    """Refuse a path that is not a regular file or cannot be read.

    It is called before a library opens the file, because opening a pipe or a device may wait
    forever.

    Parameters
    ----------
    path : Path or str
        The file.
    remedy : str, optional
        What the user should do where there is no such file, for the message.

    Raises
    ------
    FkdError
        Where nothing is there, or no regular file, or one that may not be read. The message
        starts with the path.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FkdError(f"{printable(path)}: not a regular file, but a folder, pipe or device.")
        Path(path).open("rb").close()
    except FileNotFoundError:
        raise FkdError(f"{printable(path)}: no such file.{remedy and ' '}{remedy}") from None
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        reason = getattr(error, "strerror", error)
        raise FkdError(
            f"{printable(path)}: cannot be read ({reason}). Check the file and its rights."
        ) from None


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Give a sort key under which numbers within names count as numbers: 2 before 10.

    Parameters
    ----------
    name : str
        The name to be sorted.

    Returns
    -------
    (list of str and int, str)
        The key: the parts of the name, then the name itself, which puts "01" before "1".

    Examples
    --------
    >>> from fkd.storage.files import natural_order
    >>> sorted(["w10", "w2", "v3"], key=natural_order)
    ['v3', 'w2', 'w10']
    """
    # With the digits as a group, every second part is a number: keys never compare a string
    # with a number.
    parts = re.split(r"(\d+)", name)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name


def files_below(folder: Path) -> Iterator[Path]:
    """Walk through a folder's files at any depth, and follow links to folders.

    Every folder is visited once, under its own path rather than that of a link, and the
    folders above `folder` are not visited. So no file is listed twice, and a link to a folder
    above makes no endless loop. Hidden files and folders are passed over.

    Parameters
    ----------
    folder : Path
        The folder to start from.

    Yields
    ------
    Path
        Each file, including links that lead to nothing.

    Raises
    ------
    FkdError
        Where a folder cannot be read.
    """
    entered = {str(parent) for parent in Path(os.path.realpath(folder)).parents}
    starts = [str(folder)]
    # Links wait at the end of `starts`, which grows meanwhile, so that folders come before
    # links to them.
    for start in starts:
        for place, folders, files in os.walk(start, onerror=_unreadable):
            real = os.path.realpath(place)
            if real in entered:
                _log.info(
                    "%s: passed over, it leads to %s again", printable(place), printable(real)
                )
                folders.clear()
                continue
            entered.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            paths = (os.path.join(place, name) for name in folders)
            starts += [path for path in paths if os.path.islink(path)]
            yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _unreadable(error: OSError) -> None:
    """Raise for a folder that cannot be listed; ``os.walk`` would skip it in silence."""
    place = printable(error.filename)
    raise FkdError(f"{place}: cannot be read ({error.strerror}). Check the folder and its rights.")
