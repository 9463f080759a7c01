"""Reading image files of any kind as gray arrays. All images of a study are read here."""

import io
import logging
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION

from fkd.errors import FkdError
from fkd.storage.files import check_file

FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
"""The formats that are read. A file's content decides its format, not the ending of its name."""

MAX_PIXELS = 200_000_000
"""Larger images are not decoded by default."""

LARGEST_PIXEL = 8
"""Bytes: the most that a pixel takes, in four channels of 16 bits."""

OVERHEAD = 1 << 24
"""Bytes that a file may hold besides its pixels, such as metadata."""

_log = logging.getLogger(__name__)


def read_gray(path: Path | str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read one image as gray.

    Colors are weighted by ITU-R 601 luma, transparent images are laid on white paper, and
    16 bits are rounded to 8. Where a file holds several images, the first one is read and
    a warning is logged. An orientation tag is obeyed.

    Parameters
    ----------
    path : Path or str
        A PNG, TIFF, JPEG or BMP file of any name.
    max_pixels : int, optional
        Refuse larger images before they are decoded.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        0 is black, 255 is white.

    Raises
    ------
    FkdError
        Where the file is missing, not a regular file, empty, of another format or pixel type,
        larger than `max_pixels`, damaged or cut short. The message starts with the path.
    """
    path = Path(path)
    check_file(path)
    try:
        size = path.stat().st_size
        if size == 0:
            raise FkdError(f"{path}: empty file. Copy it again.")
        if size > LARGEST_PIXEL * max_pixels + OVERHEAD:
            raise FkdError(
                f"{path}: too large ({size} bytes, which is more than {max_pixels} pixels take). "
                "Save it alone and compressed, or raise the limit."
            )
        # Pillow reads from memory, which ends where the file does. From a file, it would
        # allocate as many bytes as the header claims will follow.
        with _open(io.BytesIO(path.read_bytes())) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise FkdError(
                    f"{path}: too large ({height} x {width} pixels, at most {max_pixels} allowed). "
                    "Scale it down or raise the limit."
                )
            gray = _to_gray(path, image)
    except (FkdError, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        raise FkdError(f"{path}: not a readable image (one of {', '.join(FORMATS)}).") from None
    except Exception as error:  # decoders raise nearly anything on damaged files
        raise FkdError(f"{path}: damaged or cut short ({error}). Copy it again.") from None
    return np.ascontiguousarray(gray)


def _open(content: io.BytesIO) -> Image.Image:
    """Open an image without Pillow's own limit on the size, which `max_pixels` replaces."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd tags in TIFF files of scanners
            return Image.open(content, formats=FORMATS)
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _to_gray(path: Path, image: Image.Image) -> np.ndarray:
    """Convert an opened image to gray levels of 8 bits; `path` is for messages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frames = getattr(image, "n_frames", 1)
        tags = getattr(image, "tag_v2", {})
        image.load()
        image = ImageOps.exif_transpose(image)
    if frames > 1:
        _log.warning("%s: holds %d images, the first is read", path, frames)
    if image.mode.startswith("I;16"):
        largest = 2 ** max(tags.get(BITSPERSAMPLE, (16,))) - 1
        values = np.asarray(image).astype(np.uint32)  # room for 255 times 16 bits
        if tags.get(PHOTOMETRIC_INTERPRETATION) == 0:  # white is 0, which Pillow obeys up to 8 bits
            values = largest - values
        # Rounded to the nearest of 256 levels.
        return ((values * 255 + largest // 2) // largest).astype(np.uint8)
    if image.mode in ("I", "F", "LAB"):
        raise FkdError(
            f"{path}: pixels of type {image.mode}, such as signed ones or 32 bits. Save it with "
            "8 or 16 bits a channel."
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    return np.asarray(image.convert("L"))
