"""Reading image files of any kind as gray arrays. All images of a study are read here."""

import io
import logging
import warnings
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile

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

BAND = 1 << 22
"""Pixels that are converted to gray at a time."""

LARGE = 1 << 25
"""Pixels: larger images are decoded one at a time, however many threads read images."""

_ONE_LARGE = Lock()

ORIENTATION = ExifTags.Base.Orientation

UPRIGHT = {
    2: np.fliplr,
    3: lambda gray: np.rot90(gray, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda gray: np.rot90(gray, -1),
    7: lambda gray: np.rot90(gray, 2).T,
    8: np.rot90,
}
"""What turns an image upright, by the value of its orientation tag."""

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
        content = path.read_bytes()
    except OSError as error:
        raise FkdError(f"{path}: damaged or cut short ({error}). Copy it again.") from None
    return decode_gray(content, path, max_pixels)


def decode_gray(content: bytes, name: Path | str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode the bytes of an image file as :func:`read_gray` does.

    Parameters
    ----------
    content : bytes
        The whole file.
    name : Path or str
        What messages call it.
    max_pixels : int, optional
        Refuse larger images before they are decoded.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        0 is black, 255 is white.

    Raises
    ------
    FkdError
        If these bytes are no such image. The message starts with the name.
    """
    try:
        with _Unlimited(), _open(io.BytesIO(content)) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise FkdError(
                    f"{name}: too large ({height} x {width} pixels, at most {max_pixels} allowed). "
                    "Scale it down or raise the limit."
                )
            with _ONE_LARGE if width * height > LARGE else nullcontext():
                gray = _to_gray(name, image)
    except (FkdError, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        raise FkdError(f"{name}: not a readable image (one of {', '.join(FORMATS)}).") from None
    except Exception as error:  # decoders raise nearly anything on damaged files
        raise FkdError(f"{name}: damaged or cut short ({error}). Copy it again.") from None
    return np.ascontiguousarray(gray)


def resolution_of(path: Path | str) -> float | None:
    """Read the resolution that an image file states.

    Parameters
    ----------
    path : Path or str
        A file that :func:`read_gray` can read.

    Returns
    -------
    float or None
        Dots per inch; None where the file states none, or different ones for rows and columns.
    """
    return stated_resolution(Path(path).read_bytes())


def stated_resolution(content: bytes) -> float | None:
    """Read the resolution that the bytes of an image file state, see :func:`resolution_of`."""
    with _Unlimited(), _open(io.BytesIO(content)) as image:
        stated = image.info.get("dpi")
    try:
        across, down = map(float, stated)
    except (TypeError, ValueError):
        return None
    is_one = across > 0 and abs(down / across - 1) < 0.01
    return across if is_one else None


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring an image to a size whose proportions may be others.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Gray levels.
    size : (int, int)
        Rows and columns of the result.

    Returns
    -------
    ndarray of uint8, shape `size`
        Means over the pixels that a pixel of the result covers, weighted by a triangle.
    """
    rows, columns = size
    small = Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR)
    return np.asarray(small)


class _Unlimited:
    """Lifts Pillow's own limit on the size, which `max_pixels` replaces, while images are read.

    The limit is one for all threads, so the first reader lifts it and the last one restores it.
    """

    _lock, _readers, _limit = Lock(), 0, None

    def __enter__(self) -> None:
        with self._lock:
            if not _Unlimited._readers:
                _Unlimited._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            _Unlimited._readers += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            _Unlimited._readers -= 1
            if not _Unlimited._readers:
                Image.MAX_IMAGE_PIXELS = _Unlimited._limit


def _open(content: io.BytesIO) -> Image.Image:
    """Open an image of one of the formats."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd tags in TIFF files of scanners
        return Image.open(content, formats=FORMATS)


def _to_gray(path: Path | str, image: Image.Image) -> np.ndarray:
    """Convert an opened image to gray levels of 8 bits; `path` is for messages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        several = _holds_several(image)
        tags = getattr(image, "tag_v2", {})
        stored = image.tile[0].args if image.tile else None
        image.load()
        orientation = image.getexif().get(ORIENTATION, 1)
    if several:
        _log.warning("%s: holds several images, the first is read", path)
    if image.mode in ("I", "F", "LAB"):
        raise FkdError(
            f"{path}: pixels of type {image.mode}, such as signed ones or 32 bits. Save it with "
            "8 or 16 bits a channel."
        )
    if image.format == "PNG" and "transparency" in image.info:
        image.info["transparency"] = _as_decoded(image.info["transparency"], stored)
    largest = 2 ** max(tags.get(BITSPERSAMPLE, (16,))) - 1
    inverted = tags.get(PHOTOMETRIC_INTERPRETATION) == 0
    width, height = image.size
    gray = np.empty((height, width), np.uint8)
    # A conversion takes several times the memory of its image, so it goes band by band.
    rows = max(1, BAND // max(width, 1))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = image.crop((0, top, width, bottom))
        if band.mode.startswith("I;16"):
            gray[top:bottom] = _from_sixteen_bits(band, largest, inverted)
        else:
            gray[top:bottom] = _on_white(band).convert("L")
    return UPRIGHT.get(orientation, np.asarray)(gray)


def _holds_several(image: Image.Image) -> bool:
    """Tell whether a file holds more than one image, without going through all of them."""
    if isinstance(image, TiffImageFile):
        return bool(image.tag_v2.next)  # where the next directory begins
    return getattr(image, "n_frames", 1) > 1


def _as_decoded(
    transparent: bytes | int | tuple[int, ...], stored: object
) -> bytes | int | tuple[int, ...]:
    """Give the transparent value of a PNG file as pixels of this value are decoded.

    Parameters
    ----------
    transparent : bytes, int or tuple of int
        The value as the file states it, of as many bits as the file's pixels have.
    stored : object
        Pillow's name for these pixels. It spreads those of 2 and 4 bits over 8, and keeps the
        upper 8 bits of colors of 16.
    """
    if isinstance(transparent, int):
        return transparent * {"L;2": 85, "L;4": 17}.get(str(stored), 1)
    if isinstance(transparent, tuple) and stored == "RGB;16B":
        return tuple(value >> 8 for value in transparent)
    return transparent


def _from_sixteen_bits(image: Image.Image, largest: int, inverted: bool) -> np.ndarray:
    """Round gray levels from 0 to `largest` to the nearest of 256; white is 0 if `inverted`."""
    values = np.asarray(image).astype(np.uint32)  # room for 255 times 16 bits
    paper = values == image.info.get("transparency", -1)
    if inverted:  # which Pillow obeys up to 8 bits
        values = largest - values
    return np.where(paper, 255, (values * 255 + largest // 2) // largest)


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent image on white paper."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
