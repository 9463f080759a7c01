"""Two processes of the service on one PostgreSQL at once, one of which is killed."""

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from serving import as_files
from verified import NUMBERS

from fkd.__main__ import main
from fkd.service import Verifier
from fkd.service.sealing import new_key

pytestmark = pytest.mark.operations

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120
"""Seconds for a request on a machine that is busy."""


@pytest.fixture
def environment(postgresql, monkeypatch):
    """What the commands and the service read."""
    monkeypatch.setenv("FKD_DATABASE", postgresql)
    monkeypatch.setenv("FKD_KEYS", new_key())
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def activate(made, name):
    files = [str(made.verifier(name, number)) for number in NUMBERS]
    main(["activate_verifier", "--verifier", *files])
    return Verifier.load(*files, foreign=False).digest


@pytest.fixture
def servers(environment, made, capsys):
    """Two processes, their addresses, and a key."""
    main(["migrate_store"])
    activate(made, "wi")
    capsys.readouterr()
    main(["make_key", "test", "--role", "enroll", "verify", "audit"])
    key = capsys.readouterr().out.strip()
    running, clients = [], []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = [sys.executable, "-m", "fkd", "serve", "--port", str(port), "--per_minute", "9999"]
        running.append(subprocess.Popen(words, cwd=ROOT))
        address = f"http://127.0.0.1:{port}"
        wait = ["curl", "-sS", "--retry", "100", "--retry-delay", "1", "--retry-connrefused"]
        subprocess.run([*wait, f"{address}/ready"], check=True, stderr=subprocess.DEVNULL)
        headers = {"Authorization": f"Bearer {key}"}
        clients.append(httpx2.Client(base_url=address, headers=headers, timeout=PATIENCE))
    yield running, clients
    for client in clients:
        client.close()
    for process in running:
        process.kill()
        process.wait()


def enroll(client, made, label):
    """Create a customer and enroll three references; give the identifier."""
    customer = client.post("/v1/customers", json={"label": label}).json()["customer_id"]
    place = f"/v1/customers/{customer}/references"
    assert client.post(place, files=as_files(made.genuine(1)[:3])).status_code == 201
    return customer


def verify(client, made, customer):
    place = f"/v1/customers/{customer}/verifications"
    answer = client.post(place, files=as_files(made.genuine(1)[3:4]))
    assert answer.status_code == 201, answer.text
    return answer.json()[0]


def test_two_processes_serve_one_database(servers, made):
    processes, (one, other) = servers
    both = (one, other)
    with ThreadPoolExecutor(4) as clerks:
        customers = list(
            clerks.map(lambda at: enroll(both[at % 2], made, f"customer {at}"), range(8))
        )
        # Each verifies what the other one has enrolled.
        told = list(
            clerks.map(lambda at: verify(both[(at + 1) % 2], made, customers[at]), range(8))
        )
    assert len({answer["judgment"]["score"] for answer in told}) == 1
    checked = one.get("/v1/audit/check").json()
    assert checked == other.get("/v1/audit/check").json() and checked["faults"] == []
    assert checked["records"] == 2 + 8 * (1 + 3 + 1)

    digest = activate(made, "cosine")  # while both run
    assert {verify(client, made, customers[0])["verifier"] for client in both} == {digest}

    # One process is killed while it enrolls.
    customer = one.post("/v1/customers", json={}).json()["customer_id"]
    place = f"/v1/customers/{customer}/references"
    with ThreadPoolExecutor(4) as clerks:
        sent = [
            clerks.submit(one.post, place, files=as_files([path]))
            for path in (*made.genuine(1), *made.genuine(2))
        ]
        sent[0].result()
        os.kill(processes[0].pid, signal.SIGKILL)
        answered = [future for future in sent if future.exception() is None]
    stored = other.get(place).json()
    acknowledged = {one["reference_id"] for f in answered for one in f.result().json()}
    # All that was acknowledged is there; what was on its way may be, and nothing twice.
    assert acknowledged <= {one["reference_id"] for one in stored} and len(stored) <= len(sent)
    for path in (*made.genuine(1), *made.genuine(2)):
        assert other.post(place, files=as_files([path])).status_code in (201, 409)
    assert len(other.get(place).json()) == len(sent)
    assert other.get("/v1/audit/check").json()["faults"] == []
