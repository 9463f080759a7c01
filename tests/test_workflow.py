"""The workflow as its users meet it: plans, refusals, and what is set aside."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from foreign import expected, linear

from fkd.preprocess import center_crop
from fkd.storage import shards
from fkd.study.naming import label
from fkd.synthesis import draw_pages

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.workflow

FIGURES = {"pipeline", "page", "tree", "contrast", "losses", "references", "splits", "curves"}
FIGURES = {f"figure_{name}" for name in FIGURES | {"correlations", "hardest"}}


def snakemake(folder, *arguments):
    """Run Snakemake on a study's folder; give status and all that it said."""
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-d", folder]
    done = subprocess.run(
        [*command, "--cores", "2", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    return done.returncode, done.stdout


def plan(output):
    """Jobs by rule, from a dry run's table."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", output, re.M)}


def study(folder, **changes):
    """A copy of the default study with top-level sections replaced."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text()) | changes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_plan_of_the_default_study(tmp_path):
    status, output = snakemake(study(tmp_path), "-n")
    assert status == 0, output
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    students = config["students"]
    ((protocol,),) = config["evaluation"]["sets"].values()
    random = sum(name.endswith("random") for name in students)
    jobs = plan(output)
    assert jobs["draw_pages"] == 1
    assert jobs["draw_signatures"] == jobs["prepare_signatures"] == 2
    assert jobs["segment_pages"] == jobs["make_crops"] == 2
    assert jobs["cache_responses"] == jobs["cache_geometry"] == 2
    assert jobs["train_teacher"] == 1
    assert jobs["train_student"] == len(students) - random
    assert jobs["random_student"] == random
    assert jobs["export_onnx"] == len(students) + 1
    assert jobs["evaluate_wd"] == (len(students) + 1) * len(protocol["references"])
    assert jobs["tables"] == 1
    assert jobs["paper_tables"] == 3
    assert jobs["hypertext"] == 8
    figures = {rule: count for rule, count in jobs.items() if rule.startswith("figure_")}
    assert figures == dict.fromkeys(FIGURES, 1)


def test_a_study_without_trained_networks_has_the_figures_that_it_can(tmp_path):
    (tmp_path / "signet.pth").touch()
    folder = study(tmp_path, students={"signet_random": None}, teacher={"weights": "signet.pth"})
    status, output = snakemake(folder, "-n")
    assert status == 0, output
    jobs = plan(output)
    untrained = {"figure_tree", "figure_contrast", "figure_losses", "figure_correlations"}
    assert {rule for rule in jobs if rule.startswith("figure_")} == FIGURES - untrained


def test_a_student_without_geometry_waits_for_no_trees(tmp_path):
    folder = study(tmp_path, students={"resnet18_cl": None})
    _, output = snakemake(folder, "-n", "results/models/resnet18_cl.onnx")
    jobs = plan(output)
    assert jobs["train_student"] == 1
    assert {"train_teacher", "cache_geometry", "cache_responses"} & set(jobs) == set()


@pytest.mark.parametrize(("size", "students"), [("cpu", 6), ("full", 16)])
def test_plan_of_iam_cedar(shared, size, students):
    study = ROOT / "workflow/studies/iam-cedar"
    data = f"data={shared / 'data'}"
    status, output = snakemake(study, "-n", "--forceall", "--config", f"size={size}", data)
    assert status == 0, output
    jobs = plan(output)
    assert jobs["train_student"] == students
    assert jobs["random_student"] == 2
    assert jobs["prepare_signatures"] == 3
    assert jobs["evaluate_wd"] == (students + 3) * 4


def test_the_paper_study_says_what_is_missing(tmp_path):
    config = yaml.safe_load((ROOT / "workflow/studies/paper/config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    status, output = snakemake(tmp_path)
    assert status != 0
    assert "Traceback" not in output
    assert "This study needs data that is not there" in output
    sources = ("pages.path", "teacher.weights", "signatures.gpds300", "signatures.mcyt75")
    for key in (*sources, "signatures.cedar"):
        assert key in output
    assert output.count("What should lie there:") == 5
    assert output.count("From:") == 5
    assert "253 writers x 24 genuine + 30 skilled" in output
    assert not (tmp_path / "results").exists()


def test_the_paper_study_with_data_plans_all_tables(tmp_path):
    config = yaml.safe_load((ROOT / "workflow/studies/paper/config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    for file in (
        "cvl/0001-1-cropped.tif",
        "gpds300/001/c-001-01.png",
        "mcyt75/0000/0000v00.bmp",
        "cedar/full_org/original_1_1.png",
        "signet.pth",
    ):
        (tmp_path / "data" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / file).touch()
    status, output = snakemake(tmp_path, "-n")
    assert status == 0, output
    jobs = plan(output)
    assert jobs["import_teacher"] == 1
    assert jobs["train_student"] == 16
    assert jobs["evaluate_wd"] == 19 * 3 * 4


def test_a_faulty_config_stops_before_any_job(tmp_path):
    folder = study(tmp_path, training={"epoch": 3})
    status, output = snakemake(folder)
    assert status != 0
    assert "training.epoch: unknown key; did you mean epochs?" in output
    assert "Traceback" not in output
    assert not (folder / "results").exists()


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory):
    """A folder of four pages, one of them cut off in the middle."""
    folder = tmp_path_factory.mktemp("spoiled")
    draw_pages(folder=folder / "pages", writers=2, pages=2, lines=2, seed=1)
    page = sorted((folder / "pages").rglob("*.png"))[0]
    page.write_bytes(page.read_bytes()[:2000])
    return folder, page.name


@pytest.mark.parametrize(("max_share", "fits"), [(0.3, True), (0.01, False)])
def test_a_bad_page_is_set_aside_and_counted(spoiled, max_share, fits):
    folder, name = spoiled
    study(
        folder,
        pages={"layout": "folder", "path": "pages"},
        quarantine={"max_share": max_share},
        sizes={"standard": {}},
    )
    status, output = snakemake(folder, "results/quarantine/text.csv")
    assert "Traceback" not in output
    if fits:
        assert status == 0, output
        assert "1 files were set aside: 1 in results/quarantine/text.csv" in output
        assert name in (folder / "results/quarantine/text.csv").read_text()
    else:
        assert status != 0
        assert "1 of 4 pages were set aside" in output
        assert name in output


def test_a_model_from_elsewhere_is_a_row(tmp_path):
    folder = study(
        tmp_path,
        size="smallest",
        data="elsewhere",
        students={"resnet18_random": None},
        models={"theirs": {"onnx": "models/a.onnx"}},
    )
    status, output = snakemake(folder, "-n")
    assert status != 0
    assert "Traceback" not in output
    assert f"models.theirs.onnx: {tmp_path}/elsewhere/models/a.onnx does not exist" in output
    assert "one ONNX file, a feature extractor" in output
    (tmp_path / "elsewhere/models").mkdir(parents=True)
    linear(tmp_path / "elsewhere/models/a.onnx", (1, 1, 150, 220), (1, 1, 6))
    status, output = snakemake(folder, "-n")
    assert status == 0, output
    jobs = plan(output)
    assert jobs["extract_features"] == 3
    assert jobs["evaluate_wd"] == 3 * 2
    assert jobs["export_onnx"] == 2
    status, output = snakemake(folder, "results/features/synthetic/theirs.h5")
    assert status == 0, output
    shard = shards.read(tmp_path / "results/features/synthetic/theirs.h5", "features")
    assert shard.attributes["model"] == "theirs"
    images = shards.read(tmp_path / "results/signatures/synthetic.h5", "signatures")["image"]
    np.testing.assert_allclose(shard["feature"], expected(center_crop(images)), atol=1e-3)
    assert label("theirs", {}) == "theirs"
