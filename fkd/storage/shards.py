"""Typed arrays in HDF5 files: the one format in which stages hand on data.

A shard holds arrays, most of them with one row per image, besides attributes that say
what it is and how it was made. `kind` and `VERSION` are
checked at reading, so a stage never reads another stage's file by mistake. Each
array carries a digest of its content, which is checked where it is read whole,
and each chunk of it a checksum, which is checked at any reading.
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

VERSION = 2
"""Version of the format; raised whenever a reader of the old one would be wrong."""

CHUNK_BYTES = 1 << 16
"""Rows are compressed in chunks of about this size, so that a few can be read alone."""

MEND = "Remove it and run the workflow again: the stage that made it will make it anew."


class Digest:
    """A digest of arrays, fed in parts.

    Two arrays of one type have one digest where their rows are the same, in however
    many parts they came.
    """

    def __init__(self) -> None:
        self._state = hashlib.blake2b(digest_size=8)

    def add(self, values: np.ndarray) -> None:
        """Add the next rows of numbers, or of strings."""
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
    """Digest arrays of numbers or strings, one after another: 16 hexadecimal digits."""
    state = Digest()
    for values in arrays:
        state.add(values)
    return str(state)


@dataclass(frozen=True)
class Shard:
    """What :func:`read` gives back.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The arrays; strings come as NumPy object arrays of ``str``.
    attributes : dict of str to Any
        The attributes, as they were given to :func:`write`.
    digests : dict of str to str
        The digest of each array of the file, read or not.
    """

    arrays: dict[str, np.ndarray]
    attributes: dict[str, Any]
    digests: dict[str, str]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


class Writer:
    """A shard in the making, see :func:`appending`.

    Attributes
    ----------
    attributes : dict of str to Any
        What will stand in the file; anything that JSON can hold.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._digests: dict[str, Digest] = {}
        self.attributes: dict[str, Any] = {}

    def append(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Append rows to the arrays; the first call says which there are.

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
        # A chunk of texts is not compressed, so it is small.
        row_bytes = 256 if text else max(1, values.dtype.itemsize * int(np.prod(shape)))
        self._file.create_dataset(
            name,
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(max(1, CHUNK_BYTES // row_bytes), *shape),
            dtype=h5py.string_dtype() if text else values.dtype,
            # The checksum shows damage also where only some rows are read.
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
        The file; it appears under this name only when it is whole.
    kind : str
        What the shard holds, such as ``"crops"``.

    Yields
    ------
    Writer
        Takes rows and attributes until the block ends.
    """
    # Made in memory and written at once: HDF5 does not survive a full disk.
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
        The file; it appears under this name only when it is whole.
    kind : str
        What the shard holds, such as ``"crops"``.
    arrays : mapping of str to array_like
        Numeric arrays of any shape, or one-dimensional arrays of strings.
        Compressed without loss.
    attributes : mapping of str to Any, optional
        Anything that JSON can hold.
    """
    with appending(path, kind) as shard:
        shard.attributes.update(attributes or {})
        shard.append(arrays)


class Reader:
    """A shard held open, to read some of its rows; see :func:`opened`.

    Attributes
    ----------
    attributes : dict of str to Any
        The attributes, as they were given to the writer.
    digests : dict of str to str
        The digest of each array.
    """

    def __init__(self, path: Path | str, file: h5py.File) -> None:
        self._path, self._file = path, file
        try:
            attributes = file.attrs["attributes"]
            if file.attrs["digest"] != digest(np.array([attributes])):
                raise ValueError("the attributes are not what was written")
            self.attributes = json.loads(attributes)
            self.digests = {name: str(file[name].attrs["digest"]) for name in file}
        except Exception as error:  # h5py raises nearly anything on damaged files
            raise _broken(path, error) from None

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array."""
        return self._file[name].shape

    def rows(self, name: str, rows: slice | int = slice(None)) -> np.ndarray:
        """Read rows of an array; strings come as NumPy objects of ``str``.

        All rows together are held against the array's digest.
        """
        try:
            dataset = self._file[name]
            if h5py.check_string_dtype(dataset.dtype):
                values = np.array(dataset.asstr()[rows], dtype=object)
            else:
                values = dataset[rows]
        except Exception as error:  # h5py raises nearly anything on damaged files
            raise _broken(self._path, error) from None
        if rows == slice(None) and digest(values) != self.digests[name]:
            raise _broken(self._path, f"the array {name} is not what was written")
        return values


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
        What it must hold; anything by default.
    names : iterable of str, optional
        Arrays that it must have.

    Yields
    ------
    Reader

    Raises
    ------
    FkdError
        Where the file is missing, damaged, of another kind or version, or lacks
        one of `names`.
    """
    check_file(path, "Run the stage that makes it first.")
    try:
        # Shards are written whole and never changed, so that no lock is needed; some file
        # systems have none.
        file = h5py.File(path, "r", locking=False)
    except Exception as error:  # h5py raises nearly anything on damaged files
        raise _broken(path, error) from None
    with file:
        try:
            found = (file.attrs.get("kind"), file.attrs.get("version"))
            is_wanted, held = bool(found == (kind or found[0], VERSION)), set(file)
        except Exception as error:
            raise _broken(path, error) from None
        if not is_wanted:
            raise FkdError(
                f"{path}: expected a shard of {f'kind {kind!r}' if kind else 'any kind'}, version {VERSION}, "
                f"found kind {found[0]!r}, version {found[1]}. {MEND}"
            )
        missing = sorted(set(names) - held)
        if missing:
            raise FkdError(f"{path}: the arrays {', '.join(missing)} are missing. {MEND}")
        yield Reader(path, file)


def _broken(path: Path | str, error: Exception | str) -> FkdError:
    return FkdError(f"{path}: not a whole HDF5 file ({error}). {MEND}")


def read(path: Path | str, kind: str | None = None, names: Iterable[str] | None = None) -> Shard:
    """Read a shard, or some of its arrays.

    Parameters
    ----------
    path : Path or str
        The file.
    kind : str, optional
        What it must hold; anything by default.
    names : iterable of str, optional
        The arrays to read; all of them by default.

    Returns
    -------
    Shard
        Arrays and attributes.

    Raises
    ------
    FkdError
        As :func:`opened`, and where an array is not what was written.
    """
    wanted = None if names is None else list(names)
    with opened(path, kind, wanted or ()) as shard:
        wanted = list(shard.digests) if wanted is None else wanted
        arrays = {name: shard.rows(name) for name in wanted}
        return Shard(arrays, shard.attributes, shard.digests)
