"""A run that is killed, and the same command again; and a run elsewhere, with fewer cores."""

import importlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml
from newcomer import copy_study

ROOT = Path(__file__).resolve().parents[1]

STUDENTS = ("signet_cl_geom_bc", "resnet18_cl")
"""The students of the study."""

WEIGHTS = tuple(f"results/students/{name}/weights.safetensors" for name in STUDENTS)
RATES = ("results/tables/eer.md", "results/tables/appearance.md")
"""What the study's training ends in, and its evaluation; the report follows on them."""


def snakemake(
    folder: Path, *targets: str, cores: int = 2, **kill: str
) -> subprocess.CompletedProcess:
    """Run the smallest study in a folder; it may be told to kill itself somewhere."""
    paths = [str(ROOT)] + [str(ROOT / "tests/interrupting")] * bool(kill)
    return subprocess.run(
        [*(sys.executable, "-m", "snakemake", "--cores", str(cores), "-d", str(folder)), *targets],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | kill,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        check=False,
    )


def outcome(folder: Path) -> dict[str, bytes]:
    """Tables, figures, cards and weights of a study, byte by byte; but for the times it took."""
    results = folder / "results"
    patterns = ("tables/*.*", "figures/**/*.svg", "models/*.md", "**/weights.safetensors")
    files = sorted(path for pattern in patterns for path in results.glob(pattern))
    times = {"run_times.csv", "run_times.md"}
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in files
        # What a killed job had begun to write has a name with a dot, and is no result.
        if path.name not in times and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, finished_clone) -> Path:
    """The folder of a study of two students that ran to its end."""
    study = yaml.safe_load((ROOT / "config.yaml").read_text())
    study |= {"size": "smallest", "students": dict.fromkeys(STUDENTS), "siamese": {}, "pairs": {}}
    study["sizes"]["smallest"]["pairs"] = {}
    folder = tmp_path_factory.mktemp("undisturbed")
    copy_study(finished_clone, folder)
    # The clone's study has more students, and a network that learns from pairs.
    for place in folder.glob("results/students/*"):
        if place.name not in STUDENTS:
            shutil.rmtree(place)
    for place in folder.glob("results/models/*.*"):
        if place.stem not in (*STUDENTS, "teacher"):
            place.unlink()
    for name in ("siamese", *MADE[MADE.index("differences") :]):
        shutil.rmtree(folder / "results" / name)
    (folder / "config.yaml").write_text(yaml.safe_dump(study))
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    kinds = {Path(name).suffix for name in outcome(folder)}
    assert kinds == {".csv", ".md", ".tex", ".svg", ".safetensors"}
    return folder


MADE = ["synthetic", "pages", "stripes", "crops", "quarantine", "signatures", "teacher", "students"]
MADE += ["models", "features", "scores", "metrics", "differences", "figures", "tables", "report"]
"""Folders of results, in the order in which they are made."""


def copy_up_to(folder: Path, to: Path, made_anew: str) -> None:
    """Copy a study with its times, but for one folder of results and those after it."""
    shutil.copytree(folder, to)
    for name in MADE[MADE.index(made_anew) :]:
        shutil.rmtree(to / "results" / name)


@dataclass(frozen=True)
class Kill:
    """Where the kill comes, what it ends, from which results on the study is made anew, and up to which;
    and the cores on which it goes on."""

    place: str
    what: str
    made_anew: str
    targets: tuple[str, ...] = ()
    cores: int = 2


CASES = {
    "drawing pages, between two": Kill(
        "fkd.synthesis.handwriting:draw_page:3", "job", "synthetic", cores=1
    ),
    "caching, inside a shard": Kill(
        "fkd.training.targets:rooted_trees:2", "job", "teacher", WEIGHTS
    ),
    "training, inside the second epoch": Kill(
        "fkd.losses:classification:14", "job", "students", WEIGHTS
    ),
    "evaluation, inside the second split": Kill(
        "fkd.verification.svm:fit_shared:2", "job", "scores", RATES
    ),
    "writing, before a file has its name": Kill(
        "fkd.storage.atomic:_give_name:1", "job", "features", RATES
    ),
    "all of Snakemake, while students train": Kill(
        "fkd.losses:classification:14", "run", "students", WEIGHTS
    ),
    "all of Snakemake, between two tables": Kill("fkd.report.tables:_wide:1", "run", "tables"),
}


@pytest.mark.parametrize("place", sorted({kill.place for kill in CASES.values()}))
def test_the_places_of_the_kills_exist(place):
    """A renamed function would end a job by an error, and no process would be killed."""
    module, function, call = place.split(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert int(call) > 0


@pytest.mark.operations
@pytest.mark.workflow
@pytest.mark.parametrize("case", CASES)
def test_the_same_command_ends_with_the_same_results(undisturbed, tmp_path, case, led_to):
    kill = CASES[case]
    folder = tmp_path / "some other place"
    copy_up_to(undisturbed, folder, kill.made_anew)
    note = tmp_path / "killed at"
    killed = snakemake(
        folder, *kill.targets, KILL_AT=kill.place, KILL_WHAT=kill.what, KILL_NOTE=str(note)
    )
    assert killed.returncode == (-9 if kill.what == "run" else 1), killed.stdout
    assert note.exists(), f"nothing was killed at {kill.place}:\n{killed.stdout}"
    assert note.read_text(encoding="utf-8") == kill.place
    again = snakemake(folder, *kill.targets, cores=kill.cores)
    assert again.returncode == 0, again.stdout
    found, expected = outcome(folder), outcome(undisturbed)
    assert found == (expected if not kill.targets else {name: expected[name] for name in found})
    assert {target.removeprefix("results/") for target in kill.targets} <= set(found)
    resumed = [
        path.parent.name
        for path in (folder / "results/logs").rglob("*.log")
        if "resuming after epoch" in path.read_text()
    ]
    same = "weights" if kill.targets == WEIGHTS else "tables and weights"
    led_to("killed by SIGKILL", case, f"the same {same} from the same command")
    if kill.cores == 1:
        outcomes = "the same tables, figures and weights"
        led_to("run otherwise", "one core, another folder", outcomes)
    if "inside the second epoch" in case:
        assert resumed, "no student went on from its checkpoint"


@pytest.mark.operations
@pytest.mark.workflow
def test_training_on_fresh_drawings_survives_two_kills(tmp_path, led_to):
    """As the study of drawings trains for a night: new drawings in each epoch, job after job."""
    study = yaml.safe_load((ROOT / "workflow/studies/drawn/config.yaml").read_text())
    apart = study["sizes"]["apart"]  # from real data
    study["signatures"] |= apart["signatures"]
    study["evaluation"]["sets"] = apart["evaluation"]["sets"]
    study["sizes"]["smallest"]["teacher"]["training"]["epochs"] = 3
    targets = ("results/teacher/weights.safetensors", "results/teacher/losses.csv")
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    for folder in (unbroken, broken):
        folder.mkdir()
        (folder / "config.yaml").write_text(yaml.safe_dump(study | {"size": "smallest"}))
    done = snakemake(unbroken, *targets)
    assert done.returncode == 0, done.stdout
    place = "fkd.losses:classification:7"  # in the second epoch of a run, of five steps each
    for what, status in (("job", 1), ("run", -9)):
        note = tmp_path / what
        killed = snakemake(broken, *targets, KILL_AT=place, KILL_WHAT=what, KILL_NOTE=str(note))
        assert killed.returncode == status and note.exists(), killed.stdout
    done = snakemake(broken, *targets)
    assert done.returncode == 0, done.stdout
    log = (broken / "results/logs/train_teacher/teacher.log").read_text()
    assert "resuming after epoch 2" in log
    made, expected = ((folder / targets[0]).read_bytes() for folder in (broken, unbroken))
    assert made == expected
    losses, plain = (
        pd.read_csv(folder / targets[1]).drop(columns="seconds") for folder in (broken, unbroken)
    )
    pd.testing.assert_frame_equal(losses, plain)
    case = "training on fresh drawings, a job and then all of Snakemake"
    led_to("killed by SIGKILL", case, "the same weights from the same command")


@pytest.mark.operations
@pytest.mark.workflow
def test_a_second_run_in_the_folder_is_refused(undisturbed, tmp_path, led_to):
    """The lock is held by a process of ours; it ends with that process."""
    folder = tmp_path / "study"
    copy_up_to(undisturbed, folder, "tables")
    hold = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(1, flush=True)"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{hold}; sys.stdin.read()", str(folder / "results/.fkd.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    holder.stdout.readline()
    refused = snakemake(folder)
    assert refused.returncode == 1
    assert "Another run is at work" in refused.stdout
    holder.kill()
    holder.wait()
    assert snakemake(folder).returncode == 0
    led_to("run otherwise", "while another run is at work", "refused with a message")
