"""What is read of an HDF5 file of unknown origin: plain arrays that lie in the file itself.

An HDF5 file can name other files, whose content would be read or which would block (external links,
external storage, virtual arrays). Its arrays can also take far more memory than the file: they may
never have been written, be compressed many times over, or consist of strings that are all one
string. All of this is checked before any array is read.
"""

import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from fkd.storage.sizes import refuse_unfolding

MOST_SHRUNK = 1000
"""How many times smaller than its arrays a file may be. Blank pages are 300 times smaller."""

ZSTD = 32015
"""The registered number of the compression of numbers."""

NUMBERS = "biuf"
"""The kinds of NumPy's types that are read as numbers."""

LARGEST_CHUNK = 1 << 20
"""The largest number of bytes of a chunk that holds several rows; shards have smaller ones."""

_REFERENCE = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
"""How a string is stored in an array: its length, and the place of its characters."""

_FRAME = b"\x28\xb5\x2f\xfd"
"""The first bytes of what Zstandard has compressed."""

LONGEST_HEAD = 18
"""The largest number of bytes before the content of a frame (RFC 8878, 3.1.1.1)."""


def plain_arrays(path: Path, file: h5py.File) -> dict[str, h5py.Dataset]:
    """Find the arrays of a file, and refuse the file if it holds anything else.

    Parameters
    ----------
    path : Path
        The file's path.
    file : h5py.File
        The open file.

    Returns
    -------
    dict of str to h5py.Dataset
        The arrays. They are numbers, or one-dimensional arrays of strings.

    Raises
    ------
    ValueError
        If a name leads to anything but an array of numbers or strings in this file.
    FkdError
        If the arrays take much more memory than such a file can hold.
    """
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise ValueError("addresses that do not have 8 bytes")
    arrays = {name: _plain_array(file, name) for name in file}
    size = sum(_bytes(array.shape, array) for array in arrays.values())
    refuse_unfolding(path, size, MOST_SHRUNK, "No shard of a study shrinks so much.")
    with Path(path).open("rb") as stream:
        for array in arrays.values():
            (_check_strings if array.dtype.kind == "O" else _check_chunks)(array, stream)
    return arrays


def plain_attribute(of: h5py.File | h5py.Dataset, name: str) -> Any:
    """Read an attribute that is a single number or string.

    Parameters
    ----------
    of : h5py.File or h5py.Dataset
        The object that has the attribute.
    name : str
        The name of the attribute.

    Returns
    -------
    Any
        The attribute; None if there is no such attribute.

    Raises
    ------
    ValueError
        If the attribute is anything else, such as an array.
    """
    if name not in of.attrs:
        return None
    stored = of.attrs.get_id(name)
    is_text = h5py.check_string_dtype(stored.dtype) is not None
    if stored.shape != () or not (is_text or stored.dtype.kind in NUMBERS):
        raise ValueError(f"the attribute {name} is no single number or string")
    return of.attrs[name]


def _plain_array(file: h5py.File, name: str) -> h5py.Dataset:
    """Open one array."""
    if file.get(name, getclass=True, getlink=True) is not h5py.HardLink:
        raise ValueError(f"{name} is a link to another place")
    if file.get(name, getclass=True) is not h5py.Dataset:
        raise ValueError(f"{name} is no array")
    array = file[name]
    layout = array.id.get_create_plist()
    filters = [layout.get_filter(at)[0] for at in range(layout.get_nfilters())]
    if layout.get_layout() != h5py.h5d.CHUNKED or not array.chunks:
        raise ValueError(f"{name} is not stored in chunks of this file")
    if filters not in ([], [ZSTD, h5py.h5z.FILTER_FLETCHER32]):
        raise ValueError(f"{name} is stored through filters that no shard has")
    text = h5py.check_string_dtype(array.dtype)
    if text is not None and text.length is None:
        if filters or array.ndim != 1:
            raise ValueError(f"{name} holds strings in another form than shards do")
    elif array.dtype.kind not in NUMBERS or not array.dtype.isnative:
        raise ValueError(f"{name} is of the type {array.dtype}")
    return array


def _bytes(shape: tuple[int, ...], array: h5py.Dataset) -> int:
    """Count the bytes of a part of an array; the product may be larger than NumPy's integers."""
    return math.prod(shape) * array.dtype.itemsize


def _chunks(array: h5py.Dataset) -> list:
    """List the chunks of an array: where each of them is stored."""
    chunks: list = []
    array.id.chunk_iter(chunks.append)
    return chunks


def _check_strings(array: h5py.Dataset, stream: BinaryIO) -> None:
    """Refuse strings that are longer together than the file: many references to the same one."""
    characters = 0
    for chunk in _chunks(array):
        # Strings are not compressed, so their references can be read as they are stored.
        stored = array.id.read_direct_chunk(chunk.chunk_offset)[1]
        characters += int(np.frombuffer(stored, _REFERENCE)["length"].sum(dtype=np.int64))
    if math.prod(array.shape) * _REFERENCE.itemsize + characters > stream.seek(0, os.SEEK_END):
        raise ValueError(f"{array.name[1:]} holds more strings than the file has room for")


def _check_chunks(array: h5py.Dataset, stream: BinaryIO) -> None:
    """Refuse chunks that are vast, or that unfold to more than a chunk holds."""
    row, size = _bytes(array.shape[1:], array), _bytes(array.chunks, array)
    if len(array) and size > max(row, LARGEST_CHUNK):
        raise ValueError(f"{array.name[1:]} is stored in chunks of {size:,} bytes")
    if not array.id.get_create_plist().get_nfilters():
        return
    for chunk in _chunks(array):
        stream.seek(chunk.byte_offset)
        # The mask has a bit for each filter that is left out.
        if chunk.filter_mask or _unfolded(stream.read(LONGEST_HEAD)) != size:
            raise ValueError(f"{array.name[1:]} has a chunk that is not compressed as shards are")


def _unfolded(head: bytes) -> int | None:
    """Find the number of bytes that a frame unfolds to, as its head says."""
    if head[:4] != _FRAME or len(head) < 5:
        return None
    flags = head[4]
    single, at = flags >> 5 & 1, 5
    at += (1 - single) + (0, 1, 2, 4)[flags & 3]  # the window and the dictionary's number
    length = (single, 2, 4, 8)[flags >> 6]
    field = int.from_bytes(head[at : at + length], "little")
    return field + 256 * (length == 2) if length else None
