"""When a study ran, of which code, and how long it took."""

import subprocess
import time

import pandas as pd

from fkd.study.provenance import COLUMNS, record_run


def test_each_run_is_a_row(tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    git = ["git", "-C", checkout, "-c", "user.name=me", "-c", "user.email=me@here"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    out = tmp_path / "results/runs.csv"
    now = time.time()
    record_run(out, began=now - 100, cores=3, source=checkout)
    record_run(out, began=now, cores=1, source=tmp_path)
    runs = pd.read_csv(out, dtype={"commit": str}, keep_default_na=False)
    assert tuple(runs.columns) == COLUMNS
    assert runs["cores"].tolist() == [3, 1]
    assert runs["seconds"][0] - runs["seconds"][1] == 100
    assert head.startswith(runs["commit"][0])
    assert runs["commit"][0]
    assert runs["commit"][1] == ""  # no checkout
