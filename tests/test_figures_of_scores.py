"""Figures of scores and features: densities, rates of each writer, ranks, and maps."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fkd.figures.features import figure_features, places
from fkd.figures.ranks import figure_ranks, ranked
from fkd.figures.scores import figure_scores, less_own_thresholds
from fkd.figures.writers import figure_writers, rates_of_writers
from fkd.storage import shards
from fkd.verification import Protocol, evaluate_wd
from fkd.verification.metrics import equal_error_threshold
from fkd.verification.thresholds import equal_error_rate

WRITERS, SIGNATURES, SPLITS = 4, 9, 3


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Three models on one set, the second of which tells forgeries best; writer w10 is hard."""
    folder = tmp_path_factory.mktemp("judged")
    y = np.repeat(np.arange(WRITERS), SIGNATURES)
    forgery = np.tile(np.arange(SIGNATURES) >= 6, WRITERS)
    names = np.array(["w1", "w2", "w9", "w10"], object)[y]
    paths = {"scores": [], "metrics": [], "features": []}
    for number, model in enumerate(("a", "b", "c")):
        stream = np.random.default_rng(number)
        x = stream.normal(size=(len(y), WRITERS))
        x += 6 * (number == 1) * np.eye(WRITERS)[y] * (~forgery & (y != 3))[:, None]
        arrays = {"feature": x.astype("f4"), "writer": names, "forgery": forgery}
        shards.write(folder / f"{model}.h5", "features", arrays, {"model": model, "set": "mine"})
        paths["features"].append(folder / f"{model}.h5")
        made = {"scores": folder / f"{model}-3.h5", "metrics": folder / f"{model}-3.csv"}
        protocol = Protocol(3, 3, 3, splits=SPLITS)
        evaluate_wd(features=folder / f"{model}.h5", protocol=protocol, threads=1, **made)
        for kind, path in made.items():
            paths[kind].append(path)
    return paths


def test_the_rates_of_writers_are_those_of_their_own_thresholds(judged):
    table = rates_of_writers(judged["scores"])
    assert list(table.index) == ["a", "b", "c"]
    assert table.mean().is_monotonic_decreasing and set(table) == {"w1", "w2", "w9", "w10"}
    shard = shards.read(judged["scores"][0], "scores")
    forgery = shard["forgery"].astype(bool)
    for writer in table:
        rates = []
        for split in range(SPLITS):
            rows = (shard["writer"] == writer) & (shard["split"] == split)
            rates.append(
                equal_error_rate(shard["score"][rows & ~forgery], shard["score"][rows & forgery])
            )
        assert table.loc["a", writer] == pytest.approx(100 * np.mean(rates))
    # As in the tables, whose rates are means over the writers.
    metrics = pd.read_csv(judged["metrics"][1])
    assert table.loc["b"].mean() == pytest.approx(100 * metrics["EER_userthresholds"].mean())
    assert table.loc["b"].idxmax() == "w10"


def test_scores_are_less_the_threshold_of_their_writer_and_split(judged):
    shard = shards.read(judged["scores"][0], "scores")
    forgery = shard["forgery"].astype(bool)
    expected = ([], [], [])
    for split in range(SPLITS):
        for at, writer in enumerate(shard.attributes["writers"]):
            rows = (shard["writer"] == writer) & (shard["split"] == split)
            own, forged = shard["score"][rows & ~forgery], shard["score"][rows & forgery]
            threshold = equal_error_threshold(own, forged)
            others = (shard["random_split"] == split) & (shard["random_writer"] == at)
            for kept, values in zip(
                expected, (own, forged, shard["random_score"][others]), strict=True
            ):
                kept += (values - threshold).tolist()
    for found, given in zip(less_own_thresholds(shard), expected, strict=True):
        np.testing.assert_allclose(np.sort(found), np.sort(given))
        assert len(found)


def test_models_that_differ_are_told_apart():
    stream = np.random.default_rng(0)
    rates = pd.DataFrame(
        {name: level + stream.normal(0, 0.1, 10) for name, level in (("a", 9), ("b", 1), ("c", 9))}
    )
    ranks, pairs, told = ranked(rates)
    assert ranks["b"] == 1 and pairs.loc["a", "b"] < 0.05 < pairs.loc["a", "c"]
    assert told == "critical difference 1.0"
    ranks, pairs, told = ranked(rates.assign(a=1.0, b=1.0, c=1.0))
    assert (ranks == 2).all() and (pairs == 1).all(axis=None)
    assert told == "no model differs (Friedman's p 1.00)"


def test_the_figures_are_drawn(judged, tmp_path):
    given = {"students": {}, "drawn": ["mine"]}

    def paths(name):
        return {"svg": tmp_path / f"{name}.svg", "png": tmp_path / f"{name}.png"}

    figure_scores(scores=judged["scores"][1], **given, **paths("scores"))
    figure_writers(scores=judged["scores"], **given, **paths("writers"))
    figure_ranks(metrics=judged["metrics"], **given, **paths("ranks"))
    figure_features(features=judged["features"][1], writers=3, **given, **paths("features"))
    for name, words in {
        "scores": ("genuine", "skilled forgeries", "random forgeries", "threshold"),
        "writers": ("w10", "4 writers, from the hardest", "EER (%)"),
        "ranks": ("b (1.0)", ") c"),
        "features": ("w1", "w9", "3 of 4 writers", "skilled forgery"),
    }.items():
        text = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert "mine, drawn by a program" + ", NREF 3" * (name != "features") in text
        assert [word for word in words if word not in text] == [], name
        assert np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")).min() < 50


def test_equal_ranks_become_equal_figures(judged, tmp_path):
    """A bar joins its models from left to right, however a set of their names is ordered."""
    metrics = []
    for copy in range(5):
        for number, path in enumerate(judged["metrics"]):
            rates = pd.read_csv(path)
            metrics.append(tmp_path / f"{copy}{number}.csv")
            rates.assign(model=rates["model"] + str(copy)).to_csv(metrics[-1], index=False)
    svg = tmp_path / "ranks.svg"
    figure_ranks(metrics=metrics, students={}, svg=svg, png=tmp_path / "ranks.png")
    paths = re.findall(r'd="(M [^"]+)"', svg.read_text(encoding="utf-8"))
    points = [re.findall(r"[ML] ([\d.]+) ([\d.]+)", path) for path in paths]
    bars = [one for one in points if len(one) > 3 and len({y for _, y in one}) == 1]
    assert bars
    for bar in bars:
        across = [float(x) for x, _ in bar]
        assert across == sorted(across)


def test_what_is_near_in_the_features_is_near_on_the_map():
    stream = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 15)
    features = 9 * stream.normal(size=(4, 20))[group] + stream.normal(size=(60, 20))
    found = places(features, seed=1)
    assert np.array_equal(found, places(features, seed=1))
    middle = np.array([found[group == one].mean(axis=0) for one in range(4)])
    nearest = np.linalg.norm(found[:, None] - middle, axis=2).argmin(axis=1)
    assert (nearest == group).all()


@pytest.mark.parametrize("shape", [(2, 5), (3, 1), (40, 3)])
def test_any_features_have_a_place(shape):
    equal = np.ones(shape)
    for features in (equal, np.arange(equal.size, dtype=float).reshape(shape)):
        found = places(features, seed=0)
        assert found.shape == (shape[0], 2) and np.isfinite(found).all()
