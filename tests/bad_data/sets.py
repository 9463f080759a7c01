"""Prepared sets of signatures (``.npz``) that are damaged, false or hostile."""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bad_data.case import Case, Payload, SystemPayload
from fkd.signatures.npz import read_npz
from fkd.signatures.prepare import prepare_signatures
from fkd.storage import shards

ROWS = 4
ARRAYS: dict[str, np.ndarray] = {
    "x": np.arange(ROWS * 170 * 242).reshape(ROWS, 1, 170, 242).astype(np.uint8),
    "y": np.array([0, 0, 1, 1]),
    "yforg": np.array([0, 1, 0, 0]),
    "filenames": np.array([f"{at}.png" for at in range(ROWS)]),
}
NO_NPZ, NO_PICKLE, NAMED = "not a readable .npz file", "pickled ones are never read", "holds a name"


def read(path: Path) -> tuple[list, list[np.ndarray]]:
    """Read a set with all of its images."""
    rows, images = read_npz(path)
    return rows, list(images)


def is_whole(found: tuple[list, list[np.ndarray]]) -> None:
    """Four rows in their order, with their images."""
    rows, images = found
    assert [row.file for row in rows] == ["0.png", "1.png", "2.png", "3.png"]
    assert all(np.array_equal(*pair) for pair in zip(images, ARRAYS["x"][:, 0], strict=True))


def npz(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays, pickling what must be."""
    np.savez(path, **{key: values for key, values in arrays.items() if values is not None})


def npy(values: np.ndarray, header: bytes | None = None) -> bytes:
    """An array as a file, whose header may be another."""
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    if header is None:
        return stream.getvalue()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values.tobytes()


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    """Write members by hand, over those of a good set."""
    members = {f"{key}.npy": npy(values) for key, values in ARRAYS.items()} | members
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)


def _cut(share: float, path: Path) -> None:
    npz(path, ARRAYS)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def _flip(seed: int, path: Path) -> None:
    npz(path, ARRAYS)
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    draw = np.random.default_rng(seed)
    reach = 400 if seed % 2 else -600  # the first header, or the last ones and the directory
    for at in draw.integers(min(reach, 0), max(reach, 0), 5):
        content[at] ^= np.uint8(1 << draw.integers(8))
    path.write_bytes(content.tobytes())


def _lying_size(path: Path) -> None:
    """The directory claims 1 TiB for x, and x's header does too."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (26000000, 170, 242), }\n"
    archive(path, {"x.npy": npy(np.zeros(9, np.uint8), header)})


def _claimed_size(path: Path) -> None:
    archive(path, {})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 2**32 - 2)
    path.write_bytes(content)


def _bomb(path: Path) -> None:
    """400 MB of zeros in less than two."""
    rows = 10_000
    header = npy(
        np.zeros(0, np.uint8),
        f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows}, 170, 242), }}\n".encode(),
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open("x.npy", "w") as stream:
            stream.write(header)
            for _ in range(rows // 100):
                stream.write(bytes(100 * 170 * 242))
        for key in ("y", "yforg", "filenames"):
            file.writestr(f"{key}.npy", npy(np.zeros(rows, "<U1" if key == "filenames" else int)))


def _nested_bomb(path: Path) -> None:
    """A member that nobody reads holds the zeros."""
    archive(path, {"ballast.npy": bytes(1 << 28)}, zipfile.ZIP_DEFLATED)


def broken() -> Iterator[tuple[str, Callable[[Path], None], str | None]]:
    """Files that are no archive, or not a whole one."""
    yield "empty", lambda path: path.write_bytes(b""), NO_NPZ
    yield "text", lambda path: path.write_text("x y yforg filenames"), NO_NPZ
    yield "one array (.npy)", lambda path: path.write_bytes(npy(ARRAYS["x"])), NO_NPZ
    yield "a pickle", lambda path: path.write_bytes(pickle.dumps(Payload())), NO_NPZ
    yield (
        "an archive without arrays",
        lambda path: zipfile.ZipFile(path, "w").close(),
        "It needs x, y",
    )
    for share in (0.01, 0.3, 0.9, 0.99):
        yield f"cut at {share:.0%}", partial(_cut, share), NO_NPZ
    text = {"x.npy": b"no array"}
    yield "a member that is no array", lambda path: archive(path, text), "images of shape"
    header = npy(ARRAYS["y"], b"{'descr': __import__('os').system('touch executed')}\n")
    yield "a header that is code", lambda path: archive(path, {"y.npy": header}), NO_NPZ
    deep = npy(ARRAYS["y"], b"(" * 9000 + b"\n")
    yield "a header of 9000 brackets", lambda path: archive(path, {"y.npy": deep}), NO_NPZ


def false_arrays() -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Arrays that are absent, pickled, or of other shapes and types."""
    for key in ("x", "y", "yforg", "filenames"):
        yield f"no {key}", {key: None}, f"{key} is not a file.*It needs x, y, yforg and filenames"
        trap = np.array([Payload(), SystemPayload()] * 2, object)
        yield f"{key} pickled with code", {key: trap}, NO_PICKLE
    mapping = np.array({0: Payload()}, object)
    yield "user_mapping pickled with code", {"user_mapping": mapping}, None
    x = ARRAYS["x"]
    yield "x of 150 x 220", {"x": x[:, :, :150, :220]}, "images of shape"
    yield "x in color", {"x": np.repeat(x, 3, axis=1)}, "images of shape"
    yield "x as float", {"x": x / 255}, "type float64"
    yield "x of one number", {"x": np.uint8(3)}, "images of shape"
    yield "x of no row", {"x": x[:0]}, "must be as many"
    yield "x of three rows", {"x": x[:3]}, "must be as many"
    yield "y in two columns", {"y": np.zeros((ROWS, 2), int)}, "must be as many"
    yield "y as fractions", {"y": np.array([0.5, np.nan, 1, 2])}, "They must be numbers"
    yield "y as complex numbers", {"y": np.ones(ROWS, complex)}, "They must be numbers"
    yield "y as records", {"y": np.zeros(ROWS, [("a", int), ("b", "U9")])}, "They must be numbers"
    yield "y as dates", {"y": np.zeros(ROWS, "M8[s]")}, "They must be numbers"
    yield "yforg as text", {"yforg": np.array(["genuine"] * ROWS)}, "They must be numbers"
    yield "yforg of 7", {"yforg": np.full(ROWS, 7)}, r"found \[7\]"
    yield "yforg not a number", {"yforg": np.full(ROWS, np.nan)}, r"found \[nan"
    yield "filenames as numbers", {"filenames": np.arange(ROWS)}, "They must be numbers"
    yield "filenames as one", {"filenames": np.array("a.png")}, "must be as many"
    yield "writers beyond user_mapping", {"user_mapping": np.array(["ann"])}, "not in user_mapping"
    huge = np.array([2**62, -1, 0, 1])
    yield "writers of 2^62", {"y": huge, "user_mapping": np.array(["ann"])}, "not in user_mapping"
    nulls = np.array(["a\0b.png"] * ROWS)
    yield "filenames with a null", {"filenames": nulls}, NAMED
    long = np.array(["9" * 5000] * ROWS)
    yield "filenames of 5000 digits", {"filenames": long}, NAMED
    yield "writers' names of 5000 digits", {"user_mapping": long}, NAMED


def hostile() -> Iterator[tuple[str, Callable[[Path], None], str | None]]:
    """Archives made to fill memory or disk."""
    yield "x of 1 TB by its header", _lying_size, "more than 100 times the file"
    yield "x of 4 GB by the directory", _claimed_size, "content takes 4,29"
    yield "x of 400 MB of zeros", _bomb, "more than 100 times the file"
    yield "270 MB that nobody reads", _nested_bomb, "more than 100 times the file"
    negative = npy(ARRAYS["y"], b"{'descr': '<i8', 'fortran_order': False, 'shape': (-4,), }\n")
    yield "an array of -4 rows", lambda path: archive(path, {"y.npy": negative}), NO_NPZ
    for name in ("../executed", "/tmp/executed", "../x.npy", "..\\executed", "a/../../executed"):
        add = {name: npy(ARRAYS["y"])}
        yield f"a member called {name}", partial(archive, members=add), None


def _made(write: Callable[[Path], object], folder: Path) -> Path:
    path = folder / "set.npz"
    write(path)
    return path


def prepared(path: Path) -> tuple[list[str], str]:
    """Prepare a set, and give what is kept and the list of what is not."""
    out, aside = path.with_suffix(".h5"), path.with_suffix(".csv")
    prepare_signatures(
        name="mine",
        source=path,
        layout="npz",
        out=out,
        quarantine=aside,
        max_pixels=10**7,
        max_share=0.5,
        threads=1,
    )
    return shards.read(out, "signatures")["file"].tolist(), aside.read_text("utf-8")


def _one_aside(reason: str, found: tuple[list[str], str]) -> None:
    files, aside = found
    assert files == ["0.png", "1.png", "3.png"] and aside.count("\n") == 2 and reason in aside


def _cases() -> Iterator[Case]:
    for name, write, refused in broken():
        yield Case("sets, broken", name, partial(_made, write), read, refused)
    for seed in range(8):
        make = partial(_made, partial(_flip, seed))
        yield Case("sets, flipped bits", f"draw {seed}", make, read, ".", may=True)
    for name, changes, refused in false_arrays():
        write = partial(npz, arrays=ARRAYS | changes)
        yield Case("sets, arrays", name, partial(_made, write), read, refused, is_whole)
    for name, write, refused in hostile():
        yield Case("sets, hostile", name, partial(_made, write), read, refused, is_whole)
    blank = ARRAYS["x"].copy()
    blank[2] = 9
    bad_name = np.array([b"0.png", b"1.png", b"\xff.png", b"3.png"])
    writer = {"y": np.array([0, 0, 2, 1]), "user_mapping": np.array([b"ann", b"bob", b"\xff"])}
    for name, changes, reason in (
        ("a blank row", {"x": blank}, "blank"),
        ("a file name that is not UTF-8", {"filenames": bad_name}, "not UTF-8"),
        ("a writer's name that is not UTF-8", writer, "not UTF-8"),
    ):
        write = partial(npz, arrays=ARRAYS | changes)
        check = partial(_one_aside, reason)
        yield Case("sets, rows", name, partial(_made, write), prepared, None, check)
    alone = partial(npz, arrays=ARRAYS | {"y": np.zeros(ROWS, int)})
    yield Case("sets, rows", "one writer", partial(_made, alone), prepared, "at least 2 are needed")
    forged = partial(npz, arrays=ARRAYS | {"yforg": np.array([0, 0, 1, 1])})
    refused = "no genuine signature of writer 1"
    yield Case("sets, rows", "a writer of forgeries", partial(_made, forged), prepared, refused)


CASES: list[Case] = list(_cases())
