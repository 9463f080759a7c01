"""The model that ships: it is what its card says, it is used by default, and it can be made anew."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fkd.errors import FkdError
from fkd.models import shipped
from fkd.models.features import describe_images
from fkd.models.onnx_file import read_description
from fkd.models.shipped import LARGEST, ship_model, shipped_verifiers
from fkd.service import Verifier
from fkd.storage.manifest import sha256
from fkd.synthesis import draw_signatures
from fkd.verification.verifier import read_verifier

ROOT = Path(__file__).resolve().parents[1]


def test_it_is_what_its_card_says():
    model, card = shipped(), shipped().with_suffix(".md").read_text(encoding="utf-8")
    about = read_description(model)
    assert model.stat().st_size <= LARGEST
    assert f"SHA-256 `{sha256(model)}`" in card
    assert about["input"] in card and about["output"] in card
    assert f"parameters: {about['parameters']:,}" in card
    assert "license: BSD 3-Clause" in card
    for name in ("cedar", "bhsig260_hindi", "icdar2011"):
        rows = re.findall(rf"^\| {re.escape(name)} +\| (\d+) +\|", card, re.M)
        assert set(rows) == {"1", "3", "5", "12"}, name
    for path in shipped_verifiers():
        verifier = read_verifier(path)
        assert verifier.about["onnx"] == sha256(model)
        assert verifier.about["measured_on"]["sets"] == ["drawn_others"]
        assert f"{verifier.about['protocol']['references']}.h5" in path.name


def test_it_has_learned_from_drawings_alone():
    about = read_description(shipped())["trained_with"]
    study = yaml.safe_load((ROOT / "workflow/studies/drawn/config.yaml").read_text("utf-8"))
    assert about["sets"] == ["drawn"]
    assert study["signatures"]["drawn"]["layout"] == "synthetic"


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Scans of two writers that the model has not seen."""
    folder = tmp_path_factory.mktemp("scans")
    draw_signatures(folder=folder, writers=2, genuine=4, skilled=1, first=90_001, seed=3)
    return {writer: sorted((folder / "genuine").glob(f"{writer}-*")) for writer in (90_001, 90_002)}


def test_it_verifies_without_any_file_of_a_study(scans):
    own, other = scans.values()
    verifier = Verifier.load()
    genuine = verifier.compare(own[:3], own[3]).judgment
    random = verifier.compare(own[:3], other[3]).judgment
    assert genuine.match_score > 0.5 > random.match_score
    assert genuine.decision != "reject" and random.decision == "reject"


def test_it_describes_by_default(scans, tmp_path):
    own, _ = scans.values()
    for model in (None, shipped()):
        describe_images(images=own[:1], model=model, out=tmp_path / f"{model is None}.npz")
    found = [np.load(tmp_path / f"{word}.npz")["features"] for word in ("True", "False")]
    np.testing.assert_array_equal(*found)
    with pytest.raises(FkdError, match="images: none is given"):
        describe_images(images=[shipped()], out=tmp_path / "none.npz")


@pytest.fixture
def finished(tmp_path):
    """What a study leaves that has trained a teacher on drawings."""
    results = tmp_path / "results"
    for folder in ("models", "verifiers/cosine"):
        (results / folder).mkdir(parents=True)
    (results / "models/teacher.onnx").write_bytes(shipped().read_bytes())
    (results / "models/teacher.md").write_text("# A card\n")
    for path in shipped_verifiers():
        (results / "verifiers/cosine" / path.name).write_bytes(path.read_bytes())
    settings = {
        "teacher": {"development": ["drawn"], "weights": None},
        "export": {"whitening": {"signatures": "drawn"}},
        "signatures": {"drawn": {"layout": "synthetic"}, "real": {"layout": "folder"}},
        "size": "shipped",
    }
    (results / "run.json").write_text(json.dumps({"settings": settings}))
    runs = {"commit": ["abc", None, "def"], "processor": ["one", "two", "three"]}
    pd.DataFrame(runs).to_csv(results / "runs.csv", index=False)
    return results


def change(results, part="teacher", **settings):
    run = json.loads((results / "run.json").read_text())
    run["settings"][part] |= settings
    (results / "run.json").write_text(json.dumps(run))


def test_a_study_is_copied_whole(finished, tmp_path):
    ship_model(results=finished, out=tmp_path / "out")
    assert sha256(shipped(tmp_path / "out")) == sha256(shipped())
    assert len(shipped_verifiers(tmp_path / "out")) == len(shipped_verifiers())
    card = (tmp_path / "out/models/teacher.md").read_text()
    assert card.startswith("# A card\n")
    assert "--config size=shipped" in card and "commit: `abc`, `def`" in card


def test_what_may_not_ship_is_refused(finished, tmp_path):
    given = {"results": finished, "out": tmp_path / "out"}
    change(finished, development=["drawn", "real"])
    with pytest.raises(FkdError, match=r"signatures of people \(real\)"):
        ship_model(**given)
    change(finished, development=["drawn"], weights="signet.pth")
    with pytest.raises(FkdError, match=r"signatures of people \(signet\.pth\)"):
        ship_model(**given)
    change(finished, weights=None)
    change(finished, "export", whitening={"signatures": "real"})
    with pytest.raises(FkdError, match=r"signatures of people \(real\)"):
        ship_model(**given)
    change(finished, "export", whitening=None)
    model = finished / "models/teacher.onnx"
    content = model.read_bytes()
    model.write_bytes(bytes(LARGEST + 1))
    with pytest.raises(FkdError, match=r"5,000,001 bytes, and no more than 5,000,000"):
        ship_model(**given)
    model.write_bytes(content)
    for path in (finished / "verifiers/cosine").iterdir():
        path.unlink()
    with pytest.raises(FkdError, match="no verifiers of the teacher by cosine"):
        ship_model(**given)
    (finished / "runs.csv").unlink()
    with pytest.raises(FkdError, match=r"runs\.csv: no such file"):
        ship_model(**given)
    assert not (tmp_path / "out").exists()


@pytest.mark.operations
@pytest.mark.workflow
def test_a_sibling_is_made_anew(tmp_path):
    """By the commands of the card, at a size that takes a minute."""
    study = yaml.safe_load((ROOT / "workflow/studies/drawn/config.yaml").read_text("utf-8"))
    study["sizes"]["shipped"] |= {
        "signatures": {
            "drawn": {"draw": {"writers": 6, "genuine": 4, "skilled": 2}},
            "drawn_others": {"draw": {"writers": 16, "genuine": 14, "skilled": 4}},
            "judged": {"layout": "synthetic", "draw": {"writers": 4, "genuine": 8, "skilled": 4}},
            **dict.fromkeys(("cedar", "bhsig260_hindi", "icdar2011"), False),
        },
        "networks": {"width": 0.05, "features": 32},
        "teacher": {"training": {"epochs": 1, "batch": 8}},
    }
    sets = dict.fromkeys(("cedar", "bhsig260_hindi", "icdar2011"), False)
    sets["judged"] = [{"references": [3], "test_genuine": 3, "test_skilled": 4}]
    study["sizes"]["shipped"]["evaluation"] |= {
        "sets": sets,
        "splits": 2,
        "verifiers": ["wd", "cosine"],
    }
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout

    results = folder / "results"
    targets = ["results/models/teacher.md", "results/verifiers/cosine/teacher-3.h5"]
    run("snakemake", *targets, "--cores", "2", "-d", str(folder), "--config", "size=shipped")
    run("fkd", "ship_model", "--results", str(results), "--out", str(tmp_path / "sibling"))
    model = shipped(tmp_path / "sibling")
    assert read_description(model)["weights"] == "float16"
    own = Verifier.load(*shipped_verifiers(tmp_path / "sibling"))
    assert own.about["sha256"]["model"] == sha256(model)
