"""The export of a model as a single, self-contained ONNX file."""

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from fkd import models
from fkd.errors import FkdError
from fkd.models.frozen_onnx import FrozenOnnx
from fkd.models.headed import Headed
from fkd.models.joining import join, opset_of, raised
from fkd.models.narrowing import Precision, narrow
from fkd.models.siamese import SiameseNetwork, load_siamese
from fkd.models.whitening import whitened
from fkd.preprocess import INPUT
from fkd.storage.atomic import writing

TOLERANCES: dict[Precision, float] = {"float32": 1e-5, "float16": 2e-3, "int8": 0.1}
"""The largest allowed difference between ONNX and PyTorch, as a share of the largest feature, by what
weights are stored as."""

TOLERANCE_OF_OTHERS = 1e-4
"""The same for networks of others, which may have hundreds of layers."""

CHECKED_BATCHES = (1, 4, 7)


def export_onnx(
    *,
    weights: Path,
    out: Path,
    name: str,
    precision: Precision = "float32",
    whitening: Path | None = None,
) -> None:
    """Export a network without its classifier as ONNX, and check it against PyTorch.

    The input is ``image`` (batch, 1, 150, 220), float32 in [0, 1], with bright ink on black. The
    output is ``feature`` (batch, F), float32: the response, or a whitened feature map.

    Parameters
    ----------
    weights : Path
        The weights, a safetensors file written by :func:`fkd.models.save`.
    out : Path
        The ONNX file to write. Its metadata describe how the model was trained.
    name : str
        The model's name in the study.
    precision : {"float32", "float16", "int8"}
        What the weights are stored as, see :func:`fkd.models.narrowing.narrow`.
    whitening : Path, optional
        The shard by :func:`fkd.models.whitening.fit_whitening` of this network.

    Raises
    ------
    FkdError
        If the features computed by ONNX Runtime and PyTorch differ by more than
        :data:`TOLERANCES`.
    """
    network, about = models.load(weights)
    describing: torch.nn.Module = network
    elements, about_whitening = network.settings["features"], {}
    if whitening:
        describing = whitened(network, whitening)
        elements = describing.about["elements"]
        about_whitening = {"whitened": json.dumps(describing.about)}
    described = {
        **_described(name, network, about, precision),
        "input": f"image: float32 (batch, 1, {INPUT[0]}, {INPUT[1]}) in [0, 1], ink bright",
        "output": f"feature: float32 (batch, {elements})",
        **about_whitening,
    }
    model = _exported(describing, network, ["image"], "feature", described)
    narrow(model, precision)
    with writing(out) as part:
        onnx.save(model, part)
        check_onnx(part, describing, tolerance=_tolerance(network, precision))


def export_siamese(*, weights: Path, out: Path, name: str) -> None:
    """Export a Siamese network with its comparison as ONNX, and check it against PyTorch.

    The inputs are ``first`` and ``second`` (batch, 1, 150, 220), float32 in [0, 1], with bright ink
    on black. The output is ``score`` (batch,), float32, higher for genuine.

    Parameters
    ----------
    weights : Path
        The weights, a safetensors file written by :func:`fkd.models.siamese.save_siamese`.
    out : Path
        The ONNX file to write. Its metadata describe how the model was trained.
    name : str
        The model's name in the study.

    Raises
    ------
    FkdError
        If the scores computed by ONNX Runtime and PyTorch differ.
    """
    network, about = load_siamese(weights)
    image = f"float32 (batch, 1, {INPUT[0]}, {INPUT[1]}) in [0, 1], ink bright"
    described = {
        **_described(name, network.embedding, about),
        "input": f"first, second: {image}",
        "output": "score: float32 (batch,), higher for genuine",
    }
    model = _exported(
        _TwoPasses(network).eval(), network.embedding, ["first", "second"], "score", described
    )
    with writing(out) as part:
        onnx.save(model, part)
        check_onnx(part, network, ["first", "second"], "score", _tolerance(network.embedding))


class _TwoPasses(torch.nn.Module):
    """A Siamese network that describes one image after the other.

    The exporter would fix the size of a batch that is joined and divided again.
    """

    def __init__(self, network: SiameseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return self.network.comparer(*map(self.network.describe, (first, second)))


def _described(
    name: str, network: models.Network, about: dict[str, Any], precision: Precision = "float32"
) -> dict[str, str]:
    """Make the metadata of a model."""
    return {
        "name": name,
        "architecture": network.architecture,
        "parameters": str(network.parameter_count),
        "settings": json.dumps(network.settings),
        "trained_with": json.dumps(about),
        "weights": precision,
    }


def _exported(
    module: torch.nn.Module,
    network: models.Network,
    inputs: Sequence[str],
    output: str,
    described: dict[str, str],
) -> onnx.ModelProto:
    """Export a module of one input or several, each described by a network, whose batch is free."""
    if isinstance(network, FrozenOnnx):
        trunk = raised(network.proto(), described["name"])
        features = [f"{name}_feature" for name in inputs]
        head = _traced(module, features, (network.fc.in_features,), output, opset_of(trunk))
        model = join(trunk, head, inputs)
    else:
        model = _traced(module, inputs, (1, *INPUT), output)
    _forget_places(model)
    onnx.helper.set_model_props(model, described)
    onnx.checker.check_model(model)
    return model


def _traced(
    module: torch.nn.Module,
    inputs: Sequence[str],
    shape: tuple[int, ...],
    output: str,
    opset: int | None = None,
) -> onnx.ModelProto:
    """Export a module that takes a batch of this shape for each input."""
    # A batch of two, because the exporter would treat a batch size of one as constant.
    examples = tuple(torch.zeros(2, *shape) for _ in inputs)
    # The exporter warns about its own use of PyTorch's internals and about missing torchvision.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "# The axis name")  # both images of a pair share it
        program = torch.onnx.export(
            module,
            examples,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            dynamo=True,
            external_data=False,
            opset_version=opset,
            verbose=False,
        )
    return program.model_proto


def _forget_places(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes about the machine: folders, stack traces and user names.

    They are private, and they would make the file depend on the folder in which it was exported.
    """
    for part in (model.graph, *model.graph.node, *model.functions):
        part.doc_string = ""
        del part.metadata_props[:]
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    for value in (*values, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]


def _tolerance(network: models.Network, precision: Precision = "float32") -> float:
    """Return the largest allowed difference for a network."""
    least = TOLERANCE_OF_OTHERS if isinstance(network, Headed) else 0.0
    return max(TOLERANCES[precision], least)


def check_onnx(
    path: Path,
    network: torch.nn.Module,
    inputs: Sequence[str] = ("image",),
    output: str = "feature",
    tolerance: float = TOLERANCES["float32"],
) -> None:
    """Compare an ONNX file with the network from which it was exported, on random images.

    Parameters
    ----------
    path : Path
        The ONNX file.
    network : Network or SiameseNetwork
        The network, in evaluation mode.
    inputs : sequence of str
        The names of the inputs, each a batch of images.
    output : str
        The name of the output.
    tolerance : float
        The largest allowed difference, as a share of the largest feature; of scores that are sums
        over embeddings, of the largest embedding.

    Raises
    ------
    FkdError
        If a feature or a score differs by more.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    for batch in CHECKED_BATCHES:
        images = [torch.rand(batch, 1, *INPUT, generator=generator) for _ in inputs]
        with torch.inference_mode():
            expected = network(*images).numpy()
        given = {name: values.numpy() for name, values in zip(inputs, images, strict=True)}
        computed = session.run([output], given)[0]
        # Rounding errors grow with the summands, not with the sum, which may nearly cancel. So
        # the difference is compared with the largest feature and not element by element.
        largest = max(1.0, np.abs(expected).max(), _largest_summand(network, images))
        difference = np.abs(computed - expected).max() / largest
        if not difference <= tolerance:
            raise FkdError(f"{path}: differs from PyTorch by {difference:.1e} at batch {batch}")


def _largest_summand(network: torch.nn.Module, images: Sequence[torch.Tensor]) -> float:
    """Return the largest element of the embeddings that a score sums over; 0 for other outputs."""
    if not isinstance(network, SiameseNetwork) or network.comparer.kind == "cosine":
        return 0.0
    with torch.inference_mode():
        return max(network.describe(batch).abs().max().item() for batch in images)
