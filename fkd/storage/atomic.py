"""Files that get their final name only when they are complete."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fkd.errors import FkdError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""System errors that mean a full disk, a used-up quota, and a file above the size limit."""

_LEAST_FREE = 1 << 20
"""Bytes. With fewer free, any error counts as a full disk: not every library says so itself."""


_written: list[Path] = []
"""The files that this process has completed."""


def written() -> list[Path]:
    """List the files that this process has completed so far, in order."""
    return list(_written)


@contextmanager
def writing(path: Path | str) -> Iterator[Path]:
    """Write a file under a temporary name, and rename it when it is complete.

    Parameters
    ----------
    path : Path or str
        The final name. Its folder is created where it is missing.

    Yields
    ------
    Path
        The temporary name to write to. The file is removed where the block raises.

    Raises
    ------
    FkdError
        Where there is no more room on the disk.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from fkd.storage.atomic import writing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(f"{folder}/rates/all.txt") as part:
    ...         _ = part.write_text("0.05")
    ...     [path.name for path in Path(folder, "rates").iterdir()]
    ['all.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, so that the rename is atomic; hidden, so that a killed job leaves no
    # input for others; with the process's id, so that two processes never share one; and
    # with the same ending, by which libraries choose the format.
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        _give_name(part, path)
    except Exception as error:
        full = getattr(error, "errno", None) in _FULL
        if full or shutil.disk_usage(path.parent).free < _LEAST_FREE:
            raise FkdError(
                f"{path}: there is no more room on the disk ({error}). What was finished stays: "
                "make room and run the same command again."
            ) from None
        raise
    finally:
        part.unlink(missing_ok=True)


def _give_name(part: Path, path: Path) -> None:
    """Rename the complete file. Tests interrupt a job here."""
    os.replace(part, path)
    _written.append(path)
