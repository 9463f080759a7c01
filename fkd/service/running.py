"""The commands that set the service up, run it and look after it. They need the extra ``service``."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from fkd.errors import FkdError
from fkd.threads import cores

if TYPE_CHECKING:
    from fkd.service.store import Store

NEEDED = (
    "alembic",
    "argon2",
    "cryptography",
    "fastapi",
    "jinja2",
    "limits",
    "sqlalchemy",
    "uvicorn",
)

COMMAND = "command"
"""The actor of commands in the audit."""

AT_ONCE = 200
"""Rows that are sealed anew in one transaction."""


def _open_store() -> "Store":
    """Open the database and the keys that the environment names."""
    _need_extra()
    from fkd.service.sealing import Vault
    from fkd.service.store import Store, connect

    return Store(connect(), Vault.of_environment())


def _need_extra() -> None:
    """Refuse to go on without the libraries of the service."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise FkdError(
            f"The service needs {', '.join(missing)}. Install it by `pip install 'fkd[service]'`."
        )


def make_secret() -> None:
    """Print a new key for the encryption of the service's database."""
    _need_extra()
    from fkd.service.sealing import new_key

    print(new_key())


def migrate_store() -> None:
    """Make the tables of the service's database, or bring them to this version."""
    _need_extra()
    from fkd.service.store import connect, migrate

    print(f"The database is of version {migrate(connect())}.")


def make_key(*, name: str, role: list[str]) -> None:
    """Make an API key of the service, and print it this once.

    Parameters
    ----------
    name : str
        What the key is for.
    role : list of str
        Its roles, see :data:`fkd.service.access.ROLES`.
    """
    store = _open_store()
    from fkd.service.access import Access

    _, text = Access(store, per_minute=1).make(COMMAND, name, role)
    print(text)


def activate_verifier(
    *,
    verifier: list[Path],
    model: Path | None = None,
    machine: Path | None = None,
    like: str | None = None,
) -> None:
    """Make a verifier the active one of the service, and enroll all references anew under it.

    Parameters
    ----------
    verifier : list of Path
        Files of one verifier for different numbers of references; empty for those that ship.
    model, machine : Path, optional
        The ONNX file, and for ``wi`` the machine of pairs; by default, those beside the verifier.
    like : str, optional
        The development set whose scans are as yours, if they were prepared differently.
    """
    store = _open_store()
    from fkd.service.decoding import Decoders
    from fkd.service.desk import Desk

    desk = Desk(store, Decoders())
    try:
        found = desk.activate(COMMAND, verifier, model, machine, like)
    finally:
        desk.close()
    numbers = ", ".join(map(str, found.measured))
    print(
        f"{found.about['verifier']} of {found.about['model']} is active, for {numbers} references."
    )


def rotate_secret() -> None:
    """Encrypt all that the service stores anew under the first key of the environment."""
    store = _open_store()
    for table, column, keys in store.sealed():
        for start in tqdm(range(0, len(keys), AT_ONCE), table.name, disable=None):
            store.rotate(table, column, keys[start : start + AT_ONCE])
    store.record(COMMAND, "keys.rotated", "database")
    print("All is encrypted under the first key. The others can go.")


def audit(*, check: bool, head: str | None = None) -> None:
    """Print the audit of the service, or check that no record was edited, removed or moved.

    Parameters
    ----------
    check : bool
        Whether to check it rather than to print it.
    head : str, optional
        A hash that an earlier check printed, and that must still be in the chain.
    """
    store = _open_store()
    number, last, faults = store.check_audit()
    after, seen = 0, set()
    while records := store.records(after, AT_ONCE):
        for record in records:
            after = record.number
            seen.add(record.hash)
            if not check:
                details = " ".join(f"{key}={value}" for key, value in record.details.items())
                print(
                    record.number, record.at, record.actor, record.action, record.subject, details
                )
    if not check:
        return
    if head is not None and head not in seen:
        faults.append(f"The record with the hash {head} is not there any more.")
    if faults:
        raise FkdError("The audit was changed:\n" + "\n".join(f"  {one}" for one in faults))
    print(f"{number} records, none of them changed. The last hash is {last}.")


def serve(
    *, host: str = "127.0.0.1", port: int = 8080, per_minute: int = 600, body: int = 20
) -> None:
    """Run the service over HTTP.

    Parameters
    ----------
    host, port : str, int
        Where it listens. A proxy in front of it brings TLS.
    per_minute : int
        The number of requests a minute under one API key.
    body : int
        The megabytes of a request at most.
    """
    store = _open_store()
    import uvicorn

    from fkd.service.access import Access
    from fkd.service.api import Parts, make_app
    from fkd.service.decoding import Decoders
    from fkd.service.desk import Desk
    from fkd.service.gate import Limits, Metrics
    from fkd.service.sealing import Vault
    from fkd.service.sessions import Sessions

    decoders = Decoders(cores())
    decoders.start()
    desk = Desk(store, decoders)
    if store.active():
        desk.verifier()  # loaded now, so that the first request does not wait
    sessions = Sessions(store, Vault.of_environment())
    parts = Parts(store, desk, Access(store, per_minute), sessions, Metrics())
    uvicorn.run(
        make_app(parts, Limits(body << 20)),
        host=host,
        port=port,
        access_log=False,  # paths hold identifiers of customers
        server_header=False,
        limit_concurrency=200,
        timeout_keep_alive=5,
        log_level="warning",
    )
