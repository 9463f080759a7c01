"""Threads for three kinds of work: the rows of arrays, many items, and the next item ahead."""

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
    """Divide the rows of arrays among as many threads as PyTorch uses.

    Parameters
    ----------
    work : callable
        Takes the first row of a part and the one after its last. Parts run at the same time
        wherever `work` releases Python's global lock. What it raises is raised here.
    rows : int
        The number of rows.
    """
    import torch  # slow to load; those who call this have loaded it

    parts = min(rows, torch.get_num_threads())
    if parts <= 1:
        work(0, rows)
        return
    cuts = [rows * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        # All parts are submitted before the first result is awaited.
        for future in [pool.submit(work, *ends) for ends in pairwise(cuts)]:
            future.result()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Prepare the next item in another thread while the caller works on the current one.

    Parameters
    ----------
    items : iterable
        The items. What the iteration raises is raised here.

    Yields
    ------
    Item
        The items in their order.

    Examples
    --------
    >>> from fkd.threads import ahead
    >>> [square for square in ahead(number**2 for number in range(4))]
    [0, 1, 4, 9]
    """
    # StopIteration must not be raised within a generator, so a mark stands for the end.
    items, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None
) -> Iterator[Result]:
    """Work on several items at a time, and give the results in the order of the items.

    Parameters
    ----------
    work : callable
        Takes an item. Calls run at the same time while they decode images or compute in
        OpenCV and NumPy, which use no further threads of their own meanwhile.
    items : iterable
        The items. Where there are several threads, all items are taken before the first
        result is given.
    threads : int or None
        The number of items that are worked on at a time; None for one on each core.

    Yields
    ------
    Result
        What `work` returns. What it raises is raised here, in the place of its result.

    Examples
    --------
    >>> from fkd.threads import side_by_side
    >>> list(side_by_side(len, ["a", "bcd", "ef"], threads=2))
    [1, 3, 2]
    """
    import cv2  # only those who work on images need it

    before = cv2.getNumThreads()
    with threadpool_limits(1), ThreadPoolExecutor(threads or cores()) as pool:
        cv2.setNumThreads(1)
        try:
            yield from map(work, items) if threads == 1 else pool.map(work, items)
        finally:
            cv2.setNumThreads(before)
