"""A newcomer's path in the README's own words: clone, run, read the table, add signatures, see them."""

import re
import shutil

import pandas as pd
import pytest
import yaml
from newcomer import block, follow

from fkd.synthesis import draw_signatures

pytestmark = [pytest.mark.operations, pytest.mark.workflow]


def rows_of(markdown):
    """The first table of a Markdown file, by its rows' names."""
    lines = [line for line in markdown.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, _, *rows = cells[: next((i for i, c in enumerate(cells[2:], 2) if c[0] == "model"), None)]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def test_clone_run_read_add_and_see(finished_clone, tmp_path):
    clone = shutil.copytree(finished_clone, tmp_path / "fkd")
    study, report = block("bash", "snakemake --report").splitlines()
    assert "Nothing to be done" in follow(study, clone)
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
