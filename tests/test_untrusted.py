"""Files made to read other files, to fill the memory, to stall, or to mislead compiled code."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from fkd.errors import FkdError
from fkd.storage import shards

# HDF5


ARRAYS = {
    "image": np.zeros((4, 17, 24), np.uint8),
    "writer": np.array(["ann", "ann", "bob", "bob"], object),
    "forgery": np.array([False, True] * 2),
}


def shard_with(path: Path, edit: Callable[[h5py.File], object]) -> Path:
    """Write a shard and let `edit` change it."""
    shards.write(path, "signatures", ARRAYS, {"set": "mine"})
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def put(name: str, **options: object) -> Callable[[h5py.File], object]:
    """Replace an array by another one, which has a digest too."""

    def edit(file: h5py.File) -> None:
        file.pop(name, None)
        file.create_dataset(name, **options).attrs["digest"] = "0" * 16

    return edit


def external(place: Path) -> Callable[[h5py.File], object]:
    return put("image", shape=(4, 17, 24), dtype="u1", external=[(str(place), 0, 4 * 17 * 24)])


def virtual(place: Path) -> Callable[[h5py.File], object]:
    layout = h5py.VirtualLayout((4, 17, 24), "u1")
    layout[:] = h5py.VirtualSource(str(place), "image", (4, 17, 24))

    def edit(file: h5py.File) -> None:
        del file["image"]
        file.create_virtual_dataset("image", layout).attrs["digest"] = "0" * 16

    return edit


def linked(link: object) -> Callable[[h5py.File], object]:
    def edit(file: h5py.File) -> None:
        del file["image"]
        file["image"] = link

    return edit


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe without a writer: whoever opens it waits forever."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize(
    "make", [external, virtual, lambda at: linked(h5py.ExternalLink(at, "/a"))]
)
def test_a_shard_opens_no_other_file(make, pipe, tmp_path):
    path = shard_with(tmp_path / "a.h5", make(pipe))
    with pytest.raises(FkdError, match=r"a link to another place|not stored in chunks of this file"):
        shards.read(path)
    with shards.opened(shard_with(tmp_path / "b.h5", lambda _: None)) as reader:
        assert reader.rows("image").shape == (4, 17, 24)


def repeated_string(file: h5py.File) -> None:
    """A thousand references to one string."""
    array = file.create_dataset("more", (1000,), h5py.string_dtype(), chunks=(1000,))
    array[0] = "a" * 20_000
    file.flush()
    stored = array.id.read_direct_chunk((0,))[1]
    array.id.write_direct_chunk((0,), stored[:16] * 1000)


def unfolding_chunk(file: h5py.File) -> None:
    """A chunk of a few bytes that unfolds to 64 MB."""
    options = {"dtype": "u1", "fletcher32": True, **hdf5plugin.Zstd()}
    large = file.create_dataset("large", data=np.zeros(1 << 26, "u1"), chunks=(1 << 26,), **options)
    file.flush()
    stored = large.id.read_direct_chunk((0,))[1]
    del file["large"]
    small = file.create_dataset("more", (99,), chunks=(99,), **options)
    small.id.write_direct_chunk((0,), stored)


ODD: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "a soft link": (linked(h5py.SoftLink("/forgery")), "image is a link to another place"),
    "a group": (lambda file: file.create_group("more"), "more is no array"),
    "a named type": (lambda file: file.__setitem__("more", np.dtype("i4")), "more is no array"),
    "records": (put("more", data=np.zeros(4, "i4,f4"), chunks=True), "of the type"),
    "lists": (put("more", shape=(4,), dtype=h5py.vlen_dtype("i4"), chunks=True), "of the type"),
    "references": (put("more", shape=(4,), dtype=h5py.ref_dtype, chunks=True), "of the type"),
    "the other byte order": (put("more", data=np.zeros(4, ">i4"), chunks=True), "of the type >i4"),
    "a filter": (put("more", data=np.zeros(4), compression="gzip"), "through filters that no"),
    "vast chunks": (
        put("more", shape=(4,), dtype="u1", chunks=(1 << 30,), maxshape=(None,)),
        "more is stored in chunks of 1,073,741,824 bytes",
    ),
    "a chunk that unfolds": (unfolding_chunk, "more has a chunk that is not compressed as shards"),
    "one string many times": (repeated_string, "more holds more strings than the file has room"),
    "images that are no bytes": (
        put("image", data=np.zeros((4, 17, 24)), chunks=True),
        "image is of the type float64 and has 3 axes",
    ),
    "labels that are words": (
        put("forgery", data=["no"] * 4, dtype=h5py.string_dtype(), chunks=True),
        "forgery is of the type object",
    ),
    "more rows of one array": (
        put("forgery", data=np.zeros(9, bool), chunks=True),
        "different numbers of rows: .*'forgery': 9",
    ),
    "kinds by the million": (
        lambda file: file.attrs.__setitem__("kind", np.array(["signatures"] * 9, object)),
        "the attribute kind is no single number or string",
    ),
}


@pytest.mark.parametrize(("edit", "message"), ODD.values(), ids=ODD)
def test_a_shard_holds_plain_arrays_of_the_declared_types(edit, message, tmp_path):
    path = shard_with(tmp_path / "a.h5", edit)
    with pytest.raises(FkdError, match=message):
        shards.read(path)
