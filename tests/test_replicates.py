"""Training seeds: names, what is trained, and models compared over writers and seeds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fkd.errors import FkdError
from fkd.report.differences import compare_models
from fkd.storage import shards
from fkd.study.config import complete
from fkd.study.replicates import Replicate, replicates_of
from fkd.study.students import PAPER
from fkd.verification import WriterScores, error_rates
from fkd.verification.metrics import half_total_error

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"


def study(**edits):
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    return complete(config | edits, SCHEMA)


def test_names_of_replicates():
    assert replicates_of("mine", 3) == ["mine", "mine.2", "mine.3"]
    for name in replicates_of("mine", 12):
        assert Replicate.of(name).name == name
    assert Replicate.of("mine.12") == ("mine", 12)


def test_each_student_is_trained_under_the_next_seeds():
    three = study(replicates=3, seed=5, models={"theirs": {"onnx": "theirs.onnx"}})
    assert three.replicates_of("resnet18_cl") == ["resnet18_cl", "resnet18_cl.2", "resnet18_cl.3"]
    assert [three.seed_of(name) for name in three.replicates_of("resnet18_cl")] == [5, 6, 7]
    assert three.student("resnet18_cl.3") == PAPER["resnet18_cl"]
    for single in ("teacher", "signet_pairs", "theirs"):
        assert three.replicates_of(single) == [single]
    assert three.teacher_of("resnet18_cl.3") == "teacher"
    assert len(three.judged_models) == 3 + 3 * len(three.students)
    (part,) = three.parts_of_models(["resnet18_cl.2"])
    assert part.place == "fkd.models.resnet18.ResNet18"
    assert study().judged_models == list(study().models)


def test_one_model_is_trained_under_another_seed():
    own = {"resnet18_cl": 70, "teacher": 80, "signet_pairs": 90}
    two = study(replicates=2, seed=5, seeds=own)
    seeds = {name: two.seed_of(name) for name in two.judged_models}
    expected = {"resnet18_cl": 70, "resnet18_cl.2": 71, "teacher": 80, "signet_pairs": 90}
    assert {name: seed for name, seed in seeds.items() if seed not in (5, 6)} == expected
    with pytest.raises(
        FkdError, match=r"seeds\.resnet_cl: none of the models that the study trains"
    ):
        study(seeds={"resnet_cl": 7})


def test_a_teacher_for_every_seed():
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config["teacher"] |= {"every_seed": True}
    config["replicates"] = 2
    two = complete(config, SCHEMA)
    assert two.replicates_of("teacher") == ["teacher", "teacher.2"]
    assert two.teacher_of("resnet18_cl") == "teacher"
    assert two.teacher_of("resnet18_cl.2") == "teacher.2"
    del config["networks"], config["teacher"]["development"]
    config["teacher"]["weights"] = "signet.pth"
    with pytest.raises(FkdError, match=r"teacher\.every_seed: the teacher's weights are given"):
        complete(config, SCHEMA)
    del config["teacher"]["every_seed"]
    config["seeds"] = {"teacher": 7}
    with pytest.raises(FkdError, match=r"seeds\.teacher: the teacher's weights are given"):
        complete(config, SCHEMA)


@pytest.mark.parametrize("count", [0, 1.5, "two"])
def test_counts_of_seeds(count):
    with pytest.raises(FkdError, match="replicates"):
        study(replicates=count)


# ------------------------------------------------------------------------- differences


def write_scores(path, model, shift, seed, writers=12, splits=2):
    """Scores of one model: genuine ones lie `shift` above forgeries; one writer has no forgery."""
    stream = np.random.default_rng(seed)
    writer = np.tile(np.repeat(np.arange(writers), 10), splits)
    forgery = np.tile([False] * 5 + [True] * 5, writers * splits)
    keep = ~((writer == 3) & forgery)
    effect = np.random.default_rng(0).normal(size=writers)[writer]  # of the writers, in all models
    score = shift * ~forgery + effect + stream.normal(size=len(writer))
    split = np.repeat(np.arange(splits), writers * 10)
    arrays = {
        "split": split[keep],
        "writer": np.array([f"w{n}" for n in writer[keep]], object),
        "forgery": forgery[keep],
        "score": score[keep],
    }
    names = [f"w{n}" for n in range(writers)]
    about = {"model": model, "set": "mine", "protocol": {"references": 3}, "writers": names}
    shards.write(path, "scores", arrays, about)
    return path


def test_models_are_compared_over_writers_and_seeds(tmp_path):
    files = [
        write_scores(tmp_path / f"{model}.h5", model, shift, seed)
        for seed, (model, shift) in enumerate(
            {"teacher": 3, "resnet18_cl": 1, "resnet18_cl.2": 1.4, "resnet18_cl_geom": 3}.items()
        )
    ]
    students = {name: PAPER[name] for name in ("resnet18_cl", "resnet18_cl_geom")}
    out = tmp_path / "differences.csv"
    compare_models(scores=files, out=out, students=students, resamples=200)
    table = pd.read_csv(out, keep_default_na=False)
    assert set(table["set"]) == {"mine"} and set(table["references"]) == {3}
    rows = table.set_index(["model", "rate", "versus"])
    for rate in ("EER", "EER_userthresholds"):
        values = {model: rows.loc[(model, rate, "")]["value"] for model in ("teacher", *students)}
        for model, other in (
            ("resnet18_cl", "teacher"),
            ("resnet18_cl_geom", "teacher"),
            ("resnet18_cl_geom", "resnet18_cl"),
        ):
            row = rows.loc[(model, rate, other)]
            assert row["value"] == pytest.approx(values[model] - values[other])
            assert row["low"] <= row["value"] <= row["high"]
        assert rows.loc[("resnet18_cl_geom", rate, "resnet18_cl")]["high"] < 0
        assert float(rows.loc[("resnet18_cl_geom", rate, "resnet18_cl")]["p"]) < 0.05
        assert float(rows.loc[("resnet18_cl_geom", rate, "teacher")]["p"]) > 0.05
        assert ("teacher", rate, "resnet18_cl") not in rows.index
    assert rows.loc[("resnet18_cl", "EER", "")]["seeds"] == 2
    # With thresholds for each writer, the writers' effects do not matter.
    assert (
        rows.xs("EER_userthresholds", level="rate").xs("", level="versus")["value"]
        < rows.xs("EER", level="rate").xs("", level="versus")["value"]
    ).all()


def test_the_rate_with_own_thresholds_is_that_of_the_tables():
    stream = np.random.default_rng(1)
    genuine = [stream.normal(1, 1, 6 + n) for n in range(5)]
    forged = [stream.normal(0, 1, 4 + n) for n in range(5)]
    forged[2] = np.zeros(0)
    genuine[3], forged[3] = np.full(9, 0.5), np.full(7, 0.5)  # as of a network that tells nothing
    expected = error_rates(genuine, forged, [np.zeros(1)] * 5)["EER_userthresholds"]
    kept = WriterScores(genuine, forged).above_own_thresholds().all
    assert half_total_error(*kept, 0) == pytest.approx(expected)
