"""Files that have their final name only when they are whole."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fkd.errors import FkdError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_LEAST_FREE = 1 << 20
"""Where fewer bytes are free, the disk counts as full, whatever the error of a library says."""


@contextmanager
def writing(path: Path | str) -> Iterator[Path]:
    """Write a file under a temporary name and rename it when it is whole.

    Parameters
    ----------
    path : Path or str
        The final name. Its folder is made where it is missing.

    Yields
    ------
    Path
        The name to write to, in the same folder and with the same ending. It is
        removed where the block raises.

    Raises
    ------
    FkdError
        Where there is no more room on the disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
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
    os.replace(part, path)
