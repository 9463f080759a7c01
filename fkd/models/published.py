"""SigNet's weights as others publish them: PyTorch's file, or the network as ONNX."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from fkd.errors import FkdError
from fkd.models.extractor import Extractor, read_onnx
from fkd.models.signet import SigNet
from fkd.models.weights import check_tensors
from fkd.preprocess import INPUT
from fkd.seeding import generator
from fkd.storage.files import check_file

TOLERANCE = 1e-4
"""Largest difference between an ONNX file and the SigNet read from it, as a share of the
largest feature."""

CHECKED_IMAGES = 3

EPSILON = np.float32(nn.BatchNorm2d(1).eps)
"""What SigNet's batch norm adds to each variance."""


def read_public_weights(path: Path | str) -> SigNet:
    """Read the published weights of SigNet.

    Parameters
    ----------
    path : Path or str
        ``signet.pth``: a tuple whose first member is the state of the network
        without classifiers. Or the network as a file ``*.onnx``. No code in either is
        ever run.

    Returns
    -------
    SigNet
        In evaluation mode, without classifier.

    Raises
    ------
    FkdError
        Where the file is missing, is no such thing, or does not fit.
    """
    network = SigNet().eval()
    is_onnx = Path(path).suffix.lower() == ".onnx"
    state = _read_onnx(path, network) if is_onnx else _read_pth(path)
    # Weights saved before PyTorch 0.4.1 lack batch norm's counters, which count nothing here.
    counters = {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
    state = counters | state
    check_tensors(network, state, path)
    network.load_state_dict(state)
    if is_onnx:
        _compare(path, network)
    return network


def _read_pth(path: Path | str) -> dict[str, Tensor]:
    check_file(path, "It is what teacher.weights names.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a foreign file fails in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FkdError(
            f"{path}: cannot be loaded as weights alone, and code in it is never run ({reason})."
        ) from None
    state = content[0] if isinstance(content, tuple | list) and content else content
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise FkdError(f"{path}: expected a tuple whose first member maps names to tensors.")
    return state


@dataclass
class _Layer:
    """A convolution or a fully connected layer of a graph, and its batch norm.

    Where an exporter has folded batch norm into weight and bias, `normed` is empty.
    """

    operator: str
    weight: np.ndarray
    bias: np.ndarray
    normed: tuple[np.ndarray, ...] = ()
    epsilon: float = 0.0

    def norm(self) -> dict[str, np.ndarray]:
        """Give the batch norm that does what bias and batch norm of the graph do.

        The bias goes into the mean, another epsilon into the variance. So a folded one
        has variance 1 less epsilon, and only adds the bias.
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
    """Read a graph's weights under their public names.

    They are told by their order in the graph: exporters rename what they fold or transpose,
    and store equal tensors once.
    """
    model = read_onnx(path)
    try:
        layers = list(_layers(model.graph))
        norms = [layer.norm() for layer in layers]
    except Exception as error:  # a graph that is no such chain fails in any way
        raise FkdError(f"{path}: its graph is not SigNet's ({error}).") from None
    names = {
        name: part
        for name, part in network.named_modules()
        if isinstance(part, nn.Conv2d | nn.Linear)
    }
    if len(layers) != len(names):
        found = "\n".join(f"  {layer.operator} {layer.weight.shape}" for layer in layers)
        raise FkdError(
            f"{path}: expected SigNet's {len(names)} layers with weights, found {len(layers)}:\n"
            f"{found}"
        )
    state = {}
    for (name, part), layer, norm in zip(names.items(), layers, norms, strict=True):
        weight, shape = layer.weight, tuple(part.weight.shape)
        # A fully connected layer may come as a convolution of its whole input map.
        fits = len(weight) == shape[0] and weight.size == part.weight.numel()
        state[f"{name}.weight"] = weight.reshape(shape) if fits else weight
        state |= {f"{name.rpartition('.')[0]}.bn.{key}": values for key, values in norm.items()}
    return {
        name: torch.from_numpy(np.array(values, np.float32, order="C"))
        for name, values in state.items()
    }


def _layers(graph: onnx.GraphProto) -> list[_Layer]:
    """Collect the layers of a chain, in the order of its nodes, which ONNX keeps topological."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers: list[_Layer] = []
    for node in graph.node:
        options = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        match node.op_type, [constants.get(name) for name in node.input if name]:
            case "Constant", _ if "value" in options:
                constants[node.output[0]] = numpy_helper.to_array(options["value"])
            case "Identity", [np.ndarray() as values]:
                constants[node.output[0]] = values
            case "Transpose", [np.ndarray() as values]:
                constants[node.output[0]] = values.transpose(options.get("perm"))
            case "Conv" | "MatMul", [None, np.ndarray() as weight, *bias]:
                weight = weight.T if node.op_type == "MatMul" else weight
                layers.append(_Layer(node.op_type, weight, *bias or [np.float32(0)]))
            case "Gemm", [None, np.ndarray() as weight, *bias]:
                weight = weight if options.get("transB") else weight.T
                scale, share = np.float32([options.get("alpha", 1), options.get("beta", 1)])
                layers.append(_Layer("Gemm", scale * weight, share * sum(bias, np.float32(0))))
            case "Add", [None, np.ndarray() as bias] | [np.ndarray() as bias, None] if layers:
                layers[-1].bias = layers[-1].bias + bias.ravel()
            case "BatchNormalization", [None, *normed] if layers:
                if any(values is None for values in normed):
                    raise ValueError(f"{node.name or 'a batch norm'} computes its weights")
                layers[-1].normed = tuple(normed)
                layers[-1].epsilon = options.get("epsilon", 1e-5)
    return layers


def _compare(path: Path | str, network: SigNet) -> None:
    """Refuse an ONNX file that does not give what the network gives that was read from it."""
    draw = generator(0, "published weights")
    images = draw.integers(256, size=(CHECKED_IMAGES, *INPUT), dtype=np.uint8)
    found = Extractor(path)(images)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)[:, None].float() / 255).numpy()
    largest = np.abs(expected).max()
    fits = found.shape == expected.shape
    difference = np.abs(found - expected).max() if fits else np.inf
    if not difference <= TOLERANCE * largest:
        raise FkdError(
            f"{path}: its weights have SigNet's shapes, but it gives other features than SigNet "
            f"with these weights (they differ by {difference:.1e}, the largest is {largest:.1e}). "
            "So it is another network."
        )
