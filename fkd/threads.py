"""Work on parts of the data in threads: on the rows of arrays, on many images, on what comes next."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

from joblib import cpu_count
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Count the CPU cores that this process may use, as containers and schedulers limit them."""
    return cpu_count()


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
    import torch  # for the few callers who use PyTorch anyway

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


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None
) -> Iterator[Result]:
    """Do the work on each item and give the results in the items' order.

    Parameters
    ----------
    work : callable
        Takes an item. It runs beside others while it decodes an image or computes in
        OpenCV and NumPy; there they use no further threads of their own.
    items : iterable
        All are taken before the first result is given where there are several threads.
    threads : int or None
        How many are worked on at a time; None for one on each core.

    Yields
    ------
    Result
        What `work` gives. What it raises is raised here, in its turn.
    """
    import cv2  # only those who work on images need it

    before = cv2.getNumThreads()
    with threadpool_limits(1), ThreadPoolExecutor(threads or cores()) as pool:
        cv2.setNumThreads(1)
        try:
            yield from map(work, items) if threads == 1 else pool.map(work, items)
        finally:
            cv2.setNumThreads(before)
