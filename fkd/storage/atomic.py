"""Files that get their final name only when they are complete."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fkd.errors import FkdError
from fkd.storage.files import printable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""System errors that mean a full disk, a used-up quota, and a file above the size limit."""

_LEAST_FREE = 1 << 20
"""Bytes. With fewer free, a library's error counts as a full disk: not every one says so itself."""


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
        Where the file cannot be written, such as on a full or read-only disk, or onto a folder.

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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None
    # In the same folder, so that the rename is atomic; hidden, so that a killed job leaves no
    # input for others; with the process's id, so that two processes never share one; and
    # with the same ending, by which libraries choose the format.
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        _give_name(part, path)
    except FkdError:
        raise
    except Exception as error:
        number = getattr(error, "errno", None)
        # A library's own error has no number. A disk that takes no bytes may explain it.
        if number in _FULL or (number is None and _is_full(path.parent)):
            raise FkdError(
                f"{printable(path)}: there is no more room on the disk ({error}). What was "
                "finished stays: make room and run the same command again."
            ) from None
        if isinstance(error, OSError) and error.filename in (str(part), str(path)):
            raise _unwritable(path, error) from None
        raise
    finally:
        with suppress(OSError):  # such as a name that is too long
            part.unlink(missing_ok=True)


def _is_full(folder: Path) -> bool:
    """Tell whether a disk to which one could write takes no more bytes."""
    disk = os.statvfs(folder)
    return not disk.f_flag & os.ST_RDONLY and disk.f_bavail * disk.f_frsize < _LEAST_FREE


def _unwritable(path: Path, error: OSError) -> FkdError:
    """Make the error that reports a file that cannot be written."""
    return FkdError(
        f"{printable(path)}: cannot be written ({error.strerror}). Give a place for a file where "
        "you may write."
    )


def _give_name(part: Path, path: Path) -> None:
    """Rename the complete file. Tests interrupt a job here."""
    os.replace(part, path)
    _written.append(path)
