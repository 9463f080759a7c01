"""Work on parts of the data in threads."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

Item = TypeVar("Item")


def over_rows(work: Callable[[int, int], None], rows: int) -> None:
    """Do the work of all rows, in as many threads as PyTorch uses.

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
        for done in [pool.submit(work, *ends) for ends in pairwise(cuts)]:
            done.result()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Make the next item, in a thread of its own, while one is worked on.

    Parameters
    ----------
    items : iterable
        What it raises is raised here.

    Yields
    ------
    Item
        The items in their order.
    """
    items, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item
