"""From signatures to features, by any ONNX model."""

from pathlib import Path

import numpy as np
import onnxruntime
from tqdm import tqdm

from fkd import shards
from fkd.errors import FkdError
from fkd.preprocess import center_crop


def extract_features(
    *,
    model: Path,
    signatures: Path,
    out: Path,
    name: str | None = None,
    batch: int = 64,
    threads: int | None = None,
) -> None:
    """Describe the signatures of a set by a model's features.

    Parameters
    ----------
    model : Path
        An ONNX file of :func:`fkd.export.export_onnx`.
    signatures : Path
        A shard of kind "signatures".
    out : Path
        A shard of kind "features": ``feature`` (n, F) float32, ``writer`` and
        ``forgery`` in the order of `signatures`.
    name : str, optional
        The model's name in the tables; by default that of its file.
    batch : int
        Images a pass.
    threads : int, optional
        CPU threads.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    session = open_onnx(model, options)
    shard = shards.read(signatures, "signatures", ["image", "writer", "forgery"])
    images = center_crop(shard["image"])
    parts = []
    for start in tqdm(range(0, len(images), batch), Path(model).stem, unit="batch", disable=None):
        pixels = images[start : start + batch, None].astype(np.float32) / 255
        parts.append(session.run(["feature"], {"image": pixels})[0])
    shards.write(
        out,
        "features",
        {
            "feature": np.concatenate(parts),
            "writer": shard["writer"],
            "forgery": shard["forgery"],
        },
        {"model": name or Path(model).stem, "set": shard.attributes["set"]},
    )


def open_onnx(
    path: Path, options: onnxruntime.SessionOptions | None = None
) -> onnxruntime.InferenceSession:
    """Open an ONNX file for inference, on a GPU where onnxruntime has one.

    Parameters
    ----------
    path : Path
        The file.
    options : onnxruntime.SessionOptions, optional
        Threads and the like.

    Raises
    ------
    FkdError
        Where it is missing or no ONNX model.
    """
    if not Path(path).is_file():
        raise FkdError(f"{path}: no such file.")
    offered = onnxruntime.get_available_providers()
    wanted = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in offered]
    try:
        return onnxruntime.InferenceSession(path, options, providers=wanted)
    except Exception as error:
        # onnxruntime raises a class of its own for each fault, without a common base.
        raise FkdError(f"{path}: onnxruntime cannot read it ({error}).") from None
