"""Where PyTorch computes, and with how many threads."""

import torch

from fkd.errors import FkdError


def set_up(device: str, threads: int | None = None) -> torch.device:
    """Set the number of CPU threads, and choose the device.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU where there is one.
    threads : int, optional
        CPU threads for PyTorch; as many as it likes by default.

    Returns
    -------
    torch.device

    Raises
    ------
    FkdError
        Where ``cuda`` is asked for and there is none.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise FkdError("device: cuda is set, but PyTorch sees no GPU here; set device: auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)
