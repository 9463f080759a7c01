"""Features that were computed elsewhere, in files that are damaged, false or hostile."""

import pickle
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bad_data.case import Case, Payload, SystemPayload
from bad_data.sets import NO_NPZ, NO_PICKLE, npy, npz
from fkd.models.elsewhere import read_table

NAMES = ["a.png", "b.png", "c.png"]
ARRAYS = {
    "features": np.arange(12, dtype=np.float32).reshape(3, 4),
    "filenames": np.array(NAMES),
}
CSV = "filename,1,2\na.png,1,2\nb.png,3,4\n"
NO_TABLE = "not a table of features"


def is_whole(found: tuple[list[str], np.ndarray]) -> None:
    """Three rows in their order."""
    names, features = found
    assert names == NAMES and np.array_equal(features, ARRAYS["features"])


def _cut(share: float, path: Path) -> None:
    npz(path, ARRAYS)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def _flip(seed: int, path: Path) -> None:
    npz(path, ARRAYS)
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    draw = np.random.default_rng(seed)
    for at in draw.integers(len(content), size=5):
        content[at] ^= np.uint8(1 << draw.integers(8))
    path.write_bytes(content.tobytes())


def _lying_size(path: Path) -> None:
    """The header claims 4 TB of features."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("features.npy", npy(ARRAYS["features"], header))
        file.writestr("filenames.npy", npy(ARRAYS["filenames"]))


def archives() -> Iterator[tuple[str, Callable[[Path], object], str | None]]:
    """Archives that are none, or hold something else."""
    changed = {
        "pickled names": ({"filenames": np.array([SystemPayload()] * 3, object)}, NO_PICKLE),
        "pickled features": ({"features": np.array([[Payload()]] * 3, object)}, NO_PICKLE),
        "names as bytes": ({"filenames": np.array(NAMES, "S")}, "expected numbers and a list"),
        "names in a table": ({"filenames": np.array([NAMES])}, "expected numbers and a list"),
        "complex numbers": ({"features": np.ones((3, 4), complex)}, "expected numbers and a list"),
        "too many names": ({"filenames": np.array([*NAMES, "d.png"])}, "4 file names"),
        "no element": ({"features": np.ones((3, 0))}, "features of shape"),
        "numbers too large for float32": ({"features": np.full((3, 4), 1e300)}, "not all finite"),
        "infinity": ({"features": np.full((3, 4), np.inf)}, "a.png are not all finite"),
        "no names": ({"filenames": None}, "It needs features and filenames"),
        "another array that is pickled": ({"more": np.array([Payload()], object)}, None),
    }
    for name, (changes, refused) in changed.items():
        yield name, partial(npz, arrays=ARRAYS | changes), refused
    yield "empty", lambda path: path.write_bytes(b""), NO_NPZ
    yield "a pickle", lambda path: path.write_bytes(pickle.dumps(Payload())), NO_NPZ
    yield "4 TB by its header", _lying_size, "more than 100 times the file"
    for share in (0.1, 0.5, 0.95):
        yield f"cut at {share:.0%}", partial(_cut, share), NO_NPZ


def tables() -> Iterator[tuple[str, str | bytes, str]]:
    """Tables that are none."""
    yield "empty", "", NO_TABLE
    yield "no header", "a.png,1,2\n", "no column filename"
    yield "a row too long", f"{CSV}c.png,1,2,3\n", NO_TABLE
    yield "an open quote", f'{CSV}"c.png,1,2\n', NO_TABLE
    yield "words", f"{CSV}c.png,one,two\n", NO_TABLE
    yield "an empty cell", f"{CSV}c.png,1,\n", NO_TABLE
    yield "NaN", f"{CSV}c.png,1,nan\n", "c.png are not all finite|not a table"
    yield "no UTF-8", b"filename,1\n\xff\xfe,1\n", NO_TABLE
    yield "null bytes", b"filename,1\n\0\0,\0\n", NO_TABLE


def _written(ending: str, write: Callable[[Path], object], folder: Path) -> Path:
    path = folder / f"features.{ending}"
    write(path)
    return path


def _text(content: str | bytes, path: Path) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _cases() -> Iterator[Case]:
    for name, write, refused in archives():
        make = partial(_written, "npz", write)
        yield Case("features, archives", name, make, read_table, refused, is_whole)
    for seed in range(8):
        make = partial(_written, "npz", partial(_flip, seed))
        yield Case("features, flipped bits", f"draw {seed}", make, read_table, ".", may=True)
    for name, content, refused in tables():
        make = partial(_written, "csv", partial(_text, content))
        yield Case("features, tables", name, make, read_table, refused)


CASES: list[Case] = list(_cases())
