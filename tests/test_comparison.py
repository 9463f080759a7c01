"""Runs side by side: what differs between them, their rates, and what is tested."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from fkd.__main__ import main
from fkd.report.differences import compare_models
from fkd.report.tables import write_tables
from fkd.storage import shards
from fkd.study.provenance import describe_run, record_run
from fkd.verification import Protocol, evaluate_wd

WRITERS, SIGNATURES = 5, 9


def judge(folder, spread, splits=4, seed=1234, models=("theirs",)):
    """A run with drawn features, in which genuine signatures lie apart from all others."""
    results = folder / "results"
    y = np.repeat(np.arange(WRITERS), SIGNATURES)
    forgery = np.tile(np.arange(SIGNATURES) >= 6, WRITERS)
    writer = np.array([f"w{number}" for number in y], object)
    names = [f"{one}-{row}.png" for row, one in enumerate(writer)]
    images = np.zeros((len(y), 170, 242), np.uint8)
    arrays = {"writer": writer, "forgery": forgery}
    shards.write(
        results / "signatures/mine.h5",
        "signatures",
        {"image": images, "file": np.array(names, object), **arrays},
        {"set": "mine"},
    )
    protocol = Protocol(3, 3, 3, splits=splits, seed=seed)
    metrics, scores = [], []
    for model in models:
        stream = np.random.default_rng(0)
        x = stream.normal(size=(len(y), WRITERS))
        x += spread * np.eye(WRITERS)[y] * ~forgery[:, None]
        features = results / f"features/mine/{model}.h5"
        about = {"model": model, "set": "mine"}
        shards.write(features, "features", {"feature": x.astype("f4"), **arrays}, about)
        metrics.append(results / f"metrics/mine/{model}-3.csv")
        scores.append(results / f"scores/mine/{model}-3.h5")
        judged = {"metrics": metrics[-1], "scores": scores[-1]}
        evaluate_wd(features=features, protocol=protocol, threads=1, **judged)
    differences = results / "differences.csv"
    compare_models(scores=scores, out=differences, students={}, resamples=5)
    write_tables(
        metrics=metrics,
        differences=[differences],
        csv=results / "tables/eer.csv",
        markdown=results / "tables/eer.md",
        title="A study",
        students={},
        synthetic=[],
    )
    settings = {
        "seed": 1,
        "evaluation": {"splits": splits},
        "models": {model: {} for model in models},
    }
    code = {"evaluate_wd": "a" * 16}
    describe_run(results / "run.json", settings, code, {"models.theirs.onnx": "b" * 16})
    record_run(results / "runs.csv", began=0, cores=2, source=folder)
    return results


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs on the same splits, of features that tell forgeries a little and well."""
    folder = tmp_path_factory.mktemp("runs")
    judge(folder / "one", spread=0.5)
    judge(folder / "two", spread=9.0, models=("theirs", "ours"))
    return folder


@pytest.fixture
def copies(runs, tmp_path, monkeypatch):
    shutil.copytree(runs, tmp_path / "runs")
    monkeypatch.chdir(tmp_path / "runs")
    return tmp_path / "runs"


def said(capsys, *words):
    main(["compare", *words])
    return capsys.readouterr().out


def refusal(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        main(["compare", *words])
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error


def rows(text, heading):
    """The rows of the table under a heading, by their first cells."""
    part = text.partition(f"# {heading}\n")[2].partition("\n#")[0]
    cells = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in cells[2:]}


def test_rates_stand_side_by_side_and_are_tested(copies, capsys):
    text = said(capsys, "one", "two/results")
    found = rows(text, "mine, NREF 3")
    tables = [pd.read_csv(copies / run / "results/tables/eer.csv") for run in ("one", "two")]
    (first,), (_, second) = (table["EER_userthresholds_mean"] for table in tables)
    one, two, change = found["theirs"]
    assert one.startswith(f"{first:.2f} ±") and two.startswith(f"{second:.2f} ±")
    pattern = r"(\S+) \((\S+) to (\S+); p (\S+); splits p (\S+)\) \\\*"
    value, low, high, p, over_splits = map(float, re.fullmatch(pattern, change).groups())
    assert value == pytest.approx(second - first, abs=0.006)
    assert low <= value <= high < 0 and p < 0.05
    assert over_splits == pytest.approx(0.125)  # the least that four splits can give
    assert found["ours"][0] == found["ours"][2] == "–" and found["ours"][1] != "–"


def test_what_differs_is_listed_and_nothing_else(copies, capsys):
    path = copies / "two/results/run.json"
    record = json.loads(path.read_text())
    record["code"] |= {"evaluate_wd": "b" * 16, "new_stage": "c" * 16}
    record["versions"]["NumPy"] = "1.0"
    record["settings"]["seed"] = 2
    path.write_text(json.dumps(record))
    text = said(capsys, "one", "two")
    assert rows(text, "Settings") == {"seed": ["1", "2"], "models.ours": ["–", "{}"]}
    expected = {"evaluate_wd": ["a" * 16, "b" * 16], "new_stage": ["–", "c" * 16]}
    assert rows(text, "Code") == expected
    assert list(rows(text, "Versions")) == ["NumPy"]
    assert "## Data\n\nNo difference.\n" in text
    assert {"processor", "commit", "cores"} <= set(rows(text, "Runs compared"))


def test_other_splits_are_not_tested(copies, capsys):
    judge(copies / "three", spread=0.5, seed=99)
    assert (
        "not tested: other splits"
        in rows(said(capsys, "one", "three"), "mine, NREF 3")["theirs"][2]
    )
    (copies / "two/results/scores/mine/theirs-3.h5").unlink()
    assert "not tested: no scores" in rows(said(capsys, "one", "two"), "mine, NREF 3")["theirs"][2]


def test_other_signatures_are_told_and_not_tested(copies, capsys):
    path = copies / "two/results/signatures/mine.h5"
    shard = shards.read(path, "signatures")
    arrays = dict(shard.arrays)
    arrays["file"] = arrays["file"][::-1].copy()
    shards.write(path, "signatures", arrays, dict(shard.attributes))
    text = said(capsys, "one", "two")
    assert list(rows(text, "Data")) == ["signatures of mine"]
    assert "not tested: other splits" in rows(text, "mine, NREF 3")["theirs"][2]


def test_a_run_of_a_version_without_a_record(copies, capsys):
    (copies / "one/results/run.json").unlink()
    (copies / "one/results/runs.csv").unlink()
    text = said(capsys, "one", "two")
    assert "Of one neither settings nor code are known" in text
    assert "## Settings\n\nNot known.\n" in text
    assert rows(text, "mine, NREF 3")["theirs"][2].startswith("-")


def test_three_runs_are_compared_with_the_first(copies, capsys):
    shutil.copytree(copies / "one", copies / "again")
    text = said(capsys, "one", "again", "two", "-o", "compared.md")
    assert text == ""
    text = (copies / "compared.md").read_text()
    assert "| again less one" in text and "| two less one" in text
    assert rows(text, "mine, NREF 3")["theirs"][3].startswith("+0.00 (+0.00 to +0.00; p 1.000")


def test_what_is_no_run_is_refused(copies, capsys):
    assert "compare needs the folders of two different runs" in refusal(capsys, "one")
    assert "two different runs" in refusal(capsys, "one", "one/results")
    assert "error: nowhere: no run of a study" in refusal(capsys, "one", "nowhere")
    (copies / "two/results/run.json").write_text("{")
    assert "two/results/run.json: no record of a run" in refusal(capsys, "one", "two")
    (copies / "two/results/run.json").unlink()
    (copies / "two/results/tables/eer.csv").write_text("a,b\n1,2\n")
    assert "eer.csv: no table of error rates" in refusal(capsys, "one", "two")
    (copies / "two/results/tables/eer.csv").write_text("model,set,references\na,b,3\n")
    assert "eer.csv: no table of a study (it has no label)" in refusal(capsys, "one", "two")
