"""The smallest study on a real Slurm of one node, by the profile that the README names."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
ONE_NODE = ROOT / "tests/slurm/one_node.sh"
CONF = Path("/etc/slurm/slurm.conf")
STUDENTS = ("signet_random", "resnet18_cl", "resnet18_cl_geom_bc")
# No accounts are kept. The executor looks after 5 s, then 15, 25 and so on, until a job has ended.
QUICK = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5")
QUICK += ("--seconds-between-status-checks", "5", "--latency-wait", "5")
AT_HOME = ("check_text", "write_tables", "write_paper_table", "figure_page", "figure_curves")
AT_HOME += ("describe_data", "write_methods", "write_cards", "write_hypertext", "sum_up_times")
GPU_RULES = ("train_teacher", "train_student", "cache_responses", "cache_geometry")

pytestmark = [pytest.mark.slurm, pytest.mark.workflow]


def missing() -> str:
    """What is not there of all that a Slurm of one node takes."""
    found = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name)]
    if not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        found.append("snakemake-executor-plugin-slurm")
    if found:
        return f"not installed: {', '.join(found)}"
    if os.geteuid() != 0:
        return "Slurm's daemons start as root"
    if CONF.exists() and not CONF.is_symlink():
        return f"{CONF} is there: this machine has a cluster of its own"
    return ""


@dataclass(frozen=True)
class Job:
    """A job as Slurm remembers it."""

    number: int
    what: str  # the executor's comment: rule and wildcards, or group and rules
    state: str
    mem_mb: int
    gpus: int  # of the allocation
    log: Path

    @classmethod
    def from_line(cls, line: str) -> "Job":
        def field(pattern: str) -> str:
            found = re.search(pattern, line)
            return found[1] if found else ""

        return cls(
            number=int(field(r"JobId=(\d+)")),
            what=field(r"Comment=rule_(\S+)"),
            state=field(r"JobState=(\S+)"),
            mem_mb=int(field(r"TRES=\S*?mem=(\d+)M")),
            gpus=int(field(r"JOB_GRES=gpu:(\d+)") or 0),
            log=Path(field(r"StdOut=(\S+)")),
        )


def slurm(*command: str) -> str:
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def jobs() -> list[Job]:
    lines = slurm("scontrol", "show", "job", "--detail", "--oneliner").splitlines()
    return sorted(
        (Job.from_line(line) for line in lines if "JobId=" in line), key=lambda j: j.number
    )


def snakemake(folder: Path, profile: str, *arguments: str) -> subprocess.Popen[str]:
    """Start the smallest study in a folder, by a profile, with three students and two cores a job."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["students"], config["siamese"] = dict.fromkeys(STUDENTS), {}
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "-d", folder, "--cores", "2"]
    command += ["--workflow-profile", f"workflow/profiles/{profile}"]
    return subprocess.Popen(
        [*command, "--config", "size=smallest", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Slurm of one node, from start to stop."""
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("slurm")
    try:
        started = subprocess.run([ONE_NODE, "start", folder], text=True, capture_output=True)
        assert started.returncode == 0, started.stdout + started.stderr
        yield
        subprocess.run(["scancel", "--me"], check=True)
    finally:
        subprocess.run([ONE_NODE, "stop", folder], check=True)


@pytest.fixture(scope="module")
def study(cluster, tmp_path_factory):
    """The finished study: its folder, what Snakemake said, and Slurm's jobs.

    All rules of the GPU ask for one, as with `device: cuda`, and the teacher is trained in
    too little memory.
    """
    folder = tmp_path_factory.mktemp("study") / "smallest"
    overrides = [f"{rule}:gpu=1" for rule in GPU_RULES] + ["train_student:mem_mb=4000"]
    run = snakemake(folder, "slurm", "memory=0.25", *QUICK, "--set-resources", *overrides)
    output, _ = run.communicate()
    assert run.returncode == 0, output
    return folder, output, jobs()


def test_the_smallest_study_finishes(study):
    folder, output, ran = study
    assert "Traceback" not in output
    for made in (
        "tables/eer.md",
        "figures/pipeline.svg",
        "models/teacher.md",
        "tables/run_times.md",
    ):
        assert (folder / "results" / made).stat().st_size > 0
    failed = [
        job for job in ran if job.state != "COMPLETED" and not job.what.startswith("train_teacher")
    ]
    assert not failed


def test_small_jobs_are_grouped_and_the_report_stays_at_home(study):
    _, output, ran = study
    names = [job.what for job in ran]
    assert sum(name.startswith("model_evaluate_wd_export_onnx") for name in names) == 1
    assert sum(name.startswith("shard_make_crops_segment_pages") for name in names) == 2
    assert len(re.findall(r"^Finished jobid: \d+ \(Rule: evaluate_wd\)", output, re.M)) == 8
    for rule in AT_HOME:
        assert not any(rule in name for name in names)
        assert f"(Rule: {rule})" in output


def test_jobs_with_a_gpu_get_the_device(study):
    *_, ran = study
    for job in ran:
        assert job.gpus == job.what.startswith(GPU_RULES), job
    assert sum(job.gpus for job in ran if job.what.startswith("train_student")) == 2


def test_a_job_killed_for_its_memory_is_retried_with_more(study):
    *_, ran = study
    attempts = [job for job in ran if job.what.startswith("train_teacher")]
    assert len(attempts) > 1
    assert [job.mem_mb for job in attempts] == [250, 500, 750][: len(attempts)]
    assert attempts[-1].state == "COMPLETED"
    for job in attempts[:-1]:
        assert job.state != "COMPLETED"
        assert re.search("(?i)exceeded (job )?memory limit", job.log.read_text())


def test_other_resources_and_another_profile_redo_nothing(study):
    folder, *_ = study
    output, _ = snakemake(folder, "local", "--dry-run").communicate()
    assert "Nothing to be done" in output


def test_a_cancelled_run_leaves_no_job_behind(cluster, tmp_path):
    before = len(jobs())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a command behind & ignores it
    run = snakemake(tmp_path / "cancelled", "slurm", *QUICK)
    said, submitted = [], 0
    for line in run.stdout:
        said.append(line)
        submitted += "has been submitted with SLURM jobid" in line
        if submitted == 3:  # the pages and two sets of signatures, each drawn
            break
    run.send_signal(signal.SIGINT)
    rest, _ = run.communicate()
    assert submitted == 3, "".join(said)
    assert run.returncode != 0, rest
    deadline = time.monotonic() + 30
    while (queue := slurm("squeue", "--noheader")) and time.monotonic() < deadline:
        time.sleep(0.2)  # Slurm gives a canceled job two seconds to end
    assert queue == ""
    states = [job.state for job in jobs()[before:]]
    assert len(states) == 3
    assert set(states) != {"COMPLETED"}  # one may have been at its end
