"""Networks: sizes, gradients, initialization, files, ONNX."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from fkd import models
from fkd.errors import FkdError
from fkd.graph import neighborhoods, spanning_tree
from fkd.models.export import CHECKED_BATCHES, check_onnx, export_onnx
from fkd.models.extractor import Extractor
from fkd.preprocess import INPUT
from fkd.study.parts import ARCHITECTURES, Networks, code_of_part
from fkd.study.students import PAPER
from fkd.training.students import loss_terms

SMALL = Networks(width=0.05, features=32)
TRAINED = {name: student for name, student in PAPER.items() if student.is_trained}


@pytest.mark.fidelity("SigNet")
@pytest.mark.fidelity("ResNet-18")
@pytest.mark.parametrize(("name", "count"), [("signet", 15_792_160), ("resnet18", 13_072_320)])
def test_number_of_parameters(name, count):
    network = code_of_part(ARCHITECTURES[name].network)()
    assert sum(p.numel() for p in network.parameters()) == count
    with_classifier = code_of_part(ARCHITECTURES[name].network)(num_classes=7)
    assert sum(p.numel() for p in with_classifier.parameters()) == count + 7 * 2048


@pytest.mark.parametrize(
    ("name", "first", "count"),
    [
        # By layers: weights and biases of the convolutions, batch norm, fully connected layers.
        ("custom_cnn", 7056, (27 * 4 + 4) + (36 * 16 + 16) + 7057 * 256),
        (
            "article_cnn",
            30_976,
            (122 * 96 + 192)
            + (2401 * 256 + 512)
            + (2305 * 384 + 768)
            + (3457 * 256 + 512)
            + (30_977 * 1024 + 1025 * 128 + 129 * 2),
        ),
        (
            "dey_signet",
            108_800,
            (122 * 96) + (2401 * 256) + (2305 * 384) + (3457 * 256) + 108_801 * 1024 + 1025 * 128,
        ),
    ],
)
def test_parameters_of_the_networks_of_write_ups(name, first, count):
    with torch.device("meta"):
        network = code_of_part(ARCHITECTURES[name].network)()
        _, feature = network.describe(torch.empty(2, 1, 150, 220))
    assert sum(p.numel() for p in network.parameters()) == count
    linear = next(m for m in network.modules() if isinstance(m, torch.nn.Linear))
    assert linear.in_features == first
    assert feature.shape == (2, ARCHITECTURES[name].features)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_networks_take_images_of_any_size(name):
    known = ARCHITECTURES[name]
    network = models.build(name, None, SMALL).eval()
    images = torch.rand(3, 1, 90, 130, generator=torch.Generator().manual_seed(1))
    taken = network.take(images)
    assert taken.shape == (3, known.input.channels, *known.input.size)
    if known.input.scaling == "image":
        torch.testing.assert_close(taken.mean(dim=(1, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
        spread = taken.square().mean(dim=(1, 2, 3))
        torch.testing.assert_close(spread, torch.ones(3))
        assert torch.isfinite(network.take(torch.zeros(1, 1, 9, 9))).all()
    else:
        assert taken.min() >= 0 and taken.max() <= 1 + 1e-6
    same = torch.rand(2, 1, *known.input.size)
    if known.input.scaling == "unit":
        torch.testing.assert_close(network.take(same), same, atol=0, rtol=0)


@pytest.mark.fidelity("SigNet")
@pytest.mark.fidelity("ResNet-18")
def test_the_published_sizes_of_maps():
    images = torch.zeros(1, 1, 150, 220)
    maps, feature = models.SigNet().eval().describe(images)
    found = {name: tuple(m.shape[1:]) for name, m in maps.items()}
    assert found == {
        "conv1": (96, 35, 53),
        "conv2": (256, 17, 26),
        "conv3": (384, 8, 12),
        "conv4": (384, 8, 12),
        "conv5": (256, 8, 12),
    }
    assert feature.shape == (1, 2048)
    maps, feature = models.ResNet18().eval().describe(images)
    found = {name: tuple(m.shape[1:]) for name, m in maps.items()}
    assert found == {
        "stage1": (64, 35, 53),
        "stage2": (128, 17, 26),
        "stage3_block1": (256, 8, 12),
        "stage3": (256, 8, 12),
        "stage4": (256, 3, 5),
    }
    assert feature.shape == (1, 2048)


@pytest.mark.fidelity("connections")
@pytest.mark.parametrize("student", ARCHITECTURES)
def test_connected_maps_have_equal_sizes(student):
    sizes = ARCHITECTURES[student].map_sizes
    for teacher_map, student_map in ARCHITECTURES[student].connections.items():
        assert ARCHITECTURES["signet"].map_sizes[teacher_map] == sizes[student_map]
    network = code_of_part(ARCHITECTURES[student].network)(width=0.05).eval()
    maps, _ = network.describe(torch.zeros(1, 1, 150, 220))
    assert {name: tuple(m.shape[2:]) for name, m in maps.items()} == sizes


@pytest.mark.fidelity("students")
def test_the_paper_has_sixteen_trained_students_and_two_random_ones():
    assert len(TRAINED) == 16
    assert sorted(set(PAPER) - set(TRAINED)) == ["resnet18_random", "signet_random"]


@pytest.fixture(scope="module")
def batch():
    g = torch.Generator().manual_seed(0)
    batch = {
        "image": torch.rand(4, 1, 150, 220, generator=g),
        "writer": torch.tensor([0, 1, 2, 0]),
        "feature": torch.rand(4, 32, generator=g),
    }
    for name in ("conv2", "conv5"):
        rows, columns = ARCHITECTURES["signet"].map_sizes[name]
        tree = spanning_tree(torch.rand(rows * columns, 3, generator=g).numpy())
        batch[f"neighborhoods_{name}"] = torch.from_numpy(neighborhoods(np.stack([tree] * 4)))
        batch[f"nac_{name}"] = torch.rand(4, rows * columns, generator=g)
    return batch


@pytest.mark.fidelity("total loss")
@pytest.mark.parametrize("name", TRAINED)
def test_every_parameter_has_a_gradient(name, batch):
    student = TRAINED[name]
    network = models.build(student.architecture, 3, SMALL)
    terms, _ = loss_terms(student, network, batch)
    expected = {"classification", "total"} | {f"geometry_{m}" for m in student.guiding_maps}
    assert set(terms) == expected | ({"response"} if student.response else set())
    terms["total"].backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert all(p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.fidelity("total loss")
def test_total_is_the_weighted_sum(batch):
    network = models.build("resnet18", 3, SMALL)
    terms, _ = loss_terms(TRAINED["resnet18_cl_geom_bc"], network, batch)
    expected = (
        terms["classification"]
        + 10 * terms["geometry_conv2"]
        + 100 * terms["geometry_conv5"]
        + 1e-4 * terms["response"]
    )
    torch.testing.assert_close(terms["total"], expected)


@pytest.mark.fidelity("initialization")
def test_weights_depend_on_the_seed_and_the_rule():
    first, again = (models.build("signet", None, SMALL, seed=1) for _ in range(2))
    assert models.checksum(first) == models.checksum(again)
    assert models.checksum(first) != models.checksum(models.build("signet", None, SMALL, seed=2))
    weight = models.build("resnet18").fc.weight
    assert weight.std().item() == pytest.approx((2 / 3840) ** 0.5, rel=0.02)
    weight = models.build("resnet18", None, Networks(initialization="xavier")).fc.weight
    assert weight.abs().max().item() == pytest.approx((6 / (3840 + 2048)) ** 0.5, rel=1e-3)


@pytest.mark.fidelity("initialization")
@pytest.mark.parametrize("name", ["resnet18", "signet"])
def test_the_public_classes_start_as_published(name):
    network = code_of_part(ARCHITECTURES[name].network)()
    fc = dict(network.named_modules())["fc" if name == "resnet18" else "fc_layers.fc1.fc"]
    assert fc.weight.std().item() == pytest.approx((2 / 3840) ** 0.5, rel=0.02)


class Narrow(models.SigNet):
    """A network of one's own."""

    architecture = "narrow"


@pytest.mark.parametrize("rule", ["code", "xavier"])
def test_a_network_registered_at_run_time_is_built(tmp_path, monkeypatch, rule):
    signet = ARCHITECTURES["signet"]
    narrow = replace(signet, label="Narrow", network=f"{__name__}.Narrow")
    monkeypatch.setitem(ARCHITECTURES, "narrow", narrow)
    network = models.build("narrow", 3, replace(SMALL, initialization=rule), seed=2).eval()
    assert type(network) is Narrow and network.map_sizes == signet.map_sizes
    models.save(network, tmp_path / "narrow.safetensors")
    loaded, _ = models.load(tmp_path / "narrow.safetensors")
    assert type(loaded) is Narrow
    images = torch.rand(2, 1, 150, 220)
    torch.testing.assert_close(loaded(images), network.describe(images)[1])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_saved_networks_come_back(tmp_path, architecture, layout):
    network = models.build(architecture, 5, SMALL).to(memory_format=layout).eval()
    models.save(network, tmp_path / "a.safetensors", {"seed": 3})
    loaded, about = models.load(tmp_path / "a.safetensors")
    assert about == {"seed": 3}
    assert loaded.classifier is None
    assert not loaded.training
    images = torch.rand(2, 1, 150, 220)
    torch.testing.assert_close(loaded(images), network.describe(images)[1])


def test_loading_names_the_fault(tmp_path):
    with pytest.raises(FkdError, match="no such file"):
        models.load(tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes(b"nothing")
    with pytest.raises(FkdError, match="not a safetensors file"):
        models.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_onnx_equals_torch(tmp_path, architecture):
    # What takes the response of ours at the published width would take minutes of the others.
    size = Networks(width=1.0 if ARCHITECTURES[architecture].map_sizes else 0.1, features=64)
    network = models.build(architecture, 5, size).eval()
    models.save(network, tmp_path / "a.safetensors", {"seed": 3})
    export_onnx(weights=tmp_path / "a.safetensors", out=tmp_path / "a.onnx", name="a")
    assert [path.name for path in tmp_path.glob("*.onnx*")] == ["a.onnx"]
    check_onnx(tmp_path / "a.onnx", models.load(tmp_path / "a.safetensors")[0])
    assert CHECKED_BATCHES == (1, 4, 7)
    other = models.build(architecture, None, size, seed=1).eval()
    with pytest.raises(FkdError, match="differs from PyTorch"):
        check_onnx(tmp_path / "a.onnx", other)
    properties = {p.key: p.value for p in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert json.loads(properties["trained_with"]) == {"seed": 3}


def rounded_by_loops(values, precision):
    """Weights as a file of fewer bits holds them."""
    if precision == "float16":
        return values.astype(np.float16).astype(np.float32)
    found = values.copy()
    for row in found:
        step = np.abs(row).max() / np.float32(127)
        for place in np.ndindex(row.shape):
            row[place] = np.rint(row[place] / step) * step
    return found


@pytest.mark.parametrize(("precision", "share"), [("float16", 0.56), ("int8", 0.34)])
def test_weights_in_fewer_bits(tmp_path, precision, share):
    network = models.build("signet", None, Networks(width=0.1, features=24), seed=4)
    models.save(network, tmp_path / "w", {})
    full, narrowed = tmp_path / "full.onnx", tmp_path / "narrowed.onnx"
    export_onnx(weights=tmp_path / "w", out=full, name="a")
    export_onnx(weights=tmp_path / "w", out=narrowed, name="a", precision=precision)
    assert narrowed.stat().st_size < share * full.stat().st_size
    rounded, kept = onnx.load(full), {t.name: t for t in onnx.load(narrowed).graph.initializer}
    for tensor in rounded.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name not in kept:
            values = rounded_by_loops(values, precision)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    assert sum(t.name not in kept for t in rounded.graph.initializer) == 6
    onnx.save(rounded, full)
    images = np.random.default_rng(0).random((3, *INPUT), np.float32)
    found, expected = (Extractor(path)((images * 255).astype("u1")) for path in (narrowed, full))
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_weights_that_float16_cannot_hold_are_refused(tmp_path):
    network = models.build("signet", None, SMALL, seed=4)
    with torch.no_grad():
        network.fc_layers.fc2.fc.weight[0, 0] = 1e30
    models.save(network, tmp_path / "w", {})
    with pytest.raises(FkdError, match=r"Let export\.precision be float32"):
        export_onnx(weights=tmp_path / "w", out=tmp_path / "a", name="a", precision="float16")


def test_equal_weights_are_equal_files(tmp_path):
    about = {f"key {n}": n for n in range(9)}
    for name in "abcd":
        models.save(models.build("signet", None, SMALL, seed=1), tmp_path / name, about)
    assert len({(tmp_path / name).read_bytes() for name in "abcd"}) == 1
