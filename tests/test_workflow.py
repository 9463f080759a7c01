"""The workflow as its users meet it: plans, refusals, and what is set aside."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from foreign import expected, linear
from planning import loaded

from fkd.preprocess import center_crop
from fkd.storage import shards
from fkd.study.models import label
from fkd.synthesis import draw_pages, draw_signatures

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.workflow

FIGURES = {"pipeline", "page", "tree", "contrast", "losses", "references", "splits", "curves"}
FIGURES = {
    f"figure_{name}"
    for name in FIGURES | {"correlations", "features", "hardest", "ranks", "writers", "scores"}
}


def snakemake(folder, *arguments):
    """Run Snakemake on a study's folder; give status and all that it said."""
    study = ("-s", ROOT / "Snakefile", "-d", folder, "--cores", "2")
    return loaded(ROOT).run(*study, *arguments, folder=ROOT)


def plan(output):
    """Jobs by rule, from a dry run's table."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", output, re.M)}


def needed_for(output, target):
    """All files that have to be made for a target, itself included, by a dry run's jobs."""
    reasons = re.findall(
        r"Reason: Missing output files: ([^;\n]+)(?:; Input files updated by another job: (.+))?",
        output,
    )
    inputs = {
        made: given.split(", ") if given else []
        for outputs, given in reasons
        for made in outputs.split(", ")
    }
    needed, waiting = set(), [target]
    while waiting:
        needed.add(file := waiting.pop())
        waiting += set(inputs[file]) - needed
    return needed


def study(folder, **changes):
    """A copy of the default study with top-level sections replaced."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text()) | changes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="module")
def default_plan(tmp_path_factory):
    """What a dry run of the default study says."""
    status, output = snakemake(study(tmp_path_factory.mktemp("default")), "-n")
    assert status == 0, output
    return output


def test_plan_of_the_default_study(default_plan):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    students = config["students"]
    ((protocol,),) = config["evaluation"]["sets"].values()
    random = sum(name.endswith("random") for name in students)
    jobs = plan(default_plan)
    assert jobs["draw_pages"] == 1
    assert jobs["draw_signatures"] == jobs["prepare_signatures"] == 2
    assert jobs["segment_pages"] == jobs["make_crops"] == 2
    assert jobs["cache_responses"] == jobs["cache_geometry"] == 2
    assert jobs["train_teacher"] == 1
    assert jobs["train_student"] == len(students) - random
    assert jobs["random_student"] == random
    on_pairs = ("train_siamese", "export_siamese", "evaluate_pairs")
    assert {jobs[rule] for rule in on_pairs} == {len(config["siamese"])} == {1}
    assert jobs["list_pairs"] == jobs["write_pairs"] == 1
    models = len(students) + len(config["siamese"]) + 1
    assert jobs["compare_models"] == len(protocol["references"])
    assert jobs["export_onnx"] == models
    assert jobs["evaluate_wd"] == models * len(protocol["references"])
    assert jobs["write_tables"] == 1
    assert jobs["write_paper_table"] == 3
    assert jobs["write_hypertext"] == 10
    figures = {rule: count for rule, count in jobs.items() if rule.startswith("figure_")}
    assert figures == dict.fromkeys(FIGURES | {"figure_siamese", "figure_pairs"}, 1)


def test_many_writers_are_drawn_by_several_jobs(tmp_path):
    draw = {"first": 1001, "writers": 251, "genuine": 2, "skilled": 1}
    signatures = yaml.safe_load((ROOT / "config.yaml").read_text())["signatures"]

    def drawing(writers):
        development = {"layout": "synthetic", "draw": draw | {"writers": writers}}
        study(tmp_path, signatures=signatures | {"development": development})

    def run():
        status, output = snakemake(tmp_path, name)
        assert status == 0, output
        shard = shards.read(tmp_path / name, "signatures", ["writer", "sample", "file"])
        return [shard[key].tolist() for key in ("writer", "sample", "file")], set(
            re.findall("Drawing the signatures of (.+)", output)
        )

    name, folder = "results/signatures/development.h5", "results/synthetic/signatures/development"
    drawing(251)
    (writer, sample, file), drawn = run()
    assert drawn == {"development, part 0", "development, part 1"}
    assert writer == [str(1001 + number) for number in range(251) for _ in range(3)]
    assert sample == ["01", "02", "01"] * 251
    assert file[:3] == [
        f"0/{kind}.png" for kind in ("genuine/1001-01", "genuine/1001-02", "skilled/1001-01")
    ]
    assert file[-1] == "1/skilled/1251-01.png"

    older = tmp_path / folder / "2/genuine/1502-01.png"  # left by a study of more writers
    draw_signatures(folder=older.parents[1], first=1502, writers=1, genuine=1, skilled=0, seed=1)
    drawing(252)
    (writer, _, _), drawn = run()
    assert drawn == {"development, part 1"}
    assert len(writer) == 252 * 3 and writer[-1] == "1252"


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        ("resnet18_cl", set()),
        ("resnet18_cl_geom", {"geometry"}),
        ("resnet18_cl_geom_bc", {"geometry", "responses"}),
    ],
)
def test_a_student_waits_only_for_what_its_loss_compares(default_plan, name, compared):
    needed = needed_for(default_plan, f"results/models/{name}.onnx")
    parts = [Path(file).relative_to("results").parts for file in needed]
    assert {student for folder, student, *_ in parts if folder == "students"} == {name}
    of_teacher = {part for folder, part, *_ in parts if folder == "teacher"}
    assert of_teacher == compared | ({"weights.safetensors"} if compared else set())
    assert any(folder == "signatures" for folder, *_ in parts) == bool(compared)
    assert any(folder == "crops" for folder, *_ in parts)


@pytest.mark.parametrize(("size", "students"), [("cpu", 6), ("full", 16)])
def test_plan_of_iam_cedar(shared, size, students):
    study = ROOT / "workflow/studies/iam-cedar"
    data = f"data={shared / 'data'}"
    status, output = snakemake(study, "-n", "--forceall", "--config", f"size={size}", data)
    assert status == 0, output
    jobs = plan(output)
    assert jobs["train_student"] == students
    assert jobs["random_student"] == 2
    assert jobs["prepare_signatures"] == 4
    # CEDAR with five numbers of references, ICDAR 2011 with four.
    assert jobs["evaluate_wd"] == (students + 3) * 9
    assert jobs["compare_models"] == 9
    # Teacher and best student alone, by wi and cosine.
    assert jobs["evaluate_wi"] == 2 * 9 * 2
    assert jobs["train_wi"] == 2


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
    # A page, the weights, and of each set one writer with all signatures: what a plan looks at.
    files = ["cvl/0001-1-cropped.tif", "signet.pth"]
    files += [f"gpds300/001/c-001-{n:02}.png" for n in range(24)]
    files += [f"gpds300/001/cf-001-{n:02}.png" for n in range(30)]
    files += [f"mcyt75/0000/0000{kind}{n:02}.bmp" for kind in "vf" for n in range(15)]
    files += [f"cedar/full_org/original_1_{n}.png" for n in range(24)]
    files += [f"cedar/full_forg/forgeries_1_{n}.png" for n in range(24)]
    for file in files:
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
        assert "1 file was set aside: 1 in results/quarantine/text.csv" in output
        assert name in (folder / "results/quarantine/text.csv").read_text()
        assert not (folder / "results/quarantine/text.stopped.csv").exists()
    else:
        assert status != 0
        assert "1 of 4 pages were set aside" in output
        assert name in output
        # Snakemake removed the job's output; the list that the message names is still there.
        assert not (folder / "results/quarantine/text.csv").exists()
        assert "as does results/quarantine/text.stopped.csv" in output
        assert name in (folder / "results/quarantine/text.stopped.csv").read_text()


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A study that trains nothing and has a model from elsewhere.

    Its folder, what a dry run says before that model is there, and what one says after.
    """
    folder = study(
        tmp_path_factory.mktemp("untrained"),
        size="smallest",
        data="elsewhere",
        teacher={"weights": "signet.pth"},
        students={"resnet18_random": None},
        siamese={},
        models={"theirs": {"onnx": "models/a.onnx"}},
    )
    (folder / "elsewhere/models").mkdir(parents=True)
    (folder / "elsewhere/signet.pth").touch()
    refusal = snakemake(folder, "-n")
    linear(folder / "elsewhere/models/a.onnx", (1, 1, 150, 220), (1, 1, 6))
    return folder, refusal, snakemake(folder, "-n")


def test_a_study_without_trained_networks_has_the_figures_that_it_can(untrained):
    _, _, (status, output) = untrained
    assert status == 0, output
    without = {"figure_tree", "figure_contrast", "figure_losses", "figure_correlations"}
    assert {rule for rule in plan(output) if rule.startswith("figure_")} == FIGURES - without


ALONE = {
    "title": "Models of others",
    "signatures": {
        "mine": {
            "layout": "folder",
            "path": "signatures",
            "genuine": "genuine/{writer}-{sample}.png",
            "skilled": "skilled/{writer}-{sample}.png",
        }
    },
    "models": {"theirs": {"features": "theirs.csv"}, "ours": {"features": {"mine": "ours.npz"}}},
    "evaluation": {"sets": {"mine": [{"references": [3], "test_genuine": 3, "test_skilled": 2}]}},
}
"""A study without pages, teacher and students."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A study of features alone. Its folder, what it says without them, and then its plan."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "config.yaml").write_text(yaml.safe_dump(ALONE))
    draw_signatures(folder=folder / "signatures", writers=3, genuine=6, skilled=2, seed=1)
    refusal = snakemake(folder, "-n")
    names = [str(path) for path in sorted((folder / "signatures").rglob("*.png"))]
    features = np.random.default_rng(0).random((len(names), 4)).astype(np.float32)
    np.savez(folder / "ours.npz", features=features, filenames=names)
    table = pd.DataFrame(features)
    table.insert(0, "filename", names)
    table.to_csv(folder / "theirs.csv", index=False)
    return folder, refusal, snakemake(folder, "-n")


def test_a_study_of_features_alone_plans_just_what_it_needs(alone):
    _, _, (status, output) = alone
    assert status == 0, output
    jobs = plan(output)
    assert jobs.pop("total") == sum(jobs.values())
    figures = [f"figure_{name}" for name in ("references", "splits", "curves", "hardest")]
    figures += ["figure_writers", "figure_scores", "figure_features"]  # two models cannot be ranked
    once = ("prepare_signatures", "check_signatures", "describe_data", "compare_models")
    once += ("write_tables", "write_methods", "sum_up_times", "all", *figures)
    assert jobs == dict.fromkeys(once, 1) | {
        "import_features": 2,
        "evaluate_wd": 2,
        "write_hypertext": 4,
    }


def test_features_that_are_missing_are_named(alone):
    folder, (status, output), _ = alone
    assert status != 0 and "Traceback" not in output
    assert f"models.theirs.features: {folder}/theirs.csv does not exist" in output
    assert f"models.ours.features.mine: {folder}/ours.npz does not exist" in output
    assert "python -m fkd features writes them" in output


def test_features_are_a_row(alone):
    folder, _, _ = alone
    status, output = snakemake(
        folder, "results/metrics/mine/theirs-3.csv", "results/tables/data.md"
    )
    assert status == 0, output
    rates = pd.read_csv(folder / "results/metrics/mine/theirs-3.csv")
    assert set(rates["model"]) == {"theirs"} and len(rates) == 10
    assert "Handwritten text" not in (folder / "results/tables/data.md").read_text()


def test_a_missing_model_from_elsewhere_is_named(untrained):
    folder, (status, output), _ = untrained
    assert status != 0
    assert "Traceback" not in output
    assert f"models.theirs.onnx: {folder}/elsewhere/models/a.onnx does not exist" in output
    assert "one ONNX file, a feature extractor" in output


def test_a_model_from_elsewhere_is_a_row(untrained):
    folder, _, (status, output) = untrained
    assert status == 0, output
    jobs = plan(output)
    assert jobs["extract_features"] == 3
    assert jobs["evaluate_wd"] == 3 * 2
    assert jobs["export_onnx"] == 2
    status, output = snakemake(folder, "results/features/synthetic/theirs.h5")
    assert status == 0, output
    shard = shards.read(folder / "results/features/synthetic/theirs.h5", "features")
    assert shard.attributes["model"] == "theirs"
    images = shards.read(folder / "results/signatures/synthetic.h5", "signatures")["image"]
    np.testing.assert_allclose(shard["feature"], expected(center_crop(images)), atol=1e-3)
    assert label("theirs", {}) == "theirs"
