"""A feature extractor in an ONNX file, whoever trained and exported it."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.preprocess import INPUT
from fkd.storage.files import check_file

FEATURE = "feature"
"""The output that holds the feature, where a model has several."""

LARGEST_BATCH = 4096
"""Images a pass that a model may be made for."""

_LAYOUTS = ((1, *INPUT), (*INPUT, 1), INPUT)
"""An image as models may take it: channel first, channel last, or no channel."""


class Extractor:
    """An ONNX model that turns prepared signatures into features.

    It has one input, float32 images in [0, 1], ink bright on black, of shape
    (n, 1, 150, 220), (n, 150, 220, 1) or (n, 150, 220) and any name; n may be free or
    fixed. Of several outputs the one named ``feature`` is taken, else the first. The
    feature may come with axes of length one, such as (n, F, 1, 1) or (1, 1, F).

    Parameters
    ----------
    path : Path or str
        The file. Weights in files of their own are read from its folder alone.
    threads : int, optional
        CPU threads.

    Raises
    ------
    FkdError
        Where it is missing, no ONNX model, or takes anything else.
    """

    def __init__(self, path: Path | str, threads: int | None = None) -> None:
        self.path = Path(path)
        self._session = _open(self.path, threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(found.name for found in inputs) or "none"
            raise FkdError(f"{path}: expected one input, the image; found {names}.")
        self._input = inputs[0]
        outputs = [found.name for found in self._session.get_outputs()]
        if not outputs:
            raise FkdError(f"{path}: it has no output.")
        self._output = FEATURE if FEATURE in outputs else outputs[0]
        shape = self._input.shape
        fitting = [image for image in _LAYOUTS if _fits(shape, image)]
        if not fitting or self._input.type != "tensor(float)":
            expected = ", ".join(_spelled(("n", *image)) for image in _LAYOUTS)
            raise FkdError(
                f"{path}: its input {self._input.name!r} is {self._input.type} of shape "
                f"{_spelled(shape)}; expected tensor(float) of one of the shapes {expected}."
            )
        self._image = fitting[0]
        self._batch = shape[0] if isinstance(shape[0], int) else None
        if self._batch is not None and not 0 < self._batch <= LARGEST_BATCH:
            raise FkdError(
                f"{path}: takes {self._batch} images a pass; expected 1 to {LARGEST_BATCH}, or any "
                "number."
            )

    def __call__(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Describe images by their features.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, 150, 220)
            Prepared signatures, at least one; they are divided by 255.
        batch : int
            Images a pass. A model of a fixed batch takes its own, the last one filled up
            with blank images.

        Returns
        -------
        ndarray of float32, shape (n, F)

        Raises
        ------
        FkdError
            Where the model fails, or what it gives is no feature vector.
        """
        size = self._batch or batch
        parts = []
        starts = range(0, len(images), size)
        for start in tqdm(starts, self.path.stem, unit="batch", disable=None):
            part = images[start : start + size]
            missing = size - len(part) if self._batch else 0
            filled = np.pad(part, ((0, missing), (0, 0), (0, 0)))
            parts.append(self._run(filled)[: len(part)])
        if len({part.shape[1] for part in parts}) > 1:
            raise FkdError(f"{self.path}: gives features of different lengths.")
        return np.concatenate(parts)

    def _run(self, images: np.ndarray) -> np.ndarray:
        pixels = images.reshape(len(images), *self._image).astype(np.float32) / 255
        try:
            found = self._session.run([self._output], {self._input.name: pixels})[0]
        except Exception as error:  # onnxruntime raises a class of its own for each fault
            raise FkdError(
                f"{self.path}: fails on images of shape {_spelled(pixels.shape)} ({error})."
            ) from None
        if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
            raise FkdError(f"{self.path}: its output {self._output!r} is no array of numbers.")
        shape = found.shape
        if shape[:1] != (len(images),) or sum(length != 1 for length in shape[1:]) > 1:
            raise FkdError(
                f"{self.path}: its output {self._output!r} has shape {_spelled(shape)} for "
                f"{len(images)} images; expected a feature vector of each, such as "
                f"({len(images)}, 2048)."
            )
        feature = found.reshape(len(images), -1).astype(np.float32)
        if not np.isfinite(feature).all():
            raise FkdError(f"{self.path}: gives features that are infinite or not a number.")
        return feature


def read_onnx(path: Path | str) -> onnx.ModelProto:
    """Read an ONNX file, with weights that lie in files of their own.

    Parameters
    ----------
    path : Path or str
        The file.

    Returns
    -------
    onnx.ModelProto
        All of its weights are inside.

    Raises
    ------
    FkdError
        Where it is missing or no ONNX model, or names a file of weights that is missing
        or lies outside its folder.
    """
    check_file(path)
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf and external files each have their own
        raise FkdError(
            f"{path}: not a whole ONNX model, or its weights lie in files that are missing or "
            f"outside its folder ({error})."
        ) from None
    if not model.graph.node:
        raise FkdError(f"{path}: not a whole ONNX model, its graph is empty.")
    return model


def _open(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    """Open a model for inference, on a GPU where onnxruntime has one."""
    # onnxruntime gets the whole model, and so never opens a file that a model names.
    content = read_onnx(path).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    offered = onnxruntime.get_available_providers()
    wanted = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in offered]
    try:
        return onnxruntime.InferenceSession(content, options, providers=wanted)
    except Exception as error:  # onnxruntime raises a class of its own for each fault
        raise FkdError(f"{path}: onnxruntime cannot read it ({error}).") from None


def _fits(shape: list[int | str | None], image: tuple[int, ...]) -> bool:
    """Tell whether images of a shape fit an input, some of whose axes may be free."""
    pairs = zip(shape[1:], image, strict=False)
    return len(shape) == 1 + len(image) and all(
        found == wanted for found, wanted in pairs if isinstance(found, int)
    )


def _spelled(shape: tuple | list) -> str:
    return "(" + ", ".join("?" if length is None else str(length) for length in shape) + ")"
