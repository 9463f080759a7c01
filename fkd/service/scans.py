"""Scans of signatures, prepared as those on which a verifier was measured."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fkd.errors import FkdError
from fkd.images import MAX_PIXELS, decode_gray, read_gray, stated_resolution
from fkd.preprocess import CANVAS, center_crop, prepare
from fkd.ranges import Count, Positive, check_fields
from fkd.resolution import rescaled
from fkd.service.quality import Finding, examined, finding
from fkd.storage.files import printable


@dataclass(frozen=True)
class Preprocessing:
    """The settings under which scans are prepared, as in ``signatures`` of a study's config.

    Attributes
    ----------
    threshold : {"image", "blurred"}
        The image whose Otsu threshold separates the ink, see :func:`fkd.preprocess.normalize`.
    canvas : (int, int)
        The rows and columns of the canvas.
    resolution : float or "file", optional
        The dots per inch of scans that state none, or ``file`` to refuse these. Then scans are
        brought to 300 dpi. By default, they are taken as they are.
    """

    threshold: Literal["image", "blurred"] = "image"
    canvas: tuple[Count, Count] = CANVAS
    resolution: Positive | Literal["file"] | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of(
        cls, sets: Mapping[str, Mapping[str, Any] | None], like: str | None = None
    ) -> "Preprocessing":
        """Take the settings that the sets have in common on which a verifier was set.

        Parameters
        ----------
        sets : mapping of str to mapping
            The settings of each set, as :func:`fkd.signatures.prepare.prepare_signatures` stores
            them. Sets that came prepared have none, which stands for the defaults.
        like : str, optional
            The set whose settings are taken, if they differ.

        Raises
        ------
        FkdError
            If they differ and `like` names none of them.
        """
        found = {}
        for name, settings in sets.items():
            settings = settings or {}
            kept = {key: settings[key] for key in asdict(cls()) if settings.get(key) is not None}
            if "canvas" in kept:
                kept["canvas"] = tuple(kept["canvas"])
            found[name] = cls(**kept)
        if like is not None and like not in found:
            raise FkdError(f"like: {like!r} is none of the sets {', '.join(found)}.")
        if like is None and len(set(found.values())) > 1:
            raise FkdError(
                f"The sets {', '.join(found)} were prepared differently: name in `like` the one "
                "whose scans are as yours."
            )
        return found[like] if like is not None else next(iter(found.values()), cls())

    @property
    def digest(self) -> str:
        """The SHA-256 digest of these settings."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan that was read.

    Attributes
    ----------
    findings : list of Finding
        What is to be said of its quality.
    image : ndarray of uint8, shape (150, 220), or None
        The input of the networks, before the division by 255; None if the scan is refused.
    """

    findings: list[Finding]
    image: np.ndarray | None

    @property
    def refusal(self) -> Finding | None:
        """The finding for which the scan is refused, if it is."""
        return next((found for found in self.findings if found.severity == "refuse"), None)


def read_scan(
    source: Path | bytes,
    preprocessing: Preprocessing,
    max_pixels: int = MAX_PIXELS,
    name: str = "the image",
) -> Scan:
    """Read the scan of a signature, examine it, and prepare it.

    Parameters
    ----------
    source : Path or bytes
        The file, or its bytes: a PNG, TIFF, JPEG or BMP image, with dark ink on light paper.
    preprocessing : Preprocessing
        The settings of the verifier.
    max_pixels : int
        Larger images are refused before they are decoded.
    name : str
        What findings call bytes.

    Returns
    -------
    Scan
        The image, or the finding for which it is refused.
    """
    try:
        if isinstance(source, bytes):
            content, image = source, decode_gray(source, name, max_pixels)
        else:
            image = read_gray(source, max_pixels)
            content = Path(source).read_bytes()
        stated = stated_resolution(content)
        dpi = None
        if preprocessing.resolution is not None:
            dpi = stated or preprocessing.resolution
            if dpi == "file":
                raise FkdError("it states no resolution. Scan it so that the file states one.")
            image = rescaled(image, dpi)
    except FkdError as error:
        return Scan([finding("unreadable", printable(str(error)))], None)
    canvas, threshold = preprocessing.canvas, preprocessing.threshold
    findings, ink = examined(image, canvas, threshold, stated if dpi is None else None)
    if any(found.severity == "refuse" for found in findings):
        return Scan(findings, None)
    prepared = prepare(image, canvas, found=ink)
    return Scan(findings, center_crop(prepared.image))
