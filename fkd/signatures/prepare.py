"""The preparation of signature sets: reading, preprocessing and checking their counts."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.layouts import LAYOUTS, SignatureFile, list_files, missing_data, of_writers
from fkd.preprocess import (
    CANVAS,
    SIZE,
    Levels,
    Prepared,
    dark_pixels,
    find_ink,
    prepare,
    refuse_dark,
)
from fkd.ranges import Count, CountFromZero, Positive, Share, checked
from fkd.resolution import at_target
from fkd.signatures.npz import read_npz
from fkd.signatures.plausibility import SIGNS, Bodies, signs
from fkd.storage import shards
from fkd.storage.files import (
    NOT_UTF8,
    files_below,
    is_utf8,
    natural_order,
    printable,
    refuse_alike,
)
from fkd.storage.quarantine import Quarantine
from fkd.threads import side_by_side

_log = logging.getLogger(__name__)


@checked
def prepare_signatures(
    *,
    name: str,
    source: Path,
    layout: str,
    out: Path,
    quarantine: Path,
    max_pixels: Count,
    max_share: Share,
    genuine: list[str] | str | None = None,
    skilled: list[str] | str | None = None,
    expected: dict[str, CountFromZero] | None = None,
    writers: tuple[Count, Count] | None = None,
    threshold: Literal["image", "blurred"] = "image",
    canvas: tuple[Count, Count] = CANVAS,
    resolution: Positive | Literal["file"] | None = None,
    threads: Count | None = None,
) -> None:
    """Read a set of signatures, and preprocess its images for the networks.

    Parameters
    ----------
    name : str
        The set's name in the config.
    source : Path
        The folder of the set, or its file if the layout is ``npz``.
    layout : str
        A key of :data:`LAYOUTS`.
    out : Path
        The shard of kind ``signatures`` to write. Its rows are sorted by writer in natural order,
        then genuine signatures before forgeries, then by sample. Its arrays are ``image``
        (n, 170, 242) uint8, ``writer`` str, ``forgery`` bool, ``sample`` str, ``file`` str, and
        ``copy_of`` int32, the first row with the same image, which is the row itself if there is
        none before it. The attributes give set, layout and settings, the number of rows that
        are copies of others in ``copies``, and the number of images that were larger than the
        canvas and therefore cut to its size in ``oversized`` (None for ``npz``). ``doubtful``
        counts images with signs that they are not one whole signature, see
        :mod:`fkd.signatures.plausibility`; those of ``npz`` are not looked at. ``resolutions``
        counts scans by their dots per inch, if `resolution` is given.
    quarantine : Path
        The CSV file to write of the files that were set aside, with the reasons. It also lists
        the files that do not belong to the set, as their names show; `max_share` does not count
        these.
    max_pixels : int
        The largest number of pixels of an image. Larger images are set aside.
    max_share : float
        The largest share of files that may be set aside, from 0 to 1.
    genuine : str or list of str, optional
        The pattern of the files of genuine signatures, or several, see :mod:`fkd.patterns`; by
        default, the layout's. The layout ``folder`` requires it.
    skilled : str or list of str, optional
        The pattern of the files of skilled forgeries, or several; by default, the layout's.
    expected : dict of str to int, optional
        The expected numbers ``writers``, ``genuine`` and ``skilled``, or some of them; by
        default, the layout's.
    writers : (int, int), optional
        The first and the last writer to take, counted from 1 in natural order; by default, all.
        `expected` is of the whole set.
    threshold : {"image", "blurred"}
        The image whose Otsu threshold separates the ink, see :func:`fkd.preprocess.normalize`.
        This and `canvas` are not used for ``npz``, whose images are already prepared.
    canvas : (int, int)
        The rows and columns of the canvas.
    resolution : float or "file", optional
        The resolution of the scans in dots per inch, or ``file`` for the one that each file
        states. Scans are brought to 300 dpi before they are placed on the canvas. By default they
        are taken as they are, as published. Not used for ``npz``.
    threads : int, optional
        The number of signatures that are prepared at the same time; by default, one per CPU core.

    Raises
    ------
    FkdError
        If the set is missing or differs from what is expected, or too many files are unusable.
    """
    if layout not in LAYOUTS:
        raise FkdError(
            f"signatures.{name}.layout: {layout!r} is none of {', '.join(LAYOUTS)}. "
            "For files that are named differently, use folder and give the patterns."
        )
    known = LAYOUTS[layout]
    genuine, skilled = genuine or known.genuine, skilled or known.skilled
    entry = {"layout": layout, "path": source, "genuine": genuine, "skilled": skilled}
    entry |= {"expected": expected}
    missing = missing_data({f"signatures.{name}": entry})
    if missing:
        raise FkdError(missing[0])
    aside = Quarantine()
    settings: dict[str, Any] = {}
    if layout == "npz":
        listed, stored = read_npz(Path(source))
        files = of_writers(listed, writers, name)
        taken = set(files)
        kept = (image for row, image in zip(listed, stored, strict=True) if row in taken)
        prepared = map(_refuse_blank, files, kept)
    else:
        settings = {"threshold": threshold, "canvas": list(canvas), "size": list(SIZE)}
        settings |= {"genuine": genuine, "skilled": skilled}
        if resolution is not None:
            settings["resolution"] = resolution
        listed = list_files(source, genuine, skilled)
        files = of_writers(listed, writers, name)
        _pass_over_others(Path(source), listed, aside)
        prepare_one = partial(_prepare, source, max_pixels, threshold, tuple(canvas), resolution)
        prepared = side_by_side(prepare_one, files, threads)
        prepared = tqdm(prepared, name, len(files), unit="image", disable=None)
    rows, images, found = _gather(Path(source), files, prepared, aside)
    oversized, doubtful = found.oversized, found.doubtful
    if len(found.resolutions) > 1:
        counts = ", ".join(f"{n} of {dpi:g} dpi" for dpi, n in sorted(found.resolutions.items()))
        _log.warning("the scans of %s have several resolutions: %s", name, counts)
    for sign, named in doubtful.items():
        _log.warning(
            "%d of %d images of %s have %s, the first is %s",
            len(named),
            len(files),
            name,
            SIGNS[sign],
            printable(named[0]),
        )
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
        {row.writer for row in listed},
        f"signatures.{name}: the writers",
        "Rename the files of one of them, so that one person has one name.",
    )
    _check_counts(name, source, listed, {**known.expected, **(expected or {})})
    aside.check(len(files), max_share, f"signatures of {name}", quarantine)
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
            **({"of_writers": list(writers)} if writers else {}),
            "settings": settings,
            "copies": int((copy_of < np.arange(len(rows))).sum()),
            "oversized": None if layout == "npz" else len(oversized),
            "doubtful": {sign: len(named) for sign, named in doubtful.items()},
            "resolutions": {f"{dpi:g}": n for dpi, n in sorted(found.resolutions.items())},
        },
    )


class Scan(NamedTuple):
    """A scan that was prepared.

    Attributes
    ----------
    prepared : Prepared
        The image.
    signs : list of str
        The signs that it is not one whole signature.
    resolution : float, optional
        The dots per inch from which it was brought to the usual ones.
    """

    prepared: Prepared
    signs: list[str]
    resolution: float | None = None


def _prepare(
    source: Path,
    max_pixels: int,
    threshold: str,
    canvas: tuple[int, int],
    resolution: float | str | None,
    row: SignatureFile,
) -> Scan | str:
    """Read and prepare one image, or return the reason if it cannot be used."""
    if not is_utf8(row.file):
        return NOT_UTF8
    try:
        file = Path(source) / row.file
        image, dpi = at_target(read_gray(file, max_pixels), file, resolution)
        levels = Levels(image)
        refuse_dark(levels)
        found = find_ink(image, threshold, levels)
        ink = dark_pixels(image, levels)
        return Scan(prepare(image, canvas, found=found), signs(ink, Bodies(ink)), dpi)
    except FkdError as error:
        return str(error)


def _refuse_blank(row: SignatureFile, image: np.ndarray) -> Scan | str:
    """Wrap an image that is already prepared, or return the reason if it cannot be used."""
    if not is_utf8(row.file + row.writer):
        return NOT_UTF8
    is_blank = image.min() == image.max()
    return "blank: all pixels are equal" if is_blank else Scan(Prepared(image, False), [])


def _pass_over_others(source: Path, files: list[SignatureFile], aside: Quarantine) -> None:
    """List the files that do not belong to the set."""
    listed = {row.file for row in files}
    for path in sorted(files_below(source)):
        if path.relative_to(source).as_posix() not in listed:
            aside.pass_over(path, "no part of the set by its name")


class _Found(NamedTuple):
    """What is to be told of the scans of a set.

    Attributes
    ----------
    oversized : list of str
        The files whose images were larger than the canvas.
    doubtful : dict of str to list of str
        For each of :data:`SIGNS` that was found, the files that have it.
    resolutions : Counter of int
        The numbers of scans by their dots per inch, if these were asked for.
    """

    oversized: list[str]
    doubtful: dict[str, list[str]]
    resolutions: Counter[int]


def _gather(
    source: Path,
    files: list[SignatureFile],
    prepared: Iterable[Scan | str],
    aside: Quarantine,
) -> tuple[list[SignatureFile], np.ndarray, "_Found"]:
    """Collect the prepared images and set the others aside.

    The result is the files that were prepared, their images, and what is to be told of them.
    """
    images = np.empty((len(files), *SIZE), np.uint8)
    rows, found = [], _Found([], {}, Counter())
    for row, result in zip(files, prepared, strict=True):
        if isinstance(result, str):
            aside.set_aside(source / row.file, result)
            continue
        images[len(rows)] = result.prepared.image
        rows.append(row)
        found.oversized.extend([row.file] * result.prepared.is_cut)
        for sign in result.signs:
            found.doubtful.setdefault(sign, []).append(row.file)
        if result.resolution is not None:
            found.resolutions[round(result.resolution)] += 1
    return rows, images[: len(rows)], found


def _find_copies(name: str, rows: list[SignatureFile], images: np.ndarray) -> np.ndarray:
    """Find for each row the first row with the same image, and warn if there are copies.

    Public sets contain copies. They are kept, because only the user can decide which copy to
    remove. If one copy is a reference and another a test, error rates look lower than they are.
    """
    first: dict[str, int] = {}
    copy_of = [first.setdefault(shards.digest(image), row) for row, image in enumerate(images)]
    pairs = [(rows[row], rows[original]) for row, original in enumerate(copy_of) if original < row]
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
    """Compare the numbers of files, including unusable ones, with the expected numbers."""
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
    """Check that there are two writers at least, and genuine signatures of each."""
    writers = {row.writer for row in rows}
    without = sorted(writers - {row.writer for row in rows if not row.forgery}, key=natural_order)
    if len(writers) < 2 or without:
        fault = (
            f"no genuine signature of writer {', '.join(map(printable, without[:10]))}"
            if without
            else f"{len(writers)} writers, at least 2 are needed"
        )
        raise FkdError(f"{source}: {fault}. Check the files and patterns of signatures.{name}.")
