"""What tells drawn signatures from those of people."""

import cv2
import numpy as np
import pandas as pd
import pytest

from fkd.errors import FkdError
from fkd.figures.realism import compare_drawn
from fkd.signatures.realism import MEASURES, measure, tell_apart
from fkd.storage import shards


def measured(image):
    return dict(zip(MEASURES, measure(image), strict=True))


def test_a_ring_and_a_bar_are_measured():
    image = np.zeros((170, 242), np.uint8)
    cv2.circle(image, (60, 80), 30, 200, 3)
    cv2.line(image, (120, 80), (180, 80), 200, 3)
    found = measured(image)
    assert (found["pieces"], found["loops"]) == (2, 1)
    assert (found["height"], found["width"]) == pytest.approx((63, 153), abs=2)
    assert found["stroke"] == pytest.approx(4.5, abs=1.5)
    assert (found["gray"], found["contrast"]) == (200, 0)
    assert found["length"] == pytest.approx((2 * np.pi * 30 + 60) / np.hypot(63, 153), rel=0.4)
    assert found["low"] == pytest.approx(0.5, abs=0.01)
    assert sum(found[f"direction_{angle}"] for angle in range(0, 180, 30)) == pytest.approx(1)
    assert sum(found[f"band_{band}"] for band in range(1, 6)) == pytest.approx(1)


@pytest.mark.parametrize("angle", [0, 30, 60, 90, 120, 150])
def test_directions_are_those_of_the_strokes(angle):
    image = np.zeros((170, 242), np.uint8)
    step = 60 * np.array([np.cos(np.deg2rad(angle)), -np.sin(np.deg2rad(angle))])
    cv2.line(image, *np.rint([[120, 85] - step, [120, 85] + step]).astype(int).tolist(), 255, 4)
    found = measured(image)
    shares = {at: found[f"direction_{at}"] for at in range(0, 180, 30)}
    assert max(shares, key=shares.get) == angle
    assert found["straightness"] > 0.8


def test_an_image_without_ink_has_nothing_to_measure():
    assert not measure(np.zeros((170, 242), np.uint8)).any()


def crowd(shift, seed, writers=80):
    """Measures of writers, each of whom is like nobody else, with three signatures each."""
    rng = np.random.default_rng(seed)
    own = rng.normal(shift, 1, (writers, len(MEASURES)))
    return np.repeat(own, 3, axis=0), np.repeat(np.arange(writers), 3)


def test_what_is_alike_is_not_told_apart_by_knowing_the_writers():
    (one, whose), (other, others) = crowd(0, 1), crowd(0, 2)
    assert tell_apart(one, other, whose, others).accuracy == pytest.approx(0.5, abs=0.13)


def test_what_differs_is_told_apart():
    (one, whose), (other, others) = crowd(0, 1), crowd(3, 2)
    gap = tell_apart(one, other, whose, others)
    assert gap.accuracy > 0.95
    assert np.median(gap.drawn) > 0.9 > 0.1 > np.median(gap.real)


def test_too_few_writers_are_refused():
    one, whose = crowd(0, 1, writers=4)
    with pytest.raises(FkdError, match="5 writers of each or more"):
        tell_apart(one, one, whose, whose)


@pytest.fixture
def sets(tmp_path):
    """A drawn set of thin lines, and a real one of thick ones, with a forgery of another look."""
    for name, thick in (("drawn", 2), ("people", 6)):
        rng = np.random.default_rng(thick)
        image = np.zeros((100, 170, 242), np.uint8)
        for one in image:
            ends = rng.integers((20, 20), (220, 150), (6, 2)).astype(np.int32)
            cv2.polylines(one, [ends], False, 200, thick)
        forgery = np.arange(100) % 5 == 4
        arrays = {
            "image": image,
            "writer": np.repeat([f"{n:02d}" for n in range(20)], 5),
            "forgery": forgery,
        }
        shards.write(tmp_path / f"{name}.h5", "signatures", arrays, {"set": name})
    return [tmp_path / "people.h5", tmp_path / "drawn.h5"]


def test_the_stage_tabulates_each_real_set(tmp_path, sets):
    files = {kind: tmp_path / f"realism.{kind}" for kind in ("csv", "svg", "png")}
    compare_drawn(signatures=sets, drawn=["drawn"], markdown=tmp_path / "realism.md", **files)
    table = pd.read_csv(files["csv"], index_col="set")
    assert table["signatures"].to_dict() == {"drawn sets": 80, "people": 80}
    assert table.loc["people", "accuracy"] > 0.9
    assert np.isnan(table.loc["drawn sets", "accuracy"])
    assert table.loc["people", "stroke"] > table.loc["drawn sets", "stroke"]
    assert "people" in (tmp_path / "realism.md").read_text()


def test_a_set_of_few_writers_is_measured_and_not_judged(tmp_path, sets):
    few = tmp_path / "few.h5"
    whole = shards.read(sets[0], "signatures", ["image", "writer", "forgery"])
    part = {name: values[:20] for name, values in whole.arrays.items()}
    shards.write(few, "signatures", part, {"set": "few"})
    files = {kind: tmp_path / f"realism.{kind}" for kind in ("csv", "svg", "png")}
    compare_drawn(
        signatures=[few, sets[1]], drawn=["drawn"], markdown=tmp_path / "realism.md", **files
    )
    table = pd.read_csv(files["csv"], index_col="set")
    assert table.loc["few", "signatures"] == 16
    assert np.isnan(table.loc["few", "accuracy"])
    assert files["svg"].stat().st_size > 1000


@pytest.mark.parametrize("drawn", [[], ["drawn", "people"]])
def test_both_kinds_of_sets_are_needed(tmp_path, sets, drawn):
    files = {kind: tmp_path / f"realism.{kind}" for kind in ("csv", "svg", "png")}
    with pytest.raises(FkdError, match="give sets of both"):
        compare_drawn(signatures=sets, drawn=drawn, markdown=tmp_path / "realism.md", **files)
