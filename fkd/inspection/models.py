"""Descriptions of weights, checkpoints, ONNX models and prepared sets."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fkd import models
from fkd.counting import counted
from fkd.errors import FkdError
from fkd.inspection import pictures
from fkd.inspection.finding import Finding, plain, times
from fkd.models.onnx_file import read_onnx
from fkd.models.pickled import find_state, read_pickled
from fkd.models.weights import METADATA
from fkd.signatures.npz import read_npz
from fkd.storage.files import printable
from fkd.storage.sizes import refuse_unfolding, size_of_arrays
from fkd.study.models import network_label
from fkd.study.parts import MAP_LOSSES
from fkd.study.students import Student

Draw = Callable[[Path], None] | None

COLUMNS = ("tensor", "shape", "type")
"""The headings of a list of tensors."""

MOST_SHRUNK = 100
"""How many times smaller than its content an archive may be."""


def describe_weights(file: Path) -> Finding:
    """Describe a safetensors file, from a study or from elsewhere."""
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = dict(opened.metadata() or {})
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise FkdError(
            f"{printable(file)}: not whole weights ({plain(error)}). Expected a safetensors file."
        ) from None
    if METADATA not in metadata:
        return Finding(
            file,
            "Weights in the safetensors format, but of none of this study's networks.",
            [_amount(tensors)],
            COLUMNS,
            _listed(tensors),
            dict(metadata),
            _finite(tensors),
            _filters(tensors),
        )
    network, about = models.load(file)
    settings = {"network": network.settings | {"num_classes": _classes(tensors)}, "about": about}
    return Finding(
        file,
        f"Weights of a {_network(network.architecture)}: {_trained(about)}",
        [_amount(tensors), f"Their digest is {models.checksum(network)}, without classifier."],
        COLUMNS,
        _listed(tensors),
        settings,
        "They fit the network, and all of them are finite.",
        _filters(tensors),
    )


def describe_pth(file: Path) -> Finding:
    """Describe a checkpoint of a training, or SigNet's weights as its authors publish them."""
    content = read_pickled(file)
    try:
        if isinstance(content, dict) and {"about", "epoch", "network", "log"} <= set(content):
            return _checkpoint(file, content)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise FkdError(
            f"{printable(file)}: not a whole checkpoint ({plain(repr(error))}). Remove it, and the "
            "training starts anew."
        ) from None
    tensors = find_state(file, content) or {"": content}
    tensors = {str(name): value for name, value in tensors.items() if isinstance(value, Tensor)}
    if not tensors:
        raise FkdError(
            f"{printable(file)}: holds no tensors. Expected a checkpoint of a training, or "
            "weights: names with tensors, or a tuple that begins with them."
        )
    is_signet = any(name.startswith("conv_layers.conv1.") for name in tensors)
    which = "of SigNet, as its authors name them" if is_signet else "of a network from elsewhere"
    return Finding(
        file,
        f"Weights {which}, in PyTorch's format.",
        [_amount(tensors)],
        COLUMNS,
        _listed(tensors),
        {},
        _finite(tensors),
        _filters(tensors),
    )


def _checkpoint(file: Path, content: Mapping[str, Any]) -> Finding:
    about, log = json.loads(content["about"]), json.loads(content["log"])
    epoch, epochs = int(content["epoch"]), about.get("recipe", {}).get("epochs", "?")
    tensors = dict(content["network"])
    return Finding(
        file,
        "A checkpoint, from which an interrupted training goes on. It is removed when the training "
        "is done.",
        [f"{epoch} of {epochs} epochs are done. {_trained(about)}", _amount(tensors)],
        COLUMNS,
        _listed(tensors),
        about,
        _finite(tensors),
        partial(pictures.draw_losses, log) if log else None,
    )


def describe_onnx(file: Path) -> Finding:
    """Describe an ONNX model, from a study or from elsewhere."""
    model = read_onnx(file)
    try:
        onnx.checker.check_model(model)
        verdict = "It is whole: ONNX's checker finds no fault."
    except Exception as error:  # protobuf and the checker fail in many ways
        verdict = f"ONNX's checker finds a fault: {plain(error)}"
    told = {item.key: item.value for item in model.metadata_props}
    constants = {item.name: item for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in constants]
    facts = [f"Takes {_value(item)}." for item in inputs]
    facts += [f"Gives {_value(item)}." for item in model.graph.output]
    nodes = Counter(node.op_type for node in model.graph.node)
    numbers = sum(int(np.prod(item.dims)) for item in constants.values())
    facts.append(
        f"{counted(numbers, 'number')} as weights; {counted(nodes.total(), 'operation')}: "
        + ", ".join(f"{count} {name}" for name, count in nodes.most_common(8))
        + "."
    )
    opsets = ", ".join(f"{item.domain or 'ai.onnx'} {item.version}" for item in model.opset_import)
    rows = [
        (item.name, times(item.dims), TensorProto.DataType.Name(item.data_type).lower())
        for item in constants.values()
    ]
    try:
        about = json.loads(told["trained_with"])
        settings = {"network": json.loads(told["settings"]), "trained_with": about}
        network = _network(told["architecture"])
        what = f"The model {plain(told['name'])}, a {network}: {_trained(about)}"
    except (KeyError, ValueError, TypeError):  # the model is not from a study
        settings = dict(told)
        made = f"{model.producer_name} {model.producer_version}".strip() or "an unnamed program"
        what = f"An ONNX model from elsewhere, written by {plain(made)}."
    settings |= {"opset": opsets}
    tensors = {name: item for name, item in constants.items() if len(item.dims) == 4}
    first = next((node for node in model.graph.node if node.op_type == "Conv"), None)
    of_first = tensors.get(first.input[1]) if first and len(first.input) > 1 else None
    draw = None
    if of_first is not None:
        draw = _filters(
            {of_first.name: torch.from_numpy(np.array(numpy_helper.to_array(of_first)))}
        )
    return Finding(file, what, facts, COLUMNS, rows, settings, verdict, draw)


def describe_archive(file: Path) -> Finding:
    """Describe a prepared set, or features, in the ``.npz`` format."""
    try:
        with np.load(file, allow_pickle=False) as opened:
            remedy = "Images and features do not shrink so much; if it holds them, save it without compression."
            refuse_unfolding(file, size_of_arrays(opened.zip), MOST_SHRUNK, remedy)
            names = opened.files
            if set(names) == {"features", "filenames"}:
                return _features(file, opened["features"], opened["filenames"])
    except FkdError:
        raise
    except Exception as error:  # zip and array headers fail in many ways
        raise FkdError(f"{printable(file)}: not a readable .npz file ({plain(error)}).") from None
    if not {"x", "y", "yforg", "filenames"} <= set(names):
        raise FkdError(
            f"{printable(file)}: holds {plain(', '.join(names))}; expected a prepared set (x, y, "
            "yforg, filenames) or features (features, filenames)."
        )
    rows, images = read_npz(file)
    pixels = list(images)
    forged = sum(row.forgery for row in rows)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), 40)).astype(int))
    names = [f"{rows[at].writer}{' forged' if rows[at].forgery else ''}" for at in chosen]
    return Finding(
        file,
        "A prepared set of signatures in the form of the sigver package, for the layout npz.",
        [
            f"{counted(len({row.writer for row in rows}), 'writer')}, "
            f"{counted(len(rows) - forged, 'genuine signature')} and "
            f"{counted(forged, 'skilled forgery', 'skilled forgeries')}, 170 x 242 pixels."
        ],
        draw=partial(pictures.draw_contact_sheet, [pixels[at] for at in chosen], names)
        if len(rows)
        else None,
        verdict="It is whole, and nothing that is needed of it is pickled.",
    )


def _features(file: Path, features: np.ndarray, names: np.ndarray) -> Finding:
    if features.ndim != 2 or features.dtype.kind != "f" or len(names) != len(features):
        raise ValueError(f"features of shape {features.shape} for {len(names)} files")
    return Finding(
        file,
        "Features of single images. Made by python -m fkd features.",
        [f"{counted(len(features), 'vector')} of {features.shape[1]:,} elements."],
        ("file",),
        [(name,) for name in names.tolist()],
        draw=partial(pictures.draw_features, features, None, "images, in their order")
        if features.size
        else None,
    )


def _trained(about: Mapping[str, Any]) -> str:
    """Say how weights were made, as the end of a sentence."""
    if about.get("imported"):
        return f"a teacher, imported from {plain(about['imported'])}."
    if "signatures" in about:
        sets = ", ".join(map(str, about.get("sets", [])))
        return f"a teacher, trained on {about.get('images', '?')} signatures of {plain(sets)}."
    if "student" not in about:
        return "random weights, as students have them at the start."
    try:
        student = Student.from_settings(about["student"])
    except (FkdError, TypeError):  # another version wrote it, or it is made up
        return "a student, of which this version cannot read the rest."
    terms = ["CL"] * bool(student.classification)
    terms += [
        f"{MAP_LOSSES[term.loss].label} on {', '.join(term.compared)}"
        for term in student.terms_of_maps
    ]
    terms += [response.loss for response in student.responses]
    return f"a student, trained on {about.get('images', '?')} text crops with {' + '.join(terms)}."


def _network(architecture: str) -> str:
    """Give a network's label, or its own name where it is not one of this study's."""
    try:
        return network_label(architecture)
    except FkdError:
        return plain(architecture)


def _amount(tensors: Mapping[str, Tensor]) -> str:
    numbers = sum(values.numel() for values in tensors.values())
    return f"{counted(numbers, 'number')} in {counted(len(tensors), 'tensor')}."


def _listed(tensors: Mapping[str, Tensor]) -> list[tuple]:
    return [
        (name, times(values.shape), str(values.dtype).removeprefix("torch."))
        for name, values in tensors.items()
    ]


def _finite(tensors: Mapping[str, Tensor]) -> str:
    wrong = [
        name
        for name, values in tensors.items()
        if values.is_floating_point() and not torch.isfinite(values.float()).all()
    ]
    return f"Not finite: {plain(', '.join(wrong))}." if wrong else "All of its numbers are finite."


def _classes(tensors: Mapping[str, Tensor]) -> int | None:
    classifier = tensors.get("classifier.weight")
    return None if classifier is None else len(classifier)


def _filters(tensors: Mapping[str, Tensor]) -> Draw:
    """Find the first layer whose filters look at one channel or at three, to draw it."""
    for name, values in tensors.items():
        if values.ndim == 4 and min(values.shape) and values.shape[1] in (1, 3):
            plainly = values.detach().float().mean(dim=1).numpy()
            if min(plainly.shape[1:]) > 1 and np.isfinite(plainly).all():
                return partial(pictures.draw_filters, plainly, plain(name))
    return None


def _value(item: onnx.ValueInfoProto) -> str:
    tensor = item.type.tensor_type
    sizes = [
        d.dim_param or (d.dim_value if d.HasField("dim_value") else "?") for d in tensor.shape.dim
    ]
    kind = TensorProto.DataType.Name(tensor.elem_type).lower()
    return f"{plain(item.name)}: {kind} ({plain(', '.join(map(str, sizes)))})"
