"""Work on the rows of a batch, in as many threads as PyTorch uses."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch


def over_rows(work: Callable[[int, int], None], rows: int) -> None:
    """Do the work of all rows, in parts of consecutive ones.

    Parameters
    ----------
    work : callable
        Takes the first row of a part and the one after its last. It runs beside
        other parts wherever it lets go of Python's global lock.
    rows : int
        How many there are.
    """
    parts = min(rows, torch.get_num_threads())
    if parts <= 1:
        work(0, rows)
        return
    cuts = [rows * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(work, *ends) for ends in zip(cuts, cuts[1:], strict=False)]:
            done.result()
