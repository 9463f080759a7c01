"""Where PyTorch computes, and with how many threads."""

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
