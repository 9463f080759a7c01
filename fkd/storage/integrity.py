"""A check that the files of a study are still as its stages wrote them."""

import logging
from collections.abc import Callable
from pathlib import Path

import onnx
from safetensors import SafetensorError, safe_open

from fkd.counting import counted
from fkd.errors import FkdError
from fkd.storage import shards
from fkd.storage.files import files_below, printable
from fkd.storage.manifest import SUFFIX, read_manifests, sha256

_log = logging.getLogger(__name__)

_NO_RESULTS = ("logs", "benchmarks", "runs.csv", "run.json", "README.md")
"""Files and folders that no stage writes as results."""


def check(*, folder: Path) -> None:
    """Check that all files below a folder are as the stages of a study wrote them.

    Each file is compared with the digest that its stage left in ``logs``. A file without a digest,
    such as one that was written by hand, is read completely if it is a shard, weights or a model;
    of any other, nothing can be said. Links to folders are followed.

    Parameters
    ----------
    folder : Path
        The folder, such as ``results``.

    Raises
    ------
    FkdError
        If any file is damaged, changed or missing. The message names each of them and how to
        recreate it.
    """
    if not folder.is_dir():
        raise FkdError(
            f"{printable(folder)}: no such folder. Give the folder of a study's results."
        )
    digests = read_manifests(folder)
    files = [file for file in files_below(folder) if not _is_about_runs(file.relative_to(folder))]
    if not files and not digests:
        raise FkdError(f"{printable(folder)}: no stage wrote anything here.")
    faults, unknown, whole = [], [], 0
    for file in files:
        fault = _fault(file, digests.get(file))
        if fault:
            faults.append(fault)
        elif file not in digests:
            unknown.append(file)
        whole += file in digests and not fault
    gone = sorted(file for file in digests if not file.is_file())
    faults += [f"{printable(file)}: missing. {shards.MEND}" for file in gone]
    if faults:
        count = len(files) + len(gone)
        raise FkdError(f"{len(faults)} of {count} files are at fault:\n" + "\n".join(faults))
    _report(folder, whole, unknown)


def _report(folder: Path, whole: int, unknown: list[Path]) -> None:
    """Print what is known of the files, and no more."""
    if whole:
        print(f"{counted(whole, 'file')} below {printable(folder)}: as they were written.")
    readable = [file for file in unknown if file.suffix in CHECKS]
    if readable:
        print(
            f"{counted(len(readable), 'file')} without a digest: can be read, {printable(readable[0])} first."
        )
    others = [file for file in unknown if file.suffix not in CHECKS]
    if others:
        print(
            f"{counted(len(others), 'file')} without a digest: not checked, {printable(others[0])} first."
        )


def _is_about_runs(place: Path) -> bool:
    return place.parts[0] in _NO_RESULTS or place.suffix == SUFFIX


def _fault(file: Path, digest: str | None) -> str | None:
    """Say what is wrong with a file, if anything is known to be wrong."""
    try:
        if digest is not None and sha256(file) == digest:
            return None
        if file.suffix in CHECKS:  # says more than that the file has changed
            CHECKS[file.suffix](file)
    except FkdError as error:
        return str(error)
    except OSError as error:
        return f"{printable(file)}: cannot be read ({error.strerror})."
    if digest is not None:
        return f"{printable(file)}: changed since it was written. {shards.MEND}"
    return None


def _check_weights(path: Path) -> None:
    try:
        with safe_open(path, framework="np") as file:
            for name in file.keys():
                file.get_tensor(name)
    except (SafetensorError, OSError, ValueError) as error:
        raise FkdError(f"{printable(path)}: not whole weights ({error}). {shards.MEND}") from None


def _check_model(path: Path) -> None:
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # protobuf and the checker fail in many ways
        reason = str(error).partition("\n")[0]
        raise FkdError(
            f"{printable(path)}: not a whole ONNX model ({reason}). {shards.MEND}"
        ) from None


CHECKS: dict[str, Callable[[Path], object]] = {
    ".h5": shards.read,
    ".safetensors": _check_weights,
    ".onnx": _check_model,
}
"""The function that reads a file completely, by the suffix of its name."""
