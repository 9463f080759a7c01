"""Work on many images, several at a time, one core to each."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    before = cv2.getNumThreads()
    with threadpool_limits(1), ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        cv2.setNumThreads(1)
        try:
            yield from map(work, items) if threads == 1 else pool.map(work, items)
        finally:
            cv2.setNumThreads(before)
