"""Refusal of compressed files that would fill the memory, before anything in them is read."""

import math
import zipfile
from pathlib import Path

from numpy.lib import format as npy

from fkd.errors import FkdError
from fkd.storage.files import printable

STRING_BYTES = 64
"""The bytes that a string takes as an object of Python, at least."""

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


def size_of_arrays(archive: zipfile.ZipFile) -> int:
    """Add up how many bytes the arrays of an ``.npz`` archive take in memory.

    Parameters
    ----------
    archive : zipfile.ZipFile
        The archive. Only the headers of its arrays are read.

    Returns
    -------
    int
        The number of bytes. A string counts :data:`STRING_BYTES` even if it is empty, because it
        becomes an object: an archive of a few bytes can hold a billion strings of no length.

    Raises
    ------
    ValueError
        If a header is damaged.
    """
    size = 0
    for member in archive.infolist():
        size += member.file_size
        with archive.open(member) as stream:
            if stream.read(len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
                continue  # no array, which its reader will say
            stream.seek(0)
            version = npy.read_magic(stream)
            read_header = (
                npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            )
            shape, _, dtype = read_header(stream)
        if dtype.kind in "SU":
            size += math.prod(shape) * STRING_BYTES
        elif dtype.kind != "O":  # pickled objects are never read
            size += max(0, math.prod(shape) * dtype.itemsize - member.file_size)
    return size
