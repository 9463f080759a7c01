"""Ruled paper: pages lose their rules and nothing else, and pages without rules stay as they are."""

import cv2
import numpy as np
import pytest

from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.text.lines import find_lines
from fkd.text.rules import without_rules
from fkd.text.stripes import find_stripes

WORDS = ("high gypsy fly", "lazy dog quilt", "jumpy hatch big", "glyph thing day", "yoke bylaw")
PAPER, INK = 240, 50


def written(ink=INK):
    """A page of five lines of handwriting."""
    page = np.full((1000, 1500), PAPER, np.uint8)
    for line, words in enumerate(WORDS):
        where = (120 + 60 * (line % 2), 170 + line * 150)
        cv2.putText(page, words, where, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 3.0, ink, 6)
    return page


def rule(page, gray, pitch=75, width=3, slope=0.0, bow=0.0, first=20):
    """Lay a page over horizontal rules, whose ends hang by `bow` pixels."""
    rows, columns = np.mgrid[: len(page), : page.shape[1]]
    across = columns - page.shape[1] / 2
    row = rows - slope * across - bow * (across / across.max()) ** 2
    ruled = np.abs((row - first + pitch / 2) % pitch - pitch / 2) <= width / 2
    return np.where(ruled, np.minimum(page, gray), page).astype(np.uint8)


def scanned(page, seed=0):
    """Blur and grain of a scanner."""
    grain = np.random.default_rng(seed).normal(0, 3, page.shape)
    return np.clip(cv2.GaussianBlur(page, (0, 0), 1.0) + grain, 0, 255).astype(np.uint8)


def compare(cleaned, clean, level=150):
    """The share of ink that is kept, and as a share of the ink what is dark besides."""
    ink, found = clean < level, cleaned < level
    return (ink & found).sum() / ink.sum(), (found & ~ink).sum() / ink.sum()


def stripes_of(page):
    return [stripe.pixels for stripe in find_stripes(page, None, (0, "ink", "page"))]


@pytest.mark.parametrize(
    ("gray", "least", "slope", "bow"),
    [
        (225, 0.99, 0.0, 5.0),
        (190, 0.99, -0.02, 0.0),
        (100, 0.98, 0.006, 5.0),
        (INK, 0.95, 0.006, 0.0),
    ],
)
def test_rules_are_taken_out_and_strokes_stay(gray, least, slope, bow):
    clean, ruled = scanned(written()), scanned(rule(written(), gray, slope=slope, bow=bow))
    cleaned = without_rules(ruled)
    kept, besides = compare(cleaned, clean)
    assert kept > least and besides < (0.03 if gray == INK else 0.01)
    # Between the lines there is paper again, but for specks.
    blank = np.abs(cleaned[230:250].astype(float) - PAPER)
    assert (blank > 20).mean() < 0.0005


@pytest.mark.parametrize("gray", [190, INK])
def test_a_ruled_page_has_the_stripes_of_a_blank_one(gray):
    clean, ruled = scanned(written()), scanned(rule(written(), gray))
    expected, found = stripes_of(clean), stripes_of(ruled)
    assert len(found) == len(expected) == len(WORDS)
    for one, other in zip(found, expected, strict=True):
        assert one.shape[1] == pytest.approx(other.shape[1], rel=0.03)
        assert (one < 150).sum() == pytest.approx((other < 150).sum(), rel=0.1)


def test_rules_of_one_bit_pages_are_bridged():
    """No gray level distinguishes ink and rules: strokes are joined where they cross a rule."""
    clean = np.where(written() < 150, 0, 255).astype(np.uint8)
    kept, besides = compare(without_rules(rule(clean, 0)), clean)
    assert kept > 0.93 and besides < 0.02
    page = rule(np.full((900, 1200), 255, np.uint8), 0, pitch=100, first=50)
    for number in range(9):
        top, lean = 20 + 100 * (number % 8), 15 * (number - 4)
        cv2.line(page, (120 + 110 * number, top), (120 + 110 * number + lean, top + 60), 0, 7)
    count, _ = cv2.connectedComponents((without_rules(page) < 128).astype(np.uint8))
    assert count - 1 == 9  # one of each stroke, and the background


def test_squares_and_margins_are_rules_too():
    clean = scanned(written())
    squared = np.minimum(rule(written(), 200, 60), rule(written().T, 200, 60).T)
    margin = rule(written(), 190)
    margin[:, 90:93] = np.minimum(margin[:, 90:93], 190)
    for page in (squared, margin):
        cleaned = without_rules(scanned(page))
        kept, besides = compare(cleaned, clean)
        assert kept > 0.98 and besides < 0.01
        assert cleaned[850:, 60:110].min() > 215 > scanned(page)[850:, 60:110].min()


def test_rules_at_the_edge_of_the_page_are_taken_out():
    """They are cut off by the edge, or leave the page above or below."""
    for slope, first in ((0.0, 2), (0.02, 8), (-0.02, 8)):
        clean, page = scanned(written()[:903]), rule(written()[:903], 100, 100, 3, slope, 0, first)
        kept, besides = compare(without_rules(scanned(page)), clean, level=200)
        assert kept > 0.97 and besides < 0.02
        for edge in (slice(0, 9), slice(-9, None)):
            left, laid = (
                (without_rules(scanned(page))[edge] < 200).mean(),
                (page[edge] < 200).mean(),
            )
            assert left < 0.005 and laid > 0.05


def test_a_page_without_rules_is_the_same():
    for page in (written(), scanned(written()), np.full((300, 400), 255, np.uint8)):
        assert np.array_equal(without_rules(page), page)


def test_the_few_rules_of_a_form_stay():
    """They separate the handwriting from what is printed."""
    page = written()
    for row in (30, 60, 900):
        page[row : row + 4, 60:-60] = INK
    assert np.array_equal(without_rules(page), page)


def test_rows_of_dashes_are_no_rules():
    page = written()
    for row in range(20, 1000, 100):
        page[row : row + 3].reshape(3, -1, 30)[:, :, :12] = INK
    assert np.array_equal(without_rules(page), page)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (30, 30), (9, 900), (1200, 7)])
def test_pages_of_odd_shapes(shape):
    draw = np.random.default_rng(0)
    for page in (
        draw.integers(0, 256, shape, dtype=np.uint8),
        np.zeros(shape, np.uint8),
        rule(np.full(shape, 255, np.uint8), 0, pitch=7, width=1),
    ):
        cleaned = without_rules(page)
        assert cleaned.shape == shape and cleaned.dtype == np.uint8
        try:
            stripes_of(page)
        except FkdError:
            continue


def test_real_pages_without_rules_stay_as_they_are(shared):
    for path in sorted((shared / "data/iam/pages").glob("*.png"))[::60]:
        page = read_gray(path)
        assert np.array_equal(without_rules(page), page), path.name


@pytest.mark.parametrize(
    ("rules", "least"),
    [
        ({"gray": 190, "pitch": 118, "slope": 0.01}, 0.995),
        ({"gray": 90, "pitch": 95, "width": 4, "slope": -0.006}, 0.97),
        ({"gray": INK, "pitch": 150}, 0.95),
    ],
)
def test_real_handwriting_on_ruled_paper(shared, rules, least):
    ink = read_gray(shared / "data/iam/pages/b04-208.png") < 128
    page = np.where(np.pad(ink, ((300, 200), (50, 50))), INK, PAPER).astype(np.uint8)
    clean, cleaned = scanned(page), without_rules(scanned(rule(page, **rules)))
    kept, besides = compare(cleaned, clean)
    assert kept > least and besides < 0.02
    assert len(find_lines(cleaned)) == len(find_lines(clean)) == 3
