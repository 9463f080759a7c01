"""Uploads are decoded in processes of their own, whose time and memory are limited.

A file from elsewhere may take any amount of both. What goes through the pipes is JSON and plain
pixels, so nothing that a decoder says is run.
"""

import json
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from itertools import repeat
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from fkd.preprocess import INPUT
from fkd.service.problems import NotReady
from fkd.service.quality import Finding, finding
from fkd.service.scans import Preprocessing, Scan, read_scan

SECONDS = 20.0
"""The time that one image may take."""

START = 300.0
"""The time in which a process must have started."""

MEMORY = 1 << 30
"""The bytes that a process may take besides what it has when it starts."""

MAX_PIXELS = 40_000_000
"""Larger images are refused: a page of A4 at 600 dpi has 35 million pixels."""

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # Memory of images is kept for the next one, which saves a third of the time: otherwise the C
    # library gives it back after each, and takes it anew page by page.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}
"""What the processes find in their environment."""

_HEAD = 4  # bytes of the length of what comes before the pixels


class Decoders:
    """Processes that read scans. They start when they are first needed.

    Parameters
    ----------
    number : int
        How many images are read at the same time.
    seconds, memory, max_pixels : float, int, int
        The limits, see :data:`SECONDS`, :data:`MEMORY` and :data:`MAX_PIXELS`.
    """

    def __init__(
        self,
        number: int = 2,
        seconds: float = SECONDS,
        memory: int = MEMORY,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self._seconds, self._limits = seconds, (memory, max_pixels)
        self._free: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        for _ in range(number):
            self._free.put(None)
        self._number = number
        self._workers = ThreadPoolExecutor(number, "decoding")

    def start(self) -> None:
        """Start all processes now, so that the first images do not wait for them."""
        for _ in range(self._number):
            process = self._free.get()
            try:
                process = process or _Process(*self._limits)
            finally:
                self._free.put(process)

    def __call__(self, content: bytes, preprocessing: Preprocessing) -> Scan:
        """Read a scan as :func:`fkd.service.scans.read_scan` does, within the limits."""
        process = self._free.get()
        try:
            process = process or _Process(*self._limits)
            answer = process.ask(content, preprocessing, self._seconds)
            if answer is None:
                process.end()
                process = None
                return Scan(
                    [
                        finding(
                            "unreadable",
                            f"It takes more than {self._seconds:g} s or {self._limits[0] >> 20} MB "
                            "to decode. Save it as a plain PNG file.",
                        )
                    ],
                    None,
                )
            return answer
        finally:
            self._free.put(process)

    def each(self, contents: Iterable[bytes], preprocessing: Preprocessing) -> Iterator[Scan]:
        """Begin to read several scans, at the same time, and give them in their order."""
        return self._workers.map(self, contents, repeat(preprocessing))

    def close(self) -> None:
        """End all processes."""
        self._workers.shutdown(cancel_futures=True)
        for _ in range(self._number):
            if process := self._free.get():
                process.end()
            self._free.put(None)


class _Process:
    """One process, and the pipe to it."""

    def __init__(self, memory: int, max_pixels: int) -> None:
        own, other = socket.socketpair()
        with other:
            # The process must find this package wherever this one has it from.
            places = os.pathsep.join(place for place in sys.path if place)
            limits = [str(other.fileno()), str(memory), str(max_pixels)]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fkd.service.decoding", *limits],
                env=os.environ | ENVIRONMENT | {"PYTHONPATH": places},
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
            )
        self._pipe = Connection(own.detach())
        try:
            if not self._pipe.poll(START):
                raise EOFError
            self._pipe.recv_bytes(1)  # it has loaded what it needs
        except (EOFError, OSError):
            self.end()
            raise NotReady("The processes that read images do not start.") from None

    def ask(self, content: bytes, preprocessing: Preprocessing, seconds: float) -> Scan | None:
        """Have an image read; None if it takes too much."""
        try:
            self._pipe.send_bytes(_packed(asdict(preprocessing), content))
            if not self._pipe.poll(seconds):
                return None
            told, pixels = _unpacked(self._pipe.recv_bytes(1 << 20))
        except (EOFError, OSError):
            return None
        findings = [Finding(**one) for one in told["findings"]]
        image = np.frombuffer(pixels, np.uint8).reshape(INPUT) if pixels else None
        return Scan(findings, image)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._pipe.close()


def serve_scans(pipe: Connection, memory: int, max_pixels: int) -> None:
    """Read the scans that come through a pipe, until it closes.

    Parameters
    ----------
    pipe : Connection
        The pipe.
    memory, max_pixels : int
        The limits.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it
    read_scan(b"", Preprocessing())  # loads what is loaded late
    held = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    most = held * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(EOFError, OSError):
        pipe.send_bytes(b".")
        while True:
            settings, content = _unpacked(pipe.recv_bytes())
            settings["canvas"] = tuple(settings["canvas"])
            scan = read_scan(content, Preprocessing(**settings), max_pixels)
            pixels = b"" if scan.image is None else scan.image.tobytes()
            told = {"findings": [asdict(one) for one in scan.findings]}
            pipe.send_bytes(_packed(told, pixels))


def _packed(told: dict[str, Any], content: bytes) -> bytes:
    head = json.dumps(told).encode()
    return len(head).to_bytes(_HEAD, "big") + head + content


def _unpacked(message: bytes) -> tuple[dict[str, Any], bytes]:
    end = _HEAD + int.from_bytes(message[:_HEAD], "big")
    return json.loads(message[_HEAD:end]), message[end:]


if __name__ == "__main__":
    serve_scans(Connection(int(sys.argv[1])), *map(int, sys.argv[2:]))
