"""A frozen ONNX model and what was trained on it, joined to one model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper, version_converter

from fkd.errors import FkdError
from fkd.models.extractor import Extractor
from fkd.preprocess import INPUT

PREFIX = "frozen/"
"""What the names in a feature extractor begin with once it is joined."""

OPSET = 18
"""The version of ONNX's operators that a joined model has at least."""


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that a model uses."""
    return next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))


def raised(model: onnx.ModelProto, path: Path | str) -> onnx.ModelProto:
    """Write a model with operators of :data:`OPSET` or later.

    Raises
    ------
    FkdError
        If ONNX cannot convert it.
    """
    if opset_of(model) >= OPSET:
        return model
    try:
        return version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter has its own errors, and those of its C++ code
        raise FkdError(
            f"{path}: its operators are of version {opset_of(model)}, and ONNX cannot bring them to "
            f"{OPSET} ({str(error)[:200]}). Export it anew with opset_version={OPSET}."
        ) from None


def join(trunk: onnx.ModelProto, head: onnx.ModelProto, inputs: Sequence[str]) -> onnx.ModelProto:
    """Put a feature extractor before the inputs of a model.

    Parameters
    ----------
    trunk : onnx.ModelProto
        The feature extractor, of any number of images, see
        :class:`fkd.models.extractor.Extractor`. Its version of operators is :data:`OPSET` or later.
    head : onnx.ModelProto
        A model of features, whose inputs are (batch, F).
    inputs : sequence of str
        The names of the inputs of the joined model, one for each of `head`. All of their images go
        through the extractor in one pass.

    Returns
    -------
    onnx.ModelProto
        A model of images (batch, 1, 150, 220) with the outputs of `head`.
    """
    extractor = Extractor("the frozen model", model=trunk)
    trunk = compose.add_prefix(trunk, PREFIX)
    features = [item.name for item in head.graph.input]
    length = head.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    shapes = [
        numpy_helper.from_array(np.array([-1, *size], np.int64), f"joined_{name}")
        for name, size in (("image", extractor.image), ("feature", [length]))
    ]
    of_image, of_feature = (shape.name for shape in shapes)
    nodes = [
        helper.make_node("Concat", list(inputs), ["joined_images"], axis=0),
        helper.make_node("Reshape", ["joined_images", of_image], [PREFIX + extractor.input]),
        *trunk.graph.node,
        helper.make_node("Reshape", [PREFIX + extractor.output, of_feature], ["joined_features"]),
        helper.make_node("Split", ["joined_features"], features, axis=0, num_outputs=len(features)),
        *head.graph.node,
    ]
    graph = helper.make_graph(
        nodes,
        head.graph.name,
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1, *INPUT])
            for name in inputs
        ],
        head.graph.output,
        [*shapes, *trunk.graph.initializer, *head.graph.initializer],
        sparse_initializer=trunk.graph.sparse_initializer,
    )
    versions = {item.domain: item.version for item in (*trunk.opset_import, *head.opset_import)}
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*item) for item in versions.items()],
        functions=[*trunk.functions, *head.functions],
        ir_version=max(trunk.ir_version, head.ir_version),
    )
