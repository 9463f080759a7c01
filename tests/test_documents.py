"""Documents whose parts a rule fills, the table of what studies take, and the rules themselves."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from measured.describe_runs import describe_runs
from measured.fill_documents import drifted, fill_documents, parts_of

from fkd.errors import FkdError
from fkd.report.run_times import known_run, sum_up_times

ROOT = Path(__file__).resolve().parents[1]
IAM_CEDAR = "workflow/studies/iam-cedar"
ICDAR2011 = "workflow/studies/icdar2011"

README = """# Title

Words of a hand.

<!-- begin: results/tables/eer.md -->
<!-- end -->

<!-- begin: results/figures/tree.png -->

![A tree over a signature](docs/figures/tree.png)

<!-- end -->

More words.
"""


@pytest.fixture
def filled(tmp_path, monkeypatch):
    """A document, its sources, and a function that fills it."""
    monkeypatch.chdir(tmp_path)
    sources = [tmp_path / "results/tables/eer.md", tmp_path / "results/figures/tree.png"]
    for path in sources:
        path.parent.mkdir(parents=True)
    table = "# EER\n\n| model | EER |\n|:--|--:|\n| SigNet | 7.05 |\n"
    sources[0].write_text(table, encoding="utf-8")
    sources[1].write_bytes(b"a picture")
    readme = tmp_path / "README.md"
    readme.write_text(README, encoding="utf-8")

    def fill():
        parts = [path.relative_to(tmp_path) for path in sources]
        fill_documents(documents=[readme], parts=parts, figures=tmp_path / "docs/figures")
        return readme

    return fill


def test_parts_are_filled_and_the_rest_stays(filled, tmp_path):
    text = filled().read_text(encoding="utf-8")
    assert "### EER\n\n| model | EER |" in text
    assert "![A tree over a signature](docs/figures/tree.png)" in text
    assert (tmp_path / "docs/figures/tree.png").read_bytes() == b"a picture"
    # What is left without the parts is what a hand wrote.
    assert re.sub(r"<!-- begin.*?end -->", "", text, flags=re.S) == re.sub(
        r"<!-- begin.*?end -->", "", README, flags=re.S
    )
    assert drifted(filled()) == []
    assert filled().read_text(encoding="utf-8") == text


@pytest.mark.parametrize("was", ["7.05", "SigNet", "A tree over"])
def test_a_change_by_hand_shows(filled, was):
    readme = filled()
    readme.write_text(readme.read_text(encoding="utf-8").replace(was, "7.04"), encoding="utf-8")
    assert len(drifted(readme)) == 1


def test_another_figure_shows(filled, tmp_path):
    readme = filled()
    (tmp_path / "docs/figures/tree.png").write_bytes(b"another picture")
    assert drifted(readme) == ["results/figures/tree.png"]


def test_a_part_that_was_never_filled_shows(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README, encoding="utf-8")
    assert drifted(readme) == ["results/tables/eer.md", "results/figures/tree.png"]
    assert [part.digest for part in parts_of(readme)] == [None, None]


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("results/tables/eer.md", "results/tables/other.md", "a marker names results/tables/other"),
        ("begin: results/tables/eer.md", "began", "no marker names results/tables/eer.md"),
    ],
)
def test_markers_and_sources_agree(filled, tmp_path, was, becomes, message):
    (tmp_path / "README.md").write_text(README.replace(was, becomes), encoding="utf-8")
    with pytest.raises(FkdError, match=message):
        filled()


def test_the_longest_run_is_described(tmp_path):
    results = tmp_path / "results"
    outputs = {"out": tmp_path / "runs.md", "known": tmp_path / "known_runs.csv"}
    with pytest.raises(FkdError, match=r"runs\.csv: not there\. Run `snakemake` first"):
        describe_runs(commands=["snakemake"], results=[results], **outputs)
    (results / "tables").mkdir(parents=True)
    rows = {
        "began": ["2026-01-02 03:04", "2026-01-03 03:04"],
        "seconds": [3905, 12],
        "cores": 2,
        "processor": "a processor",
        "version": "0.1.0",
        "commit": ["70e5775", "def"],
    }
    pd.DataFrame(rows).to_csv(results / "runs.csv", index=False)
    for stage, cpu_time, max_rss in (("a", 200.0, 900), ("b", 80.4, 2440)):
        job = {"s": [300.0], "cpu_time": [cpu_time], "max_rss": [max_rss]}
        (results / "benchmarks").mkdir(exist_ok=True)
        pd.DataFrame(job).to_csv(results / f"benchmarks/{stage}.tsv", sep="\t", index=False)
    sum_up_times(
        measured=results / "benchmarks",
        csv=results / "tables/run_times.csv",
        markdown=results / "tables/run_times.md",
    )
    settings = {"title": "A study", "size": "small", "seed": 1}
    (results / "run.json").write_text(json.dumps({"settings": settings}), encoding="utf-8")
    describe_runs(commands=["snakemake"], results=[results], **outputs)
    assert known_run(outputs["known"], "A study", "small") == "1 h 5 min on 2 cores, a processor"
    row = (tmp_path / "runs.md").read_text(encoding="utf-8").splitlines()[2]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "`snakemake`",
        "1 h 5 min",
        "4 min 40 s",
        "2.4",
        "2 cores, a processor",
        "2026-01-02",
        "70e5775",
    ]


@pytest.fixture
def checkout(tmp_path):
    """What the rules need of a checkout."""
    for folder in ("docs", "envs", "fkd", "profiles"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def snakemake(folder):
    """Run the command of CONTRIBUTING.md in a checkout; give status and all that it said."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "-s", "docs/Snakefile"],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(folder)},
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.workflow
def test_results_that_are_missing_stand_with_the_command_that_makes_them(checkout):
    readme = (checkout / "README.md").read_bytes()
    (checkout / "results/figures").mkdir(parents=True)
    (checkout / "results/figures/tree.png").touch()
    status, output = snakemake(checkout)
    assert status != 0
    for command, path in (
        ("snakemake --cores 2", "results/figures/pipeline.png"),
        ("snakemake --cores 2 benchmarks", "results/benchmarks/benchmarks.md"),
        (f"snakemake --cores 2 -d {IAM_CEDAR}", f"{IAM_CEDAR}/results/tables/table4.md"),
    ):
        assert re.search(rf"{path}.*: not there\. Run `{command}` first\.", output)
    assert "tree.png" not in output
    assert (checkout / "README.md").read_bytes() == readme


@pytest.mark.workflow
def test_the_command_fills_the_readme(checkout):
    shown = [part.path for part in parts_of(checkout / "README.md")]
    made_here = ("results/docs/networks.md", "results/docs/runs.md")
    for path in map(Path, set(shown) - set(made_here)):
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(f"# What {path.name} says", encoding="utf-8")
    for study in (".", IAM_CEDAR, ICDAR2011):
        results = Path(study, "results")
        (checkout / results / "tables").mkdir(exist_ok=True)
        run = "began,seconds,cores,processor,version,commit\n2026-01-02 03:04,12,2,one,0.1.0,abc\n"
        (checkout / results / "runs.csv").write_text(run, encoding="utf-8")
        times = "stage,CPU time (s),largest memory (MB)\ntables,1.0,900\n"
        (checkout / results / "tables/run_times.csv").write_text(times, encoding="utf-8")
        settings = {"title": f"Study {study}", "size": "small"}
        (checkout / results / "run.json").write_text(
            json.dumps({"settings": settings}), encoding="utf-8"
        )
    status, output = snakemake(checkout)
    assert status == 0, output
    text = (checkout / "README.md").read_text(encoding="utf-8")
    assert "### What table4.md says" in text
    assert re.search(rf"`snakemake --cores 2 -d {IAM_CEDAR}` \| 12 s", text)
    took = known_run(checkout / "workflow/known_runs.csv", f"Study {IAM_CEDAR}", "small")
    assert took == "12 s on 2 cores, one"
    assert "# What tree.png" in (checkout / "docs/figures/tree.png").read_text(encoding="utf-8")
    assert drifted(checkout / "README.md") == []
    status, output = snakemake(checkout)
    assert status == 0, output
    assert "Nothing to be done" in output
