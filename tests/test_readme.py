"""The README's own words, executed."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from measured.describe_networks import describe_networks
from measured.fill_documents import drifted, parts_of

from fkd import models
from fkd.__main__ import main
from fkd.models.export import export_onnx
from fkd.study.config import complete
from fkd.study.parts import Networks
from fkd.synthesis import draw_signatures

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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


def test_the_public_names():
    (code,) = blocks("python")
    exec(code, {})


def test_the_settings_shown_are_valid():
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    for block in blocks("yaml"):
        for section, value in yaml.safe_load(block).items():
            config[section] = {**config.get(section, {}), **value}
    config["sizes"] = {"standard": {}}
    completed = complete(config, ROOT / "workflow/schemas/config.schema.yaml").settings
    assert completed["models"] == {
        "theirs": {"onnx": "models/theirs.onnx"},
        "described": {"features": "features.npz"},
    }
    assert completed["evaluation"]["sets"]["mine"][0]["references"] == [3, 5]


def test_ci_does_what_the_readme_says():
    """CI installs and runs in the README's words, so that a step left out shows."""
    install = blocks("bash")[0].splitlines()
    (tests,) = (block.strip() for block in blocks("bash") if block.startswith("pytest"))
    script = (ROOT / ".ci/run").read_text(encoding="utf-8").replace(" --quiet", "").splitlines()
    assert [line for line in script if line in install] == install
    assert tests in script


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

NAMES = (
    r"ResNet-18|GPDS-300|MCYT-75|BHSig260|Python 3\.11|BSD 3-Clause|TF32|bfloat16|[sS]3"
    r"|SigComp2009|SigComp2011|ICDAR 2011"
    # A work is cited by its year.
    r"|offline signature verification\*, 2022|neural networks\*, 2017"
    r"|Expert Systems with Applications 296 \(2026\) 129158"
)
"""Digits that are part of a name."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_parts_are_as_a_rule_filled_them(document):
    assert drifted(document) == []


@pytest.mark.parametrize(
    # Of the page on fidelity, test_fidelity.py holds the numbers, row by row.
    "document",
    [d for d in DOCUMENTS if d.name != "fidelity.md"],
    ids=lambda path: path.name,
)
def test_no_number_is_typed_by_hand(document):
    text = " ".join(document.read_text(encoding="utf-8").split())
    for left_out in (r"<!-- begin.*?end -->", r"```.*?```", r"`[^`]*`", r"\]\([^)]*\)", NAMES):
        text = re.sub(left_out, " ", text)
    assert re.findall(r"\S*\d\S*", text) == []


def test_the_networks_are_those_of_the_code(tmp_path):
    describe_networks(out=tmp_path / "networks.md")
    (part,) = (p for p in parts_of(ROOT / "README.md") if p.path.endswith("networks.md"))
    assert part.content == (tmp_path / "networks.md").read_text(encoding="utf-8").strip()
