"""Verifiers of pairs, thresholds set beforehand, and what they are worth on a judged set."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fkd.errors import FkdError
from fkd.figures.evidence import figure_evidence
from fkd.report.verifiers import write_across, write_verifiers
from fkd.storage import shards
from fkd.study.config import complete
from fkd.verification import (
    PairProtocol,
    Protocol,
    evaluate_wd,
    evaluate_wi,
    judge_verifier,
    read_machine,
    read_verifier,
    scores_of_pair_splits,
    set_verifier,
    train_wi,
)
from fkd.verification.independent import train_pairs
from fkd.verification.pairs import Development, draw_training_rows

ROOT = Path(__file__).resolve().parents[1]
WD = Protocol(references=3, test_genuine=4, test_skilled=5, splits=2)
PAIRS = PairProtocol(references=3, test=4, development_references=4, splits=2)
MACHINE = {"gamma": 0.02, "threads": 1}
VERIFIERS = {"wd": WD, "wi": PAIRS, "cosine": replace(PAIRS, comparison="cosine")}


def write_features(path, seed, writers, model="mine", apart=3.0):
    """Features of writers with eight genuine signatures and six forgeries each."""
    draw = np.random.default_rng(seed)
    y, forged = np.repeat(np.arange(writers), 14), np.tile([False] * 8 + [True] * 6, writers)
    x = apart * draw.normal(size=(writers, 6))[y] + draw.normal(size=(len(y), 6))
    x += forged[:, None] * 4 * draw.normal(size=(len(y), 6))
    arrays = {
        "feature": x.astype(np.float32),
        "writer": np.array([f"w{number}" for number in y], object),
        "forgery": forged,
    }
    about = {"model": model, "set": path.stem, "onnx": "0" * 64, "preprocessing": {"canvas": 1}}
    shards.write(path, "features", arrays, about)
    return path


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The files of each verifier: features, scores, what was set, and what was measured."""
    folder = tmp_path_factory.mktemp("verifiers")
    features = write_features(folder / "judged.h5", 1, 8)
    development = [write_features(folder / f"dev{n}.h5", n, 10) for n in (2, 3)]
    machine = folder / "machine.h5"
    options = dict(development_references=PAIRS.development_references, seed=PAIRS.seed)
    train_wi(development=development, out=machine, **options, **MACHINE)
    for verifier, protocol in VERIFIERS.items():
        out = {"metrics": folder / f"{verifier}.csv", "scores": folder / f"{verifier}.h5"}
        if verifier == "wd":
            evaluate_wd(features=features, protocol=protocol, **out, **MACHINE)
        else:
            evaluate_wi(
                features=features,
                machine=machine if verifier == "wi" else None,
                verifier=verifier,
                protocol=protocol,
                **out,
            )
        set_verifier(
            development=development,
            out=folder / f"set-{verifier}.h5",
            verifier=verifier,
            protocol=protocol,
            **MACHINE,
        )
        judge_verifier(
            scores=[out["scores"]],
            verifier=[folder / f"set-{verifier}.h5"],
            out=folder / f"evidence-{verifier}.csv",
            resamples=40,
        )
    return folder


def test_the_stage_gives_the_rates_of_the_library(judged):
    """One machine, trained beforehand, judges all splits."""
    given = [shards.read(judged / f"{name}.h5") for name in ("judged", "dev2", "dev3")]
    arrays = [
        (one["feature"], np.repeat(np.arange(len(one["writer"]) // 14), 14), one["forgery"])
        for one in given
    ]
    developed = Development.of(*(Development(*one) for one in arrays[1:]))
    rows = draw_training_rows(
        [np.flatnonzero((developed.y == w) & ~developed.yforg) for w in range(20)],
        PAIRS.development_references,
        np.random.RandomState(PAIRS.seed),
    )
    machine = train_pairs(developed.x, rows, C=1.0, gamma=MACHINE["gamma"], memory=1.0)
    expected = scores_of_pair_splits(*arrays[0], PAIRS, exploitation=range(8), machine=machine)
    with (judged / "wi.csv").open(encoding="utf-8") as stream:
        found = list(csv.DictReader(stream))
    assert [row["verifier"] for row in found] == ["wi"] * 2
    for row, scores in zip(found, expected, strict=True):
        rates = scores.rates()
        assert {name: float(row[name]) for name in rates} == rates


def test_a_pair_is_compared_once_with_the_same_score(judged, monkeypatch):
    machine = read_machine(judged / "machine.h5")
    x = shards.read(judged / "judged.h5")["feature"]
    monkeypatch.setattr("fkd.verification.independent.PAIRS_AT_ONCE", 3)
    compare, asked = machine.within(x), []
    decide = type(machine.model).decide
    monkeypatch.setattr(
        type(machine.model),
        "decide",
        lambda self, pairs: asked.append(pairs) or decide(self, pairs),
    )
    for rows, references in (([0, 5, 7], [1, 2]), ([1, 2, 9], [0, 7]), ([0, 5, 7], [1, 2])):
        scores = compare(np.array(rows), np.array(references))
        assert np.array_equal(scores, machine(x[rows], x[references]))
    asked = [len(pairs) for pairs in asked if len(pairs) <= 3]
    assert sum(asked) == 6 + 2  # of the second block, four pairs were known the other way round


def test_a_machine_is_read_as_it_was_written(judged, tmp_path):
    machine = read_machine(judged / "machine.h5", "mine")
    x = shards.read(judged / "judged.h5")["feature"]
    scores = machine(x[:9], x[9:12])
    assert scores.shape == (9, 3) and len(np.unique(scores)) > 20
    shard = shards.read(judged / "machine.h5")
    for name, value in (("deviation", 0.0), ("vector", np.nan), ("coefficient", np.inf)):
        arrays = {key: array.copy() for key, array in shard.arrays.items()}
        arrays[name].flat[0] = value
        shards.write(tmp_path / "machine.h5", "machine", arrays, shard.attributes)
        with pytest.raises(FkdError, match="make no machine of pairs"):
            read_machine(tmp_path / "machine.h5")
    arrays = shard.arrays | {"deviation": np.ones(5)}
    shards.write(tmp_path / "machine.h5", "machine", arrays, shard.attributes)
    with pytest.raises(FkdError, match="make no machine of pairs"):
        read_machine(tmp_path / "machine.h5")
    broken = shard.attributes | {"intercept": None}
    shards.write(tmp_path / "machine.h5", "machine", shard.arrays, broken)
    with pytest.raises(FkdError, match="no machine of pairs"):
        read_machine(tmp_path / "machine.h5")


def test_seeds_are_averaged_and_drawn_anew(judged, tmp_path):
    """Evidence of one model under two seeds: means of both."""
    scores = shards.read(judged / "wd.h5")
    other = tmp_path / "wd.2.h5"
    arrays = scores.arrays | {"score": scores["score"] * 0.5 - 0.1}
    shards.write(other, "scores", arrays, scores.attributes | {"model": "mine"})
    found = {}
    for name, files in {
        "first": [judged / "wd.h5"],
        "second": [other],
        "both": [judged / "wd.h5", other],
    }.items():
        out = tmp_path / f"{name}.csv"
        judge_verifier(
            scores=files, verifier=[judged / "set-wd.h5"] * len(files), out=out, resamples=20
        )
        found[name] = pd.read_csv(out).set_index(["aim", "rate"])["value"]
    mean = (found["first"] + found["second"]) / 2
    np.testing.assert_allclose(found["both"], mean)
    assert not np.allclose(found["first"], found["second"])


def test_one_random_forgery_by_each_other_writer_is_kept(judged):
    for verifier in VERIFIERS:
        shard = shards.read(judged / f"{verifier}.h5")
        count = 7 if verifier == "wd" else None  # pairs are tried with fewer, drawn writers
        for split in (0, 1):
            for writer in range(8):
                rows = (shard["random_split"] == split) & (shard["random_writer"] == writer)
                assert rows.sum() == count if count else 1 <= rows.sum() <= 4


def test_files_that_do_not_belong_together_are_refused(judged, tmp_path):
    with pytest.raises(FkdError, match="of the verifier cosine, not wd"):
        judge_verifier(
            scores=[judged / "wd.h5"], verifier=[judged / "set-cosine.h5"], out=tmp_path / "a.csv"
        )
    other = write_features(tmp_path / "other.h5", 5, 8, model="other")
    with pytest.raises(FkdError, match="features of several models, mine, other"):
        set_verifier(
            development=[judged / "dev2.h5", other],
            out=tmp_path / "v.h5",
            verifier="wd",
            protocol=WD,
        )
    out = {"metrics": tmp_path / "m.csv", "scores": tmp_path / "s.h5"}
    options = dict(verifier="wi", protocol=PAIRS, **out)
    with pytest.raises(FkdError, match=r"machine: missing\. Train it first"):
        evaluate_wi(features=judged / "judged.h5", **options)
    theirs = write_features(tmp_path / "theirs.h5", 6, 8, model="theirs")
    with pytest.raises(FkdError, match="compares features of mine, not of theirs"):
        evaluate_wi(features=theirs, machine=judged / "machine.h5", **options)
    with pytest.raises(FkdError, match="1 files of scores and 2 verifiers"):
        judge_verifier(
            scores=[judged / "wd.h5"], verifier=[judged / "set-wd.h5"] * 2, out=tmp_path / "a.csv"
        )


def test_the_tables_say_which_thresholds_are_which(judged, tmp_path):
    write_verifiers(
        evidence=[judged / f"evidence-{verifier}.csv" for verifier in VERIFIERS],
        csv=tmp_path / "verifiers.csv",
        markdown=tmp_path / "verifiers.md",
        title="Mine",
        students={},
        development=["dev2", "dev3"],
        learned=["dev3"],
    )
    text = (tmp_path / "verifiers.md").read_text(encoding="utf-8")
    assert "EER a posteriori" in text and "HTER beforehand" in text
    rows = [line.split("|")[2:4] for line in text.splitlines() if line.startswith("| mine")]
    assert [[cell.strip() for cell in row] for row in rows[3:6]] == [
        ["wd", "EER"],
        ["wd", "FAR 1 %"],
        ["wd", "FAR 0.1 %"],
    ]
    assert "set beforehand, on development writers of dev2, dev3" in text
    assert "The teacher has learned from writers of dev3" in text
    assert "needs 1000 forgeries to be seen" in text
    assert "do not hold the noise of training" in text
    assert len(pd.read_csv(tmp_path / "verifiers.csv")) == 3 * (1 + 3 * 5 + 2)
    write_across(
        metrics=[judged / f"{verifier}.csv" for verifier in VERIFIERS],
        csv=tmp_path / "across.csv",
        markdown=tmp_path / "across.md",
        title="Mine",
        students={},
    )
    rows = pd.read_csv(tmp_path / "across.csv")
    assert rows["verifier"].tolist() == ["wd", "wi", "cosine"]
    means = [pd.read_csv(judged / f"{v}.csv")["EER"].mean() * 100 for v in VERIFIERS]
    np.testing.assert_allclose(rows["EER"], means)
    assert "wi: writer-independent" in (tmp_path / "across.md").read_text(encoding="utf-8")


def test_the_figure_of_evidence_shows_three_panels(judged, tmp_path):
    for run in ("a", "b"):
        figure_evidence(
            scores=judged / "wi.h5",
            verifier=judged / "set-wi.h5",
            students={},
            svg=tmp_path / f"{run}.svg",
            png=tmp_path / f"{run}.png",
            resamples=20,
        )
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
    for axis in ("log10 likelihood ratio", "stated probability of genuine", "FAR of skilled"):
        assert axis in text
    assert "mine, wi, judged, NREF 3" in text
    with pytest.raises(FkdError, match="of the verifier cosine, not wi"):
        figure_evidence(
            scores=judged / "wi.h5",
            verifier=judged / "set-cosine.h5",
            students={},
            svg=tmp_path / "c.svg",
            png=tmp_path / "c.png",
        )


def settings(**evaluation):
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config["evaluation"] |= evaluation
    return complete(config, ROOT / "workflow/schemas/config.schema.yaml")


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ({"verifiers": ["wi"]}, r"evaluation\.verifiers: wd is missing"),
        ({"verifiers": ["wd", "wi"]}, r"evaluation\.development: empty; the verifier wi learns"),
        ({"development": ["theirs"]}, r"evaluation\.development: theirs is none of `signatures`"),
        ({"development": ["synthetic"]}, "thresholds are never set on judged writers"),
        ({"development": ["development"] * 2}, "development is named twice"),
        ({"verifiers": ["wd", "svm"]}, r"evaluation\.verifiers\.1: expected one of wd, wi, cosine"),
    ],
)
def test_verifiers_that_cannot_be_are_refused(evaluation, message):
    with pytest.raises(FkdError, match=message):
        settings(**evaluation)


def test_sets_of_development_are_used_and_protocols_may_be_uneven():
    uneven = {"references": [3], "test_genuine": "rest", "test_skilled": "all", "writers": "enough"}
    study = settings(development=["development"], sets={"synthetic": [uneven]})
    assert study.used == ["development", "synthetic"]
    assert study.protocol("synthetic", 3).writers == "enough"
    with pytest.raises(FkdError, match=r"test_genuine"):
        settings(sets={"synthetic": [uneven | {"test_genuine": "all"}]})


def test_scores_that_tell_nothing_give_ratios_of_one(tmp_path, caplog):
    """A model that learned nothing does not stop the study, but is no evidence either."""
    features = write_features(tmp_path / "dev.h5", 4, 10)
    shard = shards.read(features)
    shard.arrays["forgery"] = ~shard["forgery"].astype(bool)
    shards.write(features, "features", shard.arrays, shard.attributes)
    set_verifier(
        development=[features],
        out=tmp_path / "v.h5",
        verifier="euclidean",
        protocol=replace(PAIRS, comparison="euclidean", references=2),
    )
    assert read_verifier(tmp_path / "v.h5").calibration([-99.0, 0.0, 99.0]).tolist() == [0, 0, 0]
    assert "All likelihood ratios are therefore 1" in caplog.text
