"""Where the time of a run went."""

import pandas as pd

from fkd.report.run_times import sum_up_times


def test_jobs_are_added_up_by_stage(tmp_path):
    jobs = {
        "tables.tsv": (2, 1.5, 50),
        "train/a.tsv": (30, 29, 700),
        "train/b.tsv": (10, 11, "-"),  # too short a job to be measured
        "evaluate/set/a-5.tsv": (8, 16, 90),
    }
    for name, row in jobs.items():
        path = tmp_path / "measured" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s\tcpu_time\tmax_rss\n" + "\t".join(map(str, row)) + "\n")
    files = {"csv": tmp_path / "t.csv", "markdown": tmp_path / "t.md"}
    sum_up_times(measured=tmp_path / "measured", **files)
    table = pd.read_csv(files["csv"], index_col="stage")
    assert table.index.tolist() == ["train", "evaluate", "tables"]
    assert table.loc["train"].tolist() == [2, 40, 80, 40, 700]
    assert table["share (%)"].sum() == 100
    assert "| train    |      2 |       40.0 |" in files["markdown"].read_text()
