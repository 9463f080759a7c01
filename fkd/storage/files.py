"""The user's files: folders, links and names as they come."""

import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from fkd.errors import FkdError

NOT_UTF8 = "the name is not UTF-8: rename it"
"""Why a file cannot be used whose name no list and no shard can hold."""

_log = logging.getLogger(__name__)


def printable(name: Path | str) -> str:
    """Spell a name so that it can be written: a byte ff that is not UTF-8 as ``\\udcff``."""
    return str(name).encode("utf-8", "backslashreplace").decode("utf-8")


def check_file(path: Path | str, remedy: str = "") -> None:
    """Refuse what cannot be read as a file: to be called before a library opens it.

    A pipe or a device would be waited for without end.

    Parameters
    ----------
    path : Path or str
        The file.
    remedy : str, optional
        What to do where there is none.

    Raises
    ------
    FkdError
        Starting with the path, where it leads to nothing, to no regular file, or to one
        that may not be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FkdError(f"{printable(path)}: not a regular file, but a folder, pipe or device.")
        Path(path).open("rb").close()
    except FileNotFoundError:
        raise FkdError(f"{printable(path)}: no such file.{remedy and ' '}{remedy}") from None
    except (OSError, ValueError) as error:  # the latter for a null in the name
        reason = getattr(error, "strerror", error)
        raise FkdError(
            f"{printable(path)}: cannot be read ({reason}). Check the file and its rights."
        ) from None


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Sort key by which numbers within names count as numbers: 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name


def files_below(folder: Path) -> Iterator[Path]:
    """Walk through a folder's files, at any depth and behind links to folders too.

    Every folder is entered once, under its own name rather than a link's, and none that
    holds `folder`: so no file counts twice, and a link to a parent makes no loop. What is
    hidden is passed over.

    Parameters
    ----------
    folder : Path
        Where to start.

    Yields
    ------
    Path
        Each file, links to nowhere included.

    Raises
    ------
    FkdError
        Where a folder cannot be read.
    """
    entered = {str(parent) for parent in Path(os.path.realpath(folder)).parents}
    starts = [str(folder)]
    for start in starts:  # grows by the links to folders
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
    place = printable(error.filename)
    raise FkdError(f"{place}: cannot be read ({error.strerror}). Check the folder and its rights.")
