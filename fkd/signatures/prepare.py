"""Sets of signatures: read as they come, prepared as the networks see them, and counted."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.layouts import LAYOUTS, SignatureFile, list_files, missing_data
from fkd.preprocess import CANVAS, SIZE, Prepared, prepare, refuse_dark
from fkd.signatures.npz import read_npz
from fkd.storage import shards
from fkd.storage.files import NOT_UTF8, files_below, natural_order, printable, refuse_alike
from fkd.storage.quarantine import Quarantine
from fkd.threads import side_by_side

_log = logging.getLogger(__name__)


def prepare_signatures(
    *,
    name: str,
    source: Path,
    layout: str,
    out: Path,
    quarantine: Path,
    max_pixels: int,
    max_share: float,
    genuine: str | None = None,
    skilled: str | None = None,
    expected: dict[str, int] | None = None,
    threshold: str = "image",
    canvas: tuple[int, int] = CANVAS,
    threads: int | None = None,
) -> None:
    """Bring one data set of signatures into the form that networks see.

    Parameters
    ----------
    name : str
        The set's name in the config.
    source : Path
        Its folder, or for the layout ``npz`` its file.
    layout : str
        A key of :data:`LAYOUTS`.
    out : Path
        Shard of kind ``signatures`` to write, rows by writer (in natural order), genuine
        first, then by sample: ``image`` (n, 170, 242) uint8, ``writer`` str, ``forgery``
        bool, ``sample`` str, ``file`` str, and ``copy_of`` int32: the first row that holds
        the same image, a row's own where there is none before it. The attributes say set,
        layout and settings, in copies how many rows are copies of another, and in oversized
        how many were larger than the canvas and cut to it (None for ``npz``).
    quarantine : Path
        CSV to write: the files set aside, and why; also those that are no part of the set
        by their name, which `max_share` does not count.
    max_pixels : int
        Larger images are set aside.
    max_share : float
        The largest share of files that may be set aside, 0 to 1.
    genuine : str, optional
        Pattern in place of the layout's; needed for ``folder``.
    skilled : str, optional
        Pattern in place of the layout's.
    expected : dict of str to int, optional
        Any of ``writers``, ``genuine`` and ``skilled`` in place of the layout's.
    threshold : {"image", "blurred"}
        See :func:`fkd.preprocess.normalize`. The images of ``npz`` are prepared already:
        this and `canvas` are not used for them.
    canvas : (int, int)
        Rows and columns of the canvas.
    threads : int, optional
        Signatures worked on at a time; by default one on each core.

    Raises
    ------
    FkdError
        Where the set is not there or is not what it should be, or too many files are bad.
    """
    if layout not in LAYOUTS:
        raise FkdError(
            f"signatures.{name}.layout: {layout!r} is none of {', '.join(LAYOUTS)}. "
            "For files named in another way take folder and give the patterns."
        )
    known = LAYOUTS[layout]
    genuine, skilled = genuine or known.genuine, skilled or known.skilled
    entry = {"layout": layout, "path": source, "genuine": genuine, "skilled": skilled}
    missing = missing_data({f"signatures.{name}": entry})
    if missing:
        raise FkdError(missing[0])
    aside = Quarantine()
    settings: dict[str, Any] = {}
    if layout == "npz":
        files, given = read_npz(Path(source))
        found = map(_refuse_blank, files, given)
    else:
        settings = {"threshold": threshold, "canvas": list(canvas), "size": list(SIZE)}
        settings |= {"genuine": genuine, "skilled": skilled}
        files = list_files(source, genuine, skilled, known.numbers)
        _pass_over_others(Path(source), files, aside)
        one = partial(_prepare, source, max_pixels, threshold, tuple(canvas))
        found = side_by_side(one, files, threads)
        found = tqdm(found, name, len(files), unit="image", disable=None)
    rows, images, oversized = _gather(Path(source), files, found, aside)
    if oversized:
        _log.warning(
            "%d of %d signatures of %s are larger than the canvas of %d x %d and cut to it, the "
            "first is %s",
            len(oversized),
            len(files),
            name,
            *canvas,
            printable(oversized[0]),
        )
    aside.write(quarantine)
    refuse_alike(
        {row.writer for row in files},
        f"signatures.{name}: the writers",
        "Rename the files of one of them, so that one person has one name.",
    )
    _check_counts(name, source, files, {**known.expected, **(expected or {})})
    aside.check(len(files), max_share, f"signatures of {name}")
    _check_enough(name, source, rows)
    copy_of = _find_copies(name, rows, images)
    writer, forgery, sample, file = zip(*rows, strict=True)
    shards.write(
        out,
        "signatures",
        {
            "image": images,
            "writer": np.array(writer, object),
            "forgery": np.array(forgery, bool),
            "sample": np.array(sample, object),
            "file": np.array(file, object),
            "copy_of": copy_of,
        },
        {
            "set": name,
            "layout": layout,
            "settings": settings,
            "copies": int((copy_of < np.arange(len(rows))).sum()),
            "oversized": None if layout == "npz" else len(oversized),
        },
    )


def _prepare(
    source: Path,
    max_pixels: int,
    threshold: str,
    canvas: tuple[int, int],
    row: SignatureFile,
) -> Prepared | str:
    """Read and normalize one file; the reason where it cannot be used."""
    if printable(row.file) != row.file:
        return NOT_UTF8
    try:
        image = read_gray(Path(source) / row.file, max_pixels)
        refuse_dark(image)
        return prepare(image, canvas=canvas, threshold=threshold)
    except FkdError as error:
        return str(error)


def _refuse_blank(row: SignatureFile, image: np.ndarray) -> Prepared | str:
    """Give back an image that is prepared already; the reason where it cannot be used."""
    if printable(name := row.file + row.writer) != name:
        return NOT_UTF8
    return Prepared(image, False) if image.min() < image.max() else "blank: all pixels are equal"


def _pass_over_others(source: Path, files: list[SignatureFile], aside: Quarantine) -> None:
    """Name the files that are no part of the set."""
    listed = {row.file for row in files}
    for path in sorted(files_below(source)):
        if path.relative_to(source).as_posix() not in listed:
            aside.pass_over(path, "no part of the set by its name")


def _gather(
    source: Path,
    files: list[SignatureFile],
    found: Iterable[Prepared | str],
    aside: Quarantine,
) -> tuple[list[SignatureFile], np.ndarray, list[str]]:
    """Part what was prepared from what was not; also name the files cut to the canvas."""
    images = np.empty((len(files), *SIZE), np.uint8)
    rows, oversized = [], []
    for row, one in zip(files, found, strict=True):
        if isinstance(one, str):
            aside.set_aside(source / row.file, one)
            continue
        images[len(rows)] = one.image
        rows.append(row)
        oversized += [row.file] * one.is_cut
    return rows, images[: len(rows)], oversized


def _find_copies(name: str, rows: list[SignatureFile], images: np.ndarray) -> np.ndarray:
    """Give for each row the first that holds the same image, and warn where it is another.

    Public sets hold such copies. They stay: where one is a reference and one a test, errors
    look rarer than they are, and only the user can tell which copy to remove.
    """
    first: dict[str, int] = {}
    copy_of = [first.setdefault(shards.digest(image), at) for at, image in enumerate(images)]
    pairs = [(rows[at], rows[of]) for at, of in enumerate(copy_of) if of < at]
    if pairs:
        mixed = sum(
            (one.writer, one.forgery) != (other.writer, other.forgery) for one, other in pairs
        )
        _log.warning(
            "%d of %d signatures of %s are copies of others (%d across writers, or of genuine "
            "and forged): %s%s",
            len(pairs),
            len(rows),
            name,
            mixed,
            ", ".join(
                f"{printable(one.file)} = {printable(other.file)}" for one, other in pairs[:5]
            ),
            ", ..." if len(pairs) > 5 else "",
        )
    return np.array(copy_of, np.int32)


def _check_counts(
    name: str, source: Path, files: list[SignatureFile], expected: Mapping[str, int]
) -> None:
    """Compare what was found, bad files included, with what the set should hold."""
    counts = Counter((row.writer, row.forgery) for row in files)
    writers = sorted({row.writer for row in files}, key=natural_order)
    faults = []
    if len(writers) != expected.get("writers", len(writers)):
        faults.append(f"{len(writers)} writers, expected {expected['writers']}")
    for forgery, what in enumerate(("genuine", "skilled")):
        faults += [
            f"writer {printable(writer)}: {counts[writer, bool(forgery)]} {what}, expected {expected[what]}"
            for writer in writers
            if what in expected and counts[writer, bool(forgery)] != expected[what]
        ]
    if faults:
        more = [f"and {len(faults) - 10} more"] if len(faults) > 10 else []
        listed = "\n  ".join(faults[:10] + more)
        raise FkdError(
            f"{source}: not what {name} should hold:\n  {listed}\n"
            f"Complete the set, or say what it holds in signatures.{name}.expected."
        )


def _check_enough(name: str, source: Path, rows: list[SignatureFile]) -> None:
    writers = {row.writer for row in rows}
    without = sorted(writers - {row.writer for row in rows if not row.forgery}, key=natural_order)
    if len(writers) < 2 or without:
        fault = (
            f"no genuine signature of writer {', '.join(without[:10])}"
            if without
            else f"{len(writers)} writers, at least 2 are needed"
        )
        raise FkdError(f"{source}: {fault}. Check the files and patterns of signatures.{name}.")
