"""The workflow as a module of another one, in the words of docs/module.md."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/module.md").read_text(encoding="utf-8")
PLACE = "workflows/fkd"

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Another project, with the files of the page and a checkout of one student."""
    folder = tmp_path_factory.mktemp("module") / "project"
    assert PLACE in PAGE
    (folder / PLACE).mkdir(parents=True)
    for name in ("Snakefile", "fkd", "workflow", "profiles", "envs"):
        (folder / PLACE / name).symlink_to(ROOT / name)
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config["students"] = {"resnet18_random": None}
    (folder / PLACE / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S):
        if language != "bash":
            name, text = re.fullmatch(r"# (\S+)\n(.*)", code, re.S).groups()
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def commands():
    """The commands of the page."""
    (block,) = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.M | re.S)
    return [shlex.split(line) for line in block.splitlines()]


def run(words, folder):
    """Run a command in the project; give what it said."""
    tools = str(Path(sys.executable).parent)
    paths = os.pathsep.join([tools, os.environ["PATH"]])
    done = subprocess.run(
        words,
        cwd=folder,
        env=os.environ | {"PATH": paths, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def jobs(told):
    """The rules of a plan, with the numbers of their jobs."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", told, re.M)}


def test_a_plan_has_the_rules_of_both(project):
    copying, study = commands()
    run(copying, project)
    told = run([*study, "--config", "size=smallest", "--dry-run", "--quiet", "rules"], project)
    planned = jobs(told)
    own = {"all", "best", "total"}
    assert own <= set(planned)
    assert all(name.startswith("signatures_") for name in set(planned) - own)
    assert planned["signatures_train_teacher"] == planned["signatures_write_tables"] == 1
    assert not any("figure" in name for name in planned)


@pytest.mark.operations
def test_the_page_does_what_it_says(project):
    copying, study = commands()
    run(copying, project)
    run([*study, "--config", "size=smallest"], project)
    table = pd.read_csv(project / "results/tables/eer.csv")
    best = table.loc[table["EER_userthresholds_mean"].idxmin(), "label"]
    assert (project / "results/best.txt").read_text(encoding="utf-8").strip() == best
    (row,) = pd.read_csv(project / "results/runs.csv").to_dict("records")
    assert row["cores"] == 2
    # Tables alone are not everything, so another folder may not take the results for complete.
    assert "complete" not in (project / "results/.fkd-origin.json").read_text(encoding="utf-8")
    again = run([*study, "--config", "size=smallest"], project)
    assert "Nothing to be done" in again
