"""ONNX files of unknown origin: what they hold is read and counted, and nothing is run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx.external_data_helper import (
    ExternalDataInfo,
    load_external_data_for_model,
    uses_external_data,
)

from fkd.errors import FkdError
from fkd.storage.files import check_file, printable
from fkd.study.parts import architecture_of

LARGEST = (1 << 31) - 1
"""The largest number of bytes of a model with its weights, which is the limit of ONNX's format."""

ENDLESS = ("Loop", "Scan", "SequenceMap")
"""The operators that repeat a part of the graph, as often as the file says."""


def read_description(path: Path | str) -> dict[str, Any]:
    """Read how a study made a model, from the metadata of its ONNX file, without its weights.

    Parameters
    ----------
    path : Path or str
        A file that :func:`fkd.models.export.export_onnx` wrote.

    Returns
    -------
    dict of str to Any
        ``name``, ``architecture`` and its label ``network``, ``parameters``, ``settings``,
        ``trained_with``, ``whitened`` (the map and the set, or None for a response), and ``input``
        and ``output`` in words.

    Raises
    ------
    FkdError
        If the file is missing, or no study wrote it.
    """
    check_file(path, "Export the model first.")
    try:
        model = onnx.load(path, load_external_data=False)
        about: dict[str, Any] = {entry.key: entry.value for entry in model.metadata_props}
        about |= {key: json.loads(about[key]) for key in ("settings", "trained_with")}
        about |= {"parameters": int(about["parameters"])}
        about |= {"whitened": json.loads(about.get("whitened", "null"))}
        about |= {"network": architecture_of(about["architecture"]).label}
        return {key: about[key] for key in (*about, "name", "input", "output")}
    except Exception as error:  # damaged and foreign files can fail in many ways
        raise FkdError(
            f"{path}: no ONNX model of a study ({type(error).__name__}: {error}). Export it anew."
        ) from None


def read_onnx(path: Path | str) -> onnx.ModelProto:
    """Read an ONNX file, including weights in separate files.

    Parameters
    ----------
    path : Path or str
        The ONNX file.

    Returns
    -------
    onnx.ModelProto
        The model, with all of its weights inside.

    Raises
    ------
    FkdError
        If the file is missing, is not an ONNX model, takes more than :data:`LARGEST` bytes with
        its weights, or names a file of weights that is missing or lies outside its folder.
    """
    check_file(path)
    folder = Path(path).resolve().parent
    try:
        size = Path(path).stat().st_size
        if size <= LARGEST:
            model = onnx.load(path, load_external_data=False)
            size += sum(_bytes_outside(tensor, folder) for tensor in _tensors(model))
        if size <= LARGEST:
            load_external_data_for_model(model, str(folder))
    except Exception as error:  # protobuf and external files each raise their own errors
        raise FkdError(
            f"{printable(path)}: not a whole ONNX model, or its weights lie in files that are "
            f"missing or outside its folder ({error})."
        ) from None
    if size > LARGEST:
        raise FkdError(
            f"{printable(path)}: more than 2 GB with its weights, {size:,} bytes, which no ONNX "
            "file of one piece can hold. Export the extractor of features alone, without a "
            "classifier, or in half precision."
        )
    if not model.graph.node:
        raise FkdError(f"{printable(path)}: not a whole ONNX model, its graph is empty.")
    return model


def refuse_endless(path: Path | str, model: onnx.ModelProto) -> None:
    """Refuse a model that repeats parts of its graph: no limit on its time would be known.

    Parameters
    ----------
    path : Path or str
        The file, for the message.
    model : onnx.ModelProto
        The model.

    Raises
    ------
    FkdError
        If an operator of :data:`ENDLESS` is in the graph, in a graph within it or in a function.
    """
    found = sorted({node.op_type for node in _nodes(model)} & set(ENDLESS))
    if found:
        raise FkdError(
            f"{printable(path)}: it repeats parts of its graph ({', '.join(found)}), and may never "
            "end. Export a network of a fixed depth, without loops."
        )


def refuse_control_flow(path: Path | str, model: onnx.ModelProto) -> None:
    """Refuse a model that is more than one list of operators.

    Parameters
    ----------
    path : Path or str
        The file, for the message.
    model : onnx.ModelProto
        The model.

    Raises
    ------
    FkdError
        If an operator has a graph of its own, as all control flow has, or the file defines
        functions or uses operators other than ONNX's.
    """
    nodes = list(model.graph.node)
    found = {node.op_type for node in nodes if any(a.g.node or a.graphs for a in node.attribute)}
    found |= {node.op_type for node in nodes if node.op_type in (*ENDLESS, "If")}
    found |= {
        f"{node.domain}.{node.op_type}" for node in nodes if node.domain not in ("", "ai.onnx")
    }
    found |= {function.name for function in model.functions}
    if found:
        raise FkdError(
            f"{printable(path)}: its graph holds more than SigNet's layers: control flow, functions "
            f"or operators of others ({', '.join(sorted(found)[:5])}). Export SigNet as a plain graph."
        )


def _parts(model: onnx.ModelProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    """Yield the graph of a model, its functions, and all graphs within them."""
    waiting = [model.graph, *model.functions]
    while waiting:
        part = waiting.pop()
        yield part
        for node in part.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    for part in _parts(model):
        yield from part.node


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield all tensors of a model: initializers and constants."""
    for part in _parts(model):
        if isinstance(part, onnx.GraphProto):
            yield from part.initializer
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from [attribute.t] if attribute.HasField("t") else []
            yield from attribute.tensors


def _bytes_outside(tensor: onnx.TensorProto, folder: Path) -> int:
    """Count the bytes that a tensor takes from a file beside the model."""
    if not uses_external_data(tensor):
        return 0
    place = ExternalDataInfo(tensor)
    return place.length or max((folder / place.location).stat().st_size - (place.offset or 0), 0)
