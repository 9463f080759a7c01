"""Feature extractors in ONNX files, exported by this project or by others."""

import logging
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.models.onnx_file import read_onnx, refuse_endless
from fkd.preprocess import INPUT, SIZE
from fkd.storage.files import printable

FEATURE = "feature"
"""The name of the output that is used if a model has several outputs."""

LARGEST_BATCH = 4096
"""The largest fixed batch size that a model may have."""

_LAYOUTS = ((1, *INPUT), (*INPUT, 1), INPUT)
"""The accepted shapes of an image: channel first, channel last, or no channel."""


LONGEST_REASON = 300
"""The number of characters that are shown of what onnxruntime says."""

_HINT = "fkd.models.features.prepare_image prepares a scan; images[None] makes one image a batch."

_HINTS = {SIZE: "fkd.preprocess.center_crop cuts prepared images to this size."}
"""What to do with images of other shapes."""

_log = logging.getLogger(__name__)


class Extractor:
    """An ONNX model that computes features of prepared signatures.

    The model must have exactly one input, of any name: float32 images in [0, 1] with bright ink
    on black, of the shape (n, 1, 150, 220), (n, 150, 220, 1) or (n, 150, 220). The batch size n
    may be free or fixed. If the model has several outputs, the one named ``feature`` is used, or
    else the only one that has the shape of features. The output may have additional axes of length
    one, such as (n, F, 1, 1) or (1, 1, F).

    Parameters
    ----------
    path : Path or str
        The ONNX file. Weights in separate files are read only if they lie in its folder.
    threads : int, optional
        The number of CPU threads.
    model : onnx.ModelProto, optional
        The model, if it was read before. Then `path` is but a name in messages.

    Raises
    ------
    FkdError
        If the file is missing, is not an ONNX model, or its model has another kind of input,
        repeats parts of its graph, or has several outputs that may be the feature.

    Attributes
    ----------
    fixed_batch : int or None
        The number of images that the model takes at a time, if it is fixed.
    image : tuple of int
        The shape in which it takes an image.
    input, output : str
        The names of the input and of the output that is the feature.
    """

    def __init__(
        self, path: Path | str, threads: int | None = None, model: onnx.ModelProto | None = None
    ) -> None:
        self.path = Path(path)
        self._session = _open(self.path, threads, model or read_onnx(path))
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(item.name for item in inputs) or "none"
            raise FkdError(f"{path}: expected one input, the image; found {names}.")
        self.input = inputs[0].name
        self.output = _choose_output(path, self._session.get_outputs())
        shape = inputs[0].shape
        fitting = [image for image in _LAYOUTS if _fits(shape, image)]
        if not fitting or inputs[0].type != "tensor(float)":
            expected = ", ".join(_spelled(("n", *image)) for image in _LAYOUTS)
            raise FkdError(
                f"{path}: its input {self.input!r} is {inputs[0].type} of shape "
                f"{_spelled(shape)}; expected tensor(float) of one of the shapes {expected}."
            )
        self.image = fitting[0]
        self.fixed_batch = shape[0] if isinstance(shape[0], int) else None
        if self.fixed_batch is not None and not 0 < self.fixed_batch <= LARGEST_BATCH:
            raise FkdError(
                f"{path}: takes {self.fixed_batch} images a pass; expected 1 to {LARGEST_BATCH}, or any "
                "number."
            )

    def __call__(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Compute the features of images.

        Parameters
        ----------
        images : ndarray of uint8 or float, shape (n, 150, 220)
            At least one prepared signature, with bright ink on black. Whole gray levels are
            divided by 255. Those of floating point are in [0, 1] already.
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
            If the images have another shape, type or range, the model fails, or its output is
            not a finite feature vector per image.
        """
        images = _checked(images)
        size = self.fixed_batch or batch
        parts = []
        starts = range(0, len(images), size)
        for start in tqdm(starts, self.path.stem, unit="batch", disable=None):
            part = images[start : start + size]
            missing = size - len(part) if self.fixed_batch else 0
            filled = np.pad(part, ((0, missing), (0, 0), (0, 0)))
            parts.append(self._run(filled)[: len(part)])  # (len(part), F)
        if len({part.shape[1] for part in parts}) > 1:
            raise FkdError(f"{self.path}: gives features of different lengths.")
        return np.concatenate(parts)

    def _run(self, images: np.ndarray) -> np.ndarray:
        pixels = images.reshape(len(images), *self.image).astype(np.float32)
        if images.dtype == np.uint8:
            pixels /= 255
        try:
            output = self._session.run([self.output], {self.input: pixels})[0]
        except Exception as error:  # onnxruntime has a separate class for each kind of error
            raise FkdError(
                f"{self.path}: fails on images of shape {_spelled(pixels.shape)} ({_reason(error)})."
            ) from None
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "biuf":
            raise FkdError(f"{self.path}: its output {self.output!r} is no array of numbers.")
        shape = output.shape
        if shape[:1] != (len(images),) or sum(length != 1 for length in shape[1:]) > 1:
            raise FkdError(
                f"{self.path}: its output {self.output!r} has shape {_spelled(shape)} for "
                f"{len(images)} images; expected a feature vector of each, such as "
                f"({len(images)}, 2048)."
            )
        feature = output.reshape(len(images), -1).astype(np.float32)  # (n, F)
        if not np.isfinite(feature).all():
            raise FkdError(f"{self.path}: gives features that are infinite or not a number.")
        return feature


def _choose_output(path: Path | str, outputs: list[onnxruntime.NodeArg]) -> str:
    """Choose the output that is the feature, and say so if there are others."""
    names = [output.name for output in outputs]
    if not names:
        raise FkdError(f"{printable(path)}: it has no output.")
    if FEATURE in names or len(names) == 1:
        return FEATURE if FEATURE in names else names[0]
    told = ", ".join(f"{output.name!r} {_spelled(output.shape or ())}" for output in outputs)
    fitting = [output.name for output in outputs if _may_be_feature(output)]
    if len(fitting) != 1:
        raise FkdError(
            f"{printable(path)}: which of its outputs is the feature is not clear: {told}. Rename "
            f"one of them to {FEATURE!r}, or keep it alone with onnx.utils.extract_model."
        )
    _log.warning("%s: of its outputs %s, %r is taken", printable(path), told, fitting[0])
    return fitting[0]


def _may_be_feature(output: onnxruntime.NodeArg) -> bool:
    """Tell whether an output may be a vector for each image; its shape may be unknown."""
    long = [length for length in (output.shape or ())[1:] if length != 1]
    return "float" in output.type and (not output.shape or len(long) <= 1 < len(output.shape))


def _checked(images: np.ndarray) -> np.ndarray:
    """Refuse anything but images as networks see them."""
    images = np.asarray(images)
    if images.ndim != 3 or images.shape[1:] != INPUT or not len(images):
        raise FkdError(
            f"images of shape {_spelled(images.shape)}; expected one or more as "
            f"{_spelled(('n', *INPUT))}. {_HINTS.get(images.shape[1:], _HINT)}"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f" or not (images.min() >= 0 and images.max() <= 1):
        raise FkdError(
            f"images of the type {images.dtype}, from {images.min()} to {images.max()}; expected "
            "whole gray levels as uint8 (0 to 255), or floating point from 0 to 1."
        )
    return images


def _open(path: Path, threads: int | None, model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Open a model for inference, on a GPU if onnxruntime offers one."""
    # onnxruntime gets the model as bytes, so it never opens a file that the model names.
    refuse_endless(path, model)
    content = model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    # Threads that wait leave the cores to other work. It takes no longer, for half of the CPU time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what goes wrong is raised, too, and then said once
    offered = onnxruntime.get_available_providers()
    providers = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in offered]
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime has a separate class for each kind of error
        raise FkdError(f"{path}: onnxruntime cannot read it ({_reason(error)}).") from None


def _fits(shape: list[int | str | None], image: tuple[int, ...]) -> bool:
    """Tell whether an input of this shape accepts such images; its axes may be free."""
    pairs = zip(shape[1:], image, strict=False)
    return len(shape) == 1 + len(image) and all(
        length == expected for length, expected in pairs if isinstance(length, int)
    )


def _reason(error: Exception) -> str:
    """Say on one line what onnxruntime says, without its codes and the places in its source."""
    text = " ".join(str(error).split())
    if "allocate memory" in text or "bad_alloc" in text or "bad allocation" in text:
        return "it takes more memory than it may"
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : |/onnxruntime_src/\S+ ", "", text)
    return printable(text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} ...")


def _spelled(shape: tuple | list) -> str:
    return "(" + ", ".join("?" if length is None else str(length) for length in shape) + ")"
