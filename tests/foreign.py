"""ONNX models as others export them, small enough to be checked by hand."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PIXELS = 150 * 220
WEIGHTS = np.random.default_rng(5).normal(0, 1e-3, (PIXELS, 6)).astype(np.float32)


def expected(images):
    """What the models below say of images (n, 150, 220) uint8."""
    return (images.reshape(len(images), -1).astype(np.float32) / 255) @ WEIGHTS


def graph(inputs, outputs, nodes, constants):
    """A model from (name, type, shape) of its inputs, its output names, nodes and constants."""
    made = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def linear(path, shape, given=None, kind=TensorProto.FLOAT, outputs=("found",), weights=WEIGHTS):
    """Write a model that multiplies the pixels by `weights`.

    It takes `shape` under the name ``data`` and gives `given`, where that is not (n, F); the
    other `outputs` hold the pixels.
    """
    rows = shape[0] if isinstance(shape[0], int) else -1
    nodes = [
        helper.make_node("Cast", ["data"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "flat"], ["pixels"]),
        helper.make_node("MatMul", ["pixels", "weights"], ["product"]),
        helper.make_node("Reshape", ["product", "given"], [outputs[-1]]),
    ]
    nodes += [helper.make_node("Identity", ["pixels"], [name]) for name in outputs[:-1]]
    constants = {
        "flat": np.array([rows, len(weights)]),
        "weights": weights,
        "given": np.array(given or (-1, weights.shape[1])),
    }
    onnx.save(graph([("data", kind, shape)], outputs, nodes, constants), path)
    return path
