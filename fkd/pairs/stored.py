"""Lists of pairs as they are stored: the pairs, and the images that are read when they are needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fkd.errors import FkdError
from fkd.images import resized
from fkd.pairs.parts import PARTS, TRAINING, VALIDATION
from fkd.preprocess import center_crop
from fkd.storage import shards

KIND = "pairs"
"""The kind of shard that holds a list of pairs and their images."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """A list of pairs, as :func:`fkd.pairs.listing.list_pairs` writes it.

    Attributes
    ----------
    path : Path
        The shard.
    first, second : ndarray of int32, (n,)
        The images of each pair.
    forged : ndarray of bool, (n,)
        Whether each pair has a forgery.
    part : ndarray of int8, (n,)
        The part of each pair, a position in :data:`fkd.pairs.parts.PARTS`; -1 for none.
    file, writer : ndarray of str, (images,)
        The file and the writer of each image. A forgery's writer is the one it imitates.
    forgery : ndarray of bool, (images,)
        Whether each image is a skilled forgery.
    about : dict of str to Any
        The attributes: ``pairs``, ``images``, ``parts``, and ``signatures``, the set from which the
        pairs are drawn, or None.
    digest : str
        A digest of the pairs and the images.
    """

    path: Path
    first: np.ndarray
    second: np.ndarray
    forged: np.ndarray
    part: np.ndarray
    file: np.ndarray
    writer: np.ndarray
    forgery: np.ndarray
    about: dict[str, Any]
    digest: str

    def rows(self, part: str) -> np.ndarray:
        """Return the pairs of a part, (m,)."""
        return np.flatnonzero(self.part == PARTS.index(part))

    def images(self, size: tuple[int, int]) -> np.ndarray:
        """Read all images.

        Parameters
        ----------
        size : (int, int)
            The rows and columns to which raw scans are brought. Prepared images are cropped to
            their centers, as all models see them, and are of the size
            :data:`fkd.preprocess.INPUT`.

        Returns
        -------
        ndarray of uint8, (images, rows, columns)
            Gray levels with bright ink.
        """
        return np.stack(list(self._images(size)))

    def _images(self, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """Yield the images one by one."""
        names = ("pixels", "offset", "height", "width")
        with shards.opened(self.path, KIND, names) as shard:
            places = zip(*(shard.rows(name).tolist() for name in names[1:]), strict=True)
            for offset, height, width in places:
                pixels = shard.rows("pixels", slice(offset, offset + height * width))
                image = pixels.reshape(height, width)
                yield (
                    center_crop(image)
                    if self.about["images"] == "prepared"
                    else resized(image, size)
                )


def learned_signatures(path: Path) -> tuple[str, set[str]]:
    """Name a list of pairs, and what networks that use it have learned from.

    Parameters
    ----------
    path : Path
        A shard of kind "pairs".

    Returns
    -------
    name : str
        The list.
    signatures : set of str
        The digests of the prepared images of its training and validation pairs.
    """
    shard = shards.read(path, KIND, ("first", "second", "part", "signature"))
    used = np.isin(shard["part"], (TRAINING, VALIDATION))
    images = np.union1d(shard["first"][used], shard["second"][used])
    return shard.attributes["pairs"], set(shard["signature"][images])


def read_pairs(path: Path) -> Pairs:
    """Read a list of pairs, without its images.

    Parameters
    ----------
    path : Path
        A shard of kind "pairs".

    Raises
    ------
    FkdError
        If the file is no such shard, or a pair names an image that it does not hold.
    """
    names = ("first", "second", "forged", "part", "file", "writer", "forgery")
    shard = shards.read(path, KIND, names)
    arrays = {name: shard[name] for name in names}
    ends = np.concatenate([arrays["first"], arrays["second"]])
    counts = {len(arrays[name]) for name in ("first", "second", "forged", "part")}
    if len(counts) > 1 or ends.min(initial=0) < 0 or ends.max(initial=-1) >= len(arrays["file"]):
        raise FkdError(f"{path}: a pair names an image that is not there. {shards.MEND}")
    arrays |= {name: arrays[name].astype(bool) for name in ("forged", "forgery")}
    parts = [shard.digests[name] for name in (*names, "pixels")]
    return Pairs(
        path, **arrays, about=dict(shard.attributes), digest="-".join(parts[:4] + parts[-1:])
    )
