"""A newcomer's path in the README's own words: clone, run, read the table, add signatures, see them."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fkd.synthesis import draw_signatures

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
SMALLEST = "--config size=smallest"

pytestmark = [pytest.mark.operations, pytest.mark.workflow]


def block(language, word):
    """The one block of the README with this word."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)
    (text,) = (text for text in found if word in text)
    return text


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone, with what is not committed yet."""
    folder = tmp_path_factory.mktemp("newcomer") / "fkd"
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout: a newcomer clones one")
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    listed = ["git", "-C", ROOT, "ls-files", "-z", "--modified", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def follow(command, folder):
    """Type a command of the README, for the study that takes a minute."""
    assert f"`{SMALLEST}`" in README
    tools = Path(sys.executable).parent
    environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [*shlex.split(command), *shlex.split(SMALLEST)],
        cwd=folder,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout


def rows_of(markdown):
    """The first table of a Markdown file, by its rows' names."""
    lines = [line for line in markdown.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, _, *rows = cells[: next((i for i, c in enumerate(cells[2:], 2) if c[0] == "model"), None)]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def test_clone_run_read_add_and_see(clone):
    study, report = block("bash", "snakemake --report").splitlines()
    follow(study, clone)
    follow(report, clone)
    assert (clone / "report.html").stat().st_size > 1e6
    before = rows_of(clone / "results/tables/eer.md")
    assert before["ResNet-18 CL+GEOM+BC"].keys() == {"synthetic, NREF 3", "synthetic, NREF 5"}

    text = block("yaml", "my_signatures")
    (clone / "mine.yaml").write_text(text)
    mine = yaml.safe_load(text)["signatures"]["mine"]
    draw_signatures(folder=clone / "drawn", writers=4, genuine=8, skilled=4, first=51, seed=2)
    for kind in ("genuine", "skilled"):
        for image in sorted((clone / "drawn" / kind).iterdir()):
            writer, sample = image.stem.split("-")
            place = clone / mine["path"] / mine[kind].format(writer=writer, sample=sample)
            place.parent.mkdir(parents=True, exist_ok=True)
            image.rename(place)
    weights = {path: path.stat().st_mtime_ns for path in clone.glob("results/students/*/weights*")}
    follow(block("bash", "--configfile mine.yaml").strip(), clone)

    after = rows_of(clone / "results/tables/eer.md")
    assert after.keys() == before.keys()
    for model, cells in after.items():
        assert re.fullmatch(r"\d+\.\d\d ± \d+\.\d\d.*", cells["mine, NREF 3"]), model
        assert {name: cells[name] for name in before[model]} == before[model]
    table = pd.read_csv(clone / "results/tables/eer.csv").set_index(["set", "references"])
    assert len(table.loc[("mine", 5)]) == len(before)
    # What was there is not trained anew.
    assert weights == {path: path.stat().st_mtime_ns for path in weights}
