"""Weights of an ONNX model in fewer bits, for files that are handed on."""

from typing import Literal

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.helper import make_node

from fkd.errors import FkdError

Precision = Literal["float32", "float16", "int8"]
"""What the weights of an ONNX file are stored as: in 4, 2 or 1 bytes each."""

FEWEST = 1024
"""Tensors of fewer elements keep their precision: there is nothing to save."""

LEVELS = 127
"""The largest integer that stands for a weight."""


def narrow(model: onnx.ModelProto, precision: Precision) -> None:
    """Store the weights of a model in fewer bits; what is computed with them stays float32.

    Parameters
    ----------
    model : ModelProto
        The model, which is changed.
    precision : {"float32", "float16", "int8"}
        With float32 nothing is changed. With float16, each weight is rounded to 11 bits. With int8,
        each is a multiple of the largest one of its row (of its channel, in a convolution) / 127.

    Raises
    ------
    FkdError
        If a weight is too large for float16.
    """
    if precision == "float32":
        return
    nodes = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < FEWEST:
            continue
        name = tensor.name
        kept = f"{name}.{precision}"
        if precision == "float16":
            with np.errstate(over="ignore"):
                stored = values.astype(np.float16)
            if not np.isfinite(stored).all():
                raise FkdError(
                    f"a weight of {name} is above 65,504, the largest number of float16. Let "
                    "export.precision be float32."
                )
            tensor.CopyFrom(numpy_helper.from_array(stored, kept))
            nodes.append(make_node("Cast", [kept], [name], to=onnx.TensorProto.FLOAT))
            continue
        rows = values.reshape(len(values), -1)
        step = np.maximum(np.abs(rows).max(axis=1) / LEVELS, np.finfo(np.float32).tiny)
        stored = np.rint(rows / step[:, None]).astype(np.int8).reshape(values.shape)
        tensor.CopyFrom(numpy_helper.from_array(stored, kept))
        steps = numpy_helper.from_array(step.astype(np.float32), f"{name}.step")
        model.graph.initializer.append(steps)
        nodes.append(make_node("DequantizeLinear", [kept, steps.name], [name], axis=0))
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
