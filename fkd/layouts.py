"""Layouts of data sets: where their files are, what file names mean, and what a set holds.

A set of signatures is an entry of :data:`LAYOUTS`, with patterns of the names of its files
(:mod:`fkd.patterns`), which read ``{writer}`` and ``{sample}``.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fkd.errors import FkdError
from fkd.patterns import Pattern, Patterns, compile_patterns
from fkd.registry import Registry
from fkd.storage.files import files_below, natural_order, printable

SYNTHETIC = "synthetic"
"""The layout of pages and signatures that the study draws for itself."""

CROPS = "crops"
"""The layout of text crops that others cut, which take the place of pages."""

NAMED_FREELY = ("folder", CROPS)
"""The layouts of pages whose files may be named as a pattern in the config says."""


@dataclass(frozen=True)
class Layout:
    """The layout of a data set of signatures.

    Attributes
    ----------
    genuine, skilled : str, sequence of str or None
        Patterns of the files, relative to the set's folder; None where the config
        gives them, or where the set is one file.
    expected : dict of str to int
        How many ``writers`` the set has, and how many ``genuine`` signatures and ``skilled``
        forgeries each of them has.
    obtain : str
        Where the set is available.
    """

    genuine: Patterns | None
    skilled: Patterns | None
    expected: Mapping[str, int]
    obtain: str


_GPDS = (
    "GPDS group (Grupo de Procesado Digital de Señales), Universidad de Las Palmas de Gran "
    "Canaria; search for 'GPDS synthetic signature'. "
)
_BHSIG = (
    "BHSig260, by S. Pal, A. Alaei, U. Pal and M. Blumenstein (Indian Statistical Institute, "
    "Kolkata, and Griffith University); search for 'BHSig260'."
)

LAYOUTS = Registry(Layout, "layout of signatures")
"""Sets of signatures, by the name of their layout in a config."""

# How many writers and signatures each set has is as published; see docs/fidelity.md.
LAYOUTS.register(
    "cedar",
    Layout(
        genuine="full_org/original_{writer}_{sample}.png",
        skilled="full_forg/forgeries_{writer}_{sample}.png",
        expected={"writers": 55, "genuine": 24, "skilled": 24},
        obtain="CEDAR (Center of Excellence for Document Analysis and Recognition), University "
        "at Buffalo; search for 'CEDAR signature database'.",
    ),
)
LAYOUTS.register(
    "mcyt75",
    Layout(
        genuine="{writer}/{writer}v{sample}.bmp",
        skilled="{writer}/*{writer}f{sample}.bmp",
        expected={"writers": 75, "genuine": 15, "skilled": 15},
        obtain="BiDA Lab (formerly ATVS), Universidad Autónoma de Madrid, on signing a license; "
        "search for 'MCYT-75 off-line signature corpus'.",
    ),
)
LAYOUTS.register(
    "gpds300",
    Layout(
        # The folder may hold the other writers of GPDS-960, too.
        genuine="{writer:1-300}/c-{writer}-{sample}.png",
        skilled="{writer:1-300}/cf-{writer}-{sample}.png",
        expected={"writers": 253, "genuine": 24, "skilled": 30},
        obtain=_GPDS + "GPDS300GRAY itself is no longer distributed; holders of a license have it.",
    ),
)
LAYOUTS.register(
    "gpds_synthetic",
    Layout(
        genuine="{writer}/c-{writer}-{sample}.jpg",
        skilled="{writer}/cf-{writer}-{sample}.jpg",
        expected={"writers": 150, "genuine": 24, "skilled": 30},
        obtain=_GPDS + "It is available on signing a license.",
    ),
)
LAYOUTS.register(
    "bhsig260_hindi",
    Layout(
        genuine="*/H-S-{writer}-G-{sample}.tif",
        skilled="*/H-S-{writer}-F-{sample}.tif",
        expected={"writers": 160, "genuine": 24, "skilled": 30},
        obtain=_BHSIG,
    ),
)
LAYOUTS.register(
    "bhsig260_bengali",
    Layout(
        genuine="*/B-S-{writer}-G-{sample}.tif",
        skilled="*/B-S-{writer}-F-{sample}.tif",
        expected={"writers": 100, "genuine": 24, "skilled": 30},
        obtain=_BHSIG,
    ),
)
LAYOUTS.register(
    "folder",
    Layout(
        genuine=None,
        skilled=None,
        expected={},
        obtain="Your own signatures, named as the patterns 'genuine' and 'skilled' beside the "
        "path say.",
    ),
)
LAYOUTS.register(
    "npz",
    Layout(
        genuine=None,
        skilled=None,
        expected={},
        obtain="The file that the sigver package writes when it preprocesses a data set "
        "(keys x, y, yforg, filenames).",
    ),
)


CVL_PAGE = r"(?P<page>(?P<writer>\d{4})-\d+)(?P<cropped>-cropped)?\.tif"
"""Regular expression of the name of a page in the CVL database."""


@dataclass(frozen=True)
class Other:
    """The layout of other data that a study needs: pages of handwriting, weights or a model.

    Attributes
    ----------
    holds : str
        What the folder or file contains, for the user to read.
    obtain : str
        Where the data are available.
    files : dict of str to str, optional
        Kinds of files of which the folder must hold at least one each: a description, and a
        regular expression of the file's path within the folder. None for data that are one
        file.
    """

    holds: str
    obtain: str
    files: Mapping[str, str] | None


_REPOSITORY = "dimTsourounis/FKD on GitHub"
_TRAINING_IMAGES = (
    "The repository of the published study (Expert Systems with Applications 296, 2026, 129158), "
    f"{_REPOSITORY}, links text images that are cut already; they are read by pages.layout: crops."
)

OTHERS = {
    "cvl": Other(
        holds="pages WWWW-T.tif or WWWW-T-cropped.tif, W writer, T text (1604 of 310 writers)",
        obtain="Computer Vision Lab, TU Wien; search for 'CVL database writer retrieval'. "
        + _TRAINING_IMAGES,
        files={"such page": rf"(?:.*/)?{CVL_PAGE}"},
    ),
    "iam": Other(
        holds="pages/*.png, and writers.csv with the columns page and writer",
        obtain="Research Group on Computer Vision and Artificial Intelligence, University of "
        "Bern, after registration; search for 'IAM handwriting database'.",
        files={"pages/*.png": r"pages/[^/]+\.(?i:png)", "writers.csv": r"writers\.csv"},
    ),
    "folder": Other(
        holds="a folder for every writer, with pages *.png, *.tif, *.tiff, *.jpg, *.jpeg or *.bmp",
        obtain="Your own pages.",
        files={"page in a writer's folder": r"[^/]+/[^/]+\.(?i:png|tiff?|jpe?g|bmp)"},
    ),
    CROPS: Other(
        holds="a folder for every writer, with text crops *.png, *.tif, *.tiff, *.jpg, *.jpeg or "
        "*.bmp",
        obtain="Those who cut them. " + _TRAINING_IMAGES,
        files={"text crop in a writer's folder": r"[^/]+/[^/]+\.(?i:png|tiff?|jpe?g|bmp)"},
    ),
    "pairs": Other(
        holds="pair files *.csv, and the folders of the images that they name",
        obtain="Those who hand pairs round; the Dutch signatures of the ICDAR 2011 competition are "
        "to be found as 'signature verification dataset'.",
        files={"pair file *.csv": r"(?:.*/)?[^/]+\.(?i:csv)"},
    ),
    "signet": Other(
        holds="SigNet's public weights, signet.pth, or the same network as *.onnx",
        obtain="The sigver project of L. G. Hafemann, R. Sabourin and L. S. Oliveira (ÉTS "
        "Montréal); search for 'sigver signet.pth'.",
        files=None,
    ),
    "features": Other(
        holds="features by file name, *.npz or *.csv, as python -m fkd features writes them",
        obtain="Those who computed them.",
        files=None,
    ),
    "timm": Other(
        holds="one file of weights of the network, *.safetensors or *.pth",
        obtain="The library timm: model.safetensors of a model of this network, at "
        "https://huggingface.co/timm. It is never fetched.",
        files=None,
    ),
    "onnx": Other(
        holds="one ONNX file, a feature extractor",
        obtain=f"Those who trained it; the authors of the method publish theirs, see {_REPOSITORY}.",
        files=None,
    ),
}
"""Pages of handwriting, weights and models, by the name of their layout in a config."""


class SignatureFile(NamedTuple):
    """What the name of a file says.

    Attributes
    ----------
    writer, sample : str
        The names that the pattern matched.
    forgery : bool
        Whether the file holds a skilled forgery.
    file : str
        The file's path within the set's folder, with ``/`` between its parts.
    """

    writer: str
    forgery: bool
    sample: str
    file: str


def list_files(
    source: Path, genuine: Patterns, skilled: Patterns | None = None
) -> list[SignatureFile]:
    """List the signatures of a data set. Hidden files and files of other names are passed over.

    Parameters
    ----------
    source : Path
        The set's folder.
    genuine, skilled : str or sequence of str
        Patterns of file names, see :mod:`fkd.patterns`. Of several patterns, a file needs to fit
        one.

    Returns
    -------
    list of SignatureFile
        The files sorted by writer (in natural order), genuine signatures before forgeries,
        then by sample.

    Raises
    ------
    FkdError
        Where a pattern or a folder cannot be read, or a file fits several patterns that say
        different things of it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from fkd.layouts import list_files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("ann-g10.png", "ann-g2.PNG", "ann-f1.png", "notes.txt"):
    ...         Path(folder, name).touch()
    ...     rows = list_files(Path(folder), "{writer}-g{sample}.png", "{writer}-f{sample}.png")
    >>> for row in rows:
    ...     print(row.writer, row.sample, row.forgery, row.file)
    ann 2 False ann-g2.PNG
    ann 10 False ann-g10.png
    ann 1 True ann-f1.png
    """
    patterns = [(False, pattern) for pattern in compile_patterns(genuine, "sample")]
    patterns += [(True, pattern) for pattern in compile_patterns(skilled, "sample")]
    rows = []
    for path in files_below(source):
        file = path.relative_to(source).as_posix()
        fits = []
        for forgery, pattern in patterns:
            if name := pattern.read(file):
                row = SignatureFile(name["writer"], forgery, name["sample"], file)
                fits.append((row, pattern.text))
        for row, text in fits[1:]:
            first, first_text = fits[0]
            if row != first:
                kinds = ("genuine signatures", "skilled forgeries")
                raise FkdError(
                    f"{printable(path)}: matches both the pattern of {kinds[first.forgery]}, "
                    f"{first_text!r}, and that of {kinds[row.forgery]}, {text!r}, which say "
                    "different things of it. Make one of them narrower."
                )
        rows += [row for row, _ in fits[:1]]
    return sorted(rows, key=row_order)


def of_writers(
    rows: list[SignatureFile], writers: tuple[int, int] | None, name: str
) -> list[SignatureFile]:
    """Take the signatures of some writers, in the order in which they are listed.

    Parameters
    ----------
    rows : list of SignatureFile
        The signatures of a set.
    writers : (int, int) or None
        The first and the last writer to take, counted from 1 in natural order; None for all.
    name : str
        The set's name in the config, for the message.

    Returns
    -------
    list of SignatureFile
        Their signatures.

    Raises
    ------
    FkdError
        If the set does not have so many writers.
    """
    if writers is None:
        return rows
    named = sorted({row.writer for row in rows}, key=natural_order)
    first, last = writers
    if not 1 <= first <= last <= len(named):
        raise FkdError(
            f"signatures.{name}.writers: {first} to {last}, but the set has writers 1 to "
            f"{len(named)}."
        )
    taken = set(named[first - 1 : last])
    return [row for row in rows if row.writer in taken]


def missing_data(needed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Find the data that a study lacks, before its first job starts.

    Parameters
    ----------
    needed : mapping of str to mapping
        The data by config key, such as ``signatures.cedar``. Each entry has ``layout`` and
        ``path``, and where the config gives them ``genuine``, ``skilled`` and ``expected``, or
        for pages ``pattern``.
        Layouts are the keys of :data:`LAYOUTS` and :data:`OTHERS`. The layout ``folder`` holds
        signatures where the entry has a pattern ``genuine`` or its key starts with
        ``signatures``, and pages otherwise.

    Returns
    -------
    list of str
        One message for each path that does not exist or lacks what it must hold: the config
        key, the absolute path, what should be there and where it is available. Empty where
        nothing is lacking.

    Raises
    ------
    FkdError
        Where a layout is unknown, or a folder of signatures has no pattern.
    """
    messages = (_missing(key, entry) for key, entry in needed.items())
    return [message for message in messages if message]


def _missing(key: str, entry: Mapping[str, Any]) -> str:
    """Say what one entry lacks, as a message; empty where nothing is lacking."""
    layout, path = entry["layout"], Path(entry["path"])
    signatures = layout in LAYOUTS and (
        layout != "folder" or bool(entry.get("genuine")) or key.startswith("signatures")
    )
    if not signatures and layout not in OTHERS:
        known = ", ".join(dict.fromkeys([*LAYOUTS, *OTHERS]))
        raise FkdError(f"{key}.layout: {layout!r} is none of {known}.")
    what = LAYOUTS[layout] if signatures else OTHERS[layout]
    tests: dict[str, Callable[[str], Any]] | None
    if isinstance(what, Other) and (given := entry.get("pattern")):
        holds = f"images {_joined(given)}"
        tests = _tests(compile_patterns(given, "page"))
    elif isinstance(what, Other):
        holds = what.holds
        tests = what.files and {
            name: re.compile(rule).fullmatch for name, rule in what.files.items()
        }
    elif layout == "npz":
        holds, tests = "one .npz file with the keys x, y, yforg and filenames", None
    else:
        genuine = entry.get("genuine") or what.genuine
        skilled = entry.get("skilled") or what.skilled
        if not genuine:
            raise FkdError(
                f"{key}.genuine: a folder needs the pattern of its genuine signatures, such as "
                "'genuine/{writer}-{sample}.png'."
            )
        expected = {**what.expected, **(entry.get("expected") or {})}
        holds = _describe(genuine, skilled, expected)
        # A set may be used without forgeries, if it is said that it has none.
        wanted = compile_patterns(genuine, "sample")
        if expected.get("skilled") != 0:
            wanted += compile_patterns(skilled, "sample")
        tests = _tests(wanted)
    fault = _fault(path, tests)
    if not fault:
        return ""
    place = printable(os.path.realpath(path))
    return f"{key}: {place} {fault}.\n  What should lie there: {holds}\n  From: {what.obtain}"


def _tests(patterns: Iterable[Pattern]) -> dict[str, Callable[[str], Any]]:
    """Make the tests that a folder has at least one file of each pattern."""
    return {f"such file as {pattern.text}": pattern.read for pattern in patterns}


def _describe(genuine: Patterns, skilled: Patterns | None, expected: Mapping[str, int]) -> str:
    """Describe what a folder of signatures should hold."""
    text = f"genuine signatures {_joined(genuine)}"
    if skilled:
        text += f", skilled forgeries {_joined(skilled)}"
    if {"writers", "genuine", "skilled"} <= set(expected):
        counts = (expected[what] for what in ("writers", "genuine", "skilled"))
        text += " ({} writers x {} genuine + {} skilled)".format(*counts)
    return text


def _joined(patterns: Patterns) -> str:
    """Join alternative patterns."""
    return patterns if isinstance(patterns, str) else " or ".join(patterns)


def _fault(path: Path, tests: Mapping[str, Callable[[str], Any]] | None) -> str:
    """Say what is wrong with a path; empty where nothing is.

    The path must be a folder with at least one file that passes each test, or without tests a
    file.
    """
    try:
        if not path.exists():
            return "does not exist"
        if tests is None:
            return "" if path.is_file() else "is no file"
        if not path.is_dir():
            return "is no folder"
        # The search ends as soon as nothing is lacking: sets are large, and disks may be slow.
        lacking = dict(tests)
        for file in files_below(path):
            name = file.relative_to(path).as_posix()
            lacking = {what: fits for what, fits in lacking.items() if not fits(name)}
            if not lacking:
                return ""
    except (FkdError, OSError) as error:
        return f"cannot be searched: {error}"
    return f"holds no {' and no '.join(lacking)}"


def row_order(row: SignatureFile) -> tuple:
    """Give the sort key of a row: by writer, genuine before forgery, then by sample."""
    return natural_order(row.writer), row.forgery, natural_order(row.sample), row.file
