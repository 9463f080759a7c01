"""Timing ours beside a straightforward baseline, alternately and in one process."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

RUNS = 5
"""How often each is timed, at least."""


@dataclass(frozen=True)
class Benchmark:
    """One comparison, as a line of the table of benchmarks.

    Attributes
    ----------
    name : str
        Of the line.
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
    """

    name: str
    what: str
    ours: Callable[[], Any]
    baseline: Callable[[], Any]
    check: Callable[[Any, Any], None]
    times: float = 1.0
    runs: int = RUNS

    def measure(self) -> dict[str, Any]:
        """Check that both give the same, then time them.

        Returns
        -------
        dict
            ``name``, ``what``, ``ours`` and ``baseline`` (medians, in seconds),
            ``ratio`` (baseline / ours), ``unit`` and ``runs``.
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
            "ratio": plain / median,
            "unit": "s",
            "runs": self.runs,
        }
