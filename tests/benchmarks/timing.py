"""Measuring ours beside a straightforward baseline."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUNS = 5
"""How often each is timed, at least."""


@dataclass(frozen=True)
class Benchmark:
    """A comparison in time: both are timed alternately, in one process.

    Attributes
    ----------
    name : str
        Of the line in the table.
    what : str
        What is timed, in a few words.
    ours, baseline : callable
        Do the work once, and give its result.
    check : callable
        Takes both results; raises AssertionError where they are not the same.
    times : float
        How many times the baseline's work ours does, where the baseline is timed on a part.
    runs : int
        How often each is timed.
    overhead : bool
        Whether the baseline is a part of ours, so that the ratio is ours / baseline and
        less is better.
    """

    name: str
    what: str
    ours: Callable[[], Any]
    baseline: Callable[[], Any]
    check: Callable[[Any, Any], None]
    times: float = 1.0
    runs: int = RUNS
    overhead: bool = False

    def measure(self) -> dict[str, Any]:
        """Check that both give the same, then time them.

        Returns
        -------
        dict
            ``name``, ``what``, ``ours`` and ``baseline`` (medians, in seconds),
            ``ratio``, ``unit`` and ``runs``.
        """
        self.check(self.ours(), self.baseline())  # also warms both
        ours, baseline = [], []
        for _ in range(self.runs):
            for work, seconds in ((self.ours, ours), (self.baseline, baseline)):
                begin = time.perf_counter()
                work()
                seconds.append(time.perf_counter() - begin)
        median, plain = statistics.median(ours), self.times * statistics.median(baseline)
        return {
            "name": self.name,
            "what": self.what,
            "ours": median,
            "baseline": plain,
            "ratio": median / plain if self.overhead else plain / median,
            "unit": "s",
            "runs": self.runs,
        }


@dataclass(frozen=True)
class Memory:
    """A comparison in memory: each works in a process of its own, time after time.

    Attributes
    ----------
    name, what : str
        As of :class:`Benchmark`.
    ours : callable
        Makes the work, a callable, outside the measure; can be pickled.
    baseline : callable or float
        The same for the baseline; or a limit, in MB, to which the whole process is held.
    runs : int
        How often each is measured.
    """

    name: str
    what: str
    ours: Callable[[], Callable[[], Any]]
    baseline: Callable[[], Callable[[], Any]] | float
    runs: int = RUNS

    def measure(self) -> dict[str, Any]:
        """Measure the peak of the memory that is resident, in MB.

        Returns
        -------
        dict
            As :meth:`Benchmark.measure`; the ratio is baseline / ours. Beside a limit
            ours is the whole process, else what the work adds to it.
        """
        limited = isinstance(self.baseline, int | float)
        ours = statistics.median(peak(self.ours, whole=limited) for _ in range(self.runs))
        plain = (
            float(self.baseline)
            if limited
            else statistics.median(peak(self.baseline) for _ in range(self.runs))
        )
        return {
            "name": self.name,
            "what": self.what,
            "ours": ours,
            "baseline": plain,
            "ratio": plain / ours,
            "unit": "MB",
            "runs": self.runs,
        }


def peak(make: Callable[[], Callable[[], Any]], whole: bool = False) -> float:
    """Measure the peak memory of work in a process of its own, in MB."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:
        return pool.apply(_peak_here, (make, whole))


def _peak_here(make: Callable[[], Callable[[], Any]], whole: bool) -> float:
    work = make()
    before = 0.0 if whole else _status("VmRSS")
    if not whole:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    work()
    return _status("VmHWM") - before


def _status(key: str) -> float:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(key))
    return int(line.split()[1]) * 1024 / 1e6
