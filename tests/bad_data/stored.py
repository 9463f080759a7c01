"""Shards of a study that are damaged, foreign, or of another version."""

import pickle
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from bad_data.case import Case, Payload
from fkd.storage import shards

ARRAYS = {
    "image": np.random.default_rng(0).integers(0, 256, (6, 17, 24), dtype=np.uint8),
    "writer": np.array([f"writer {n // 2}" for n in range(6)], object),
    "forgery": np.array([False, True] * 3),
}
BROKEN, OTHER, RUN_AGAIN = "not a whole HDF5 file", "expected a shard", "run the workflow again"


def read(path: Path) -> shards.Shard:
    """Read all arrays."""
    return shards.read(path, "signatures")


def some_rows(path: Path) -> np.ndarray:
    """Read a few rows, as training does."""
    with shards.opened(path, "signatures", ["image"]) as shard:
        return shard.rows("image", slice(2, 4))


def is_whole(found: shards.Shard) -> None:
    """What was written."""
    assert set(found.arrays) == set(ARRAYS)
    assert all(np.array_equal(found[name], values) for name, values in ARRAYS.items())


def write(path: Path) -> None:
    """A good shard."""
    shards.write(path, "signatures", ARRAYS, {"set": "mine"})


def _cut(share: float, path: Path) -> None:
    write(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def _flip(seed: int, path: Path) -> None:
    write(path)
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    draw = np.random.default_rng(seed)
    for at in draw.integers(0, len(content), 20):
        content[at] ^= np.uint8(1 << draw.integers(8))
    path.write_bytes(content.tobytes())


def _edited(edit: Callable[[h5py.File], Any], path: Path) -> None:
    write(path)
    with h5py.File(path, "r+") as file:
        edit(file)


def _foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["image"] = np.zeros((3, 4))
        file.create_group("folder")["values"] = [1, 2, 3]


def _change(name: str, rows: Any, value: Any, file: h5py.File) -> None:
    file[name][rows] = value


def _relink(link: Any, file: h5py.File) -> None:
    del file["image"]
    file["image"] = link


def files() -> Iterator[tuple[str, Callable[[Path], Any], str]]:
    """What may lie where a shard should."""
    content = {
        "empty": b"",
        "text": b"image,writer\n",
        "a pickle": pickle.dumps(Payload()),
        "the signature of HDF5 alone": b"\x89HDF\r\n\x1a\n",
        "the signature and zeros": b"\x89HDF\r\n\x1a\n" + bytes(4096),
    }
    for name, data in content.items():
        yield name, partial(Path.write_bytes, data=data), BROKEN
    for share in (0.05, 0.3, 0.6, 0.9, 0.999):
        yield f"cut at {share:.1%}", partial(_cut, share), BROKEN
    yield "foreign HDF5", _foreign, f"{OTHER}.*{RUN_AGAIN}"
    crops = partial(shards.write, kind="crops", arrays=ARRAYS)
    yield "another stage's", crops, OTHER
    for what, version in (("the future", shards.VERSION + 1), ("the past", 1), ("a word", "new")):
        edit = partial(_edited, lambda file, version=version: file.attrs.update(version=version))
        yield f"version of {what}", edit, f"{OTHER}.*{RUN_AGAIN}"
    versions = partial(_edited, lambda file: file.attrs.update(version=np.arange(3)))
    yield "three versions", versions, f"{BROKEN}|{OTHER}"
    for name in ("kind", "version"):
        yield f"no {name}", partial(_edited, lambda file, name=name: file.attrs.pop(name)), OTHER
    lost = partial(_edited, lambda file: file.attrs.pop("attributes"))
    yield "no attributes", lost, BROKEN
    for what, text in (("no JSON", "{"), ("code", "__import__('os')"), ("bytes", b"\xff\xfe")):
        edit = partial(_edited, lambda file, text=text: file.attrs.update(attributes=text))
        yield f"attributes that are {what}", edit, BROKEN
    lost = partial(_edited, lambda file: file["image"].attrs.pop("digest"))
    yield "an array without digest", lost, BROKEN
    pixel = partial(_edited, partial(_change, "image", (0, 0, 0), 3))
    yield "another pixel", pixel, BROKEN
    swapped = partial(_edited, partial(_change, "forgery", 0, True))
    yield "another label", swapped, BROKEN
    renamed = partial(_edited, partial(_change, "writer", 0, "writer 9"))
    yield "another writer", renamed, BROKEN
    shorter = partial(_edited, lambda file: file["image"].resize(5, axis=0))
    yield "a row less", shorter, BROKEN
    longer = partial(_edited, lambda file: file["image"].resize(10**12, axis=0))
    yield "10^12 rows", longer, "its content takes 408,000,000"
    folder = partial(_edited, lambda file: file.create_group("more"))
    yield "a folder within", folder, BROKEN
    for what, link in (
        ("itself", h5py.SoftLink("/image")),
        ("nothing", h5py.SoftLink("/none")),
        ("another file", h5py.ExternalLink("/etc/passwd", "/image")),
    ):
        yield f"an array that leads to {what}", partial(_edited, partial(_relink, link)), BROKEN


def _made(write: Callable[[Path], Any], folder: Path) -> Path:
    path = folder / "shard.h5"
    write(path)
    return path


def _lacking(path: Path) -> None:
    with shards.opened(path, "signatures", ["image", "feature"]):
        pass


def _cases() -> Iterator[Case]:
    for name, make, refused in files():
        yield Case("shards", name, partial(_made, make), read, refused)
    for seed in range(16):
        make = partial(_made, partial(_flip, seed))
        yield Case("shards, flipped bits", f"draw {seed}", make, read, ".", is_whole, may=True)
        yield Case("shards, flipped bits", f"draw {seed}, rows", make, some_rows, ".", may=True)
    yield Case(
        "shards",
        "an array less than asked for",
        partial(_made, write),
        _lacking,
        "feature are missing",
    )


CASES: list[Case] = list(_cases())
