"""Shards: HDF5 files of typed arrays, the one format in which stages pass data on.

A shard holds arrays, most of which have one row per image, and attributes that describe what it
contains and how it was made. Its kind and format version are checked when it is read, so a stage
never reads another stage's file by mistake. Each array has a digest of its content, which is
checked when all of its rows are read at once. Each compressed chunk has a checksum, which is
checked whenever it is read.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from fkd import __version__
from fkd.errors import FkdError
from fkd.storage.atomic import writing
from fkd.storage.files import check_file
from fkd.storage.hdf5 import plain_arrays, plain_attribute

VERSION = 2
"""The version of the format. It is increased whenever older code would misread new files."""

CHUNK_BYTES = 1 << 16
"""The approximate size of a compressed chunk; chunks make it cheap to read only a few rows."""

DECLARED: dict[str, tuple[str, int]] = {
    "pixels": ("uint8", 1),
    "columns": ("integer", 1),
    **dict.fromkeys(("offset", "height", "width", "top", "line"), ("integer", 1)),
    **dict.fromkeys(("stripe", "left", "crop", "copy_of", "split", "row"), ("integer", 1)),
    **dict.fromkeys(("writer", "page", "sample", "file"), ("text", 1)),
    **dict.fromkeys(("validation", "forgery"), ("bool", 1)),
    **dict.fromkeys(("ratio", "score"), ("float", 1)),
    "canvas": ("integer", 2),
    "image": ("uint8", 3),
    "feature": ("float", 2),
    "references": ("integer", 3),
    **dict.fromkeys(("random_split", "random_writer", "person"), ("integer", 1)),
    **dict.fromkeys(("random_score", "knot_score", "knot_log10_lr"), ("float", 1)),
    "vector": ("float", 2),
    **dict.fromkeys(("coefficient", "deviation"), ("float", 1)),
    "tree": ("uint16", 2),
    "nac": ("float", 2),
    **dict.fromkeys(("first", "second", "part"), ("integer", 1)),
    "forged": ("bool", 1),
    "center": ("float", 2),
    "matrix": ("float", 3),
}
"""The type and the number of axes of each array, in all kinds of shards.

Arrays of a teacher's map have its name after that of the array, such as ``tree_conv2``.
"""

BY_ITSELF = {"pixels", "columns", "references", "deviation"}
BY_ITSELF |= {"random_split", "random_writer", "random_score", "knot_score", "knot_log10_lr"}
BY_ITSELF |= {"first", "second", "forged", "part"}
"""The arrays whose number of rows is not that of the others in their shard."""

MEND = "If a run of a study wrote it, remove it and run the workflow again, which recreates it."
"""What to do about a damaged file. Files of the user's own are never to be removed."""


class Digest:
    """A digest of an array that is added part by part.

    It depends only on the type and the rows of the array, not on how the rows were divided into
    parts.
    """

    def __init__(self) -> None:
        self._state = hashlib.blake2b(digest_size=8)

    def add(self, values: np.ndarray) -> None:
        """Add the next rows, which are numbers or strings."""
        values = np.asarray(values)
        if values.dtype.kind in "OU":
            texts = (str(value).encode("utf-8", "surrogateescape") for value in values.ravel())
            self._state.update(b"".join(len(t).to_bytes(4, "little") + t for t in texts))
        else:
            self._state.update(np.ascontiguousarray(values).data)

    def __str__(self) -> str:
        """16 hexadecimal digits."""
        return self._state.hexdigest()


def digest(*arrays: np.ndarray) -> str:
    """Compute one digest, of 16 hexadecimal digits, of arrays of numbers or strings."""
    state = Digest()
    for values in arrays:
        state.add(values)
    return str(state)


@dataclass(frozen=True)
class Shard:
    """The content of a shard, as returned by :func:`read`.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The arrays. Arrays of strings are NumPy object arrays of ``str``.
    attributes : dict of str to Any
        The attributes, as they were given to :func:`write`.
    digests : dict of str to str
        The digest of each array in the file, including arrays that were not read.
    """

    arrays: dict[str, np.ndarray]
    attributes: dict[str, Any]
    digests: dict[str, str]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


class Writer:
    """A shard that is being written, see :func:`appending`.

    Attributes
    ----------
    attributes : dict of str to Any
        The attributes to write, which can be anything that JSON can represent.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._digests: dict[str, Digest] = {}
        self.attributes: dict[str, Any] = {}

    def append(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Append rows to the arrays; the first call determines which arrays the shard has.

        Parameters
        ----------
        arrays : mapping of str to array_like
            Numeric arrays of any shape, or one-dimensional arrays of strings.
        """
        for name, values in arrays.items():
            values = np.asarray(values)
            text = values.dtype.kind in "OU"
            if name not in self._file:
                self._create(name, values, text)
            if len(values):
                dataset = self._file[name]
                dataset.resize(len(dataset) + len(values), axis=0)
                dataset[-len(values) :] = list(values) if text else values
                self._digests[name].add(values)

    def _create(self, name: str, values: np.ndarray, text: bool) -> None:
        shape = values.shape[1:]
        # Chunks of strings are not compressed, so they hold only a few rows.
        row_bytes = 256 if text else max(1, values.dtype.itemsize * int(np.prod(shape)))
        self._file.create_dataset(
            name,
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(max(1, CHUNK_BYTES // row_bytes), *shape),
            dtype=h5py.string_dtype() if text else values.dtype,
            # The checksum reveals damage even if only some of the rows are read.
            **({} if text else {"fletcher32": True, **hdf5plugin.Zstd(clevel=3)}),
        )
        self._digests[name] = Digest()

    def _finish(self, kind: str) -> None:
        for name, state in self._digests.items():
            self._file[name].attrs["digest"] = str(state)
        attributes = json.dumps(self.attributes)
        self._file.attrs.update(
            kind=kind,
            version=VERSION,
            fkd=__version__,
            attributes=attributes,
            digest=digest(np.array([attributes])),
        )


@contextmanager
def appending(path: Path | str, kind: str) -> Iterator[Writer]:
    """Write a shard part by part.

    Parameters
    ----------
    path : Path or str
        The file to write. It appears under this name only once it is complete.
    kind : str
        The kind of content, such as ``"crops"``.

    Yields
    ------
    Writer
        The writer, which accepts rows and attributes until the block ends.
    """
    # The file is built in memory and written at once, because HDF5 crashes on a full disk.
    with h5py.File(Path(path).name, "w", driver="core", backing_store=False) as file:
        writer = Writer(file)
        yield writer
        writer._finish(kind)
        file.flush()
        content = file.id.get_file_image()
    with writing(path) as part:
        part.write_bytes(content)


def write(
    path: Path | str,
    kind: str,
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write a shard at once.

    Parameters
    ----------
    path : Path or str
        The file to write. It appears under this name only once it is complete.
    kind : str
        The kind of content, such as ``"crops"``.
    arrays : mapping of str to array_like
        Numeric arrays of any shape, or one-dimensional arrays of strings. The compression is
        lossless.
    attributes : mapping of str to Any, optional
        The attributes, which can be anything that JSON can represent.
    """
    with appending(path, kind) as shard:
        shard.attributes.update(attributes or {})
        shard.append(arrays)


class Reader:
    """An open shard, of which some rows can be read; see :func:`opened`.

    Attributes
    ----------
    path : Path or str
        The file.
    kind : str
        The kind of content, as it was given to the writer.
    attributes : dict of str to Any
        The attributes, as they were given to the writer.
    digests : dict of str to str
        The digest of each array.
    """

    def __init__(self, path: Path | str, kind: str, file: h5py.File) -> None:
        self.path, self.kind = path, kind
        try:
            self._arrays = plain_arrays(path, file)
            _check_declared(self._arrays)
            attributes = plain_attribute(file, "attributes")
            if plain_attribute(file, "digest") != digest(np.array([attributes])):
                raise ValueError("the attributes are not what was written")
            self.attributes = _Attributes(json.loads(attributes))
            self.attributes.path = path
            stored = {name: plain_attribute(a, "digest") for name, a in self._arrays.items()}
            self.digests = {name: str(value) for name, value in stored.items()}
            if None in stored.values():
                raise ValueError("an array has no digest")
        except FkdError as error:
            raise FkdError(f"{error} {MEND}") from None
        except Exception as error:  # h5py raises nearly anything on damaged files
            raise _broken(path, error) from None

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array."""
        return self._arrays[name].shape

    def rows(self, name: str, rows: slice | int = slice(None)) -> np.ndarray:
        """Read rows of an array; strings are returned as a NumPy object array of ``str``.

        If all rows are read at once, they are checked against the array's digest.
        """
        try:
            dataset = self._arrays[name]
            if h5py.check_string_dtype(dataset.dtype):
                values = np.array(dataset.asstr()[rows], dtype=object)
            else:
                values = dataset[rows]
        except Exception as error:  # h5py raises nearly anything on damaged files
            raise _broken(self.path, error) from None
        if rows == slice(None) and digest(values) != self.digests[name]:
            raise _broken(self.path, f"the array {name} is not what was written")
        return values


class _Attributes(dict[str, Any]):
    """The attributes of a shard. One that is missing is a fault of the file."""

    path: Path | str

    def __missing__(self, name: str) -> None:
        raise FkdError(f"{self.path}: the attribute {name} is missing. {MEND}")


def _check_declared(arrays: Mapping[str, h5py.Dataset]) -> None:
    """Refuse arrays of another type or shape than :data:`DECLARED`, before they are read."""
    rows = {}
    for name, array in arrays.items():
        plain = name.partition("_")[0] if name.startswith(("tree_", "nac_")) else name
        if plain not in DECLARED:
            continue
        kind, axes = DECLARED[plain]
        found = {"i": "integer", "u": "integer", "f": "float", "O": "text"}
        if kind not in (found.get(array.dtype.kind), array.dtype.name) or array.ndim != axes:
            raise ValueError(f"{name} is of the type {array.dtype} and has {array.ndim} axes")
        if name not in BY_ITSELF:
            rows[name] = len(array)
    if len(set(rows.values())) > 1:
        raise ValueError(f"its arrays have different numbers of rows: {rows}")


@contextmanager
def opened(
    path: Path | str, kind: str | None = None, names: Iterable[str] = ()
) -> Iterator[Reader]:
    """Open a shard to read it part by part.

    Parameters
    ----------
    path : Path or str
        A file written by :func:`write` or :func:`appending`.
    kind : str, optional
        The kind that the shard must have; by default, any kind.
    names : iterable of str, optional
        The arrays that the shard must have.

    Yields
    ------
    Reader
        The reader, which can be used until the block ends.

    Raises
    ------
    FkdError
        If the file is missing, damaged, of another kind or version, or lacks one of `names`.
    """
    check_file(path, "Run the stage that makes it first.")
    try:
        # Shards are never changed after they were written, so no lock is needed. Some file
        # systems do not support locks.
        file = h5py.File(path, "r", locking=False)
    except Exception as error:  # h5py raises nearly anything on damaged files
        raise _broken(path, error) from None
    with file:
        try:
            identity = (plain_attribute(file, "kind"), plain_attribute(file, "version"))
            is_expected, present = bool(identity == (kind or identity[0], VERSION)), set(file)
        except Exception as error:  # h5py raises nearly anything on damaged files
            raise _broken(path, error) from None
        if not is_expected:
            raise FkdError(
                f"{path}: expected a shard of {f'kind {kind!r}' if kind else 'any kind'}, version {VERSION}, "
                f"found kind {identity[0]!r}, version {identity[1]}. {MEND}"
            )
        missing = sorted(set(names) - present)
        if missing:
            raise FkdError(f"{path}: the arrays {', '.join(missing)} are missing. {MEND}")
        yield Reader(path, str(identity[0]), file)


def _broken(path: Path | str, error: Exception | str) -> FkdError:
    """Make the error that reports a damaged file, or a file of another kind."""
    with Path(path).open("rb") as stream:
        begin = stream.read(8)
    for magic, kind in _OTHERS.items():
        if begin.startswith(magic):
            return FkdError(f"{path}: {kind}, and no shard of a study, which is an HDF5 file.")
    return FkdError(f"{path}: not a whole HDF5 file ({error}). {MEND}")


_OTHERS = {
    b"PK": "a zip archive, such as *.npz or *.pth",
    b"\x93NUMPY": "an array of NumPy",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"II*\0": "an image",
    b"MM\0*": "an image",
}
"""What other files that people have begin with, and what they are."""


def read(path: Path | str, kind: str | None = None, names: Iterable[str] | None = None) -> Shard:
    """Read a shard, or some of its arrays.

    Parameters
    ----------
    path : Path or str
        The file to read.
    kind : str, optional
        The kind that the shard must have; by default, any kind.
    names : iterable of str, optional
        The arrays to read; by default, all of them.

    Returns
    -------
    Shard
        The arrays and the attributes.

    Raises
    ------
    FkdError
        If :func:`opened` raises it, or an array differs from its digest.
    """
    selected = None if names is None else list(names)
    with opened(path, kind, selected or ()) as shard:
        selected = list(shard.digests) if selected is None else selected
        arrays = {name: shard.rows(name) for name in selected}
        return Shard(arrays, shard.attributes, shard.digests)
