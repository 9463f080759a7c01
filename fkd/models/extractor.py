"""Feature extractors in ONNX files, exported by this project or by others."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.preprocess import INPUT
from fkd.storage.files import check_file

FEATURE = "feature"
"""The name of the output that is used if a model has several outputs."""

LARGEST_BATCH = 4096
"""The largest fixed batch size that a model may have."""

_LAYOUTS = ((1, *INPUT), (*INPUT, 1), INPUT)
"""The accepted shapes of an image: channel first, channel last, or no channel."""


class Extractor:
    """An ONNX model that computes features of prepared signatures.

    The model must have exactly one input, of any name: float32 images in [0, 1] with bright ink
    on black, of the shape (n, 1, 150, 220), (n, 150, 220, 1) or (n, 150, 220). The batch size n
    may be free or fixed. If the model has several outputs, the one named ``feature`` is used, or
    else the first. The output may have additional axes of length one, such as (n, F, 1, 1) or
    (1, 1, F).

    Parameters
    ----------
    path : Path or str
        The ONNX file. Weights in separate files are read only if they lie in its folder.
    threads : int, optional
        The number of CPU threads.

    Raises
    ------
    FkdError
        If the file is missing, is not an ONNX model, or its model has another kind of input.
    """

    def __init__(self, path: Path | str, threads: int | None = None) -> None:
        self.path = Path(path)
        self._session = _open(self.path, threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(item.name for item in inputs) or "none"
            raise FkdError(f"{path}: expected one input, the image; found {names}.")
        self._input = inputs[0]
        outputs = [item.name for item in self._session.get_outputs()]
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
        """Compute the features of images.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, 150, 220)
            At least one prepared signature. The gray levels are divided by 255.
        batch : int
            The number of images per pass. A model with a fixed batch size uses that size, and
            its last batch is filled up with blank images.

        Returns
        -------
        ndarray of float32, shape (n, F)
            The feature of each image.

        Raises
        ------
        FkdError
            If the model fails, or its output is not a finite feature vector per image.
        """
        size = self._batch or batch
        parts = []
        starts = range(0, len(images), size)
        for start in tqdm(starts, self.path.stem, unit="batch", disable=None):
            part = images[start : start + size]
            missing = size - len(part) if self._batch else 0
            filled = np.pad(part, ((0, missing), (0, 0), (0, 0)))
            parts.append(self._run(filled)[: len(part)])  # (len(part), F)
        if len({part.shape[1] for part in parts}) > 1:
            raise FkdError(f"{self.path}: gives features of different lengths.")
        return np.concatenate(parts)

    def _run(self, images: np.ndarray) -> np.ndarray:
        pixels = images.reshape(len(images), *self._image).astype(np.float32) / 255
        try:
            output = self._session.run([self._output], {self._input.name: pixels})[0]
        except Exception as error:  # onnxruntime has a separate class for each kind of error
            raise FkdError(
                f"{self.path}: fails on images of shape {_spelled(pixels.shape)} ({error})."
            ) from None
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "biuf":
            raise FkdError(f"{self.path}: its output {self._output!r} is no array of numbers.")
        shape = output.shape
        if shape[:1] != (len(images),) or sum(length != 1 for length in shape[1:]) > 1:
            raise FkdError(
                f"{self.path}: its output {self._output!r} has shape {_spelled(shape)} for "
                f"{len(images)} images; expected a feature vector of each, such as "
                f"({len(images)}, 2048)."
            )
        feature = output.reshape(len(images), -1).astype(np.float32)  # (n, F)
        if not np.isfinite(feature).all():
            raise FkdError(f"{self.path}: gives features that are infinite or not a number.")
        return feature


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
        If the file is missing, is not an ONNX model, or names a file of weights that is missing
        or lies outside its folder.
    """
    check_file(path)
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf and external files each raise their own errors
        raise FkdError(
            f"{path}: not a whole ONNX model, or its weights lie in files that are missing or "
            f"outside its folder ({error})."
        ) from None
    if not model.graph.node:
        raise FkdError(f"{path}: not a whole ONNX model, its graph is empty.")
    return model


def _open(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    """Open a model for inference, on a GPU if onnxruntime offers one."""
    # onnxruntime gets the model as bytes, so it never opens a file that the model names.
    content = read_onnx(path).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    offered = onnxruntime.get_available_providers()
    providers = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in offered]
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime has a separate class for each kind of error
        raise FkdError(f"{path}: onnxruntime cannot read it ({error}).") from None


def _fits(shape: list[int | str | None], image: tuple[int, ...]) -> bool:
    """Tell whether an input of this shape accepts such images; its axes may be free."""
    pairs = zip(shape[1:], image, strict=False)
    return len(shape) == 1 + len(image) and all(
        length == expected for length, expected in pairs if isinstance(length, int)
    )


def _spelled(shape: tuple | list) -> str:
    return "(" + ", ".join("?" if length is None else str(length) for length in shape) + ")"
