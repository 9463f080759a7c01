"""Sets of signatures in the ``.npz`` form of the sigver package: read and written.

Such a file holds ``x`` (n, 1, 170, 242) uint8, prepared as networks see it; ``y`` (n,), the
writers as numbers from 0; ``yforg`` (n,), 0 genuine, 1 skilled and 2 simple forgery;
``filenames`` (n,); and ``user_mapping``, the writers' own names by their numbers.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fkd.errors import FkdError
from fkd.layouts import SignatureFile, row_order
from fkd.preprocess import SIZE
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import check_file, natural_order, printable
from fkd.storage.sizes import refuse_unfolding, size_of_arrays

SIMPLE = 2
"""What ``yforg`` says of a simple forgery, which no protocol here uses."""

MOST_SHRUNK = 100
"""How many times smaller than its arrays a file may be. Sets of signatures are 13 to 41 times
smaller; an archive made to fill the memory, a thousand times."""

LONGEST_NAME = 1000
"""Characters of a file's or writer's name."""

_log = logging.getLogger(__name__)


def read_npz(source: Path) -> tuple[list[SignatureFile], Iterator[np.ndarray]]:
    """Read a set without unpickling anything.

    Simple forgeries are passed over. Where ``user_mapping`` is a plain array, as
    :func:`export_signatures` writes it, writers have their own names; the dictionary that
    sigver pickles is never read, and then they are named by their numbers.

    Parameters
    ----------
    source : Path
        The file.

    Returns
    -------
    rows : list of SignatureFile
        By writer, genuine first, then by sample.
    images : iterator of ndarray of uint8, shape (170, 242)
        In the order of the rows.

    Raises
    ------
    FkdError
        Where the file is no such set, a needed array is pickled, or they would take much
        more memory than such a file can hold.
    """
    check_file(source)
    try:
        with np.load(source, allow_pickle=False) as file:
            refuse_unfolding(
                source,
                size_of_arrays(file.zip),
                MOST_SHRUNK,
                "No set of signatures shrinks so much; if it is one, save it without compression.",
            )
            keys = ("x", "y", "yforg", "filenames")
            # A member that is no array comes as bytes.
            images, y, yforg, names = (np.asarray(file[key]) for key in keys)
            mapping = _read_mapping(file)
    except FkdError:
        raise
    except KeyError as error:
        raise FkdError(f"{source}: {error.args[0]}. It needs x, y, yforg and filenames.") from None
    except Exception as error:  # zip and array headers fail in many ways
        raise FkdError(
            f"{source}: not a readable .npz file ({error}). Its x, y, yforg and filenames must be "
            "plain arrays; pickled ones are never read."
        ) from None
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.shape[1:] != SIZE or images.dtype != np.uint8:
        raise FkdError(
            f"{source}: images of shape {images.shape[1:]} and type {images.dtype}, expected "
            f"{SIZE} and uint8. Preprocess the set for {SIZE[0]} x {SIZE[1]}, or give its scans."
        )
    if y.dtype.kind not in "iuUS" or yforg.dtype.kind not in "biuf" or names.dtype.kind not in "US":
        raise FkdError(
            f"{source}: y, yforg and filenames are of type {y.dtype}, {yforg.dtype} and "
            f"{names.dtype}. They must be numbers, numbers and text."
        )
    if not y.shape == yforg.shape == names.shape == (len(images),):
        raise FkdError(
            f"{source}: x, y, yforg and filenames have {len(images)}, {y.shape}, {yforg.shape} "
            f"and {names.shape} rows. They must be as many."
        )
    if not np.isin(yforg, (0, 1, SIMPLE)).all():
        raise FkdError(
            f"{source}: yforg is 0 for genuine, 1 for skilled and {SIMPLE} for simple forgeries; "
            f"found {sorted(set(yforg.tolist()) - {0, 1, SIMPLE})[:5]}."
        )
    y, names = _decoded(source, "y", y), _decoded(source, "filenames", names)
    if mapping is not None:
        mapping = _decoded(source, "user_mapping", mapping)
        if len(twice := [name for name, n in Counter(mapping.tolist()).items() if n > 1]):
            raise FkdError(
                f"{source}: user_mapping names {printable(twice[0])!r} twice, so two writers would "
                "be one."
            )
        if not np.isin(y, np.arange(len(mapping))).all():
            raise FkdError(f"{source}: y names writers that are not in user_mapping.")
        y = mapping[y.astype(int)]
    used = np.flatnonzero(yforg != SIMPLE)
    if len(used) < len(images):
        _log.info("%s: passed over %d simple forgeries", source, len(images) - len(used))
    rows = {
        at: SignatureFile(str(y[at]), bool(yforg[at]), Path(str(names[at])).stem, str(names[at]))
        for at in used
    }
    order = sorted(rows, key=lambda at: row_order(rows[at]))
    return [rows[at] for at in order], (images[at] for at in order)


def export_signatures(*, signatures: Path, out: Path) -> None:
    """Write a prepared set as sigver does, for those who go on with its code.

    Nothing in the file is pickled: ``user_mapping`` is an array of the writers' names where
    sigver has a dictionary, and so looked up in the same way.

    Parameters
    ----------
    signatures : Path
        A shard of kind "signatures".
    out : Path
        The ``.npz`` file.
    """
    shard = shards.read(signatures, "signatures", ["image", "writer", "forgery", "file"])
    names = sorted(set(shard["writer"]), key=natural_order)
    number = {name: at for at, name in enumerate(names)}
    with writing(out) as part, part.open("wb") as stream:
        np.savez_compressed(
            stream,
            x=shard["image"][:, None],
            y=np.array([number[name] for name in shard["writer"]], np.int32),
            yforg=shard["forgery"].astype(np.int32),
            user_mapping=np.array(names, str),
            filenames=np.array(shard["file"], str),
        )


def _decoded(source: Path, key: str, names: np.ndarray) -> np.ndarray:
    """Turn names that are bytes into text; refuse those that no list can hold."""
    if names.dtype.kind not in "US":
        return names
    too_long = names.dtype.itemsize > 4 * LONGEST_NAME  # 4 bytes a character
    if names.dtype.kind == "S" and not too_long:
        names = np.char.decode(names, "utf-8", "surrogateescape")
    if too_long or any(len(name) > LONGEST_NAME or "\0" in name for name in names.ravel().tolist()):
        raise FkdError(
            f"{source}: {key} holds a name of more than {LONGEST_NAME} characters, or with a null "
            "in it."
        )
    return names


def _read_mapping(file: np.lib.npyio.NpzFile) -> np.ndarray | None:
    """Read the writers' names by their numbers, where they are a plain array."""
    try:
        mapping = np.asarray(file["user_mapping"])
    except (KeyError, ValueError):  # absent, or pickled
        return None
    return mapping if mapping.ndim == 1 else None
