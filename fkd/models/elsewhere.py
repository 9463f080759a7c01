"""Features that were computed elsewhere, as the features of a study's signatures.

A file of features names an image in each row. A row is that of a signature whose file it names: the
path of the signature within its set, or a longer path that ends in it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from fkd.errors import FkdError
from fkd.storage import shards
from fkd.storage.files import check_file, printable
from fkd.storage.manifest import sha256
from fkd.storage.sizes import refuse_unfolding, size_of_arrays

ENDINGS = (".npz", ".csv")
"""The endings of files of features."""

MOST_SHRUNK = 100
"""How many times smaller than its arrays a file may be, as for sets of signatures."""


def import_features(
    *, features: Path, signatures: Path, out: Path, name: str | None = None
) -> None:
    """Take features that were computed elsewhere for the signatures of a set.

    Parameters
    ----------
    features : Path
        The file of features, see :func:`read_table`. Rows of other images are passed over.
    signatures : Path
        A shard of kind "signatures".
    out : Path
        The shard of kind "features" to write, as :func:`fkd.models.features.extract_features`
        writes it. Its attribute ``file`` is the SHA-256 digest of `features`.
    name : str, optional
        The model's name in the tables; by default, the name of its file.

    Raises
    ------
    FkdError
        If the file is no table of features, a signature has no row, or two rows are of one
        signature.
    """
    names, values = read_table(features)
    shard = shards.read(signatures, "signatures", ["file", "writer", "forgery"])
    rows = _rows_of(shard["file"], names, Path(features), shard.attributes["set"])
    shards.write(
        out,
        "features",
        {"feature": values[rows], "writer": shard["writer"], "forgery": shard["forgery"]},
        {
            "model": name or Path(features).stem,
            "set": shard.attributes["set"],
            "file": sha256(Path(features)),
        },
    )


def read_table(path: Path) -> tuple[list[str], np.ndarray]:
    """Read a file of features, as :func:`fkd.models.features.describe_images` writes it.

    Parameters
    ----------
    path : Path
        ``.npz`` with the arrays ``features`` (n, F) and ``filenames`` (n,), or ``.csv`` with the
        column ``filename`` and a column for each element.

    Returns
    -------
    names : list of str
        The images.
    features : ndarray of float32, (n, F)
        Their features.

    Raises
    ------
    FkdError
        If the file cannot be read or holds anything else. Pickled arrays are never read.
    """
    check_file(path)
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise FkdError(f"{printable(path)}: features come as {' or '.join(ENDINGS)}")
    names, values = _read_npz(path) if path.suffix.lower() == ".npz" else _read_csv(path)
    if values.ndim != 2 or not values.size or len(names) != len(values):
        raise FkdError(
            f"{printable(path)}: {len(names)} file names and features of shape {values.shape}; "
            "expected a row of numbers for each name"
        )
    broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(broken):
        raise FkdError(
            f"{printable(path)}: the features of {printable(names[broken[0]])} are not all finite "
            "numbers"
        )
    return names, values


def _read_npz(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            remedy = "No file of features shrinks so much; if it is one, save it uncompressed."
            refuse_unfolding(path, size_of_arrays(file.zip), MOST_SHRUNK, remedy)
            values, names = np.asarray(file["features"]), np.asarray(file["filenames"])
    except FkdError:
        raise
    except KeyError as error:
        raise FkdError(
            f"{printable(path)}: {error.args[0]}. It needs features and filenames."
        ) from None
    except Exception as error:  # zip and array headers fail in many ways
        raise FkdError(
            f"{printable(path)}: not a readable .npz file ({error}). Its features and filenames "
            "must be plain arrays; pickled ones are never read."
        ) from None
    if values.dtype.kind not in "fiu" or names.dtype.kind != "U" or names.ndim != 1:
        raise FkdError(
            f"{printable(path)}: features and filenames are of type {values.dtype} and "
            f"{names.dtype}; expected numbers and a list of text"
        )
    with np.errstate(over="ignore"):  # what becomes infinite is refused with its name
        return names.tolist(), values.astype(np.float32)


def _read_csv(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        table = pd.read_csv(path, dtype={"filename": str}, keep_default_na=False)
        names = table.pop("filename").tolist()
        values = table.to_numpy(np.float32)
    except KeyError:
        raise FkdError(f"{printable(path)}: no column filename beside the features") from None
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        reason = str(error).partition("\n")[0]
        raise FkdError(f"{printable(path)}: not a table of features ({reason})") from None
    return names, values


def _rows_of(files: Sequence[str], names: Sequence[str], path: Path, set_name: str) -> np.ndarray:
    """Find the row of each signature, (n,) int."""
    ends: dict[str, list[int]] = {}
    paths = [PurePosixPath(name.replace("\\", "/")) for name in names]
    for row, place in enumerate(paths):
        ends.setdefault(place.name, []).append(row)
    found = [_row_of(PurePosixPath(file), paths, ends, path) for file in files]
    missing = [file for file, row in zip(files, found, strict=True) if row is None]
    if missing:
        raise FkdError(
            f"{printable(path)}: features of {len(missing)} of {len(files)} signatures of {set_name} "
            f"are missing, the first is {printable(missing[0])}. Name images as the set does, or by "
            "longer paths that end so."
        )
    return np.array(found)


def _row_of(
    file: PurePosixPath,
    paths: Sequence[PurePosixPath],
    ends: Mapping[str, Sequence[int]],
    path: Path,
) -> int | None:
    """Find the row whose image is a signature's file; None if there is none."""
    parts = file.parts
    rows = [row for row in ends.get(file.name, ()) if paths[row].parts[-len(parts) :] == parts]
    if len(rows) > 1:
        raise FkdError(
            f"{printable(path)}: {printable(paths[rows[0]])} and {printable(paths[rows[1]])} are both "
            f"{printable(file)} of one set. Give each set a file of its own."
        )
    return rows[0] if rows else None
