"""Paths that lead to no file: folders, loops, pipes, devices; and names of all kinds."""

import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bad_data.case import Case
from bad_data.images import GRAY, encode
from fkd import models
from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.layouts import missing_data
from fkd.models.elsewhere import read_table
from fkd.models.extractor import Extractor
from fkd.models.teacher import check_teacher
from fkd.signatures.npz import read_npz
from fkd.storage import shards

NO_FILE, NOT_REGULAR, NOT_READ = "no such file", "not a regular file", "cannot be read"

NOBODY = 65534


def pipe(path: Path) -> None:
    """A pipe that nobody writes to: whoever reads it waits."""
    os.mkfifo(path)


def listening(path: Path) -> None:
    """A socket."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def without_rights(path: Path) -> None:
    """An image that nobody may read."""
    path.write_bytes(encode(GRAY))
    path.chmod(0)


def circle(path: Path) -> None:
    """Two links that lead to each other."""
    path.symlink_to(path.with_name("other"))
    path.with_name("other").symlink_to(path)


PLACES: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing there": (lambda path: None, NO_FILE),
    "a folder": (Path.mkdir, NOT_REGULAR),
    "a pipe": (pipe, NOT_REGULAR),
    "a socket": (listening, NOT_REGULAR),
    "a link to nowhere": (lambda path: path.symlink_to("nowhere"), NO_FILE),
    "a link to itself": (lambda path: path.symlink_to(path), NOT_READ),
    "links in a circle": (circle, NOT_READ),
    "a link to endless zeros": (lambda path: path.symlink_to("/dev/zero"), NOT_REGULAR),
    "a link to a folder": (lambda path: path.symlink_to(path.parent), NOT_REGULAR),
    "a file without rights": (without_rights, NOT_READ),
}


def as_nobody(read: Callable[[Path], object], path: Path) -> object:
    """Read without the rights of an administrator, who may read all."""
    if os.geteuid():
        return read(path)
    here = Path.cwd()
    here.chmod(0o755)  # so that it is the last step of the path that is denied
    path = path.relative_to(here)
    os.seteuid(NOBODY)
    try:
        return read(path)
    finally:
        os.seteuid(0)


def read_vector(path: Path) -> None:
    """Read a stored feature vector, which comes before the weights and the image."""
    check_teacher(weights=Path("none.pth"), image=Path("none.png"), features=path)


def _shard(path: Path) -> object:
    return shards.read(path, "signatures")


READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "image": (read_gray, "png"),
    "set": (read_npz, "npz"),
    "features": (read_table, "npz"),
    "public weights": (models.read_public_weights, "pth"),
    "public weights as ONNX": (models.read_public_weights, "onnx"),
    "weights": (models.load, "safetensors"),
    "model": (Extractor, "onnx"),
    "shard": (_shard, "h5"),
    "feature vector": (read_vector, "npy"),
}


def _place(make: Callable[[Path], None], ending: str, folder: Path) -> Path:
    path = folder / f"input.{ending}"
    make(path)
    return path


def places() -> Iterator[Case]:
    """Every reader at paths that lead to no file: all of them for images."""
    for what, (read, ending) in READERS.items():
        for place, (make, refused) in PLACES.items():
            if what != "image" and place in ("a socket", "links in a circle", "a link to a folder"):
                continue
            read_it = partial(as_nobody, read) if "rights" in place else read
            yield Case(
                "no file",
                f"{place} for the {what}",
                partial(_place, make, ending),
                read_it,
                refused,
            )


NAMES = {
    "a newline": b"a\nb.png",
    "a carriage return": b"a\rb.png",
    "quotes and commas": b"\"a\",'b';.png",
    "255 bytes": b"a" * 251 + b".png",
    "bytes that are not UTF-8": b"\xe9\xff.png",
    "letters of many scripts": "подпись-署名-توقيع.png".encode(),
    "accents in two ways": "Zo\u00eb-Zoe\u0308.png".encode(),
    "signs of a shell": b"$(touch executed)`touch executed`;&|.png",
    "a percent sign and braces": b"%s%n{writer}{0}.png",
    "a dash in front": b"-rf.png",
    "a space around it": b" a .png",
    "an escape of the terminal": b"\x1b[2Jred\x07.png",
    "no ending": b"scan",
    "many endings": b"a.tar.gz.png.txt",
}
"""File names as bytes."""


def _named(name: bytes, folder: Path) -> Path:
    path = folder / os.fsdecode(name)
    path.write_bytes(encode(GRAY))
    return path


def _need(path: Path) -> None:
    """Do as a study before its first job."""
    for fault in missing_data({"signatures.mine": {"layout": "npz", "path": path}}):
        raise FkdError(fault)


def names() -> Iterator[Case]:
    """Images under odd names, which are read; and names that no file can have."""
    for what, name in NAMES.items():
        yield Case("names", f"{what}, in an image's", partial(_named, name), read_gray, None)
    for what, name in (("5000 letters", "a" * 5000), ("a null", "a\0b")):
        made = partial(_place, lambda path: None, name)
        yield Case("names", f"{what}, in an image's", made, read_gray, f"{NOT_READ}|{NO_FILE}")


def _locked(folder: Path) -> Path:
    (folder / "locked").mkdir()
    (folder / "locked").chmod(0)
    return folder / "locked" / "set.npz"


def folders() -> Iterator[Case]:
    """Paths of the config that cannot be followed."""
    need = partial(as_nobody, _need)
    made = partial(_place, lambda path: None, "a" * 5000)
    yield Case("names", "5000 letters, in the config", made, _need, "cannot be searched")
    yield Case("no file", "a set in a folder without rights", _locked, need, "cannot be searched")


CASES: list[Case] = [*places(), *names(), *folders()]
