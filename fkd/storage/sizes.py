"""Compressed files that would fill the memory, refused before anything in them is read."""

import zipfile
from pathlib import Path

from fkd.errors import FkdError
from fkd.storage.files import printable

UNQUESTIONED = 1 << 27
"""Bytes that the content of a file may take, however small the file is."""


def refuse_unfolding(path: Path, size: int, times: int, expected: str) -> None:
    """Refuse a file whose content would take far more room than the file.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        Bytes that its content takes in memory, as its directory or header says.
    times : int
        Times that an honest file may be smaller than its content.
    expected : str
        A sentence for the message: why an honest file is no such case, and what to do.

    Raises
    ------
    FkdError
        Where the content is over `times` the file, and over :data:`UNQUESTIONED` besides.
    """
    if size > times * Path(path).stat().st_size + UNQUESTIONED:
        raise FkdError(
            f"{printable(path)}: its content takes {size:,} bytes, more than {times} times the file. "
            f"{expected}"
        )


def unfolded_size(archive: zipfile.ZipFile) -> int:
    """Add up what the members of a zip archive say that they take in memory."""
    return sum(member.file_size for member in archive.infolist())
