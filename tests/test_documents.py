"""Documents whose parts a rule fills, and the table of what studies take."""

import re

import pandas as pd
import pytest

from fkd.errors import FkdError
from fkd.report.documents import drifted, fill_documents, parts_of
from fkd.report.run_times import sum_up_times
from fkd.report.runs import describe_runs

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
    sources[0].write_text("# EER\n\n| model | EER |\n|:--|--:|\n| SigNet | 7.05 |\n")
    sources[1].write_bytes(b"a picture")
    readme = tmp_path / "README.md"
    readme.write_text(README)

    def fill():
        parts = [path.relative_to(tmp_path) for path in sources]
        fill_documents(documents=[readme], parts=parts, figures=tmp_path / "docs/figures")
        return readme

    return fill


def test_parts_are_filled_and_the_rest_stays(filled, tmp_path):
    text = filled().read_text()
    assert "### EER\n\n| model | EER |" in text
    assert "![A tree over a signature](docs/figures/tree.png)" in text
    assert (tmp_path / "docs/figures/tree.png").read_bytes() == b"a picture"
    # What is left without the parts is what a hand wrote.
    assert re.sub(r"<!-- begin.*?end -->", "", text, flags=re.S) == re.sub(
        r"<!-- begin.*?end -->", "", README, flags=re.S
    )
    assert drifted(filled()) == []
    assert filled().read_text() == text


@pytest.mark.parametrize("was", ["7.05", "SigNet", "A tree over"])
def test_a_change_by_hand_shows(filled, was):
    readme = filled()
    readme.write_text(readme.read_text().replace(was, "7.04"))
    assert len(drifted(readme)) == 1


def test_another_figure_shows(filled, tmp_path):
    readme = filled()
    (tmp_path / "docs/figures/tree.png").write_bytes(b"another picture")
    assert drifted(readme) == ["results/figures/tree.png"]


def test_a_part_that_was_never_filled_shows(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README)
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
    (tmp_path / "README.md").write_text(README.replace(was, becomes))
    with pytest.raises(FkdError, match=message):
        filled()


def test_the_longest_run_is_described(tmp_path):
    results = tmp_path / "results"
    with pytest.raises(FkdError, match=r"runs\.csv: not there\. Run `snakemake` first"):
        describe_runs(commands=["snakemake"], results=[results], out=tmp_path / "runs.md")
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
    describe_runs(commands=["snakemake"], results=[results], out=tmp_path / "runs.md")
    row = (tmp_path / "runs.md").read_text().splitlines()[2]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "`snakemake`",
        "1 h 5 min",
        "4 min 40 s",
        "2.4",
        "2 cores, a processor",
        "2026-01-02",
        "70e5775",
    ]
