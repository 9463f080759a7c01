"""A model as one ONNX file that needs nothing else."""

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
"""Largest difference between ONNX and PyTorch, as a share of the largest feature."""

CHECKED_BATCHES = (1, 4, 7)


def export_onnx(*, weights: Path, out: Path, name: str) -> None:
    """Export a network without its classifier and check it against PyTorch.

    Input ``image`` (batch, 1, 150, 220) float32 in [0, 1], ink bright on black;
    output ``feature`` (batch, F) float32.

    Parameters
    ----------
    weights : Path
        A safetensors file of :func:`fkd.models.save`.
    out : Path
        The ONNX file; its metadata say what the model was trained with.
    name : str
        The model's name in the study.

    Raises
    ------
    FkdError
        Where ONNX and PyTorch differ.
    """
    network, about = models.load(weights)
    # Two images, since the exporter takes a batch of one for a constant.
    example = torch.zeros(2, 1, *INPUT)
    # The exporter warns of its own use of PyTorch's internals, and of torchvision's absence.
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
    """Take from a model what the exporter notes of its maker's machine: folders, stacks, names.

    They would tell of the maker, and the same model would be other bytes in another folder.
    """
    for part in (model.graph, *model.graph.node, *model.functions):
        part.doc_string = ""
        del part.metadata_props[:]
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    for value in (*values, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]


def check_onnx(path: Path, network: models.Network) -> None:
    """Compare an ONNX file with the network it was made from, on random images.

    Parameters
    ----------
    path : Path
        The ONNX file.
    network : Network
        In evaluation mode.

    Raises
    ------
    FkdError
        Where a feature differs by more than :data:`TOLERANCE`.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    for batch in CHECKED_BATCHES:
        images = torch.rand(batch, 1, *INPUT, generator=generator)
        with torch.inference_mode():
            expected = network(images).numpy()
        found = session.run(["feature"], {"image": images.numpy()})[0]
        # An element's rounding grows with what is summed, not with what is left of the sum.
        difference = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
        if not difference <= TOLERANCE:
            raise FkdError(f"{path}: differs from PyTorch by {difference:.1e} at batch {batch}")
