"""The export of a model as a single, self-contained ONNX file."""

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from fkd import models
from fkd.errors import FkdError
from fkd.preprocess import INPUT
from fkd.storage.atomic import writing

TOLERANCE = 1e-5
"""The largest allowed difference between ONNX and PyTorch, as a share of the largest feature."""

CHECKED_BATCHES = (1, 4, 7)


def export_onnx(*, weights: Path, out: Path, name: str) -> None:
    """Export a network without its classifier as ONNX, and check it against PyTorch.

    The input is ``image`` (batch, 1, 150, 220), float32 in [0, 1], with bright ink on black. The
    output is ``feature`` (batch, F), float32.

    Parameters
    ----------
    weights : Path
        The weights, a safetensors file written by :func:`fkd.models.save`.
    out : Path
        The ONNX file to write. Its metadata describe how the model was trained.
    name : str
        The model's name in the study.

    Raises
    ------
    FkdError
        If the features computed by ONNX Runtime and PyTorch differ.
    """
    network, about = models.load(weights)
    # A batch of two images, because the exporter would treat a batch size of one as constant.
    example = torch.zeros(2, 1, *INPUT)
    # The exporter warns about its own use of PyTorch's internals and about missing torchvision.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["image"],
            output_names=["feature"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    _forget_places(model)
    onnx.helper.set_model_props(
        model,
        {
            "name": name,
            "architecture": network.architecture,
            "parameters": str(sum(values.numel() for values in network.parameters())),
            "settings": json.dumps(network.settings),
            "trained_with": json.dumps(about),
            "input": f"image: float32 (batch, 1, {INPUT[0]}, {INPUT[1]}) in [0, 1], ink bright",
            "output": f"feature: float32 (batch, {network.settings['features']})",
        },
    )
    onnx.checker.check_model(model)
    with writing(out) as part:
        onnx.save(model, part)
        check_onnx(part, network)


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


def check_onnx(path: Path, network: models.Network) -> None:
    """Compare an ONNX file with the network from which it was exported, on random images.

    Parameters
    ----------
    path : Path
        The ONNX file.
    network : Network
        The network, in evaluation mode.

    Raises
    ------
    FkdError
        If a feature differs by more than :data:`TOLERANCE`.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    for batch in CHECKED_BATCHES:
        images = torch.rand(batch, 1, *INPUT, generator=generator)
        with torch.inference_mode():
            expected = network(images).numpy()
        computed = session.run(["feature"], {"image": images.numpy()})[0]
        # Rounding errors grow with the summands, not with the sum, which may nearly cancel. So
        # the difference is compared with the largest feature and not element by element.
        difference = np.abs(computed - expected).max() / max(1.0, np.abs(expected).max())
        if not difference <= TOLERANCE:
            raise FkdError(f"{path}: differs from PyTorch by {difference:.1e} at batch {batch}")
