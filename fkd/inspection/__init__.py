"""Descriptions of a study's files, and of models from elsewhere, in words and in a picture.

Nothing in a file is ever executed: PyTorch loads weights alone, and NumPy loads no pickles.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fkd.errors import FkdError
from fkd.inspection.finding import Finding, plain
from fkd.inspection.models import describe_archive, describe_onnx, describe_pth, describe_weights
from fkd.inspection.shards import describe_shard
from fkd.inspection.tables import describe_table
from fkd.storage.files import check_file, printable

__all__ = ["Finding", "inspect_file"]

ENDINGS: dict[str, Callable[[Path], Finding]] = {
    ".h5": describe_shard,
    ".safetensors": describe_weights,
    ".pt": describe_pth,
    ".pth": describe_pth,
    ".onnx": describe_onnx,
    ".npz": describe_archive,
    ".csv": describe_table,
    ".tsv": describe_table,
}
"""The functions that describe a file, by the ending of its name."""

EXPECTED = (
    "a shard (*.h5), weights (*.safetensors), a checkpoint (*.pt), weights of PyTorch (*.pth), a "
    "model (*.onnx), a set or features (*.npz) or a table (*.csv, *.tsv)"
)
"""The kinds of files that can be described, for messages."""


def inspect_file(*, file: Path, png: Path | None = None) -> None:
    """Say what is in a file of a study, or in a model from elsewhere.

    Parameters
    ----------
    file : Path
        A shard, weights, a checkpoint, an ONNX model, a set as ``.npz``, or a table. The
        ending of its name says which.
    png : Path, optional
        Where to write a picture of what is in the file.

    Raises
    ------
    FkdError
        Where the file is missing, damaged or of an unknown kind, or where it holds nothing
        that can be drawn.
    """
    if Path(file).is_dir():
        raise FkdError(
            f"{printable(file)}: a folder. Give one file in it, or check the folder of a study's "
            f"results with `python -m fkd check {printable(file)}`."
        )
    finding = describe(file)
    print(finding)
    if png is None:
        return
    if Path(png).suffix.lower() != ".png":
        raise FkdError(f"{printable(png)}: a picture is written as *.png.")
    if finding.draw is None:
        raise FkdError(f"{printable(file)}: there is nothing in it to be drawn; leave out --png.")
    with _whatever_fails(file, "its picture cannot be drawn"):
        finding.draw(Path(png))
    print(f"\nIts picture is {printable(png)}.")


def describe(file: Path) -> Finding:
    """Find out what is in a file.

    Parameters
    ----------
    file : Path
        The file. The ending of its name says what it should be.

    Returns
    -------
    Finding
        What was found, which is text by ``str`` and may have a picture.

    Raises
    ------
    FkdError
        Where the file is missing, damaged or of an unknown kind.
    """
    check_file(file)
    known = ENDINGS.get(Path(file).suffix.lower())
    if known is None:
        raise FkdError(f"{printable(file)}: unknown by its ending; expected {EXPECTED}.")
    if not Path(file).stat().st_size:
        raise FkdError(f"{printable(file)}: the file is empty; expected {EXPECTED}.")
    with _whatever_fails(file, f"not what a file *{Path(file).suffix} should be"):
        return known(Path(file))


@contextmanager
def _whatever_fails(file: Path, what: str) -> Iterator[None]:
    """Turn any error that a file of unknown origin raises into a message for the user.

    Parameters
    ----------
    file : Path
        The file.
    what : str
        What is wrong with it, for the message.

    Raises
    ------
    FkdError
        In place of any other error.
    """
    try:
        yield
    except FkdError:
        raise
    except Exception as error:
        raise FkdError(
            f"{printable(file)}: {what} ({plain(repr(error))}). Expected {EXPECTED}, as a study or "
            "its authors wrote it."
        ) from None
