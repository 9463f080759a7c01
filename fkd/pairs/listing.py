"""The stage that lists pairs: read or drawn, divided into parts, and audited."""

import csv
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.pairs.audit import COLUMNS, audit_parts
from fkd.pairs.drawing import Draw, draw_pairs
from fkd.pairs.files import PairFile, found_files, read_pair_file
from fkd.pairs.parts import NO_PART, PARTS, TEST, PartShares, part_pairs, part_writers
from fkd.pairs.stored import KIND
from fkd.patterns import Pattern, compile_patterns
from fkd.preprocess import CANVAS, Levels, find_ink, prepare, refuse_dark
from fkd.ranges import Count, Positive, Share, checked
from fkd.resolution import at_target
from fkd.seeding import generator
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import NOT_UTF8, is_utf8, natural_order, printable
from fkd.storage.quarantine import Quarantine
from fkd.threads import side_by_side

FILES = ("training", "test")
"""The names of the pair files of a list."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Pair files and their images.

    Attributes
    ----------
    path : Path
        The folder from which the other paths start.
    files : dict of str to str
        The pair files: ``training``, and ``test`` if there is one.
    genuine, skilled : str or list of str
        Patterns of the images' names, from which their writers are known, see
        :mod:`fkd.patterns`.
    folders : dict of str to str
        The folder of the images that each file names; by default, `path`.
    forged : {0, 1}
        The label that stands for a pair with a forgery.
    """

    path: Path
    files: dict[str, str]
    genuine: list[str] | str
    skilled: list[str] | str
    forged: Literal[0, 1]
    folders: dict[str, str] | None = None


class Image(NamedTuple):
    """An image of a list of pairs.

    Attributes
    ----------
    file : str
        Where it lies.
    writer : str
        The writer that its name tells. A forgery's writer is the one it imitates.
    forgery : bool
        Whether it is a skilled forgery.
    pixels : ndarray of uint8, (rows, columns)
        Its gray levels.
    signature : str
        A digest of it as it would be prepared in a set of signatures; empty if it would be refused.
    """

    file: str
    writer: str
    forgery: bool
    pixels: np.ndarray
    signature: str


@dataclass(frozen=True, eq=False)
class Listed:
    """Pairs before they are divided.

    Attributes
    ----------
    images : list of Image
        The images.
    first, second : ndarray of int32, (n,)
        The images of each pair.
    forged : ndarray of bool, (n,)
        Whether each pair has a forgery.
    is_test : ndarray of bool, (n,)
        Whether each pair stands in the file of test pairs.
    """

    images: list[Image]
    first: np.ndarray
    second: np.ndarray
    forged: np.ndarray
    is_test: np.ndarray


@checked
def list_pairs(
    *,
    name: str,
    out: Path,
    quarantine: Path,
    audit: Path,
    max_share: Share,
    source: Source | None = None,
    signatures: Path | None = None,
    draw: Draw | None = None,
    writers: Count | None = None,
    shares: PartShares = PartShares(),
    images: Literal["raw", "prepared"] = "prepared",
    threshold: Literal["image", "blurred"] = "image",
    canvas: tuple[Count, Count] = CANVAS,
    resolution: Positive | Literal["file"] | None = None,
    max_pixels: Count = 200_000_000,
    seed: int = 0,
    threads: Count | None = None,
) -> None:
    """List pairs of signatures, divide them into parts, and audit what the parts have in common.

    Parameters
    ----------
    name : str
        The name of the list in the config.
    out : Path
        The shard of kind "pairs" to write. For each image: ``file``, ``writer``, ``forgery``,
        ``copy_of`` (the first image with the same content), and ``offset``, ``height`` and
        ``width``, which say where its gray levels are in ``pixels``. For each pair: ``first`` and
        ``second`` (rows of images), ``forged``, and ``part``, a position in
        :data:`fkd.pairs.parts.PARTS`.
    quarantine : Path
        The CSV file to write of the pairs that were set aside, with the reasons.
    audit : Path
        The CSV file to write, with the columns of :data:`fkd.pairs.audit.COLUMNS`.
    max_share : float
        The largest share of pairs that may be set aside, from 0 to 1.
    source : Source, optional
        Pair files. Either these or `signatures` are given.
    signatures : Path, optional
        A shard of kind "signatures" from which pairs are drawn.
    draw : Draw, optional
        How many pairs are drawn of each writer, and of which kinds.
    writers : int, optional
        The number of writers that are used, drawn at random; by default, all. The writers of a
        smaller number are among those of a larger one.
    shares : PartShares
        How pairs are divided.
    images : {"raw", "prepared"}
        Whether images are kept as they were scanned, or prepared as a study's signatures are. Ink
        is bright in both.
    threshold : {"image", "blurred"}
        The image whose Otsu threshold separates the ink of an image of pair files.
    canvas : (int, int)
        The rows and columns of the canvas on which it is placed.
    resolution : float or "file", optional
        Its dots per inch, or ``file`` for those that each file states; it is then brought to 300.
    max_pixels : int
        The largest number of pixels of an image. Larger images are set aside.
    seed : int
        The study's seed.
    threads : int, optional
        The number of images that are read at the same time; by default, one per CPU core.

    Raises
    ------
    FkdError
        If a file is no pair file, too many pairs are set aside, or no pair is left to learn from.
    """
    if (source is None) == (signatures is None):
        raise FkdError(f"pairs.{name}: give either pair files (files) or signatures, not both.")
    aside = Quarantine()
    if source is not None:
        as_signature = partial(
            _as_signature, threshold=threshold, canvas=tuple(canvas), resolution=resolution
        )
        listed, total = _read(name, source, images, as_signature, max_pixels, threads, aside)
        aside.write(quarantine)
        aside.check(total, max_share, f"pairs of {name}", quarantine)
        listed = _of_writers(listed, writers, seed)
        part, listed = _divide(listed, shares, seed)
    else:
        if images == "raw":
            raise FkdError(
                f"pairs.{name}.images: a set of signatures holds prepared images; take prepared"
            )
        if shares.split == "published":
            raise FkdError(f"pairs.{name}.split: drawn pairs have no published split")
        aside.write(quarantine)
        listed, part = _draw(signatures, draw or Draw(), writers, shares, seed)
    if not (part == PARTS.index("training")).any():
        raise FkdError(f"pairs.{name}: no pair is left to learn from.")
    copy_of = _copies(listed.images)
    writer = np.array([image.writer for image in listed.images], object)
    rows = [
        (name, shares.split, *row)
        for row in audit_parts(listed.first, listed.second, part, copy_of, writer)
    ]
    _tell(name, rows)
    with writing(audit) as half, half.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(rows)
    drawn_from = shards.read(signatures, "signatures", []).attributes["set"] if signatures else None
    about = {"pairs": name, "signatures": drawn_from, "images": images, "parts": asdict(shares)}
    _write(out, listed, part, copy_of, about)


def _write(
    out: Path, listed: Listed, part: np.ndarray, copy_of: np.ndarray, about: dict[str, Any]
) -> None:
    """Write the shard."""
    heights, widths = zip(*(image.pixels.shape for image in listed.images), strict=True)
    sizes = np.array(heights, np.int64) * np.array(widths)
    with shards.appending(out, KIND) as shard:
        shard.attributes.update(about)
        shard.append(
            {
                "file": np.array([image.file for image in listed.images], object),
                "writer": np.array([image.writer for image in listed.images], object),
                "forgery": np.array([image.forgery for image in listed.images], bool),
                "signature": np.array([image.signature for image in listed.images], object),
                "copy_of": copy_of,
                "offset": np.cumsum(sizes) - sizes,
                "height": np.array(heights, np.int32),
                "width": np.array(widths, np.int32),
            }
        )
        shard.append(
            {
                "first": listed.first,
                "second": listed.second,
                "forged": listed.forged,
                "part": part.astype(np.int8),
            }
        )
        for image in listed.images:
            shard.append({"pixels": image.pixels.ravel()})


def _read(
    name: str,
    source: Source,
    images: str,
    as_signature: Callable[[np.ndarray, Path], np.ndarray],
    max_pixels: int,
    threads: int | None,
    aside: Quarantine,
) -> tuple[Listed, int]:
    """Read pair files and their images, and set pairs aside that have no readable image."""
    patterns = [(False, p) for p in compile_patterns(source.genuine, "sample")]
    patterns += [(True, p) for p in compile_patterns(source.skilled, "sample")]
    place: dict[str, int] = {}  # by the path of an image's file
    kept: list[Image] = []
    pairs, total = [], 0
    for number, kind in enumerate(FILES):
        if kind not in source.files:
            continue
        path = Path(source.path) / source.files[kind]
        listed = read_pair_file(path, source.forged)
        total += len(listed.first)
        subfolder = (source.folders or {}).get(kind, ".")
        folder = Path(source.path) / subfolder
        files = found_files(folder, listed.names)
        waiting = [file for file in files.values() if file is not None]
        read = partial(_image, folder, subfolder, patterns, images, as_signature, max_pixels)
        made = dict(
            zip(
                waiting,
                tqdm(side_by_side(read, waiting, threads), kind, len(waiting), disable=None),
                strict=True,
            )
        )
        of_name: list[int | str] = []
        for image in listed.names:
            found = made.get(files[image]) if files[image] else f"no such image in {folder}"
            if isinstance(found, Image):
                if found.file not in place:
                    place[found.file] = len(kept)
                    kept.append(found)
                found = place[found.file]
            of_name.append(found)
        pairs.append((number == FILES.index("test"), *_usable(path, listed, of_name, aside)))
    first, second, forged = (np.concatenate([p[at] for p in pairs]) for at in (1, 2, 3))
    is_test = np.repeat([p[0] for p in pairs], [len(p[1]) for p in pairs])
    if not len(first):
        raise FkdError(f"pairs.{name}: none of the {total} pairs has two readable images.")
    _compare_labels(name, kept, first, second, forged)
    return Listed(kept, first, second, forged, is_test), total


def _usable(
    path: Path, listed: PairFile, of_name: Sequence[int | str], aside: Quarantine
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the pairs of two images, and set the others aside with file and line."""
    good = np.array([not isinstance(found, str) for found in of_name])
    usable = good[listed.first] & good[listed.second]
    for row in np.flatnonzero(~usable):
        at = listed.first[row] if not good[listed.first[row]] else listed.second[row]
        file = printable(listed.names[at])
        aside.set_aside(f"{path} line {listed.line[row]}", f"{file}: {of_name[at]}")
    number = np.array([-1 if isinstance(found, str) else found for found in of_name], np.int32)
    rows = np.flatnonzero(usable)
    return number[listed.first[rows]], number[listed.second[rows]], listed.forged[rows]


def _image(
    folder: Path,
    subfolder: str,
    patterns: list[tuple[bool, Pattern]],
    images: str,
    as_signature: Callable[[np.ndarray, Path], np.ndarray],
    max_pixels: int,
    file: str,
) -> Image | str:
    """Read one image, or return the reason if it cannot be used."""
    if not is_utf8(file):
        return NOT_UTF8
    fits = [(forgery, name) for forgery, p in patterns if (name := p.read(file))]
    if not fits:
        return "its name fits neither the pattern of genuine signatures nor that of forgeries"
    if len({(forgery, name["writer"]) for forgery, name in fits}) > 1:
        return (
            "its name fits several patterns, which say different things of it; make them narrower"
        )
    try:
        scan = read_gray(folder / file, max_pixels)
        if scan.min() == scan.max():
            return "blank: all pixels are equal"
        try:
            prepared = as_signature(scan, folder / file)
            signature = shards.digest(prepared)
        except FkdError:
            if images == "prepared":
                raise
            signature = ""  # no set has it
        pixels = prepared if images == "prepared" else 255 - scan
    except FkdError as error:
        return str(error)
    forgery, name = fits[0]
    place = (Path(subfolder) / file).as_posix()
    return Image(place, name["writer"], forgery, pixels, signature)


def _as_signature(
    scan: np.ndarray,
    file: Path,
    *,
    threshold: str,
    canvas: tuple[int, int],
    resolution: float | str | None,
) -> np.ndarray:
    """Prepare a scan as it would be in a set of signatures."""
    scan, _ = at_target(scan, file, resolution)
    levels = Levels(scan)
    refuse_dark(levels)
    return prepare(scan, canvas, found=find_ink(scan, threshold, levels)).image


def _compare_labels(
    name: str, images: list[Image], first: np.ndarray, second: np.ndarray, forged: np.ndarray
) -> None:
    """Warn if labels contradict the names of the images, such as labels the wrong way round."""
    forgery = np.array([image.forgery for image in images])
    writer = np.unique([image.writer for image in images], return_inverse=True)[1]
    by_name = forgery[first] | forgery[second] | (writer[first] != writer[second])
    if wrong := int((by_name != forged).sum()):
        _log.warning(
            "pairs.%s: %d of %d labels contradict the names of the images%s",
            name,
            wrong,
            len(forged),
            ". Is pairs.NAME.forged the wrong way round?" if 2 * wrong > len(forged) else "",
        )


def _of_writers(listed: Listed, writers: int | None, seed: int) -> Listed:
    """Keep the pairs of some writers."""
    if writers is None:
        return listed
    names = [image.writer for image in listed.images]
    chosen = _choose(names, writers, seed)
    inside = np.array([name in chosen for name in names])
    return _keep(listed, inside[listed.first] & inside[listed.second])


def _choose(names: Sequence[str], writers: int, seed: int) -> set[str]:
    """Choose writers at random, of whom fewer are always among more."""
    known = sorted(set(names), key=natural_order)
    order = generator(seed, "pairs", "writers").permutation(len(known))
    return {known[at] for at in order[:writers]}


def _keep(listed: Listed, rows: np.ndarray) -> Listed:
    """Keep some pairs."""
    return Listed(
        listed.images,
        listed.first[rows],
        listed.second[rows],
        listed.forged[rows],
        listed.is_test[rows],
    )


def _divide(listed: Listed, shares: PartShares, seed: int) -> tuple[np.ndarray, Listed]:
    """Divide pairs that were read. Unless the split is published, equal pairs are one pair."""
    if shares.split == "published":
        if not listed.is_test.any():
            raise FkdError("the published split needs a file of test pairs (files.test)")
        part = np.full(len(listed.first), TEST, np.int8)
        learned = np.flatnonzero(~listed.is_test)
        part[learned] = part_pairs(len(learned), shares.validation, 0.0, seed)
        return part, listed
    copy_of = _copies(listed.images)
    listed = Listed(
        listed.images,
        copy_of[listed.first],
        copy_of[listed.second],
        listed.forged,
        listed.is_test,
    )
    ends = np.sort(np.stack([listed.first, listed.second], axis=1), axis=1)
    _, once = np.unique(ends, axis=0, return_index=True)
    if len(once) < len(ends):
        _log.info("%d of %d pairs are repeated and count once", len(ends) - len(once), len(ends))
    listed = _keep(listed, np.sort(once))
    if shares.split == "pairs":
        return part_pairs(len(listed.first), shares.validation, shares.test, seed), listed
    of_writer = part_writers([image.writer for image in listed.images], shares, seed)
    of_image = np.array([of_writer[image.writer] for image in listed.images], np.int8)
    one, other = of_image[listed.first], of_image[listed.second]
    part = np.where(one == other, one, NO_PART)
    if lost := int((part == NO_PART).sum()):
        _log.warning("%d pairs have writers of two parts and are not used", lost)
    return part, listed


def _draw(
    signatures: Path, draw: Draw, writers: int | None, shares: PartShares, seed: int
) -> tuple[Listed, np.ndarray]:
    """Draw pairs from a set of signatures, within each part if writers are divided."""
    shard = shards.read(signatures, "signatures", ["image", "writer", "forgery", "file"])
    forgery, writer = shard["forgery"].astype(bool), shard["writer"]
    names = sorted(set(writer), key=natural_order)
    if writers is not None:
        chosen = _choose(names, writers, seed)
        names = [name for name in names if name in chosen]
    rows = {name: np.flatnonzero(writer == name) for name in names}
    if shares.split == "writers":
        of_writer = part_writers(names, shares, seed)
        groups = [[n for n in names if of_writer[n] == number] for number in range(len(PARTS))]
    else:
        groups = [names]
    drawn, parts = [], []
    for number, group in enumerate(groups):
        genuine = [rows[n][~forgery[rows[n]]] for n in group]
        skilled = [rows[n][forgery[rows[n]]] for n in group]
        stream = generator(seed, "pairs", "draw", number)
        drawn.append(draw_pairs(genuine, skilled, draw, stream))
        parts.append(np.full(len(drawn[-1][0]), number, np.int8))
    first, second, forged = (np.concatenate(column) for column in zip(*drawn, strict=True))
    part = np.concatenate(parts)
    if shares.split == "pairs":
        part = part_pairs(len(first), shares.validation, shares.test, seed)
    used, numbers = np.unique(np.concatenate([first, second]), return_inverse=True)
    if not len(used):
        raise FkdError(f"{signatures}: no pair can be drawn of {len(names)} writers.")
    first, second = np.split(numbers.astype(np.int32), 2)
    prepared = shard["image"]
    images = [
        Image(file, writer[row], bool(forgery[row]), prepared[row], shards.digest(prepared[row]))
        for row, file in zip(used, shard["file"][used], strict=True)
    ]
    return Listed(images, first, second, forged, np.zeros(len(first), bool)), part


def _copies(images: Sequence[Image]) -> np.ndarray:
    """Find for each image the first one with the same content, (images,) int32."""
    first: dict[tuple, int] = {}
    contents = ((image.pixels.shape, shards.digest(image.pixels)) for image in images)
    return np.array([first.setdefault(key, row) for row, key in enumerate(contents)], np.int32)


def _tell(name: str, rows: Sequence[tuple]) -> None:
    """Warn of what the test has in common with the parts from which a network learns."""
    *_, last = rows
    row = dict(zip(COLUMNS, last, strict=True))
    if row["common_images"] or row["common_writers"]:
        _log.warning(
            "pairs.%s: of the test, %d of %d pairs, %d of %d images and %d of %d writers are also "
            "in training or validation, so that its rates say little of new writers",
            name,
            *(row[column] for column in COLUMNS[4:]),
        )
