"""Descriptions by a feature map that is whitened within writers."""

import numpy as np
import pytest
import torch
import yaml
from scipy.linalg import fractional_matrix_power
from test_workflow import ROOT, plan, snakemake, study

from fkd import models
from fkd.errors import FkdError
from fkd.models.export import export_onnx
from fkd.models.extractor import Extractor
from fkd.models.network import as_input
from fkd.models.onnx_file import read_description
from fkd.models.whitening import fit_whitening, whitened
from fkd.preprocess import center_crop
from fkd.report.deviations import deviations
from fkd.report.methods import _whitening as whitening_in_words
from fkd.storage import shards
from fkd.study.config import complete
from fkd.study.parts import SHRINKAGE, Networks

SIZE = (8, 160, 230)
WRITERS = ["a", "a", "a", "a", "b", "b", "b", "c"]
FORGERY = [False, False, True, True, False, False, True, False]
MAPS = {"signet": "conv4", "resnet18": "stage2"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Weights of two networks, and signatures of three writers."""
    folder = tmp_path_factory.mktemp("whitening")
    for name in MAPS:
        network = models.build(name, 3, Networks(width=0.05, features=6), 1)
        models.save(network, folder / f"{name}.safetensors", {})
    images = np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8)
    arrays = {"image": images, "writer": np.array(WRITERS, object), "forgery": np.array(FORGERY)}
    shards.write(folder / "others.h5", "signatures", arrays, {"set": "others"})
    return folder


def fit(folder, out, name="signet", maps=MAPS):
    weights = folder / f"{name}.safetensors"
    fit_whitening(weights=weights, signatures=folder / "others.h5", out=out, maps=maps)
    return models.load(weights)[0]


def by_hand(network, images, name):
    """The formula: each class and each cell by itself, the cells as slices of the map."""
    with torch.inference_mode():
        maps, response = network.describe(as_input(images))
    if name is None:
        vectors = response.numpy()[:, None].astype(np.float64)
    else:
        values = maps[name].numpy().astype(np.float64)
        height, width = values.shape[-2:]
        slices = [
            (
                slice(row * height // 3, -(-(row + 1) * height // 3)),
                slice(column * width // 5, -(-(column + 1) * width // 5)),
            )
            for row in range(3)
            for column in range(5)
        ]
        vectors = np.stack([values[:, :, r, c].mean(axis=(2, 3)) for r, c in slices], axis=1)
    classes = {}
    for index, key in enumerate(zip(WRITERS, FORGERY, strict=True)):
        classes.setdefault(key, []).append(index)
    features = []
    for cell in range(vectors.shape[1]):
        covariance = 0.0
        for rows in classes.values():
            mean = vectors[rows, cell].mean(axis=0)
            for row in rows:
                covariance += np.outer(vectors[row, cell] - mean, vectors[row, cell] - mean)
        covariance /= len(WRITERS) - len(classes)
        size = len(covariance)
        shrunk = covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)
        centered = vectors[:, cell] - vectors[:, cell].mean(axis=0)
        features.append(centered @ fractional_matrix_power(shrunk, -0.5))
    flat = np.concatenate(features, axis=1)
    return flat / np.sqrt((flat**2).mean(axis=1, keepdims=True))


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("source", ["map", "response"])
def test_it_is_its_formula(name, source, made, tmp_path):
    maps = MAPS if source == "map" else None
    network = fit(made, tmp_path / "w.h5", name, maps)
    images = center_crop(shards.read(made / "others.h5", "signatures", ["image"])["image"])
    with torch.inference_mode():
        found = whitened(network, tmp_path / "w.h5")(as_input(images)).numpy()
    expected = by_hand(network, images, MAPS[name] if maps else None)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    np.testing.assert_allclose((found**2).mean(axis=1), 1, atol=1e-5)


def test_the_exported_file_describes_so(made, tmp_path):
    network = fit(made, tmp_path / "w.h5")
    described = whitened(network, tmp_path / "w.h5")
    images = center_crop(shards.read(made / "others.h5", "signatures", ["image"])["image"])
    with torch.inference_mode():
        expected = described(as_input(images)).numpy()
    whitening, out = tmp_path / "w.h5", tmp_path / "teacher.onnx"
    weights = made / "signet.safetensors"
    export_onnx(weights=weights, out=out, name="teacher", whitening=whitening)
    np.testing.assert_allclose(Extractor(out)(images, 3), expected, atol=1e-4)
    about = read_description(out)
    elements = expected.shape[1]
    assert about["whitened"] == {"map": "conv4", "set": "others", "elements": elements}
    assert f"(batch, {elements})" in about["output"]
    export_onnx(weights=weights, out=tmp_path / "all.onnx", name="teacher")
    assert read_description(tmp_path / "all.onnx")["whitened"] is None


def test_what_cannot_be_whitened_is_said(made, tmp_path):
    with pytest.raises(FkdError, match=r"signet.* no feature map 'conv9'; it has conv1, .*conv5"):
        fit(made, tmp_path / "w.h5", maps={"signet": "conv9"})
    shard = shards.read(made / "others.h5", "signatures", ["image", "writer", "forgery"])
    arrays = {name: shard[name][[0, 2, 4]] for name in ("image", "writer", "forgery")}
    shards.write(tmp_path / "few.h5", "signatures", arrays, {"set": "few"})
    with pytest.raises(FkdError, match=r"few\.h5: no writer has two signatures"):
        fit_whitening(
            weights=made / "signet.safetensors",
            signatures=tmp_path / "few.h5",
            out=tmp_path / "w.h5",
        )
    assert not (tmp_path / "w.h5").exists()


def settings(**whitening):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    return config | {"export": {"whitening": whitening}}


@pytest.mark.parametrize(
    ("whitening", "said"),
    [
        ({"signatures": "other"}, "export.whitening.signatures: other is none of `signatures`"),
        (
            {"signatures": "synthetic"},
            "export.whitening.signatures: synthetic has writers of evaluation.sets.synthetic",
        ),
        (
            {"signatures": "development", "maps": {"signat": "conv4"}},
            "export.whitening.maps: signat is none of",
        ),
        (
            {"signatures": "development", "maps": {"signet": "conv6"}},
            "export.whitening.maps.signet: conv6 is none of its maps: conv1, conv2, conv3, conv4",
        ),
    ],
)
def test_a_config_that_cannot_be_whitened_is_refused(whitening, said):
    with pytest.raises(FkdError) as refused:
        complete(settings(**whitening), ROOT / "workflow/schemas/config.schema.yaml")
    assert said in str(refused.value)


@pytest.mark.workflow
def test_each_exported_model_is_whitened(tmp_path):
    folder = study(
        tmp_path, export={"whitening": {"signatures": "development", "maps": {"signet": "conv4"}}}
    )
    status, output = snakemake(folder, "-n")
    assert status == 0, output
    jobs = plan(output)
    assert jobs["fit_whitening"] == jobs["export_onnx"] > 1


def test_the_methods_say_so():
    config = complete(
        settings(signatures="development", maps={"signet": "conv4"}),
        ROOT / "workflow/schemas/config.schema.yaml",
    ).settings
    (text,) = whitening_in_words(config)
    assert "by conv4 of SigNet, averaged over 3 x 5 cells" in text
    assert "within the writers of development" in text
    found = deviations(config, ROOT / "workflow/schemas/config.schema.yaml")
    assert any("signatures by conv4, whitened (`export.whitening`)" in line for line in found)
    assert whitening_in_words(config | {"export": {"whitening": None}}) == []
