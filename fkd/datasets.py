"""Signature data sets: where their files lie, what their names say, what they hold.

A data set is an entry of :data:`LAYOUTS`. In its patterns ``{writer}`` and ``{sample}``
stand for themselves, ``*`` for anything but ``/``; a repeated ``{writer}`` must agree,
and the ending may be in either case.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from fkd import shards
from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.preprocess import CANVAS, SIZE, normalize
from fkd.quarantine import Quarantine


@dataclass(frozen=True)
class Layout:
    """How a data set of signatures comes.

    Attributes
    ----------
    genuine, skilled : str or None
        Patterns of the files, relative to the set's folder; None where the config
        gives them, or where the set is one file.
    expected : dict of str to int
        What the set holds: ``writers``, and of each writer ``genuine`` and ``skilled``.
    obtain : str
        Where it is to be had.
    numbers : range, optional
        Which writers belong to the set, where more may lie in the folder.
    """

    genuine: str | None
    skilled: str | None
    expected: Mapping[str, int]
    obtain: str
    numbers: range | None = None


_GPDS = (
    "GPDS group (Grupo de Procesado Digital de Señales), Universidad de Las Palmas de Gran "
    "Canaria; search for 'GPDS synthetic signature'. "
)
_BHSIG = (
    "BHSig260, by S. Pal, A. Alaei, U. Pal and M. Blumenstein (Indian Statistical Institute, "
    "Kolkata, and Griffith University); search for 'BHSig260'."
)

LAYOUTS = {
    "cedar": Layout(
        genuine="full_org/original_{writer}_{sample}.png",
        skilled="full_forg/forgeries_{writer}_{sample}.png",
        expected={"writers": 55, "genuine": 24, "skilled": 24},
        obtain="CEDAR (Center of Excellence for Document Analysis and Recognition), University "
        "at Buffalo; search for 'CEDAR signature database'.",
    ),
    "mcyt75": Layout(
        genuine="{writer}/{writer}v{sample}.bmp",
        skilled="{writer}/*{writer}f{sample}.bmp",
        expected={"writers": 75, "genuine": 15, "skilled": 15},
        obtain="BiDA Lab (formerly ATVS), Universidad Autónoma de Madrid, on signing a license; "
        "search for 'MCYT-75 off-line signature corpus'.",
    ),
    "gpds300": Layout(
        genuine="{writer}/c-{writer}-{sample}.png",
        skilled="{writer}/cf-{writer}-{sample}.png",
        expected={"writers": 253, "genuine": 24, "skilled": 30},
        numbers=range(1, 301),
        obtain=_GPDS + "GPDS300GRAY itself is no longer handed out: those who hold a license "
        "have it.",
    ),
    "gpds_synthetic": Layout(
        genuine="{writer}/c-{writer}-{sample}.jpg",
        skilled="{writer}/cf-{writer}-{sample}.jpg",
        expected={"writers": 150, "genuine": 24, "skilled": 30},
        obtain=_GPDS + "It is handed out on signing a license.",
    ),
    "bhsig260_hindi": Layout(
        genuine="*/H-S-{writer}-G-{sample}.tif",
        skilled="*/H-S-{writer}-F-{sample}.tif",
        expected={"writers": 160, "genuine": 24, "skilled": 30},
        obtain=_BHSIG,
    ),
    "bhsig260_bengali": Layout(
        genuine="*/B-S-{writer}-G-{sample}.tif",
        skilled="*/B-S-{writer}-F-{sample}.tif",
        expected={"writers": 100, "genuine": 24, "skilled": 30},
        obtain=_BHSIG,
    ),
    "folder": Layout(
        genuine=None,
        skilled=None,
        expected={},
        obtain="Your own signatures, named as the patterns 'genuine' and 'skilled' beside the "
        "path say.",
    ),
    "npz": Layout(
        genuine=None,
        skilled=None,
        expected={},
        obtain="The file that the sigver package writes from a data set once it is preprocessed "
        "(keys x, y, yforg, filenames).",
    ),
}
"""Sets of signatures."""


@dataclass(frozen=True)
class Other:
    """What else a study needs: what lies there, where to get it, and a glob of its files.

    Without a glob it is one file.
    """

    holds: str
    obtain: str
    files: str | None


OTHERS = {
    "cvl": Other(
        holds="pages WWWW-T.tif or WWWW-T-cropped.tif, W writer, T text (1604 of 310 writers)",
        obtain="Computer Vision Lab, TU Wien; search for 'CVL database writer retrieval'.",
        files="**/*.tif",
    ),
    "iam": Other(
        holds="pages/*.png, and writers.csv with the columns page and writer",
        obtain="Research Group on Computer Vision and Artificial Intelligence, University of "
        "Bern, after registration; search for 'IAM handwriting database'.",
        files="pages/*.png",
    ),
    "folder": Other(
        holds="a folder for every writer, with pages as PNG, TIFF, JPEG or BMP",
        obtain="Your own pages.",
        files="*/*.*",
    ),
    "signet": Other(
        holds="SigNet's public weights, signet.pth",
        obtain="The sigver project of L. G. Hafemann, R. Sabourin and L. S. Oliveira (ÉTS "
        "Montréal); search for 'sigver signet.pth'.",
        files=None,
    ),
}
"""Pages of handwriting and weights, told from a folder of signatures by having no patterns."""


class SignatureFile(NamedTuple):
    """What the name of a file says."""

    writer: str
    forgery: bool
    sample: str
    file: str


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Sort key by which numbers within names count as numbers: 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name


def list_files(
    source: Path, genuine: str, skilled: str | None = None, numbers: range | None = None
) -> list[SignatureFile]:
    """List a data set's files.

    Parameters
    ----------
    source : Path
        The set's folder.
    genuine, skilled : str
        Patterns, see the head of this module. Hidden files are passed over.
    numbers : range, optional
        Keep these writers only, by the number that is their name.

    Returns
    -------
    list of SignatureFile
        By writer (in natural order), genuine first, then by sample.

    Raises
    ------
    FkdError
        Where a pattern cannot be read, or a file matches both.
    """
    patterns = [_compile(pattern) for pattern in (genuine, skilled) if pattern]
    found = []
    for path in Path(source).rglob("*"):
        file = path.relative_to(source).as_posix()
        if any(part.startswith(".") for part in file.split("/")):
            continue
        matches = [pattern.fullmatch(file) for pattern in patterns]
        if all(matches) and len(matches) == 2:
            raise FkdError(
                f"{path}: matches both the pattern of genuine signatures, {genuine!r}, and that "
                f"of skilled forgeries, {skilled!r}. Make one of them narrower."
            )
        for forgery, match in enumerate(matches):
            if match and (numbers is None or _number(match["writer"]) in numbers):
                found.append(SignatureFile(match["writer"], bool(forgery), match["sample"], file))
    return sorted(found, key=_row_order)


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
        bool, ``sample`` str, ``file`` str. The attributes say set, layout and settings.
    quarantine : Path
        CSV to write: the files set aside, and why.
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
        this and `canvas` do not touch them.
    canvas : (int, int)
        Rows and columns of the canvas.

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
        rows, images = _read_npz(Path(source))
        files = rows
    else:
        settings = {"threshold": threshold, "canvas": list(canvas), "size": list(SIZE)}
        settings |= {"genuine": genuine, "skilled": skilled}
        files = list_files(source, genuine, skilled, known.numbers)
        prepare = partial(_prepare, source, max_pixels, threshold, tuple(canvas))
        progress = tqdm(files, name, unit="image", disable=None)
        rows, images = _gather(Path(source), files, map(prepare, progress), aside)
    aside.write(quarantine)
    _check_counts(name, source, files, {**known.expected, **(expected or {})})
    aside.check(len(files), max_share, f"signatures of {name}")
    _check_enough(name, source, rows)
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
        },
        {"set": name, "layout": layout, "settings": settings},
    )


def missing_data(needed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say what a study still needs, before its first job.

    Parameters
    ----------
    needed : mapping of str to mapping
        By config key, such as ``signatures.cedar``: ``layout`` and ``path``, and where
        the config gives them ``genuine``, ``skilled`` and ``expected``. Layouts are
        the keys of :data:`LAYOUTS` and :data:`OTHERS`; ``folder`` holds signatures
        where there is a pattern ``genuine``, or its key starts with ``signatures``, and
        pages otherwise.

    Returns
    -------
    list of str
        One message for each path that is not there or holds no such file: config key,
        path, what should lie there and where it is to be had. Empty where all is there.
    """
    messages = (_missing(key, entry) for key, entry in needed.items())
    return [message for message in messages if message]


def _missing(key: str, entry: Mapping[str, Any]) -> str:
    """Say what one entry lacks; nothing where all is there."""
    layout, path = entry["layout"], Path(entry["path"])
    signatures = layout in LAYOUTS and (
        layout != "folder" or bool(entry.get("genuine")) or key.startswith("signatures")
    )
    if not signatures and layout not in OTHERS:
        known = ", ".join(dict.fromkeys([*LAYOUTS, *OTHERS]))
        raise FkdError(f"{key}.layout: {layout!r} is none of {known}.")
    what = LAYOUTS[layout] if signatures else OTHERS[layout]
    if isinstance(what, Other):
        holds = what.holds
        there = any(path.glob(what.files)) if what.files else path.is_file()
    elif layout == "npz":
        holds, there = "one .npz file with the keys x, y, yforg and filenames", path.is_file()
    else:
        genuine = entry.get("genuine") or what.genuine
        skilled = entry.get("skilled") or what.skilled
        if not genuine:
            raise FkdError(
                f"{key}.genuine: a folder needs the pattern of its genuine signatures, such as "
                "'genuine/{writer}-{sample}.png'."
            )
        holds = _describe(genuine, skilled, {**what.expected, **(entry.get("expected") or {})})
        there = path.is_dir() and _any_match(path, genuine)
    if there:
        return ""
    state = "holds no such file" if path.exists() else "does not exist"
    return f"{key}: {path} {state}.\n  What should lie there: {holds}\n  From: {what.obtain}"


def _describe(genuine: str, skilled: str | None, expected: Mapping[str, int]) -> str:
    text = f"genuine signatures {genuine}"
    if skilled:
        text += f", skilled forgeries {skilled}"
    if {"writers", "genuine", "skilled"} <= set(expected):
        counts = (expected[what] for what in ("writers", "genuine", "skilled"))
        text += " ({} writers x {} genuine + {} skilled)".format(*counts)
    return text


def _any_match(source: Path, pattern: str) -> bool:
    compiled = _compile(pattern)
    return any(
        compiled.fullmatch(path.relative_to(source).as_posix()) for path in source.rglob("*")
    )


def _compile(pattern: str) -> re.Pattern:
    """Turn a pattern of file names into a regular expression."""
    stem, dot, ending = pattern.rpartition(".")
    if not dot or "{writer}" not in stem or stem.count("{sample}") != 1:
        raise FkdError(
            f"pattern {pattern!r}: it needs {{writer}}, {{sample}} once and an ending, such as "
            "'genuine/{writer}-{sample}.png'."
        )
    groups = {"*": "[^/]*", "{writer}": "(?P<writer>[^/]+)", "{sample}": "(?P<sample>[^/]+?)"}
    parts = []
    for part in re.split(r"(\{writer\}|\{sample\}|\*)", stem):
        parts.append(groups.get(part, re.escape(part)))
        if part == "{writer}":
            groups[part] = "(?P=writer)"
    return re.compile("".join(parts) + rf"\.(?i:{re.escape(ending)})")


def _number(writer: str) -> int | None:
    return int(writer) if writer.isdecimal() else None


def _row_order(row: SignatureFile) -> tuple:
    return natural_order(row.writer), row.forgery, natural_order(row.sample), row.file


def _prepare(
    source: Path, max_pixels: int, threshold: str, canvas: tuple[int, int], row: SignatureFile
) -> np.ndarray | str:
    """Read and normalize one file; the reason where it cannot be used."""
    try:
        image = read_gray(Path(source) / row.file, max_pixels)
        return normalize(image, canvas=canvas, threshold=threshold)
    except FkdError as error:
        return str(error)


def _gather(
    source: Path,
    files: list[SignatureFile],
    prepared: Iterable[np.ndarray | str],
    aside: Quarantine,
) -> tuple[list[SignatureFile], np.ndarray]:
    images = np.empty((len(files), *SIZE), np.uint8)
    rows = []
    for row, image in zip(files, prepared, strict=True):
        if isinstance(image, str):
            aside.set_aside(source / row.file, image)
        else:
            images[len(rows)] = image
            rows.append(row)
    return rows, images[: len(rows)]


def _read_npz(source: Path) -> tuple[list[SignatureFile], np.ndarray]:
    """Read sigver's interchange file, without its pickled member ``user_mapping``."""
    try:
        with np.load(source, allow_pickle=False) as file:
            images, y, yforg, names = (file[key] for key in ("x", "y", "yforg", "filenames"))
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
    if not y.shape == yforg.shape == names.shape == (len(images),):
        raise FkdError(
            f"{source}: x, y, yforg and filenames have {len(images)}, {y.shape}, {yforg.shape} "
            f"and {names.shape} rows. They must be as many."
        )
    rows = [
        SignatureFile(str(writer), bool(forgery), Path(str(file)).stem, str(file))
        for writer, forgery, file in zip(y, yforg, names, strict=True)
    ]
    order = sorted(range(len(rows)), key=lambda at: _row_order(rows[at]))
    return [rows[at] for at in order], images[order]


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
            f"writer {writer}: {counts[writer, bool(forgery)]} {what}, expected {expected[what]}"
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
