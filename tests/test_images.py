"""Reading images: what formats and depths give, and what is refused."""

import zlib

import numpy as np
import pytest
from PIL import Image

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
