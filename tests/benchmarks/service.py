"""The service over HTTP, beside what a verification cannot do without: preparing and describing."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from benchmarks.timing import Benchmark
from fkd.models.features import prepare_image
from fkd.service import Verifier, explain
from fkd.service.sealing import new_key
from fkd.synthesis import draw_signatures

REFERENCES = 5
CLIENTS = (1, 8, 32)
EACH = 64
"""Verifications that the clients ask for together, at least."""

ROOT = Path(__file__).resolve().parents[2]


@cache
def scans() -> list[Path]:
    """Scans of one writer: references, and one to compare with them."""
    folder = Path(tempfile.mkdtemp())
    draw_signatures(folder=folder, writers=1, genuine=REFERENCES + 1, skilled=1, seed=5)
    return sorted((folder / "genuine").glob("*.png"))


@cache
def verifier() -> Verifier:
    """The verifier that ships."""
    return Verifier.load()


@contextmanager
def running() -> Iterator[tuple[httpx2.Client, str]]:
    """A service in a process of its own, and where a customer with references is verified."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        environment = os.environ | {
            "FKD_DATABASE": f"sqlite:///{folder}/fkd.sqlite",
            "FKD_KEYS": new_key(),
            "PYTHONPATH": str(ROOT),
        }

        def words(*more: str) -> list[str]:
            return [sys.executable, "-m", "fkd", *more]

        for command in ("migrate_store", "activate_verifier"):
            subprocess.run(words(command), env=environment, check=True, stdout=subprocess.DEVNULL)
        roles = ["--role", "enroll", "verify"]
        made = subprocess.run(
            words("make_key", "load", *roles), env=environment, check=True, capture_output=True
        )
        key = made.stdout.decode().strip()
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        free.close()
        asked = ["serve", "--port", port, "--per_minute", "1000000"]
        server = subprocess.Popen(words(*asked), env=environment)
        try:
            client = httpx2.Client(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {key}"},
                timeout=300,
                limits=httpx2.Limits(max_connections=max(CLIENTS)),
            )
            while True:
                try:
                    client.get("/ready").raise_for_status()
                    break
                except httpx2.TransportError:
                    time.sleep(0.2)
            customer = client.post("/v1/customers", json={}).json()["customer_id"]
            place = f"/v1/customers/{customer}"
            client.post(
                f"{place}/references", files=as_files(scans()[:REFERENCES])
            ).raise_for_status()
            yield client, f"{place}/verifications"
        finally:
            server.terminate()
            server.wait()


def as_files(paths: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    """Give files as a client sends them."""
    return [("images", (path.name, path.read_bytes())) for path in paths]


def ask(client: httpx2.Client, place: str) -> float:
    """Verify one signature over HTTP, and give its score."""
    answer = client.post(place, files=as_files(scans()[-1:]))
    answer.raise_for_status()
    return answer.json()[0]["judgment"]["score"]


def bare() -> np.ndarray:
    """Prepare and describe the questioned signature, and nothing else."""
    return verifier().extract(prepare_image(scans()[-1])[None])


@dataclass(frozen=True)
class Alone:
    """One client beside the bare work, in turn."""

    name: str = "verification"

    def measure(self) -> dict[str, Any]:
        """As :meth:`benchmarks.timing.Benchmark.measure`."""
        references = np.concatenate(
            [verifier().extract(prepare_image(path)[None]) for path in scans()[:REFERENCES]]
        )

        def check(score: float, feature: np.ndarray) -> None:
            [judged] = verifier().judge(references, feature, 0.5)
            assert abs(judged.score - score) < 1e-5

        with running() as (client, place):
            return Benchmark(
                name=self.name,
                what=f"a verification by {REFERENCES} stored references over HTTP, beside preparing "
                "and describing the questioned signature",
                ours=lambda: ask(client, place),
                baseline=bare,
                check=check,
                runs=EACH,
                overhead=True,
            ).measure()


@dataclass(frozen=True)
class Load:
    """Clients who verify at the same time, beside the bare work on as many cores."""

    clients: int

    @property
    def name(self) -> str:
        return f"service_{self.clients}"

    def measure(self) -> dict[str, Any]:
        """As :meth:`benchmarks.timing.Benchmark.measure`, in seconds a verification."""
        number = max(EACH, 4 * self.clients)
        begin = time.perf_counter()
        for _ in range(EACH):
            bare()
        plain = (time.perf_counter() - begin) / EACH / (os.cpu_count() or 1)
        waits: list[float] = []

        def one(_: int) -> None:
            begin = time.perf_counter()
            ask(client, place)
            waits.append(time.perf_counter() - begin)

        with running() as (client, place), ThreadPoolExecutor(self.clients) as clients:
            list(clients.map(one, range(self.clients)))
            waits.clear()
            begin = time.perf_counter()
            list(clients.map(one, range(number)))
            took = (time.perf_counter() - begin) / number
        median, late = statistics.median(waits), np.quantile(waits, 0.99)
        return {
            "name": self.name,
            "what": f"{self.clients} clients: {1 / took:.3g} verifications a second; they wait "
            f"{1000 * median:.0f} ms (median), {1000 * late:.0f} ms (99 of 100)",
            "ours": took,
            "baseline": plain,
            "ratio": took / plain,
            "unit": "s",
            "runs": number,
        }


@dataclass(frozen=True)
class Explaining:
    """A picture of where a score comes from, beside the time that a person waits for it."""

    name: str = "explanation"
    patience: float = 2.0

    def measure(self) -> dict[str, Any]:
        """As :meth:`benchmarks.timing.Benchmark.measure`; the baseline is a limit, in seconds."""
        *references, questioned = [prepare_image(path) for path in scans()]
        times = []
        for _ in range(4):
            begin = time.perf_counter()
            explain(verifier(), references, questioned)
            times.append(time.perf_counter() - begin)
        median = statistics.median(times[1:])
        return {
            "name": self.name,
            "what": f"maps of a questioned signature and the nearest of {REFERENCES} references",
            "ours": median,
            "baseline": self.patience,
            "ratio": self.patience / median,
            "unit": "s",
            "runs": len(times) - 1,
        }


def benchmarks() -> list[Alone | Load | Explaining]:
    """The service and the library call of an explanation, by the verifier that ships."""
    return [Alone(), *(Load(clients) for clients in CLIENTS), Explaining()]
