"""Typed arrays in HDF5 files: the one format in which stages hand on data.

A shard holds arrays that share their first axis, one row per image, besides
attributes that say what it is and how it was made. `kind` and `VERSION` are
checked at reading, so a stage never reads another stage's file by mistake.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fkd.atomic import writing
from fkd.errors import FkdError

VERSION = 1
"""Version of the format; raised whenever a reader of the old one would be wrong."""

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Shard:
    """What :func:`read` gives back.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The arrays; strings come as NumPy object arrays of ``str``.
    attributes : dict of str to Any
        The attributes, as they were given to :func:`write`.
    """

    arrays: dict[str, np.ndarray]
    attributes: dict[str, Any]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


def write(
    path: Path | str,
    kind: str,
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write a shard.

    Parameters
    ----------
    path : Path or str
        The file; it appears under this name only when it is whole.
    kind : str
        What the shard holds, such as ``"crops"``.
    arrays : mapping of str to array_like
        Numeric arrays of any shape, or one-dimensional arrays of strings.
        Compressed without loss, in chunks of about 1 MB of whole rows.
    attributes : mapping of str to Any, optional
        Anything that JSON can hold.
    """
    with writing(path) as part, h5py.File(part, "w") as file:
        file.attrs.update(kind=kind, version=VERSION, attributes=json.dumps(dict(attributes or {})))
        for name, values in arrays.items():
            values = np.asarray(values)
            if values.dtype.kind in "OU":
                file.create_dataset(name, data=list(values), dtype=h5py.string_dtype())
            elif values.size == 0:
                file.create_dataset(name, data=values)
            else:
                row_bytes = max(1, values[0].nbytes)
                rows = min(len(values), max(1, CHUNK_BYTES // row_bytes))
                file.create_dataset(
                    name,
                    data=values,
                    chunks=(rows, *values.shape[1:]),
                    compression="gzip",
                    compression_opts=1,
                    shuffle=values.dtype.itemsize > 1,
                )


def read(path: Path | str, kind: str, names: Iterable[str] | None = None) -> Shard:
    """Read a shard, or some of its arrays.

    Parameters
    ----------
    path : Path or str
        A file written by :func:`write`.
    kind : str
        What it must hold.
    names : iterable of str, optional
        The arrays to read; all of them by default.

    Returns
    -------
    Shard
        Arrays and attributes.

    Raises
    ------
    FkdError
        Where the file is missing, damaged, of another kind or version, or lacks
        one of `names`.
    """
    mend = "Remove it and run the workflow again: the stage that made it will make it anew."
    try:
        with h5py.File(path, "r") as file:
            found = (file.attrs.get("kind"), file.attrs.get("version"))
            if found != (kind, VERSION):
                raise FkdError(
                    f"{path}: expected a shard of kind {kind!r}, version {VERSION}, "
                    f"found kind {found[0]!r}, version {found[1]}. {mend}"
                )
            wanted = list(file) if names is None else list(names)
            missing = sorted(set(wanted) - set(file))
            if missing:
                raise FkdError(f"{path}: the arrays {', '.join(missing)} are missing. {mend}")
            arrays = {name: _values(file[name]) for name in wanted}
            return Shard(arrays, json.loads(file.attrs["attributes"]))
    except FileNotFoundError:
        raise FkdError(f"{path}: no such file. Run the stage that makes it first.") from None
    except OSError as error:
        raise FkdError(f"{path}: not a whole HDF5 file ({error}). {mend}") from None


def _values(dataset: h5py.Dataset) -> np.ndarray:
    if h5py.check_string_dtype(dataset.dtype):
        return np.array(dataset.asstr()[()], dtype=object)
    return dataset[()]
