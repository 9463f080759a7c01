"""What a run says on a terminal and elsewhere: how long it takes, its stages, what it led to."""

import errno
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fkd.report.outcome import outcome
from fkd.report.run_times import expected_time, in_words, known_run
from fkd.synthesis import draw_signatures

ROOT = Path(__file__).resolve().parents[1]


def measure(folder, times):
    """Files of times as jobs leave them, by their places."""
    for place, (seconds, cpu) in times.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\tcpu_time\tmax_rss\n{seconds}\t{cpu}\t10\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (7500, "2 h 5 min")],
)
def test_times_are_written_as_people_do(seconds, words):
    assert in_words(seconds) == words


def test_a_first_run_is_of_unknown_length(tmp_path):
    told = expected_time(["train"], tmp_path, 2)
    assert told == "1 job on 2 cores. How long it takes is known after a first run in this folder."


def test_a_first_run_tells_what_it_took_elsewhere(tmp_path):
    runs = tmp_path / "known_runs.csv"
    runs.write_text(
        "title,size,seconds,cores,processor\nA study,small,390,2,a processor\n", encoding="utf-8"
    )
    elsewhere = known_run(runs, "A study", "small")
    assert elsewhere == "6 min 30 s on 2 cores, a processor"
    assert known_run(runs, "A study", "full") is None
    told = expected_time(["train"], tmp_path, 1, elsewhere)
    assert told.endswith(f"in this folder; elsewhere, all of this study took {elsewhere}.")
    measure(tmp_path, {"train.tsv": (10, 10)})
    assert "elsewhere" not in expected_time(["train"], tmp_path, 1, elsewhere)


@pytest.mark.parametrize(
    "folder", [".", "workflow/studies/iam-cedar", "workflow/studies/icdar2011"]
)
def test_the_studies_that_come_with_the_project_are_known(folder):
    config = yaml.safe_load((ROOT / folder / "config.yaml").read_text(encoding="utf-8"))
    assert known_run(ROOT / "workflow/known_runs.csv", config["title"], config["size"])


def test_cores_share_the_work_of_jobs(tmp_path):
    measure(tmp_path, {"train/a.tsv": (100, 90), "train/b.tsv": (200, 210), "draw.tsv": (10, 10)})
    # Three jobs of training of 150 s of CPU time and one of 10 s, on two cores: 230 s.
    told = expected_time(["train", "train", "train", "draw"], tmp_path, 2)
    assert told == "4 jobs on 2 cores: about 3 min 50 s, by what such jobs took before."


def test_one_long_job_takes_its_time_on_any_number_of_cores(tmp_path):
    measure(tmp_path, {"train/a.tsv": (100, 90), "draw.tsv": (1, "-")})
    told = expected_time(["train", "draw"], tmp_path, 64)
    assert "about 1 min 40 s" in told


def test_new_stages_are_named_and_not_counted(tmp_path):
    measure(tmp_path, {"draw.tsv": (10, 10)})
    told = expected_time(["draw", "new"], tmp_path, 1)
    assert told.startswith("2 jobs on 1 core: about 10 s")
    assert told.endswith("not counting 1 that has not run here (new).")


def write_rates(results, rates):
    rows = [
        {"set": "a", "references": 3, "model": name, "label": name.upper()}
        | {"EER_userthresholds_mean": mean, "EER_userthresholds_sd": 0.5}
        for name, mean in rates.items()
    ]
    (results / "tables").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(results / "tables/eer.csv", index=False)


def test_the_best_model_is_that_of_the_lowest_rate(tmp_path):
    write_rates(tmp_path, {"first": 7.0, "second": 3.25, "third": 9.0})
    table, best, report = outcome(tmp_path, "a", 3)
    assert table.endswith("tables/eer.md")
    assert best.startswith("Lowest on a, NREF 3: SECOND, EER 3.25 ± 0.50 %")
    assert "--report report.html" in report


def test_no_table_no_outcome(tmp_path):
    assert outcome(tmp_path, "a", 3) == []


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of features that others computed, which trains nothing."""
    folder = tmp_path_factory.mktemp("terminal") / "study"
    draw_signatures(folder=folder / "signatures", writers=3, genuine=8, skilled=4, seed=2)
    images = [path.relative_to(folder / "signatures") for path in folder.rglob("*.png")]
    features = np.random.default_rng(0).normal(size=(len(images), 8)).astype("f4")
    names = np.array([str(path) for path in images])
    np.savez(folder / "theirs.npz", features=features, filenames=names)
    mine = {"layout": "folder", "path": "signatures"}
    mine |= {kind: f"{kind}/{{writer}}-{{sample}}.png" for kind in ("genuine", "skilled")}
    config = {
        "title": "Features of others",
        "signatures": {"mine": mine},
        "models": {"theirs": {"features": "theirs.npz"}},
        "evaluation": {
            "sets": {"mine": [{"references": [3], "test_genuine": 4, "test_skilled": 4}]}
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def command(study, *arguments):
    words = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-d", study]
    words += ["--workflow-profile", ROOT / "profiles/default", "--cores", "2", *arguments]
    return [str(word) for word in words]


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}


def on_a_terminal(words):
    """Run a command whose output goes to a terminal; give status and all that was shown."""
    inside, outside = pty.openpty()
    fcntl.ioctl(outside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = subprocess.Popen(words, env=ENVIRONMENT, cwd=ROOT, stdout=outside, stderr=outside)
    os.close(outside)
    shown = b""
    while True:
        try:
            part = os.read(inside, 4096)
        except OSError as error:  # Linux says so when the other side is closed
            if error.errno != errno.EIO:
                raise
            break
        if not part:
            break
        shown += part
    os.close(inside)
    return process.wait(), shown.decode()


def piped(words):
    done = subprocess.run(words, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.mark.operations
@pytest.mark.workflow
def test_a_terminal_shows_a_line_for_each_stage(study):
    status, shown = on_a_terminal(command(study))
    assert status == 0, shown
    lines = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", shown)]
    assert (
        "20 jobs on 2 cores. How long they take is known after a first run in this folder." in lines
    )
    stages = re.findall(r"^(\w+) +(\d+) jobs? +(?:\d+ min )?\d+ s *$", "\n".join(lines), re.M)
    assert ("write_hypertext", "4") in stages and ("evaluate_wd", "1") in stages
    assert len(stages) == len(dict(stages)) == 18  # with the target `all`
    assert any(re.match(r"\w+: +\d+%\|.* \d+/21 ", line) for line in lines)
    for said in ("Select jobs", "Finished jobid", "Reason:", "steps ("):
        assert said not in shown
    last = [line for line in lines if line.strip()]
    assert any(line.startswith("Lowest on mine, NREF 3: theirs, EER") for line in last)
    # The log of the run has what Snakemake says of every job.
    (log,) = (study / ".snakemake/log").glob("*.log")
    assert log.read_text(encoding="utf-8").count("Finished jobid") == 21
    assert (study / "results/README.md").read_text(encoding="utf-8").startswith("# The results")


@pytest.mark.operations
@pytest.mark.workflow
@pytest.mark.parametrize(
    ("quiet", "announced", "summed_up"),
    [([], True, True), (["--quiet"], False, True), (["--quiet", "all"], False, False)],
    ids=["as usual", "quiet", "quiet all"],
)
def test_what_is_quiet_stays_quiet(quiet, announced, summed_up, study):
    """In a file or a pipe, Snakemake's own lines stay. The jobs are those of one repeated rule."""
    # All jobs but one are done then, in any order of tests.
    piped(command(study, "--quiet", "all"))
    out, told = piped(command(study, *quiet, "--forcerun", "describe_data"))
    assert ("by what such jobs took before" in told) == announced
    assert ("Finished jobid" in told) == announced
    assert ("Lowest on mine" in out) == summed_up
    if not summed_up:  # what is left was said before the options were read
        assert out == ""
        assert re.fullmatch(r"(Using workflow specific profile .*\n)?", told)
