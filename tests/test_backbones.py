"""Networks of others in Siamese networks: frozen ONNX models, and networks of timm."""

import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file
from test_siamese import SMALL, pairs, train  # noqa: F401, the fixture

from fkd import models
from fkd.errors import FkdError
from fkd.models.export import export_onnx, export_siamese
from fkd.models.extractor import Extractor
from fkd.models.frozen_onnx import FrozenOnnx
from fkd.models.onnx_file import read_description
from fkd.models.siamese import load_siamese
from fkd.pairs.stored import read_pairs
from fkd.preprocess import INPUT
from fkd.storage.manifest import sha256
from fkd.study.parts import Networks
from fkd.study.siamese import Siamese, Start
from fkd.training import fitting
from fkd.training.recipe import PairRecipe

RECIPE = PairRecipe(epochs=2, batch=8, steps=3, learning_rate=0.003)


def write_extractor(path, opset=17, layout=("n", *INPUT, 1), feature=6):
    """An extractor of others: pixels in a layout of their own, a product, and a spare axis."""
    draw = np.random.default_rng(5)
    weight = draw.normal(0, 0.01, (INPUT[0] * INPUT[1], feature)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["product"]),
        helper.make_node("Relu", ["product"], ["relu"]),
        helper.make_node("Reshape", ["relu", "shape"], ["feature"]),
    ]
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, layout)],
        [helper.make_tensor_value_info("feature", TensorProto.FLOAT, [layout[0], feature, 1])],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array([-1, feature, 1]), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def of_onnx(path, loss="binary_cross_entropy", **settings):
    return Siamese("drawn", loss, initialize=Start(onnx=str(path)), **settings)


def check_exports(folder):
    """Both ONNX files of a network say what it says."""
    network, _ = load_siamese(folder / "weights.safetensors")
    export_onnx(weights=folder / "weights.safetensors", out=folder / "e.onnx", name="mine")
    export_siamese(weights=folder / "weights.safetensors", out=folder / "s.onnx", name="mine")
    first, second = torch.rand(2, 5, 1, *INPUT, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        expected = network(first, second).numpy()
        feature = network.describe(first).numpy()
    session = onnxruntime.InferenceSession(folder / "s.onnx")
    (score,) = session.run(None, {"first": first.numpy(), "second": second.numpy()})
    np.testing.assert_allclose(score, expected, atol=1e-4)
    np.testing.assert_allclose(
        Extractor(folder / "e.onnx")(first.numpy()[:, 0]), feature, atol=1e-4
    )
    return network


@pytest.mark.parametrize(("opset", "loss"), [(13, "binary_cross_entropy"), (21, "nt_xent")])
def test_a_head_on_a_frozen_model_learns_and_is_exported(pairs, tmp_path, opset, loss):  # noqa: F811
    path = write_extractor(tmp_path / "theirs.onnx", opset)
    train(pairs, tmp_path, of_onnx(path, loss), start=path, recipe=RECIPE)
    network = check_exports(tmp_path)
    assert network.embedding.proto() == onnx.load(path)  # it has stayed as it was
    fresh = FrozenOnnx.of(path, 128, seed=1)
    assert not torch.equal(fresh.fc.weight, network.embedding.fc.weight)  # the head has learned
    about = read_description(tmp_path / "s.onnx")
    assert about["network"] == "frozen ONNX model"
    assert about["parameters"] == INPUT[0] * INPUT[1] * 6 + 3 + 6 * 128 + 128
    assert about["trained_with"]["start"] == {"file": "theirs.onnx", "sha256": sha256(path)}
    assert str(tmp_path) not in str(about)


def test_a_frozen_model_is_asked_once_for_each_image(pairs, tmp_path, monkeypatch):  # noqa: F811
    path, asked = write_extractor(tmp_path / "theirs.onnx"), []
    real = FrozenOnnx.trunk
    monkeypatch.setattr(
        FrozenOnnx, "trunk", lambda net, images: asked.append(len(images)) or real(net, images)
    )
    train(pairs, tmp_path, of_onnx(path), start=path, recipe=replace(RECIPE, epochs=4))
    assert sum(asked) == len(read_pairs(pairs).file)


def test_a_killed_training_of_a_head_ends_with_the_same_bytes(pairs, tmp_path, monkeypatch):  # noqa: F811
    path = write_extractor(tmp_path / "theirs.onnx")
    whole = train(pairs, tmp_path / "whole", of_onnx(path), start=path, recipe=RECIPE)
    real, calls = fitting._go_over, []

    def go_over(*arguments):
        calls.append(arguments)
        if len(calls) == 3:  # the second epoch
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fitting, "_go_over", go_over)
        train(pairs, tmp_path / "killed", of_onnx(path), start=path, recipe=RECIPE)
    again = train(pairs, tmp_path / "killed", of_onnx(path), start=path, recipe=RECIPE)
    assert again == whole


def test_a_model_of_a_fixed_number_of_images_is_refused(pairs, tmp_path):  # noqa: F811
    path = write_extractor(tmp_path / "theirs.onnx", layout=(4, *INPUT, 1))
    model = onnx.load(path)
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.array([4, 6, 1]), "shape"))
    onnx.save(model, path)
    with pytest.raises(FkdError, match=r"takes 4 images a pass.*free batch size"):
        train(pairs, tmp_path, of_onnx(path), start=path)


def test_operators_that_cannot_be_converted_are_refused_with_the_remedy(tmp_path, monkeypatch):
    from fkd.models import joining

    def convert(model, version):
        raise RuntimeError("no adapter")

    monkeypatch.setattr(joining.version_converter, "convert_version", convert)
    model = onnx.load(write_extractor(tmp_path / "theirs.onnx", 13))
    with pytest.raises(FkdError, match=r"of version 13.*no adapter.*opset_version=18"):
        joining.raised(model, "theirs.onnx")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"initialize": {}}, "either student, teacher: true, onnx or weights"),
        ({"initialize": {"onnx": "a.onnx", "student": "s"}}, "either student"),
        ({"initialize": {"onnx": "a.onnx", "frozen": True}}, "sha256 and frozen are for weights"),
        (
            {"initialize": {"onnx": "a.onnx"}, "architecture": "signet"},
            "architecture: leave it out",
        ),
        ({"initialize": {"onnx": "a.onnx"}, "width": 0.5}, "networks of others have one width"),
        ({"architecture": "onnx"}, "initialize.onnx: missing"),
        ({"architecture": "timm:resnet50", "width": 0.5}, "networks of others have one width"),
        ({"architecture": "timm:"}, "architecture: expected one of resnet18"),
        ({"initialize": {"weights": "a.pth", "sha256": "0" * 64}}, "architecture: missing"),
        (
            {"initialize": {"weights": "a.pth"}, "architecture": "timm:resnet50"},
            "initialize.sha256: expected the 64 hexadecimal digits",
        ),
        (
            {"initialize": {"weights": "a.pth", "sha256": "0" * 64}, "architecture": "signet"},
            "initialize.weights: expected an architecture timm:NAME, found signet",
        ),
    ],
)
def test_starts_that_fit_nothing_are_refused(settings, said):
    with pytest.raises(FkdError) as refused:
        Siamese.from_settings({"pairs": "p", "loss": "triplet", **settings})
    assert said in str(refused.value)


def test_without_timm_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        FkdError, match=r"timm:resnet50: the library timm is missing.*fkd\[backbones\]"
    ):
        models.build("timm:resnet50")


@pytest.fixture
def timm():
    return pytest.importorskip(
        "timm", reason="timm is not installed: pip install 'fkd[backbones]'", exc_type=ImportError
    )


def parameters(network):
    """Count as Keras does: the statistics of batch norm are parameters that are not trained."""
    counts = {n: v.numel() for n, v in network.state_dict().items() if not n.endswith("_tracked")}
    trained = sum(v.numel() for v in network.parameters() if v.requires_grad)
    return sum(counts.values()), trained


def test_mobilenetv2_has_the_published_numbers_of_parameters(timm):
    spec = Siamese("p", "binary_cross_entropy", "timm:mobilenetv2_100")
    network = models.build(spec.architecture, None, spec.size(SMALL))
    network.freeze()
    comparison = 128 + 1  # the fully connected layer on the absolute differences
    total, trained = parameters(network)
    assert (total + comparison, trained + comparison) == (2_422_081, 164_097)


@pytest.mark.parametrize("name", ["xception", "inception_v3", "resnet50"])
def test_the_networks_of_the_notebook_describe_signatures(timm, name):
    network = models.build(f"timm:{name}", None, Networks(features=128)).eval()
    with torch.inference_mode():
        _, feature = network.describe(torch.rand(1, 1, *INPUT))
    assert feature.shape == (1, 128) and (feature >= 0).all() and feature.any()


def test_a_network_that_timm_lacks_is_refused(timm):
    for name in ("nothing", "hf_hub:somebody/model"):
        with pytest.raises(FkdError, match="has no network of this name"):
            models.build(f"timm:{name}")


@pytest.fixture
def weights(timm, tmp_path):
    """Weights as timm saves them: with a classifier."""
    torch.manual_seed(3)
    theirs = timm.create_model("test_resnet", pretrained=False)
    save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    return tmp_path / "theirs.safetensors"


def of_timm(weights, **settings):
    settings = {"sha256": sha256(weights), "frozen": True, **settings}
    return Siamese(
        "drawn",
        "binary_cross_entropy",
        "timm:test_resnet",
        initialize=Start(weights=str(weights), **settings),
    )


@pytest.mark.parametrize("frozen", [True, False])
def test_a_network_of_timm_learns_and_is_exported(pairs, tmp_path, weights, frozen):  # noqa: F811
    recipe = replace(RECIPE, epochs=1, steps=1)
    train(pairs, tmp_path, of_timm(weights, frozen=frozen), start=weights, recipe=recipe)
    network = check_exports(tmp_path)
    theirs = load_file(weights)
    same = [torch.equal(v, theirs[n]) for n, v in network.embedding.body.state_dict().items()]
    assert all(same) if frozen else not any(same[:1])
    # A frozen network is asked beforehand, and describes images as it would at each step.
    assert network.embedding.is_frozen == frozen


def test_weights_are_checked_by_their_digest(pairs, tmp_path, weights):  # noqa: F811
    with pytest.raises(FkdError, match=r"SHA-256 digest is .* not initialize.sha256, 0000"):
        train(pairs, tmp_path, of_timm(weights, sha256="0" * 64), start=weights)
    spec = of_timm(weights)
    weights.unlink()
    with pytest.raises(FkdError, match=r"no such file.*huggingface.co/timm.*never fetched"):
        train(pairs, tmp_path, spec, start=weights)


def test_weights_of_another_network_are_refused(pairs, tmp_path, weights):  # noqa: F811
    spec = replace(of_timm(weights), architecture="timm:resnet18")
    with pytest.raises(FkdError, match="do not fit"):
        train(pairs, tmp_path, spec, start=weights)
