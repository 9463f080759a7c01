import inspect
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import ndimage

from fkd.errors import FkdError
from fkd.figures.appearance import ink_boxes
from fkd.preprocess import normalize
from fkd.storage import shards
from fkd.storage.quarantine import Quarantine
from fkd.text.crops import CANVASES, RATIOS, draw_intervals, make_crops


def scribble(height, width, seed=0):
    """A stripe full of strokes on gray paper."""
    draw = np.random.default_rng(seed)
    stripe = draw.normal(220, 3, (height, width))
    for left in range(10, width - 30, 60):
        top = draw.integers(20, height // 2)
        stripe[top : top + 50, left : left + 12] = stripe[top : top + 12, left : left + 40] = 60
    return np.clip(stripe, 0, 255).astype(np.uint8)


def write_stripes(path, stripes, pages=None, **about):
    """Write a shard of stripes as the stage before does; the third one is for validation."""
    count = len(stripes)
    sizes = np.array([stripe.size for stripe in stripes], np.int64)
    shards.write(
        path,
        "stripes",
        {
            "pixels": np.concatenate([np.zeros(0, np.uint8), *(s.ravel() for s in stripes)]),
            "offset": np.cumsum(sizes) - sizes,
            "height": np.array([len(s) for s in stripes], np.int32),
            "width": np.array([s.shape[1] for s in stripes], np.int32),
            "writer": np.array([f"writer {n // 2}" for n in range(count)], object),
            "page": np.array(pages or [f"page {n // 2}" for n in range(count)], object),
            "line": np.arange(count, dtype=np.int32) % 2,
            "validation": np.arange(count) == 2,
        },
        {"writers": ["ann", "bob"], **about},
    )


def cropped(folder, **options):
    make_crops(
        stripes=folder / "stripes.h5",
        out=folder / "crops.h5",
        quarantine=folder / "aside.csv",
        **{"seed": 0, **options},
    )
    return shards.read(folder / "crops.h5", "crops")


@pytest.fixture
def stripes(tmp_path):
    stripes = [scribble(100 + 20 * n, 1500 + 100 * n, seed=n) for n in range(4)]
    write_stripes(tmp_path / "stripes.h5", stripes)
    return stripes


@pytest.mark.fidelity("intervals")
def test_crops_are_neighboring_pieces_prepared_on_their_canvas(tmp_path, stripes):
    crops = cropped(tmp_path)
    row = 0
    for stripe, page, line in zip(stripes, [0, 0, 1, 1], [0, 1, 0, 1], strict=True):
        left = index = 0
        while row < len(crops["crop"]) and (crops["page"][row], crops["line"][row]) == (
            f"page {page}",
            line,
        ):
            width = round(len(stripe) * float(crops["ratio"][row]))
            piece = stripe[:, left : left + width]
            canvas = tuple(crops["canvas"][row])
            assert piece.shape[1] == width and crops["crop"][row] == index
            assert np.array_equal(
                crops["image"][row], normalize(piece, canvas, threshold="blurred")
            )
            left, index, row = left + width, index + 1, row + 1
        # What remains is dropped because it is too short for one more.
        assert index > 0 and stripe.shape[1] - left < RATIOS[1] * len(stripe) + 1
    assert row == len(crops["crop"]) > 15


@pytest.mark.fidelity("ink threshold")
def test_text_takes_the_threshold_of_the_blurred_copy(tmp_path):
    strokes = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(100, 500)), 3)
    stripe = np.clip(225 - 700 * np.maximum(strokes, 0), 30, 255).astype(np.uint8)
    write_stripes(tmp_path / "stripes.h5", [stripe])
    crops = cropped(tmp_path, ratios=[2.0, 2.0], canvases=[[952, 1360]])
    of_image, of_copy = (normalize(stripe[:, :200], threshold=t) for t in ("image", "blurred"))
    assert np.array_equal(crops["image"][0], of_copy)
    assert not np.array_equal(of_image, of_copy)


@pytest.mark.fidelity("labels")
def test_what_a_crop_knows(tmp_path, stripes):
    crops = cropped(tmp_path)
    assert crops["image"].shape[1:] == (170, 242) and crops["image"].dtype == np.uint8
    for row, page in enumerate(crops["page"]):
        stripe = 2 * int(page.split()[1]) + crops["line"][row]
        assert crops["writer"][row] == f"writer {stripe // 2}"
        assert crops["validation"][row] == (stripe == 2)
    assert {tuple(canvas) for canvas in crops["canvas"]} <= set(CANVASES)
    assert ((crops["ratio"] >= RATIOS[0]) & (crops["ratio"] <= RATIOS[1])).all()
    attributes = crops.attributes
    assert attributes["writers"] == ["ann", "bob"] and attributes["oversized"] == 0
    assert attributes["ratio_per"] == "interval" and attributes["seed"] == 0
    assert attributes["canvases"] == [list(canvas) for canvas in CANVASES]


@pytest.mark.fidelity("aspect ratios")
def test_ratio_per_interval_or_stripe(tmp_path, stripes):
    def ratios_of_first_stripe(ratio_per):
        crops = cropped(tmp_path, ratio_per=ratio_per)
        return crops["ratio"][(crops["page"] == "page 0") & (crops["line"] == 0)]

    assert len(set(ratios_of_first_stripe("interval"))) > 3
    assert len(set(ratios_of_first_stripe("stripe"))) == 1


@pytest.mark.fidelity("aspect ratios")
@pytest.mark.fidelity("canvases")
def test_draws_cover_the_span_and_the_canvases_evenly(tmp_path):
    small = [list(np.array(canvas) // 20) for canvas in CANVASES]
    write_stripes(tmp_path / "stripes.h5", [scribble(100, 30_000, seed=n) for n in range(4)])
    crops = cropped(tmp_path, canvases=[[int(a), int(b)] for a, b in small])
    assert len(crops["ratio"]) > 500
    edges = np.linspace(*RATIOS, 5)
    assert np.histogram(crops["ratio"], edges)[0].min() > 0.18 * len(crops["ratio"])
    counts = np.unique(crops["canvas"], axis=0, return_counts=True)[1]
    assert len(counts) == 4 and counts.min() > 0.18 * len(crops["ratio"])


def test_crops_are_the_same_however_many_at_a_time(tmp_path, stripes):
    stripes[1][:, :600] = 255
    write_stripes(tmp_path / "stripes.h5", stripes)
    one, aside = cropped(tmp_path, threads=1), (tmp_path / "aside.csv").read_text()
    several, still_aside = cropped(tmp_path, threads=3), (tmp_path / "aside.csv").read_text()
    assert "crop 0" in aside and aside == still_aside
    for name, values in one.arrays.items():
        assert np.array_equal(values, several[name]), name


def test_draws_depend_on_the_place_not_on_the_shard(tmp_path, stripes):
    whole = cropped(tmp_path)
    write_stripes(tmp_path / "stripes.h5", stripes[:2])
    part = cropped(tmp_path)
    assert np.array_equal(whole["image"][: len(part["image"])], part["image"])
    other = cropped(tmp_path, seed=1)
    assert not np.array_equal(other["ratio"][:3], part["ratio"][:3])


def test_at_most_so_many_of_a_page(tmp_path, stripes):
    def places(crops):
        return list(zip(crops["page"], crops["line"], crops["crop"], crops["ratio"], strict=True))

    every, some = places(cropped(tmp_path)), places(cropped(tmp_path, max_per_page=4))
    assert [place for place in every if place in some] == some
    pages = [page for page, *_ in some]
    assert pages.count("page 0") == pages.count("page 1") == 4
    assert [place[:3] for place in some[:4]] != [place[:3] for place in every[:4]]
    assert places(cropped(tmp_path, max_per_page=4, seed=3)) != some
    assert places(cropped(tmp_path, max_per_page=1000)) == every


def test_blank_pieces_are_set_aside_by_name(tmp_path):
    stripe = scribble(100, 1000)
    stripe[:, :200] = 255
    write_stripes(tmp_path / "stripes.h5", [stripe])
    crops = cropped(tmp_path, ratios=[2.0, 2.0])
    assert crops["crop"].tolist() == [1, 2, 3, 4]
    [(name, reason)] = Quarantine.read(tmp_path / "aside.csv").rows
    assert name == "page 0 line 0 crop 0" and "blank" in reason


def test_oversized_pieces_are_counted(tmp_path, stripes):
    assert cropped(tmp_path, canvases=[[60, 90]]).attributes["oversized"] > 15
    crops = cropped(tmp_path, canvases=[[60, 90], [1000, 1500]])
    small = (crops["canvas"] == (60, 90)).all(axis=1)
    assert crops.attributes["oversized"] == small.sum() > 0


def test_oversized_pieces_are_told_in_one_line(tmp_path, stripes, caplog):
    cropped(tmp_path)
    assert not caplog.records
    count = cropped(tmp_path, canvases=[[60, 90]]).attributes["oversized"]
    [record] = caplog.records
    assert f"{count} of {count} crops are larger than their canvas" in record.message


def test_ready_made_crops_are_prepared_whole(tmp_path, stripes):
    stripes = [stripe[:, : 150 + 100 * n] for n, stripe in enumerate(stripes)]
    write_stripes(tmp_path / "stripes.h5", stripes, ready_made=True)
    crops = cropped(tmp_path, canvases=[[200, 500], [300, 700]])
    assert crops["stripe"].tolist() == [0, 1, 2, 3] and set(crops["crop"]) == {0}
    assert set(crops["left"]) == {0}
    assert crops["width"].tolist() == [stripe.shape[1] for stripe in stripes]
    for row, stripe in enumerate(stripes):
        assert crops["ratio"][row] == pytest.approx(stripe.shape[1] / len(stripe))
        canvas = tuple(crops["canvas"][row])
        assert np.array_equal(crops["image"][row], normalize(stripe, canvas, threshold="blurred"))
    assert set(map(tuple, crops["canvas"])) == {(200, 500), (300, 700)}
    assert crops["validation"].tolist() == [False, False, True, False]
    assert len(cropped(tmp_path, max_per_page=1)["crop"]) == 2


def test_an_interval_has_a_column_at_least():
    """A tiny ratio must not cut the same empty interval for ever."""
    found = draw_intervals((30, 40), (1e-6, 1e-6), "interval", [[60, 90]], (0, "crop", "page", 0))
    assert [(left, width) for left, width, *_ in islice(found, 50)] == [(n, 1) for n in range(40)]


@pytest.mark.fidelity("aspect ratios")
@pytest.mark.fidelity("canvases")
def test_defaults_by_hand_are_those_of_a_study():
    path = Path(__file__).parents[1] / "workflow/schemas/config.schema.yaml"
    crops = yaml.safe_load(path.read_text())["properties"]["crops"]["properties"]
    of_stage = inspect.signature(make_crops).parameters
    for name, key in crops.items():
        assert np.array_equal(of_stage[name].default, key["default"]), name


def test_no_stripes_give_no_crops(tmp_path):
    write_stripes(tmp_path / "stripes.h5", [])
    crops = cropped(tmp_path, max_per_page=3)
    assert crops["image"].shape == (0, 170, 242) and crops["canvas"].shape == (0, 2)
    write_stripes(tmp_path / "stripes.h5", [scribble(200, 250)])
    assert len(cropped(tmp_path)["image"]) == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ratios": [2.0, 1.0]}, "larger than the largest"),
        ({"ratios": [0.0, 1.0]}, r"ratios\.0: expected a number, above 0"),
        ({"ratios": [1.0, float("inf")]}, r"ratios\.1: expected a number"),
        ({"ratio_per": "page"}, "ratio_per"),
        ({"canvases": []}, "canvases"),
    ],
)
def test_impossible_settings(tmp_path, stripes, options, reason):
    with pytest.raises(FkdError, match=reason):
        cropped(tmp_path, **options)


def test_ink_boxes():
    images = np.zeros((3, 20, 30), np.uint8)
    images[0, 5:12, 3:24] = 90
    images[0, 7, 9] = 130
    images[1, 19, 29] = 7
    assert ink_boxes(images).tolist() == [[7, 21, 130], [1, 1, 7], [0, 0, 0]]
    assert ink_boxes(images[:0]).shape == (0, 3)
