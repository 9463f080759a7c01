"""Refusal of compressed files that would fill the memory, before anything in them is read."""

import zipfile
from pathlib import Path

from fkd.errors import FkdError
from fkd.storage.files import printable

UNQUESTIONED = 1 << 27
"""The number of bytes that the content of any file may take, however small the file is."""


def refuse_unfolding(path: Path, size: int, most_shrunk: int, remedy: str) -> None:
    """Refuse a file whose content would take far more room than the file.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        The number of bytes that its content takes in memory, as its directory or header says.
    most_shrunk : int
        How many times smaller than its content an honest file may be.
    remedy : str
        For the message: why no honest file is refused, and what the user should do.

    Raises
    ------
    FkdError
        Where the content is larger than `most_shrunk` times the file and
        :data:`UNQUESTIONED` bytes together.
    """
    if size > most_shrunk * Path(path).stat().st_size + UNQUESTIONED:
        raise FkdError(
            f"{printable(path)}: its content takes {size:,} bytes, more than {most_shrunk} times "
            f"the file. {remedy}"
        )


def unfolded_size(archive: zipfile.ZipFile) -> int:
    """Add up how many bytes the members of a zip archive take, as its directory says."""
    return sum(member.file_size for member in archive.infolist())
