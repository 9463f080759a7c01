"""Siamese networks on pairs: rates, the surest pairs, tables and settings."""

import re
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure

from fkd import models
from fkd.errors import FkdError
from fkd.figures.pairs import figure_pairs, surest
from fkd.figures.siamese import figure_siamese
from fkd.models.siamese import Comparer, SiameseNetwork, save_siamese
from fkd.pairs.evaluation import RATES, evaluate_pairs
from fkd.pairs.rates import Decisions
from fkd.pairs.stored import read_pairs
from fkd.report.differences import COLUMNS
from fkd.report.fine_tuning import write_fine_tuning
from fkd.report.pairs import networks_by_splits, write_pairs
from fkd.storage import shards
from fkd.study.config import complete
from fkd.study.parts import Networks
from fkd.study.siamese import Siamese, Start
from fkd.verification.metrics import equal_error_threshold

SPEC = Siamese("mine", "contrastive", "signet")
SCHEMA = "workflow/schemas/config.schema.yaml"


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A list of pairs of which four writers are for the test, and an untrained network."""
    folder = tmp_path_factory.mktemp("judged")
    rng = np.random.default_rng(2)
    writers, each = 8, 5  # of each writer, three genuine signatures and two forgeries
    rows = np.arange(writers * each)
    images = np.zeros((len(rows), 170, 242), np.uint8)
    for row in rows:
        left = 30 + 20 * (row // each) + 9 * (row % each >= 3)
        images[row, 40:110, left : left + 9] = rng.integers(100, 255)
    first, second = np.array(
        [
            (each * w + a, each * w + b)
            for w in range(writers)
            for a in range(3)
            for b in range(a + 1, each)
        ]
    ).T
    shards.write(
        folder / "pairs.h5",
        "pairs",
        {
            "file": np.array([f"{row}.png" for row in rows], object),
            "writer": np.array([f"w{row // each}" for row in rows], object),
            "forgery": rows % each >= 3,
            "copy_of": rows.astype(np.int32),
            "offset": rows * 170 * 242,
            "height": np.full(len(rows), 170),
            "width": np.full(len(rows), 242),
            "pixels": images.ravel(),
            "first": first,
            "second": second,
            "forged": second % each >= 3,
            "part": np.array([0, 0, 1, 1, 2, 2, 2, 2])[first // each],
        },
        {"pairs": "mine", "images": "prepared", "parts": {"split": "writers"}},
    )
    embedding = models.build("signet", None, Networks(width=0.05, features=8), seed=3)
    listed = read_pairs(folder / "pairs.h5")
    about = {"siamese": asdict(SPEC), "pairs": listed.about | {"content": listed.digest}}
    network = SiameseNetwork(embedding, Comparer("euclidean", 8)).eval()
    save_siamese(network, folder / "weights.safetensors", about)
    evaluate_pairs(
        pairs=folder / "pairs.h5",
        weights=folder / "weights.safetensors",
        out=folder / "rates.csv",
        scores=folder / "scores.h5",
        name="net",
        resamples=50,
        threads=1,
    )
    return folder


def test_rates_are_those_of_the_threshold_set_on_validation(judged):
    shard = shards.read(judged / "scores.h5", "pair_scores")
    forged, score, test = shard["forged"].astype(bool), shard["score"], shard["part"] == 2
    threshold = equal_error_threshold(score[~test & ~forged], score[~test & forged])
    assert shard.attributes["threshold"] == threshold
    table = pd.read_csv(judged / "rates.csv").set_index("measure")
    right = (score >= threshold) != forged
    assert table.loc["accuracy", "value"] == pytest.approx(right[test].mean())
    counts = table["value"][
        ["genuine accepted", "genuine refused", "forged accepted", "forged refused"]
    ]
    assert counts.sum() == test.sum()
    refused = (score < threshold) & test
    precision = (refused & forged).sum() / max(1, refused.sum())
    recall = (refused & forged).sum() / (test & forged).sum()
    assert table.loc["precision", "value"] == pytest.approx(precision)
    assert table.loc["recall", "value"] == pytest.approx(recall)
    shares = [f"share of {kind}" for kind in ("forged accepted", "forged refused")]
    assert table.loc[shares, "value"].sum() == pytest.approx(1)
    for rate in RATES:
        value, low, high = table.loc[rate, ["value", "low", "high"]].astype(float)
        assert 0 <= low <= high <= 1 and low - 1e-9 <= value + 0.5
    network_scores = score[test]
    listed = read_pairs(judged / "pairs.h5")
    assert (shard["row"][test] == listed.rows("test")).all() and len(network_scores) == 36


def test_a_network_of_other_pairs_is_refused(judged, tmp_path):
    stored = shards.read(judged / "pairs.h5", "pairs")
    arrays = stored.arrays | {"forged": ~stored["forged"].astype(bool)}
    shards.write(tmp_path / "pairs.h5", "pairs", arrays, dict(stored.attributes))
    given = {"weights": judged / "weights.safetensors", "scores": tmp_path / "s.h5", "name": "net"}
    with pytest.raises(FkdError, match="trained on other pairs"):
        evaluate_pairs(pairs=tmp_path / "pairs.h5", out=tmp_path / "r.csv", **given)
    outputs = {"svg": tmp_path / "a.svg", "png": tmp_path / "a.png"}
    with pytest.raises(FkdError, match="scores of other pairs"):
        figure_pairs(pairs=tmp_path / "pairs.h5", scores=judged / "scores.h5", **outputs)


def test_decisions_by_class():
    found = Decisions(genuine_accepted=6, genuine_refused=2, forged_accepted=1, forged_refused=3)
    assert (found.accuracy, found.precision, found.recall) == (0.75, 0.6, 0.75)
    assert found.f1 == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    other = found.other_class
    assert (other.precision, other.recall) == (6 / 7, 6 / 8)
    assert Decisions(0, 0, 0, 0).f1 == 0


def test_the_surest_pairs_are_farthest_from_the_threshold(judged, tmp_path):
    shard = shards.read(judged / "scores.h5", "pair_scores")
    margin = shard["score"] - shard.attributes["threshold"]
    groups = surest(margin, shard, 3)
    test = shard["part"] == 2
    for (_, forged, accepted), group in zip(
        [("", False, True), ("", True, False), ("", False, False), ("", True, True)],
        groups,
        strict=True,
    ):
        inside = test & (shard["forged"].astype(bool) == forged) & ((margin >= 0) == accepted)
        expected = sorted(np.abs(margin[inside]), reverse=True)[:3]
        assert [abs(value) for _, value in group] == pytest.approx(expected)
    outputs = {"svg": tmp_path / "a.svg", "png": tmp_path / "a.png"}
    figure_pairs(pairs=judged / "pairs.h5", scores=judged / "scores.h5", **outputs)
    before = outputs["svg"].read_bytes()
    figure_pairs(pairs=judged / "pairs.h5", scores=judged / "scores.h5", **outputs)
    assert outputs["svg"].read_bytes() == before and outputs["png"].stat().st_size > 1000


def test_curves_have_a_line_for_each_network_and_subset(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("fkd.figures.siamese.save", lambda drawing, *_: drawn.append(drawing))
    paths = []
    for name in ("one", "other"):
        paths.append(tmp_path / name / "losses.csv")
        paths[-1].parent.mkdir()
        rows = [
            {"epoch": e, "subset": s, "total": 1 / e, "accuracy": 0.5 + e / 10, "f1": 0.4}
            for e in (1, 2, 3)
            for s in ("training", "validation")
        ]
        pd.DataFrame(rows).to_csv(paths[-1], index=False)
    figure_siamese(losses=paths, svg=tmp_path / "a.svg", png=tmp_path / "a.png")
    (drawing,) = drawn
    assert isinstance(drawing, Figure)
    assert [len(axis.lines) for axis in drawing.axes] == [2] * 6
    np.testing.assert_allclose(drawing.axes[2].lines[0].get_ydata(), [60, 70, 80])


def measures(*rows):
    columns = ("model", "pairs", "split", "measure", "value", "low", "high")
    return pd.DataFrame(rows, columns=columns)


def test_networks_that_differ_in_their_split_share_a_row():
    siamese = {
        "a": Siamese("raw", "triplet", "dey_signet"),
        "b": Siamese("raw_disjoint", "triplet", "dey_signet"),
        "c": Siamese("disjoint", "triplet", "resnet18", initialize=Start(student="s")),
        "d": Siamese("prepared", "triplet", "dey_signet"),
    }
    splits = {"a": "published", "b": "writers", "c": "writers", "d": "published"}
    rows = [
        (name, spec.pairs, splits[name], rate, 0.9, 0.8, 0.95)
        for name, spec in siamese.items()
        for rate in ("accuracy", "F1", "EER")
    ]
    table = networks_by_splits(measures(*rows), siamese)
    assert table["network"].tolist() == ["Dey's SigNet", "ResNet-18", "Dey's SigNet"]
    assert table["pairs"].tolist() == ["raw, raw_disjoint", "disjoint", "prepared"]
    shown = "90.00 [80.00, 95.00]"
    assert table["published: accuracy"].tolist() == [shown, "–", shown]
    assert table["writers: EER"].tolist() == [shown, shown, "–"]
    assert table["starts from"].tolist() == ["random weights", "s", "random weights"]
    assert "accuracy 96" in table["published"][0] and table["published"][1] == "–"


def test_the_audit_stands_under_the_rates(judged, tmp_path):
    columns = "pairs_list,split,part,against,common_pairs,pairs,common_images,images"
    columns += ",common_writers,writers\n"
    audit = tmp_path / "audit.csv"
    common = "mine,published,test,training and validation,9,10,5,6,2,3\n"
    none = "few,writers,test,training and validation,0,0,0,0,0,0\n"
    audit.write_text(columns + common + none)
    write_pairs(
        rates=[judged / "rates.csv"],
        audits=[audit],
        siamese={"net": SPEC},
        csv=tmp_path / "pairs.csv",
        markdown=tmp_path / "pairs.md",
        audit_csv=tmp_path / "pairs_audit.csv",
        audit_markdown=tmp_path / "pairs_audit.md",
        title="A study",
    )
    said = "of the test, 9 of 10 pairs, 5 of 6 images and 2 of 3 writers are also in training"
    assert said in (tmp_path / "pairs.md").read_text()
    assert "few" not in (tmp_path / "pairs.md").read_text()  # it has no test
    assert said in (tmp_path / "pairs_audit.md").read_text()
    table = pd.read_csv(tmp_path / "pairs.csv")
    assert set(table["architecture"]) == {"signet"} and set(table["start"]) == {"random weights"}


def test_fine_tuning_stands_beside_what_it_started_from(tmp_path):
    rows = []
    for name, versus, value in (
        ("resnet18_cl", "", 0.10),
        ("few", "", 0.08),
        ("few", "resnet18_cl", -0.02),
        ("all", "", 0.07),
        ("all", "resnet18_cl", -0.03),
    ):
        for set_name in ("cedar", "icdar2011"):
            for rate in ("EER_userthresholds", "EER"):
                ends = (value, value - 0.01, value + 0.01, 0.04 if versus else None)
                rows.append((set_name, 3, name, 1, rate, versus, *ends))
    pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / "cedar-3.csv", index=False)
    start = Start(student="resnet18_cl")
    spec = Siamese("five", "triplet", "resnet18", initialize=start)
    write_fine_tuning(
        differences=[tmp_path / "cedar-3.csv"],
        siamese={"all": replace(spec, pairs="whole", loss="nt_xent"), "few": spec},
        starts={"all": "resnet18_cl", "few": "resnet18_cl"},
        writers={"five": 5, "whole": None},
        csv=tmp_path / "fine_tuning.csv",
        markdown=tmp_path / "fine_tuning.md",
        title="A study",
    )
    table = pd.read_csv(tmp_path / "fine_tuning.csv")
    assert table["model"].unique().tolist() == ["few", "all"]  # from few writers to all
    few = table.query("model == 'few' and set == 'cedar' and rate == 'EER'").squeeze()
    expected = {"value": 8, "before": 10, "gain": -2, "gain_low": -3, "gain_high": -1, "p": 0.04}
    assert few[list(expected)].to_dict() == pytest.approx(expected)
    shown = (tmp_path / "fine_tuning.md").read_text()
    cells = r"\| 5 +\| triplet +\| 8.00; -2.00 \(-3.00 to -1.00\) +\| 8.00; -2.00"
    assert re.search(cells, shown) and re.search(
        r"as it was +\| – +\| 10.00 \(9.00 to 11.00\)", shown
    )


FILES = {"path": "p", "files": {"training": "a.csv"}, "forged": 1}
FILES |= {"genuine": "{writer}/g{sample}.png", "skilled": "{writer}/f{sample}.png"}
NET = {"pairs": "mine", "architecture": "signet", "loss": "triplet"}


@pytest.mark.parametrize(
    ("pairs", "siamese", "said"),
    [
        ({}, NET, "pairs.mine: give either files, to read pairs, or signatures"),
        ({**FILES, "signatures": "synthetic"}, NET, "pairs.mine: give either files"),
        ({"files": {"training": "a"}}, NET, "pairs.mine.forged: missing; pair files need it"),
        ({**FILES, "split": "published"}, NET, "pairs.mine.files.test: missing"),
        ({**FILES, "forged": 2}, NET, "pairs.mine.forged: expected one of 0, 1, found 2"),
        ({"signatures": "none"}, NET, "pairs.mine.signatures: none is none of `signatures`"),
        ({**FILES, "prepared_as": "none"}, NET, "pairs.mine.prepared_as: none is none of `sig"),
        ({"signatures": "synthetic", "prepared_as": "synthetic"}, NET, "pairs.mine.prepared_as: a"),
        ({"signatures": "synthetic", "images": "raw"}, NET, "pairs.mine.images: a set"),
        ({"signatures": "synthetic", "split": "published"}, NET, "no published split"),
        (
            {"signatures": "synthetic", "draw": {"genuine": 0.9}},
            NET,
            "pairs.mine.draw: the shares genuine, skilled and random add up to 1.4, not 1",
        ),
        (FILES, NET | {"pairs": "other"}, "siamese.net.pairs: other is none of `pairs`"),
        (FILES, NET | {"loss": "hinge"}, "siamese.net.loss: expected one of"),
        (FILES, NET | {"architecture": "vgg"}, "siamese.net.architecture: expected one of"),
        (FILES, NET | {"parameters": {"alpha": 1}}, "siamese.net.parameters.alpha: triplet has no"),
        (
            FILES,
            NET | {"initialize": {"student": "nobody"}},
            "siamese.net.initialize.student: nobody is none of `students`",
        ),
        (FILES, NET | {"training": {"patience": 3}}, "siamese.net.training.patience: needs keep"),
    ],
)
def test_impossible_settings_are_refused(pairs, siamese, said):
    config = yaml.safe_load(open("config.yaml", encoding="utf-8"))
    config |= {"pairs": {"mine": pairs}, "siamese": {"net": siamese}}
    with pytest.raises(FkdError) as refused:
        complete(config, SCHEMA)
    assert said in str(refused.value)


def test_a_network_has_the_architecture_of_what_it_starts_from():
    config = yaml.safe_load(open("config.yaml", encoding="utf-8"))
    start = {"pairs": "mine", "loss": "triplet"}
    config |= {
        "pairs": {"mine": {"signatures": "synthetic"}},
        "siamese": {
            "of_student": start | {"initialize": {"student": "resnet18_cl"}},
            "of_teacher": start | {"initialize": {"teacher": True}},
        },
    }
    study = complete(config, SCHEMA)
    assert study.siamese["of_student"].architecture == "resnet18"
    assert study.siamese["of_teacher"].architecture == "signet"
    assert study.judged_on_pairs == ["of_student", "of_teacher"] and study.pairs == ["mine"]
    parts = study.parts_of_models(["of_teacher"], losses=True)
    assert [part.place for part in parts] == [
        "fkd.models.signet.SigNet",
        "fkd.pair_losses.triplet",
    ]
