"""Scans that are cut short, odd, huge, damaged or no images at all."""

import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from bad_data.case import Case, Payload
from fkd.images import read_gray

NOT_AN_IMAGE = "not a readable image"
DAMAGED = "damaged or cut short"
TOO_LARGE = "too large"
EITHER = f"{NOT_AN_IMAGE}|{DAMAGED}|{TOO_LARGE}|pixels of type"
FORMATS = ("PNG", "TIFF", "JPEG", "BMP")

INK = np.zeros((64, 144), bool)
INK[28:36, 16:128] = INK[12:52, 40:48] = INK[8:20, 90:120] = True
"""A picture of strokes, larger than the blocks of JPEG."""

GRAY = np.where(INK, 40, 220).astype(np.uint8)


@dataclass(frozen=True)
class Scan:
    """A file that claims to be a scan.

    Attributes
    ----------
    group, name : str
        See :class:`Case`.
    content : bytes
        The file.
    refused : str or None
        What the reader says; None where the picture of :data:`INK` comes out, or `other`.
    ending : str
        Of its name.
    aside : str or None
        Why a set of signatures sets it aside where the reader takes it.
    other : bool
        Another picture is right.
    may : bool
        See :class:`Case`.
    """

    group: str
    name: str
    content: bytes
    refused: str | None = None
    ending: str = "png"
    aside: str | None = None
    other: bool = False
    may: bool = False

    @property
    def file(self) -> str:
        """A name for it."""
        return "".join(c if c.isalnum() else "_" for c in f"{self.group} {self.name}")


def encode(image: np.ndarray | Image.Image, form: str = "PNG", **options) -> bytes:
    """Write an image into memory."""
    stream = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, form, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int,
    height: int,
    packed: bytes,
    depth: int = 8,
    color: int = 0,
    interlaced: int = 0,
    before: bytes = b"",
) -> bytes:
    """A PNG by hand, of pixels that are deflated already."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    data = chunk(b"IHDR", header) + before + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def interlaced_png(image: np.ndarray) -> bytes:
    """A gray PNG in the seven passes of Adam7."""
    passes = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2))
    rows = [
        b"\0" + row.tobytes()
        for top, down, left, right in (*passes, (1, 2, 0, 1))
        for row in image[top::down, left::right]
    ]
    return png(image.shape[1], image.shape[0], zlib.compress(b"".join(rows)), interlaced=1)


def tiff(tags: dict[int, int], data: bytes, following: int = 0) -> bytes:
    """A little-endian TIFF by hand: one directory of whole numbers, then the pixels."""
    tags = {273: 8 + 2 + 12 * (len(tags) + (273 not in tags)) + 4, **tags}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8) + directory + data


def gray_tiff(values: np.ndarray, bits: int, **changes: int) -> bytes:
    """A TIFF of gray levels, with some tags changed."""
    (height, width), data = values.shape, values.tobytes()
    if bits == 12:
        pairs = values.reshape(-1, 2).astype(int)
        triples = [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255]
        data = np.stack(triples, axis=1).astype(np.uint8).tobytes()
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: height}
    tags |= {279: len(data)} | {int(tag[1:]): value for tag, value in changes.items()}
    return tiff(tags, data)


def bmp(width: int, height: int, bits: int = 8, offset: int = 1078, data: bytes = b"") -> bytes:
    """A BMP by hand, with a palette of grays."""
    palette = b"".join(bytes([level, level, level, 0]) for level in range(256))
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(data), 0, 0, offset) + header + palette + data


def resized_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    content = bytearray(encode(GRAY, "JPEG"))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def cut_short() -> Iterator[Scan]:
    """The formats, cut at several lengths."""
    noise = np.random.default_rng(0).integers(0, 256, INK.shape, dtype=np.uint8)
    for form in FORMATS:
        whole = encode(noise, form)
        named = partial(Scan, "cut short", ending=form.lower())
        yield named(f"{form} of 0 bytes", b"", "empty file")
        for length in (1, 4, 12, 30):
            yield named(f"{form} after {length} bytes", whole[:length], EITHER)
        for share in (0.25, 0.5, 0.75, 0.95):
            part = whole[: int(share * len(whole))]
            yield named(f"{form} after {share:.0%}", part, EITHER)


def pixel_types() -> Iterator[Scan]:
    """What a pixel can be."""
    image = Image.fromarray(GRAY)
    named = partial(Scan, "types of pixels")
    yield named("1 bit, PNG", encode(~INK))
    yield named("1 bit, TIFF, group 4", encode(~INK, "TIFF", compression="group4"))
    yield named("1 bit, TIFF, group 3", encode(~INK, "TIFF", compression="group3"))
    yield named("1 bit, BMP", encode(~INK, "BMP"))
    for form in FORMATS:
        yield named(f"8 bits, {form}", encode(GRAY, form))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield named(f"8 bits, TIFF, {compression}", encode(GRAY, "TIFF", compression=compression))
    yield named("8 bits, PNG, interlaced", interlaced_png(GRAY))
    yield named("8 bits, JPEG, progressive", encode(GRAY, "JPEG", progressive=True))
    yield named("8 bits, TIFF, white is 0", gray_tiff(255 - GRAY, 8, t262=0))
    sixteen = GRAY.astype(np.uint16) * 257
    yield named("16 bits, PNG", encode(sixteen))
    yield named("16 bits, TIFF", encode(sixteen, "TIFF"))
    yield named("16 bits, TIFF, big-endian", encode(image.convert("I;16B"), "TIFF"), other=True)
    yield named("16 bits, TIFF, white is 0", gray_tiff(65535 - sixteen, 16, t262=0))
    yield named("16 bits with a sign, TIFF", gray_tiff(sixteen, 16, t339=2), "pixels of type I")
    yield named("12 bits, TIFF", gray_tiff(GRAY.astype(np.uint16) * 16, 12))
    yield named("32 bits, TIFF", encode(image.convert("I"), "TIFF"), "pixels of type I")
    yield named("float, TIFF", encode(image.convert("F"), "TIFF"), "pixels of type F")
    yield named("LAB, TIFF", encode(Image.new("LAB", (9, 9)), "TIFF"), "pixels of type LAB")
    for form in FORMATS:
        yield named(f"color, {form}", encode(image.convert("RGB"), form))
    palette = image.convert("P")
    for form in ("PNG", "TIFF", "BMP"):
        yield named(f"palette, {form}", encode(palette, form))
    yield named("palette with a transparent color", encode(palette, transparency=220))
    for form in ("PNG", "TIFF"):
        yield named(f"RGBA, {form}", encode(image.convert("RGBA"), form))
    for form in ("TIFF", "JPEG"):
        yield named(f"CMYK, {form}", encode(image.convert("CMYK"), form))
    yield named("YCbCr, TIFF", encode(image.convert("YCbCr"), "TIFF"))
    alpha = np.where(INK, 255, 0).astype(np.uint8)
    for bands, mode in ((1, "LA"), (3, "RGBA")):
        for level, color in ((0, "black"), (255, "white")):
            pixels = np.dstack([np.full_like(alpha, level)] * bands + [alpha])
            aside = "blank" if level else None
            content = encode(Image.fromarray(pixels))
            yield named(
                f"{mode}, {color} with all content in alpha",
                content,
                aside=aside,
                other=bool(level),
            )
    yield named(
        "all transparent", encode(Image.new("RGBA", (99, 50), 0)), aside="blank", other=True
    )
    others = [Image.fromarray(255 - GRAY)]
    several = {"save_all": True, "append_images": others}
    yield named("TIFF of two pages", encode(image, "TIFF", **several))
    yield named("animated PNG", encode(image, **several))
    yield named("JPEG of two images (MPO)", encode(image, "MPO", **several))
    yield named("animated GIF", encode(image, "GIF", **several), NOT_AN_IMAGE)
    yield named("WebP", encode(image, "WEBP"), NOT_AN_IMAGE)
    turned = Image.Exif()
    turned[0x0112] = 3
    yield named("JPEG on its head", encode(GRAY[::-1, ::-1], "JPEG", exif=turned))


def extents() -> Iterator[Scan]:
    """Images of odd sizes, and without content."""
    named = partial(Scan, "extents", other=True)
    blank = partial(named, aside="blank")
    yield blank("all white", encode(np.full((80, 200), 255, np.uint8)))
    yield blank("all black", encode(np.zeros((80, 200), np.uint8)))
    yield blank("all black, 1 bit", encode(np.zeros((80, 200), bool), "TIFF"))
    yield blank("one white pixel", encode(np.full((1, 1), 255, np.uint8)))
    yield blank("one black pixel", encode(np.zeros((1, 1), np.uint8)))
    stripe = np.tile(np.uint8([[230] * 30 + [20] * 20]), 100)
    yield named("1 x 5000", encode(stripe), aside="no ink is left")
    yield named("5000 x 1", encode(stripe.T), aside="no ink is left")
    yield named("1 x 60,000", encode(np.tile(stripe, 12)), aside="no ink is left")
    yield named("2 x 2", encode(np.uint8([[0, 255], [255, 0]])))
    dot = np.full((80, 200), 255, np.uint8)
    dot[40, 100] = 0
    yield named("one black pixel on white", encode(dot))
    yield named("one white pixel on black", encode(255 - dot))
    for width, height in ((0, 5), (5, 0)):
        where = f"{height} x {width}"
        yield named(f"PNG of {where}", png(width, height, zlib.compress(b"")), EITHER)
        yield named(f"TIFF of {where}", gray_tiff(np.zeros((height, width), np.uint8), 8), EITHER)
        yield named(f"BMP of {where}", bmp(width, height), EITHER, may=True)
        yield named(f"JPEG of {where}", resized_jpeg(width, height), EITHER)


def bombs() -> Iterator[Scan]:
    """Small files that claim, or hold, very many pixels."""
    named = partial(Scan, "bombs")
    side = 20_000
    yield named("PNG of 20,000 x 20,000, header", png(side, side, b""), TOO_LARGE)
    yield named("PNG of 20,000 x 20,000, 1 bit", png(side, side, b"", depth=1), TOO_LARGE)
    nothing = np.zeros((0, 0), np.uint8)
    header = gray_tiff(nothing, 8, t256=side, t257=side)
    yield named("TIFF of 20,000 x 20,000, header", header, TOO_LARGE)
    yield named("BMP of 20,000 x 20,000, header", bmp(side, side), TOO_LARGE)
    yield named("BMP of 20,000 x -20,000, header", bmp(side, -side), TOO_LARGE)
    yield named("JPEG of 20,000 x 20,000, header", resized_jpeg(side, side), TOO_LARGE)
    yield named("JPEG of 65,535 x 65,535, header", resized_jpeg(65_535, 65_535), TOO_LARGE)
    most = 2**31 - 1
    yield named("PNG of 2^31 - 1 squared", png(most, most, b""), TOO_LARGE)
    header = gray_tiff(nothing, 8, t256=most, t257=most)
    yield named("TIFF of 2^31 - 1 squared", header, TOO_LARGE)
    yield named("BMP of 2^31 - 1 squared", bmp(most, most), TOO_LARGE)
    deflate = zlib.compressobj(1)
    packed = b"".join([deflate.compress(bytes(1 << 20)) for _ in range(48)] + [deflate.flush()])
    yield named("whole PNG of 20,000 x 20,000, 1 bit", png(side, side, packed, depth=1), TOO_LARGE)
    small = zlib.compress(b"".join(b"\0" + row.tobytes() for row in GRAY))
    for kind in (b"zTXt", b"iCCP"):
        packed = chunk(kind, b"name\0\0" + zlib.compress(bytes(1 << 24), 9))
        content = png(144, 64, small, before=packed)
        yield named(f"PNG with 16 MiB in {kind.decode()}", content, EITHER, may=True)
    content = png(144, 64, zlib.compress(bytes(1 << 24), 9))
    yield named("PNG with 16 MiB in a few rows", content, EITHER, other=True, may=True)
    strips = gray_tiff(GRAY, 8, t279=2**32 - 1)
    yield named("TIFF with a strip of 4 GiB", strips, EITHER, may=True)
    yield named(
        "TIFF with 2^32 - 1 rows a strip", gray_tiff(GRAY, 8, t278=2**32 - 1), EITHER, may=True
    )


def damaged_headers() -> Iterator[Scan]:
    """Files whose structure is wrong in one place."""
    named = partial(Scan, "damaged headers", refused=EITHER)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in GRAY))
    whole = png(144, 64, rows)
    yield named("PNG, signature", b"\x89PNX" + whole[4:])
    yield named("PNG, line ends changed as by FTP", whole.replace(b"\r\n", b"\n"))
    yield named("PNG, checksum of the header", whole[:29] + b"\0\0\0\0" + whole[33:])
    yield named("PNG, color type 7", png(144, 64, rows, color=7))
    yield named("PNG, 3 bits", png(144, 64, rows, depth=3))
    yield named("PNG, palette without colors", png(144, 64, rows, color=3), may=True, other=True)
    yield named("PNG, no pixels", whole[:33] + chunk(b"IEND", b""))
    yield named("PNG, pixels not deflated", png(144, 64, b"garbage" * 50))
    yield named("PNG, unknown filter of rows", png(144, 64, zlib.compress(b"\x09" * 145 * 64)))
    yield named(
        "PNG, a chunk of 4 GiB", whole[:33] + b"\xff\xff\xff\xffIDAT" + whole[41:], may=True
    )
    yield named("PNG, header twice", whole[:33] + whole[8:], may=True)
    jpeg = encode(GRAY, "JPEG")
    start = jpeg.index(b"\xff\xc0")
    yield named("JPEG, no frame", jpeg[:start] + jpeg[start + 13 :])
    tables = jpeg.index(b"\xff\xc4")
    yield named(
        "JPEG, no Huffman tables", jpeg[:tables] + jpeg[jpeg.index(b"\xff\xda") :], may=True
    )
    yield named("JPEG, 12 bits", jpeg[: start + 4] + b"\x0c" + jpeg[start + 5 :])
    yield named("JPEG, two components of one", jpeg[: start + 9] + b"\x02" + jpeg[start + 10 :])
    yield named("JPEG, garbage after its start", jpeg[:2] + b"garbage" * 99)
    simple = gray_tiff(GRAY, 8)
    yield named("TIFF, directory after the end", simple[:4] + struct.pack("<I", 10**6) + simple[8:])
    yield named("TIFF, directory in the header", simple[:4] + struct.pack("<I", 0) + simple[8:])
    yield named("TIFF, empty directory", b"II*\0\x08\0\0\0" + bytes(8))
    yield named("TIFF, 65,535 entries", simple[:8] + b"\xff\xff" + simple[10:], may=True)
    tags = {256: 144, 257: 64, 258: 8, 259: 1, 262: 1, 277: 1, 278: 64, 279: GRAY.size}
    looped = tiff(tags, GRAY.tobytes(), following=8)
    yield named("TIFF, directory that follows itself", looped, may=True)
    yield named("TIFF, compression 9999", gray_tiff(GRAY, 8, t259=9999))
    yield named("TIFF, pixels after the end", gray_tiff(GRAY, 8, t273=10**6))
    yield named("TIFF, 7 samples a pixel", gray_tiff(GRAY, 8, t277=7))
    yield named("TIFF, 9 bits", gray_tiff(GRAY, 9))
    yield named("TIFF, no size", tiff({258: 8, 259: 1, 262: 1}, GRAY.tobytes()))
    data = GRAY[::-1].tobytes()
    yield named("BMP, 7 bits", bmp(144, 64, bits=7, data=data))
    yield named("BMP, pixels after the end", bmp(144, 64, offset=10**6, data=data))
    yield named("BMP, header of 7 bytes", b"BM" + bytes(12) + b"\x07" + bytes(99))


def flipped_bits(per_format: int = 10, flips: int = 6) -> Iterator[Scan]:
    """Whole files with a few bits flipped at random places."""
    for form in FORMATS:
        whole = encode(GRAY, form)
        for seed in range(per_format):
            draw = np.random.default_rng([seed, *form.encode()])
            # Half of them in the first bytes, where the structure lies.
            reach = len(whole) if seed % 2 else 120
            content = np.frombuffer(whole, np.uint8).copy()
            for at in draw.integers(0, reach, flips):
                content[at] ^= np.uint8(1 << draw.integers(8))
            name = f"{form}, draw {seed}"
            yield Scan("flipped bits", name, content.tobytes(), EITHER, other=True, may=True)


def foreign_content() -> Iterator[Scan]:
    """Files that are no images, and images under another ending."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("scan.png", encode(GRAY))
    contents = {
        "text": b"Genuine signature of writer 12\n",
        "text of one letter": b"x",
        "HTML": b"<!doctype html><title>404</title><p>Not found</p>",
        "XML": b"<?xml version='1.0'?><scan/>",
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0'/></svg>",
        "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(executed) (w) file\n",
        "JSON": b'{"writer": 12}',
        "program": b"\x7fELF\x02\x01\x01" + bytes(60),
        "shell script": b"#!/bin/sh\ntouch executed\n",
        "archive with an image": archive.getvalue(),
        "gzip": zlib.compress(encode(GRAY), wbits=31),
        "pickle": pickle.dumps(Payload()),
        "zeros": bytes(4096),
        "noise": np.random.default_rng(1).bytes(4096),
        "PPM": encode(GRAY, "PPM"),
        "TGA": encode(GRAY, "TGA"),
        "ICO": encode(GRAY, "ICO"),
        "PCX": encode(GRAY, "PCX"),
        "Photoshop": b"8BPS\0\x01" + bytes(40),
        "HEIC": b"\0\0\0\x18ftypheic" + bytes(40),
        "lock file of an office program": b"\x05owner" + bytes(48),
        "pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
    }
    for name, content in contents.items():
        yield Scan("no image", name, content, NOT_AN_IMAGE)
    for form, ending in zip(FORMATS, ("jpg", "png", "bmp", "tif"), strict=True):
        yield Scan("another ending", f"{form} called .{ending}", encode(GRAY, form), ending=ending)


SCANS: list[Scan] = [
    scan
    for family in (
        cut_short,
        pixel_types,
        extents,
        bombs,
        damaged_headers,
        flipped_bits,
        foreign_content,
    )
    for scan in family()
]


def _write(scan: Scan, folder: Path) -> Path:
    path = folder / f"scan.{scan.ending}"
    path.write_bytes(scan.content)
    return path


def _check(scan: Scan, found: np.ndarray) -> None:
    assert found.dtype == np.uint8 and found.ndim == 2 and found.flags.c_contiguous
    if not scan.other:
        assert found.shape == INK.shape and ((found < 128) == INK).mean() > 0.97


CASES: list[Case] = [
    Case(
        scan.group,
        scan.name,
        partial(_write, scan),
        read_gray,
        scan.refused,
        partial(_check, scan),
        scan.may,
    )
    for scan in SCANS
]
