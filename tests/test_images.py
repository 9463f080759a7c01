"""Reading images: what formats and depths give, and what is refused."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from fkd import images
from fkd.errors import FkdError
from fkd.images import read_gray

PIXELS = np.arange(256, dtype=np.uint8).reshape(8, 32)


def save(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
def test_gray_comes_back_as_it_is(tmp_path, ending):
    path = save(tmp_path / f"scan.{ending}", Image.fromarray(PIXELS))
    gray = read_gray(path)
    assert gray.dtype == np.uint8 and np.array_equal(gray, PIXELS)


def test_the_content_decides_not_the_name(tmp_path):
    path = save(tmp_path / "scan.dat", Image.fromarray(PIXELS), format="PNG")
    assert np.array_equal(read_gray(path), PIXELS)


def test_one_bit(tmp_path):
    path = save(tmp_path / "scan.png", Image.fromarray(PIXELS > 100))
    assert np.array_equal(read_gray(path), np.where(PIXELS > 100, 255, 0))


def test_one_bit_tiff_with_group_4(tmp_path):
    path = save(tmp_path / "scan.tif", Image.fromarray(PIXELS > 100), compression="group4")
    assert np.array_equal(read_gray(path), np.where(PIXELS > 100, 255, 0))


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_are_rounded(tmp_path, ending):
    path = save(tmp_path / f"scan.{ending}", Image.fromarray(PIXELS.astype(np.uint16) * 257 + 100))
    assert np.array_equal(read_gray(path)[:7], PIXELS[:7])


def test_palette(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 250, 250, 250])
    image.putpixel((1, 0), 1)
    assert read_gray(save(tmp_path / "scan.png", image)).tolist() == [[0, 250]]


def test_color_is_weighted(tmp_path):
    image = Image.new("RGB", (3, 1))
    for column, color in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        image.putpixel((column, 0), color)
    assert read_gray(save(tmp_path / "scan.png", image)).tolist() == [[76, 150, 29]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_paper(tmp_path, mode):
    image = Image.new(mode, (2, 1), 0)
    image.putpixel((1, 0), (0,) * (len(mode) - 1) + (255,))
    assert read_gray(save(tmp_path / "scan.png", image)).tolist() == [[255, 0]]


def png(row, width, depth, color, transparent):
    """A PNG of one row of packed pixels, with a transparent value."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, 1, depth, color, 0, 0, 0)
    parts = [
        chunk(b"IHDR", header),
        chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)),
    ]
    parts += [chunk(b"IDAT", zlib.compress(b"\0" + row)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


TRANSPARENT = {
    "gray, 1 bit": (png(b"\x50", 4, 1, 0, [0]), [255, 255, 255, 255]),
    "gray, 2 bits": (png(b"\x1b", 4, 2, 0, [1]), [0, 255, 170, 255]),
    "gray, 4 bits": (png(b"\x03\xc9", 4, 4, 0, [3]), [0, 255, 204, 153]),
    "gray, 8 bits": (png(b"\x00\x07\xc8\x09", 4, 8, 0, [7]), [0, 255, 200, 9]),
    "gray, 16 bits": (
        png(struct.pack(">4H", 0, 1799, 51400, 2313), 4, 16, 0, [1799]),
        [0, 255, 200, 9],
    ),
    "black paper, 16 bits": (png(struct.pack(">3H", 0, 0, 51400), 3, 16, 0, [0]), [255, 255, 200]),
    "color, 8 bits": (png(bytes([0, 0, 0, 7, 8, 9]), 2, 8, 2, [7, 8, 9]), [0, 255]),
    "color, 16 bits": (
        png(struct.pack(">6H", 0, 0, 0, 1799, 2056, 9), 2, 16, 2, [1799, 2056, 9]),
        [0, 255],
    ),
}


@pytest.mark.parametrize(("content", "expected"), TRANSPARENT.values(), ids=TRANSPARENT)
def test_a_transparent_value_is_paper_at_all_depths(tmp_path, content, expected):
    (tmp_path / "scan.png").write_bytes(content)
    assert read_gray(tmp_path / "scan.png").tolist() == [expected]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "I;16", "P", "CMYK"])
def test_images_are_converted_band_by_band(tmp_path, mode, monkeypatch):
    """A conversion takes several times the memory of what is converted."""
    draw = np.random.default_rng(1)
    source = Image.fromarray(draw.integers(0, 256, (50, 7, 4), dtype=np.uint8), "RGBA")
    image = (
        Image.fromarray(PIXELS.astype(np.uint16) * 200) if mode == "I;16" else source.convert(mode)
    )
    path = save(tmp_path / "scan.tif", image)
    whole = read_gray(path)
    monkeypatch.setattr(images, "BAND", 40)
    convert, sizes = Image.Image.convert, []
    monkeypatch.setattr(Image.Image, "convert", lambda i, m: sizes.append(i.size) or convert(i, m))
    assert np.array_equal(read_gray(path), whole)
    assert all(width * height <= 40 for width, height in sizes)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "scan.png", Image.fromarray(PIXELS), exif=exif)
    expected = {
        1: PIXELS,
        2: PIXELS[:, ::-1],
        3: PIXELS[::-1, ::-1],
        4: PIXELS[::-1],
        5: PIXELS.T,
        6: PIXELS[::-1].T,
        7: PIXELS[::-1, ::-1].T,
        8: PIXELS[:, ::-1].T,
    }
    assert np.array_equal(read_gray(path), expected[orientation])


def test_of_a_tiff_only_a_second_image_is_looked_for(tmp_path, monkeypatch, caplog):
    """Going through all of many directories takes quadratic time."""
    monkeypatch.setattr(TiffImageFile, "n_frames", property(lambda _: pytest.fail("counted")))
    page = Image.fromarray(PIXELS)
    save(tmp_path / "one.tif", page)
    assert np.array_equal(read_gray(tmp_path / "one.tif"), PIXELS) and not caplog.text
    save(tmp_path / "many.tif", page, save_all=True, append_images=[Image.new("L", (9, 9))] * 3)
    assert np.array_equal(read_gray(tmp_path / "many.tif"), PIXELS)
    assert "many.tif: holds several images, the first is read" in caplog.text


def test_pillows_own_limit_is_lifted_while_an_image_is_read(tmp_path, monkeypatch):
    """It would refuse compressed TIFF files below `max_pixels`."""
    path = save(tmp_path / "scan.tif", Image.fromarray(PIXELS), compression="tiff_adobe_deflate")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert np.array_equal(read_gray(path), PIXELS)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize(("large", "alone"), [(255, True), (256, False)])
def test_large_images_are_decoded_one_at_a_time(tmp_path, monkeypatch, large, alone):
    path, locked = save(tmp_path / "scan.png", Image.fromarray(PIXELS)), []
    monkeypatch.setattr(images, "LARGE", large)
    decode = images._to_gray
    note = lambda *given: locked.append(images._ONE_LARGE.locked()) or decode(*given)  # noqa: E731
    monkeypatch.setattr(images, "_to_gray", note)
    read_gray(path)
    assert locked == [alone] and not images._ONE_LARGE.locked()


def test_cmyk(tmp_path):
    path = save(tmp_path / "scan.tif", Image.new("CMYK", (4, 4), (0, 0, 0, 255)))
    assert not read_gray(path).any()


def test_orientation_is_obeyed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "scan.jpg", Image.new("L", (32, 8)), exif=exif)
    assert read_gray(path).shape == (32, 8)


def test_too_large(tmp_path):
    path = save(tmp_path / "scan.png", Image.fromarray(PIXELS))
    assert read_gray(path, max_pixels=256).shape == (8, 32)
    with pytest.raises(FkdError, match="too large"):
        read_gray(path, max_pixels=255)


def test_size_is_checked_before_decoding(tmp_path):
    """A header that promises 10^10 pixels is refused, though no pixel follows."""
    path = save(tmp_path / "scan.png", Image.fromarray(PIXELS))
    data = bytearray(path.read_bytes())
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(FkdError, match="too large"):
        read_gray(path)


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "bmp"])
def test_cut_short(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = save(tmp_path / f"scan.{ending}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FkdError, match=f"scan.{ending}"):
        read_gray(path)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty"), (b"not an image", "not a readable image")]
)
def test_not_an_image(tmp_path, content, reason):
    path = tmp_path / "scan.png"
    path.write_bytes(content)
    with pytest.raises(FkdError, match=reason):
        read_gray(path)


def test_other_formats_are_refused(tmp_path):
    path = save(tmp_path / "scan.png", Image.fromarray(PIXELS), format="GIF")
    with pytest.raises(FkdError, match="not a readable image"):
        read_gray(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FkdError, match="no such file"):
        read_gray(tmp_path / "none.png")
    with pytest.raises(FkdError):
        read_gray(tmp_path)


def test_thirty_two_bits_are_refused(tmp_path):
    path = save(tmp_path / "scan.tif", Image.fromarray(PIXELS.astype(np.float32)))
    with pytest.raises(FkdError, match="32 bits"):
        read_gray(path)
