"""The published teacher: read from PyTorch's file and from ONNX, and checked."""

import logging
import pickle
import warnings

import numpy as np
import onnx
import pytest
import torch
from foreign import linear

from fkd import models
from fkd.__main__ import main
from fkd.errors import FkdError
from fkd.images import read_gray
from fkd.models import published
from fkd.models.teacher import check_teacher, import_teacher
from fkd.preprocess import normalize
from fkd.study.parts import Networks
from fkd.synthesis import draw_signatures

SMALL = Networks(width=0.05, features=16)

pytestmark = pytest.mark.fidelity("teacher's weights")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A SigNet of few channels in place of the published size, which the shapes follow."""
    monkeypatch.setattr(published, "SigNet", lambda: models.build("signet", None, SMALL))


@pytest.fixture(scope="module")
def signet():
    """A SigNet whose batch norm has statistics, as a trained one has."""
    network = models.build("signet", None, SMALL, seed=4).eval()
    generator = torch.Generator().manual_seed(0)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            for values in (part.weight.data, part.running_var):
                values.uniform_(0.5, 2, generator=generator)
            for values in (part.bias.data, part.running_mean):
                values.normal_(0, 0.2, generator=generator)
    return network


def state_of(network):
    """A network's state as the public file holds it: without batch norm's counters."""
    return {k: v for k, v in network.state_dict().items() if "num_batches" not in k}


def test_public_weights_are_read(tmp_path, signet):
    torch.save((state_of(signet), torch.zeros(2), torch.zeros(2)), tmp_path / "signet.pth")
    assert models.checksum(models.read_public_weights(tmp_path / "signet.pth")) == models.checksum(
        signet
    )


def test_public_weights_that_do_not_fit_are_listed(tmp_path):
    state = state_of(models.build("signet", None, Networks(width=0.1, features=16)))
    state["extra.weight"] = state.pop("fc_layers.fc2.fc.weight")
    torch.save((state,), tmp_path / "signet.pth")
    with pytest.raises(FkdError) as error:
        models.read_public_weights(tmp_path / "signet.pth")
    message = str(error.value)
    assert "fc_layers.fc2.fc.weight: missing" in message
    assert "extra.weight: not expected" in message
    assert "conv_layers.conv1.conv.weight: shape (10, 1, 11, 11), expected (5, 1" in message


@pytest.mark.parametrize("content", [b"", b"half", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_files_that_are_no_weights_are_refused(tmp_path, content):
    (tmp_path / "signet.pth").write_bytes(content)
    with pytest.raises(FkdError, match=r"signet\.pth"):
        models.read_public_weights(tmp_path / "signet.pth")


def export(network, path, fold=True, batch_norm=True):
    """Write a network as PyTorch's older exporter does, for a batch of one.

    `batch_norm` keeps its nodes, which are folded into the convolutions otherwise; `fold`
    computes beforehand what is constant, such as transposed weights.
    """
    mode = torch.onnx.TrainingMode.PRESERVE if batch_norm else torch.onnx.TrainingMode.EVAL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 150, 220),),
            path,
            dynamo=False,
            training=mode,
            do_constant_folding=fold,
        )
    return path


def same(network, other):
    images = torch.rand(2, 1, 150, 220, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(network(images), other(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fold", [True, False], ids=["transposed weights", "transposing nodes"])
def test_the_weights_of_an_onnx_file_are_those_that_were_exported(tmp_path, signet, fold):
    path = export(signet, tmp_path / "signet.onnx", fold)
    names = {tensor.name for tensor in onnx.load(path).graph.initializer}
    assert ("fc_layers.fc1.fc.weight" in names) != fold
    assert models.checksum(models.read_public_weights(path)) == models.checksum(signet)


def test_folded_batch_norm_is_taken_in(tmp_path, signet):
    path = export(signet, tmp_path / "signet.onnx", batch_norm=False)
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count("BatchNormalization") == 2  # of 7
    same(models.read_public_weights(path), signet)


def edited(path, edit):
    """Change a model's graph; `edit` gets the graph and its initializers by name."""
    model = onnx.load(path)
    edit(model.graph, {tensor.name: tensor for tensor in model.graph.initializer})
    onnx.save(model, path)
    return path


def replace(tensor, values):
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


def as_gemm(trans_b):
    """Turn MatMul into Gemm, its weights stored either way, with scales that cancel."""

    def edit(graph, tensors):
        for node in graph.node:
            if node.op_type == "MatMul":
                weight = tensors[node.input[1]]
                values = onnx.numpy_helper.to_array(weight) / 2
                replace(weight, values.T if trans_b else values)
                node.op_type = "Gemm"
                options = {"alpha": 2.0, "transB": int(trans_b)}
                node.attribute.extend(onnx.helper.make_attribute(*item) for item in options.items())

    return edit


@pytest.mark.parametrize("trans_b", [True, False])
def test_gemm_in_both_orders(tmp_path, signet, trans_b):
    path = edited(export(signet, tmp_path / "signet.onnx"), as_gemm(trans_b))
    assert models.checksum(models.read_public_weights(path)) == models.checksum(signet)


def with_biases(graph, tensors):
    """Shift each map by a bias that batch norm's mean takes back, and change its epsilon."""
    for node in list(graph.node):
        if node.op_type != "BatchNormalization":
            continue
        for at, shift in ((3, 0.5), (4, 1e-5 - 1e-3)):  # mean and variance, one copy for each
            values = onnx.numpy_helper.to_array(tensors[node.input[at]]) + np.float32(shift)
            name = f"{node.output[0]}_{at}"
            graph.initializer.append(onnx.numpy_helper.from_array(values, name))
            node.input[at] = name
        size = (len(values),) + (1, 1) * (len(tensors_of(graph, node)) == 4)
        name = f"{node.output[0]}_bias"
        graph.initializer.append(onnx.numpy_helper.from_array(np.full(size, 0.5, "f4"), name))
        added = onnx.helper.make_node("Add", [node.input[0], name], [f"{name}_added"])
        graph.node.insert(list(graph.node).index(node), added)
        node.input[0] = added.output[0]
        for item in node.attribute:
            if item.name == "epsilon":
                item.f = 1e-3


def tensors_of(graph, node):
    """The weights that the map before a batch norm comes from: 4 axes of a convolution."""
    before = next(other for other in graph.node if node.input[0] in other.output)
    return next(t.dims for t in graph.initializer if t.name == before.input[1])


def test_biases_and_another_epsilon_are_taken_in(tmp_path, signet):
    path = edited(export(signet, tmp_path / "signet.onnx"), with_biases)
    same(models.read_public_weights(path), signet)


def test_a_fully_connected_layer_as_a_convolution(tmp_path, signet):
    class Convolutional(torch.nn.Module):
        """SigNet whose fc layers are convolutions of the whole map."""

        def __init__(self):
            super().__init__()
            self.conv_layers = signet.conv_layers
            self.blocks = torch.nn.ModuleList()
            for block, shape in zip(
                signet.fc_layers, [(16, -1, 3, 5), (16, 16, 1, 1)], strict=True
            ):
                weight = block.fc.weight.data.reshape(shape)
                conv = torch.nn.Conv2d(weight.shape[1], 16, shape[2:], bias=False)
                conv.weight.data = weight
                norm = torch.nn.BatchNorm2d(16)
                norm.load_state_dict(block.bn.state_dict())
                self.blocks.append(torch.nn.Sequential(conv, norm, torch.nn.ReLU()))

        def forward(self, images):
            maps = self.conv_layers(images)
            for block in self.blocks:
                maps = block(maps)
            return maps  # (1, 16, 1, 1)

    path = export(Convolutional().eval(), tmp_path / "signet.onnx")
    assert models.checksum(models.read_public_weights(path)) == models.checksum(signet)


def test_shapes_that_do_not_fit_are_listed(tmp_path):
    wide = models.build("signet", None, Networks(width=0.1, features=16)).eval()
    with pytest.raises(FkdError) as error:
        models.read_public_weights(export(wide, tmp_path / "wide.onnx"))
    assert "these weights do not fit SigNet" in str(error.value)
    assert "conv_layers.conv1.conv.weight: shape (10, 1, 11, 11), expected (5, 1" in str(
        error.value
    )


def test_another_network_is_told_by_its_layers(tmp_path):
    other = models.build("resnet18", None, SMALL).eval()
    with pytest.raises(FkdError, match=r"SigNet's 7 layers .*found 21:\n  Conv \(3, 1, 7, 7\)"):
        models.read_public_weights(export(other, tmp_path / "resnet18.onnx"))
    with pytest.raises(FkdError, match="found 1:\n  MatMul"):
        models.read_public_weights(linear(tmp_path / "a.onnx", (1, 1, 150, 220)))


def without_relu(graph, tensors):
    (node,) = [node for node in graph.node if node.output[0] == graph.output[0].name]
    node.op_type = "Abs"


def with_averages(graph, tensors):
    node = next(node for node in graph.node if node.op_type == "MaxPool")
    node.op_type = "AveragePool"
    for item in [item for item in node.attribute if item.name == "dilations"]:
        node.attribute.remove(item)


@pytest.mark.parametrize("edit", [without_relu, with_averages])
def test_the_same_shapes_in_another_network_are_refused(tmp_path, signet, edit):
    path = edited(export(signet, tmp_path / "signet.onnx"), edit)
    with pytest.raises(FkdError, match=r"gives other features than SigNet .*\(they differ by"):
        models.read_public_weights(path)


def test_a_graph_whose_weights_are_computed_is_refused(tmp_path, signet):
    def edit(graph, tensors):
        norm = next(node for node in graph.node if node.op_type == "BatchNormalization")
        graph.node.insert(0, onnx.helper.make_node("Abs", [norm.input[1]], ["computed"]))
        norm.input[1] = "computed"

    path = edited(export(signet, tmp_path / "signet.onnx"), edit)
    with pytest.raises(FkdError, match=r"its graph is not SigNet's \(.* computes its weights\)"):
        models.read_public_weights(path)


def test_import_gives_the_same_teacher_from_either_file(tmp_path, signet):
    torch.save((signet.state_dict(), None, None), tmp_path / "signet.pth")
    export(signet, tmp_path / "signet.onnx")
    for source in ("signet.pth", "signet.onnx"):
        import_teacher(weights=tmp_path / source, out=tmp_path / "teacher.safetensors")
        teacher, about = models.load(tmp_path / "teacher.safetensors")
        assert models.checksum(teacher) == models.checksum(signet)
        assert about == {"imported": source}


@pytest.fixture
def signature(tmp_path, signet, monkeypatch):
    """A study's folder with one signature, its feature, and the teacher in three forms."""
    monkeypatch.chdir(tmp_path)
    draw_signatures(folder=tmp_path, writers=1, genuine=1, skilled=0, seed=1)
    next((tmp_path / "genuine").iterdir()).rename("signature.png")
    torch.save((signet.state_dict(), None, None), "signet.pth")
    models.save(signet, "signet.safetensors")
    export(signet, "signet.onnx", batch_norm=False)
    # Written out, so that another crop or scale shows.
    pixels = normalize(read_gray("signature.png"))[10:160, 11:231].astype(np.float32) / 255
    with torch.inference_mode():
        feature = signet(torch.from_numpy(pixels)[None, None]).numpy()
    assert feature.max() > 0.1
    np.save("feature.npy", feature)
    return feature


@pytest.mark.parametrize("ending", ["pth", "onnx", "safetensors"])
def test_teacher_check_compares_with_the_stored_vector(signature, caplog, ending):
    with caplog.at_level(logging.INFO):
        main(["teacher-check", f"signet.{ending}", "signature.png", "feature.npy"])
    assert "the features of signature.png differ from feature.npy by" in caplog.text
    assert "within 0.0001" in caplog.text
    np.save("off.npy", signature + np.float32([0] * 15 + [2e-4]))
    with pytest.raises(SystemExit) as stop:
        main(["teacher-check", f"signet.{ending}", "signature.png", "off.npy"])
    assert stop.value.code == 1


def test_teacher_check_says_what_is_wrong(signature, tmp_path, capsys):
    def refusal(features="feature.npy", weights="signet.pth", image="signature.png"):
        with pytest.raises(FkdError) as error:
            check_teacher(weights=weights, image=image, features=features)
        return str(error.value)

    np.save("off.npy", signature + np.float32([3e-3] + [0] * 15))
    assert "signet.pth: the features of signature.png differ from off.npy by 3.0e-03" in refusal(
        "off.npy"
    )
    np.save("nan.npy", signature * np.nan)
    assert "differ from nan.npy by nan" in refusal("nan.npy")
    np.save("long.npy", np.zeros(2048))
    assert "long.npy: a vector of 2048 elements, but signet.pth gives 16" in refusal("long.npy")
    np.save("two.npy", np.zeros((2, 16)))
    assert "two.npy: expected one vector, found the shape (2, 16)" in refusal("two.npy")
    assert "none.npy: no such file" in refusal("none.npy")
    assert "none.png: no such file" in refusal(image="none.png")
    assert "none.onnx: no such file" in refusal(weights="none.onnx")


class Harm:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return (open, ("harm", "w"))


def test_a_stored_vector_is_never_unpickled(signature, tmp_path):
    np.save("harm.npy", np.array([Harm()], object), allow_pickle=True)
    (tmp_path / "harm.pth").write_bytes(pickle.dumps(Harm()))
    for name in ("harm.npy", "harm.pth"):
        with pytest.raises(FkdError, match=rf"{name}: expected a vector .* never read"):
            check_teacher(weights="signet.pth", image="signature.png", features=name)
    assert not (tmp_path / "harm").exists()
    torch.save(torch.from_numpy(signature), "feature.pth")
    check_teacher(weights="signet.pth", image="signature.png", features="feature.pth")


@pytest.mark.parametrize("save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_weights_that_carry_code_are_refused_and_not_run(tmp_path, monkeypatch, save):
    monkeypatch.chdir(tmp_path)
    save((Harm(),), tmp_path / "signet.pth")
    with pytest.raises(FkdError, match="never run"):
        models.read_public_weights(tmp_path / "signet.pth")
    assert not (tmp_path / "harm").exists()
