"""Files that have their final name only when they are whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
