"""What may be wrong with a scan is found and said, and nothing else is."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from fkd.images import read_gray
from fkd.service import Preprocessing, examine, read_scan
from fkd.service.quality import CODES

PLAIN = Preprocessing()


def signature(size=(300, 600)):
    """A drawn signature in the middle of gray paper."""
    draw = np.random.default_rng(3)
    image = draw.integers(235, 251, size, dtype=np.uint8)
    line = np.linspace(0, 1, 60)
    x = size[1] * (0.25 + 0.5 * line)
    y = size[0] * (0.5 + 0.15 * np.sin(25 * line))
    points = np.stack([x, y], 1).astype(np.int32)
    return cv2.GaussianBlur(cv2.polylines(image, [points], False, 40, 4), (0, 0), 1)


def as_bytes(image, kind="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def blank(image):
    image[:] = 240


def invert(image):
    image[:] = 255 - image


def shrink(image):
    image[:] = signature((300, 600))[:1, :1]
    cv2.line(image, (100, 100), (140, 110), 40, 3)


def two_levels(image):
    image[:] = np.where(image < 128, 0, 255)


def touch_border(image):
    image[150:160, :200] = 30


def darken_a_block(image):
    image[80:220, 150:450] = 30


def second_signature(image):
    half = cv2.resize(image, (300, 150))
    image[:] = 240
    image[:150, :300] = half
    image[150:, 300:] = half


def stamp(image):
    cv2.circle(image, (540, 50), 22, 40, 4)
    cv2.GaussianBlur(image, (0, 0), 1, image)


def printed_text(image):
    cv2.putText(image, "Signed: 12 May", (20, 285), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 50, 2)


def ruled_line(image):
    cv2.line(image, (5, 220), (594, 226), 90, 2)


def margin_line(image):
    cv2.line(image, (60, 5), (60, 294), 90, 2)


FAULTS = {
    "blank": (blank, "blank"),
    "inverted": (invert, "inverted"),
    "too small": (shrink, "too_small"),
    "two levels": (two_levels, "two_levels"),
    "touching the border": (touch_border, "ink_at_border"),
    "a dark block": (darken_a_block, "much_ink"),
    "two signatures": (second_signature, "several_bodies"),
    "a stamp": (stamp, "stray_ink"),
    "printed text": (printed_text, "stray_ink"),
    "a ruled line": (ruled_line, "ruled_line"),
    "a margin line": (margin_line, "ruled_line"),
}


def codes(image, **options):
    return [found.code for found in examine(image, **options)]


def test_nothing_is_found_on_a_signature():
    assert codes(signature()) == []


@pytest.mark.parametrize(("spoil", "code"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found(spoil, code):
    image = signature()
    spoil(image)
    found = codes(image)
    assert code in found
    refused = CODES[code][0] == "refuse"
    scan = read_scan(as_bytes(image), PLAIN)
    assert (scan.image is None) == refused == (scan.refusal is not None)
    assert not refused or found == [code]


def test_a_signature_larger_than_the_canvas_is_cut():
    assert codes(signature(), canvas=(400, 400)) == []
    assert codes(signature(), canvas=(400, 200)) == ["cut_by_canvas"]


@pytest.mark.parametrize(("dpi", "doubted"), [(150, 1), (600, 1), (300, 0), (290, 0), (96, 0)])
def test_a_stated_resolution_is_compared_where_scans_are_taken_as_they_are(dpi, doubted):
    content = as_bytes(signature(), dpi=(dpi, dpi))
    found = [one.code for one in read_scan(content, PLAIN).findings]
    assert found == ["wrong_resolution"] * doubted
    assert read_scan(content, Preprocessing(resolution="file")).findings == []


def test_scans_are_brought_to_the_usual_resolution_where_the_study_did_so():
    image = signature()
    double = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    there = read_scan(as_bytes(image), PLAIN).image.astype(int)
    taken = read_scan(as_bytes(double), PLAIN).image.astype(int)
    again = read_scan(as_bytes(double), Preprocessing(resolution=600.0)).image.astype(int)
    assert 4 * np.abs(again - there).mean() < np.abs(taken - there).mean()


def test_a_scan_without_the_resolution_that_is_needed_is_refused():
    scan = read_scan(as_bytes(signature()), Preprocessing(resolution="file"))
    assert scan.refusal.code == "unreadable" and "states no resolution" in scan.refusal.sentence


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"<svg/>", as_bytes(signature())[:500], bytes(range(256)) * 9],
    ids=["nothing", "another format", "a drawing", "cut short", "noise"],
)
def test_what_is_no_image_is_refused(content):
    scan = read_scan(content, PLAIN)
    assert scan.refusal.code == "unreadable" and scan.image is None


def test_large_images_are_refused_before_they_are_decoded():
    scan = read_scan(as_bytes(signature()), PLAIN, max_pixels=1000)
    assert "too large" in scan.refusal.sentence


def test_bytes_and_files_are_read_alike(made):
    path = made.genuine(1)[0]
    scans = [read_scan(source, PLAIN) for source in (path, path.read_bytes())]
    assert np.array_equal(scans[0].image, scans[1].image)
    assert scans[0].findings == scans[1].findings == []


def test_few_signatures_of_public_sets_have_a_sign(shared):
    files = sorted((shared / "data/cedar/full_org").glob("*.png"))[::4]
    found = [code for file in files for code in codes(read_gray(file)) if code != "ink_at_border"]
    assert len(files) >= 30 and len(found) <= 1
