"""Where PyTorch computes, with how many threads, and how it keeps its memory."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fkd.errors import FkdError


def set_up(device: str, threads: int | None = None) -> torch.device:
    """Set PyTorch's number of CPU threads for this process, and choose the device.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        ``auto`` stands for ``cuda`` where PyTorch sees a GPU, and for ``cpu`` elsewhere.
    threads : int, optional
        The number of CPU threads; PyTorch's own choice by default.

    Returns
    -------
    torch.device
        The device to compute on.

    Raises
    ------
    FkdError
        Where `device` is ``cuda`` and PyTorch sees no GPU.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise FkdError("device: cuda is set, but PyTorch sees no GPU here; set device: auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of mallopt, by the numbers that the GNU C library gives them."""


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep memory that is freed for what comes next, until the block ends.

    The GNU C library gives large blocks back to the system at once. Each step of a training then
    waits for tens of thousands of new pages, up to a tenth of its time. Other C libraries are left
    as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    library.mallopt(_MMAP_MAX, 0)  # large blocks come from the heap, too
    library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)  # of which nothing is given back
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, 65536)  # both as the library has them
        library.mallopt(_TRIM_THRESHOLD, 128 * 1024)
        library.malloc_trim(0)
