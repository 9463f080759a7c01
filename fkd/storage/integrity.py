"""A check that shards, weights and models are still as a run wrote them."""

import logging
from collections.abc import Callable
from pathlib import Path

import onnx
from safetensors import SafetensorError, safe_open

from fkd.errors import FkdError
from fkd.storage import shards

_log = logging.getLogger(__name__)


def verify(*, folder: Path) -> None:
    """Check all shards, weights and models below a folder.

    Parameters
    ----------
    folder : Path
        The folder, such as ``results``. Shards are compared with their digests; weights and
        models are read completely.

    Raises
    ------
    FkdError
        If any file is damaged. The message names each of them and how to recreate it.
    """
    if not folder.is_dir():
        raise FkdError(f"{folder}: no such folder. Give the folder of a study's results.")
    faults, count = [], 0
    for suffix, check in CHECKS.items():
        for path in sorted(folder.rglob(f"*{suffix}")):
            count += 1
            try:
                check(path)
            except FkdError as error:
                faults.append(str(error))
    if faults:
        raise FkdError(f"{len(faults)} of {count} files are at fault:\n" + "\n".join(faults))
    print(f"{count} files below {folder} are as they were written.")


def _check_weights(path: Path) -> None:
    try:
        with safe_open(path, framework="np") as file:
            for name in file.keys():
                file.get_tensor(name)
    except (SafetensorError, OSError, ValueError) as error:
        raise FkdError(f"{path}: not whole weights ({error}). {shards.MEND}") from None


def _check_model(path: Path) -> None:
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # protobuf and the checker fail in many ways
        raise FkdError(f"{path}: not a whole ONNX model ({error}). {shards.MEND}") from None


CHECKS: dict[str, Callable[[Path], object]] = {
    ".h5": shards.read,
    ".safetensors": _check_weights,
    ".onnx": _check_model,
}
"""The function that checks a file, by the suffix of its name."""
