"""The README's own words, executed."""

import re
import shlex
from pathlib import Path

import numpy as np
import torch
import yaml

from fkd import models
from fkd.__main__ import main
from fkd.config import complete
from fkd.export import export_onnx
from fkd.images import read_gray
from fkd.models import Networks
from fkd.preprocess import center_crop, normalize
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
    (command,) = (block for block in blocks("bash") if "fkd features" in block)
    python, *words = shlex.split(command)
    assert [python, *words[:2]] == ["python", "-m", "fkd"]
    main(words[2:])
    with np.load("features.npz", allow_pickle=False) as file:
        assert file["features"].shape == (1, 24)
        assert file["filenames"].tolist() == ["signature.png"]


def test_checking_a_teacher(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_signatures(folder=tmp_path, writers=1, genuine=1, skilled=0, seed=1)
    next((tmp_path / "genuine").iterdir()).rename("some_signature.png")
    signet = models.build("signet")
    torch.save((signet.state_dict(), None, None), "signet.pth")
    images = center_crop(normalize(read_gray("some_signature.png")))
    with torch.inference_mode():
        feature = signet.eval()(torch.from_numpy(images)[None, None].float() / 255)
    np.save("some_signature_features.npy", feature.numpy())
    (command,) = (block for block in blocks("bash") if "teacher-check" in block)
    main(shlex.split(command)[3:])


def test_the_public_names():
    (code,) = blocks("python")
    exec(code, {})


def test_the_settings_shown_are_valid():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    for block in blocks("yaml"):
        for section, value in yaml.safe_load(block).items():
            config[section] = {**config.get(section, {}), **value}
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
