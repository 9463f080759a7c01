"""SigNet's published weights, read from a PyTorch file or from the network as ONNX."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from fkd.errors import FkdError
from fkd.models.extractor import Extractor
from fkd.models.onnx_file import read_onnx, refuse_control_flow
from fkd.models.pickled import find_state, read_pickled
from fkd.models.signet import SigNet
from fkd.models.trial import try_out
from fkd.models.weights import check_tensors
from fkd.preprocess import INPUT
from fkd.seeding import generator

TOLERANCE = 1e-4
"""The largest allowed difference between the features of an ONNX file and those of the SigNet that
was read from it, as a share of the largest feature."""

CHECKED_IMAGES = 3

EPSILON = np.float32(nn.BatchNorm2d(1).eps)
"""The constant that SigNet's batch norm adds to each variance."""


def read_public_weights(path: Path | str) -> SigNet:
    """Read the published weights of SigNet.

    Parameters
    ----------
    path : Path or str
        Either ``signet.pth``, a tuple whose first member is the state of the network without
        classifiers, or the network as ``*.onnx``. Of a checkpoint or a wrapped network, the state
        is found by the names of the weights. Objects in it are never unpickled; the graph of an
        ONNX file is run on a few drawn images, if it holds nothing but operators in a row.

    Returns
    -------
    SigNet
        The network, in evaluation mode and without a classifier.

    Raises
    ------
    FkdError
        If the file is missing, has another content, or its weights do not fit SigNet.
    """
    network = SigNet().eval()
    is_onnx = Path(path).suffix.lower() == ".onnx"
    state = _read_onnx(path, network) if is_onnx else _read_pth(path)
    # Weights saved before PyTorch 0.4.1 lack batch norm's counters, which are not used here.
    counters = {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
    state = counters | state
    check_tensors(network, state, path)
    network.load_state_dict(state)
    if is_onnx:
        _compare(path, network)
    return network


def _read_pth(path: Path | str) -> dict[str, Tensor]:
    """Read a network's state from a PyTorch file, without unpickling any objects."""
    state = find_state(path, read_pickled(path, "It is what teacher.weights names."))
    if state is None:
        raise FkdError(
            f"{path}: expected a tuple whose first member maps names to tensors, or a checkpoint "
            "with an entry that does."
        )
    return dict(state)


@dataclass
class _Layer:
    """A convolution or a fully connected layer of a graph, with its batch norm.

    If the exporter has folded batch norm into weight and bias, `normed` is empty. Otherwise, it
    holds batch norm's weight, bias, mean and variance.
    """

    operator: str
    weight: np.ndarray
    bias: np.ndarray
    normed: tuple[np.ndarray, ...] = ()
    epsilon: float = 0.0

    def norm(self) -> dict[str, np.ndarray]:
        """Compute the batch norm of SigNet that is equivalent to the graph's bias and batch norm.

        SigNet's layers have no bias and a fixed epsilon. So the bias is subtracted from the mean,
        and the difference of the epsilons is added to the variance. For a folded batch norm the
        variance becomes 1 - epsilon, so that the result only adds the bias.
        """
        ones = np.ones(len(self.weight), np.float32)
        scale, shift, mean, variance = self.normed or (ones, 0 * ones, 0 * ones, ones)
        return {
            "weight": scale,
            "bias": shift,
            "running_mean": mean - self.bias,
            "running_var": variance + (np.float32(self.epsilon) - EPSILON),
        }


def _read_onnx(path: Path | str, network: SigNet) -> dict[str, Tensor]:
    """Read a graph's weights, and give them their public names.

    The weights are identified by their order in the graph, not by their names: exporters rename
    the tensors that they fold or transpose, and store equal tensors only once.
    """
    model = read_onnx(path)
    refuse_control_flow(path, model)
    try:
        layers = list(_layers(model.graph))
        norms = [layer.norm() for layer in layers]
    except Exception as error:  # any error is possible for a graph of another network
        raise FkdError(f"{path}: its graph is not SigNet's ({error}).") from None
    names = {
        name: part
        for name, part in network.named_modules()
        if isinstance(part, nn.Conv2d | nn.Linear)
    }
    if len(layers) != len(names):
        listed = "\n".join(f"  {layer.operator} {layer.weight.shape}" for layer in layers)
        raise FkdError(
            f"{path}: expected SigNet's {len(names)} layers with weights, found {len(layers)}:\n"
            f"{listed}"
        )
    state = {}
    for (name, part), layer, norm in zip(names.items(), layers, norms, strict=True):
        weight, shape = layer.weight, tuple(part.weight.shape)
        # A fully connected layer may be stored as a convolution whose kernel covers the whole map.
        fits = len(weight) == shape[0] and weight.size == part.weight.numel()
        state[f"{name}.weight"] = weight.reshape(shape) if fits else weight
        state |= {f"{name.rpartition('.')[0]}.bn.{key}": values for key, values in norm.items()}
    return {
        name: torch.from_numpy(np.array(values, np.float32, order="C"))
        for name, values in state.items()
    }


def _layers(graph: onnx.GraphProto) -> list[_Layer]:
    """Collect the layers of a chain in the order of its nodes, which is topological in ONNX."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers: list[_Layer] = []
    for node in graph.node:
        options = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        # An input is None if it is computed, and an array if it is stored in the graph.
        match node.op_type, [constants.get(name) for name in node.input if name]:
            case "Constant", _ if "value" in options:
                constants[node.output[0]] = numpy_helper.to_array(options["value"])
            case "Identity", [np.ndarray() as values]:
                constants[node.output[0]] = values
            case "Transpose", [np.ndarray() as values]:
                constants[node.output[0]] = values.transpose(options.get("perm"))
            case "Conv" | "MatMul", [None, np.ndarray() as weight, *bias]:
                # MatMul stores (inputs, outputs), PyTorch (outputs, inputs).
                weight = weight.T if node.op_type == "MatMul" else weight
                layers.append(_Layer(node.op_type, weight, *bias or [np.float32(0)]))
            case "Gemm", [None, np.ndarray() as weight, *bias]:
                weight = weight if options.get("transB") else weight.T
                scale, share = np.float32([options.get("alpha", 1), options.get("beta", 1)])
                layers.append(_Layer("Gemm", scale * weight, share * sum(bias, np.float32(0))))
            # An exporter may add the bias of a MatMul in a node of its own.
            case "Add", [None, np.ndarray() as bias] | [np.ndarray() as bias, None] if layers:
                layers[-1].bias = layers[-1].bias + bias.ravel()
            case "BatchNormalization", [None, *normed] if layers:
                if any(values is None for values in normed):
                    raise ValueError(f"{node.name or 'a batch norm'} computes its weights")
                layers[-1].normed = tuple(normed)
                layers[-1].epsilon = options.get("epsilon", 1e-5)
    return layers


def _compare(path: Path | str, network: SigNet) -> None:
    """Refuse an ONNX file whose features differ from those of the network that was read from it.

    A graph may have SigNet's layers with weights, but other operations between them.
    """
    draw = generator(0, "published weights")
    images = draw.integers(256, size=(CHECKED_IMAGES, *INPUT), dtype=np.uint8)
    try_out(path)
    features = Extractor(path)(images)  # (n, F)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)[:, None].float() / 255).numpy()
    largest = np.abs(expected).max()
    fits = features.shape == expected.shape
    difference = np.abs(features - expected).max() if fits else np.inf
    if not difference <= TOLERANCE * largest:
        raise FkdError(
            f"{path}: its weights have SigNet's shapes, but it gives other features than SigNet "
            f"with these weights (they differ by {difference:.1e}, the largest is {largest:.1e}). "
            "So the file contains another network."
        )
