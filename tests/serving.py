"""A service that tests call: over a file of SQLite, with the verifier of drawn signatures."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from starlette.testclient import TestClient
from verified import NUMBERS, Results

from fkd.service.access import ROLES, Access
from fkd.service.api import Parts, make_app
from fkd.service.decoding import Decoders
from fkd.service.desk import Desk
from fkd.service.gate import Limits, Metrics
from fkd.service.sealing import Vault, new_key
from fkd.service.sessions import Sessions
from fkd.service.store import Store, connect, migrate

MANY = 10_000
"""Requests a minute, more than tests send."""


@dataclass
class Service:
    """A running service, and a key with each role.

    Attributes
    ----------
    client : TestClient
        Calls it, with all roles.
    parts : Parts
        What it is made of.
    keys : dict of str to str
        Keys with one role each, and ``all`` with all of them.
    """

    client: TestClient
    parts: Parts
    keys: dict[str, str]

    def using(self, role: str | None) -> dict[str, str]:
        """The headers of a request under the key of a role."""
        return {"Authorization": f"Bearer {self.keys[role]}" if role else ""}

    def new_customer(self, **about: str) -> str:
        """Create a customer; give the identifier."""
        made = self.client.post("/v1/customers", json=about)
        assert made.status_code == 201, made.text
        return made.json()["customer_id"]

    def enroll(self, customer: str, paths: list) -> list[dict]:
        """Enroll the images of files."""
        sent = self.client.post(f"/v1/customers/{customer}/references", files=as_files(paths))
        assert sent.status_code == 201, sent.text
        return sent.json()


def as_files(paths: list) -> list[tuple[str, tuple[str, bytes]]]:
    """Give files, or bytes, as a client sends them."""
    contents = [path if isinstance(path, bytes) else path.read_bytes() for path in paths]
    return [("images", (f"{at}.png", content)) for at, content in enumerate(contents)]


@contextmanager
def serving(
    url: str,
    made: Results,
    limits: Limits | None = None,
    per_minute: int = MANY,
    verifier: str | list[Path] | None = "wi",
) -> Iterator[Service]:
    """Run a service on an empty database, with a verifier of its own name or of other files."""
    engine = connect(url)
    migrate(engine)
    vault = Vault([new_key()])
    store, metrics = Store(engine, vault), Metrics()
    desk = Desk(store, Decoders(1))
    access = Access(store, per_minute)
    if verifier:  # whose model needs no trial
        files = verifier
        if isinstance(verifier, str):
            files = [made.verifier(verifier, number) for number in NUMBERS]
        with patch("fkd.service.verifier.try_out"):
            desk.activate("test", files, None, None, None)
    keys = {role: access.make("test", role, [role])[1] for role in ROLES}
    keys["all"] = access.make("test", "all", list(ROLES))[1]
    parts = Parts(store, desk, access, Sessions(store, vault), metrics)
    with TestClient(make_app(parts, limits or Limits()), raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {keys['all']}"
        yield Service(client, parts, keys)
    engine.dispose()
