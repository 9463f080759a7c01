"""Drawn handwriting and signatures."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from fkd.errors import FkdError
from fkd.seeding import generator
from fkd.synthesis import draw_pages, draw_signatures
from fkd.synthesis.ink import Pen, Sheet
from fkd.synthesis.letters import ALPHABET
from fkd.synthesis.signers import make_signature
from fkd.synthesis.specimens import forge, sign, write_forgery, write_genuine
from fkd.synthesis.spelling import make_word, spell
from fkd.synthesis.strokes import STEP, plan, trace
from fkd.synthesis.style import draw_hand


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.png"))
    }


def planned(runs, crispness=3.0):
    return plan(
        runs,
        unit=40.0,
        bend=1.0,
        crispness=crispness,
        sigma=0.25,
        tempo=0.1,
        timing=0.0,
        rng=generator(0, "plan"),
    )


# --- strokes -----------------------------------------------------------------------------


def test_speed_of_one_stroke_is_a_lognormal_that_integrates_to_its_length():
    strokes = planned([np.array([[0.0, 0.0], [300.0, 0.0]])])
    path = trace(strokes)
    assert strokes.D == pytest.approx([300])
    assert path.speed.sum() * STEP == pytest.approx(300, rel=1e-3)
    time = np.arange(1, len(path.speed)) * STEP - STEP / 2 - strokes.t0[0]
    mu, sigma = strokes.mu[0], strokes.sigma[0]
    lognormal = np.exp(-0.5 * ((np.log(time) - mu) / sigma) ** 2) / (
        time * sigma * np.sqrt(2 * np.pi)
    )
    assert path.speed[1:] == pytest.approx(300 * lognormal, abs=0.01 * path.speed.max())


def test_targets_on_a_circle_give_arcs_of_that_circle():
    angle = np.linspace(0, 2 * np.pi, 9)
    circle = 100 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    path = trace(planned([circle], crispness=12.0))
    radius = np.hypot(*path.points.T)
    assert radius.min() > 97
    assert radius.max() < 103


def test_every_run_starts_and_ends_at_its_own_targets():
    runs = [np.array([[0.0, 0], [50, 80], [90, 10]]), np.array([[400.0, 5], [420, 5]])]
    strokes = planned(runs)
    path = trace(strokes)
    for number, targets in enumerate(runs):
        points = path.points[path.run == number]
        assert points[0] == pytest.approx(targets[0], abs=0.5)
        assert points[-1] == pytest.approx(targets[-1], abs=0.5)


def test_strokes_that_overlap_cut_corners():
    zigzag = [np.array([[0.0, 0], [50, 100], [100, 0], [150, 100], [200, 0]])]
    heights = [np.ptp(trace(planned(zigzag, crispness)).points[:, 1]) for crispness in (2.0, 8.0)]
    assert heights[0] < 0.9 * heights[1]


# --- letters and words -------------------------------------------------------------------


def test_all_letters_of_made_up_words_can_be_written():
    hand = draw_hand(generator(0, "hand"))
    assert set("abcdefghijklmnopqrstuvwxyz.,") <= set(ALPHABET)
    for number in range(50):
        word = make_word(generator(0, "word", number), 4, 10)
        assert 4 <= len(word) <= 10
        runs, late, width = spell(word, hand, generator(0, "spell", number))
        assert width > 1
        assert all(run.ndim == 2 and len(run) >= 2 for run in runs + late)


# --- pages -------------------------------------------------------------------------------


def test_pages_are_the_same_again_whatever_else_is_drawn(tmp_path):
    draw_pages(folder=tmp_path / "a", writers=2, pages=2, lines=2, seed=3)
    draw_pages(folder=tmp_path / "b", writers=2, pages=1, lines=2, seed=3)
    draw_pages(folder=tmp_path / "c", writers=1, pages=1, lines=2, seed=4)
    draw_pages(folder=tmp_path / "d", writers=1, pages=2, lines=2, seed=3, first=2)
    a, b, c, d = (_files(tmp_path / name) for name in "abcd")
    assert list(a) == [f"w00{w}/w00{w}-{p}.png" for w in (1, 2) for p in (1, 2)]
    assert all(a[name] == image for name, image in b.items())
    assert d == {name: image for name, image in a.items() if name.startswith("w002")}
    assert len(b) == len(d) == 2
    assert c["w001/w001-1.png"] != a["w001/w001-1.png"]
    assert len(set(a.values())) == 4


def test_pages_look_like_scanned_lines_of_ink_on_paper(tmp_path):
    draw_pages(folder=tmp_path, writers=3, pages=1, lines=4, seed=0)
    for file in tmp_path.rglob("*.png"):
        page = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert page.dtype == np.uint8 and page.ndim == 2
        height, width = page.shape
        assert 1700 <= width <= 2400
        assert 110 * 4 <= height <= 200 * 6
        assert 225 < np.median(page) < 255
        ink = page < 160
        assert 0.01 < ink.mean() < 0.12
        assert page[ink].min() < 110
        assert not ink[:, :20].any()  # a margin all around
        assert not ink[:8].any() and not ink[-8:].any()


# --- signatures --------------------------------------------------------------------------


def test_signatures_are_the_same_again_whatever_else_is_drawn(tmp_path):
    draw_signatures(folder=tmp_path / "all", writers=3, genuine=2, skilled=1, seed=5)
    draw_signatures(folder=tmp_path / "one", writers=1, genuine=1, skilled=1, seed=5, first=3)
    every, one = _files(tmp_path / "all"), _files(tmp_path / "one")
    assert len(every) == 9
    assert list(one) == ["genuine/003-01.png", "skilled/003-01.png"]
    assert all(every[name] == image for name, image in one.items())


def _ink(image: np.ndarray) -> np.ndarray:
    return image < image.max() - 60


def _slant(image: np.ndarray) -> float:
    """The shear that makes columns of ink as uneven as they get: upright strokes."""
    rows, columns = np.nonzero(_ink(image))
    shears = np.linspace(-1, 1, 41)
    uneven = [
        np.bincount((columns - s * (rows - rows.max()) + 2000).astype(int)).var() for s in shears
    ]
    return float(shears[int(np.argmax(uneven))])


def _style(image: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(_ink(image))
    height, width = np.ptp(rows), np.ptp(columns)
    return np.array([np.log(height), np.log(width), _slant(image), np.log(len(rows) / width)])


def test_style_varies_more_between_writers_than_within():
    styles = []
    for writer in range(12):
        signature = make_signature(generator(1, "signature writer", writer))
        styles.append([_style(sign(signature, generator(1, "g", writer, k))) for k in range(5)])
    styles = np.array(styles)  # (writer, specimen, descriptor)
    within = styles.var(axis=1).mean(axis=0)
    between = styles.mean(axis=1).var(axis=0)
    assert (between > 1.5 * within).all()


def _shape(image: np.ndarray) -> np.ndarray:
    """A blurred 16 x 32 picture of the ink's box, unit length."""
    ink = _ink(image)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    small = cv2.GaussianBlur(cv2.resize(box, (32, 16), interpolation=cv2.INTER_AREA), (0, 0), 1)
    return (small / np.linalg.norm(small)).ravel()


def test_skilled_forgeries_lie_between_genuine_and_random_ones():
    genuine, skilled = [], []
    for writer in range(15):
        signature = make_signature(generator(2, "signature writer", writer))
        genuine.append([_shape(sign(signature, generator(2, "g", writer, k))) for k in range(5)])
        skilled.append([_shape(forge(signature, generator(2, "f", writer, k))) for k in range(5)])
    genuine, skilled = np.array(genuine), np.array(skilled)  # (writer, specimen, 512)
    own = np.mean([a @ b for g in genuine for a, b in combinations(g, 2)])
    forged = np.mean([g @ s.T for g, s in zip(genuine, skilled, strict=True)])
    random = np.mean([(a @ b.T).mean() for a, b in combinations(genuine, 2)])
    assert own > forged + 0.02
    assert forged > random + 0.1


def test_forgers_press_harder_since_they_draw_slowly():
    """Median pen speed, as a share of the speed at which the line has the pen's width."""

    def speed(written):
        return np.median(written.path.speed) / written.usual

    genuine, skilled = [], []
    for writer in range(40):
        signature = make_signature(generator(2, "signature writer", writer))
        genuine.append(speed(write_genuine(signature, generator(2, "g", writer))))
        skilled.append(speed(write_forgery(signature, generator(2, "f", writer))))
    slower = np.array(skilled) / genuine
    assert np.median(slower) < 0.75
    assert np.mean(slower < 1) >= 0.8


def test_a_slower_pen_leaves_wider_and_darker_lines():
    path = trace(planned([np.array([[30.0, 40.0], [370.0, 40.0]])]))
    usual = np.median(path.speed)
    wide, dark = [], []
    for factor in (2, 1, 0.5):
        sheet = Sheet(80, 400)
        moved = replace(path, speed=factor * path.speed)
        pen = Pen(width=5.0, ink=30.0, flow=1.5, streak=0.0, nib=0.0)
        sheet.draw(moved, pen=pen, usual=usual, pressure=0.2, rng=generator(0, "streaks"))
        ink = 240 - sheet.scan(ink=30, paper=240, rng=generator(0, "scan")).astype(float)
        wide.append(np.count_nonzero(ink > 30))
        dark.append(ink[ink > 30].mean())
    assert wide == sorted(set(wide))
    assert dark == sorted(set(dark))


# --- errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["writers", "pages", "lines"])
def test_pages_of_nothing_are_refused(tmp_path, wrong):
    counts = {"writers": 1, "pages": 1, "lines": 1} | {wrong: 0}
    with pytest.raises(FkdError, match=f"{wrong}: expected an integer, at least 1, found 0"):
        draw_pages(folder=tmp_path, seed=0, **counts)


@pytest.mark.parametrize(
    ("wrong", "value"), [("writers", 0), ("genuine", 0), ("skilled", -1), ("first", 0)]
)
def test_signatures_of_nobody_are_refused(tmp_path, wrong, value):
    counts = {"writers": 1, "genuine": 1, "skilled": 1, "first": 1} | {wrong: value}
    with pytest.raises(FkdError, match=f"{wrong}: expected an integer, at least ., found {value}"):
        draw_signatures(folder=tmp_path, seed=0, **counts)
    assert not list(tmp_path.iterdir())
