"""The README's own words, executed."""

import re
from pathlib import Path

import numpy as np
import yaml

from fkd import models
from fkd.config import complete
from fkd.export import export_onnx
from fkd.models import Networks
from fkd.synthesis import draw_signatures

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def test_using_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_signatures(folder=tmp_path, writers=1, genuine=1, skilled=0, seed=1)
    next((tmp_path / "genuine").iterdir()).rename("signature.png")
    networks = Networks(width=0.05, features=24)
    models.save(models.build("resnet18", None, networks), "weights.safetensors")
    out = Path("results/models/resnet18_cl_geom_bc.onnx")
    export_onnx(weights=Path("weights.safetensors"), out=out, name="resnet18_cl_geom_bc")
    (code,) = (block for block in blocks("python") if "onnxruntime" in block)
    names = {}
    exec(code, names)
    assert names["feature"].shape == (1, 24)
    assert np.isfinite(names["feature"]).all()


def test_the_public_names():
    (code,) = (block for block in blocks("python") if "onnxruntime" not in block)
    exec(code, {})


def test_the_settings_shown_are_valid():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    for block in blocks("yaml"):
        for section, value in yaml.safe_load(block).items():
            config[section] = {**config[section], **value}
    config["sizes"] = {"standard": {}}
    completed = complete(config, ROOT / "workflow/schemas/config.schema.yaml")
    assert completed["students"]["signet_cl_geom_tce"]["response"]["weight"] == 1e-3
    assert completed["students"]["mine"]["geometry"] == {"conv5": 50}


def test_ci_does_what_the_readme_says():
    """CI installs and runs in the README's words, so that a step left out shows."""
    install, study, tests = (block.splitlines() for block in blocks("bash")[:3])
    script = (ROOT / ".ci/run").read_text().replace(" --quiet", "").splitlines()
    assert [line for line in script if line in install] == install
    assert f"{study[0]} --config size=smallest" in script
    assert tests[0] in script
