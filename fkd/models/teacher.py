"""A teacher trained by others: its import, and its check against published features."""

import logging
from pathlib import Path

import numpy as np
import torch

from fkd import models
from fkd.errors import FkdError
from fkd.models.features import prepare_image
from fkd.models.network import as_input
from fkd.models.pickled import read_pickled
from fkd.storage.files import check_file

TOLERANCE = 1e-4
"""The largest allowed difference of an element of the feature, as in SigNet's published code."""

_log = logging.getLogger(__name__)


def import_teacher(*, weights: Path, out: Path) -> None:
    """Import the published weights of SigNet as the teacher.

    Parameters
    ----------
    weights : Path
        ``signet.pth``, or the same network as ``*.onnx``, see
        :func:`fkd.models.read_public_weights`. Objects in it are never unpickled.
    out : Path
        The safetensors file to write.

    Raises
    ------
    FkdError
        If :func:`fkd.models.read_public_weights` raises it.
    """
    models.save(models.read_public_weights(weights), out, {"imported": Path(weights).name})


def check_teacher(*, weights: Path, image: Path, features: Path) -> None:
    """Check that a teacher computes the published features of a signature.

    The check covers preprocessing and network together. It logs the difference.

    Parameters
    ----------
    weights : Path
        The teacher: ``signet.pth``, ``*.onnx``, or the ``*.safetensors`` of a study.
    image : Path
        The scan of a signature, with dark ink on light paper.
    features : Path
        The published feature vector of this signature, as ``*.npy`` or as a tensor in ``*.pth``.
        No objects in it are unpickled.

    Raises
    ------
    FkdError
        If a file cannot be read, or an element of the features differs by more than 1e-4.
    """
    expected = _read_feature(features)
    if Path(weights).suffix == ".safetensors":
        network, _ = models.load(weights)
    else:
        network = models.read_public_weights(weights)
    with torch.inference_mode():
        vector = network(as_input(prepare_image(image)[None])).numpy()[0]  # (F,)
    if expected.size != vector.size:
        raise FkdError(
            f"{features}: a vector of {expected.size} elements, but {weights} gives {vector.size}."
        )
    difference = np.abs(vector - expected).max()
    text = f"the features of {image} differ from {features} by {difference:.1e} at most"
    if not difference <= TOLERANCE:
        raise FkdError(
            f"{weights}: {text}, more than {TOLERANCE:g}. Either the weights, the image or the "
            "way it is preprocessed are not those of the stored vector."
        )
    _log.info("%s, within %g.", text, TOLERANCE)


def _read_feature(path: Path) -> np.ndarray:
    """Read one vector, which may have additional axes of length one."""
    check_file(path)
    try:
        if Path(path).suffix == ".pth":
            stored = read_pickled(path).numpy()
        else:
            stored = np.load(path, allow_pickle=False)
        if stored.dtype.kind not in "biuf":
            raise ValueError(f"found the type {stored.dtype}")
        vector = np.asarray(stored, np.float32)
    except Exception as error:  # reading a damaged or unknown file can raise any error
        reason = str(error).partition("\n")[0].removeprefix(f"{path}: ")
        raise FkdError(
            f"{path}: expected a vector of numbers as *.npy or *.pth; pickled objects are never "
            f"read ({reason})."
        ) from None
    if vector.size != max(vector.shape, default=0):
        raise FkdError(f"{path}: expected one vector, found the shape {vector.shape}.")
    return vector.ravel()
