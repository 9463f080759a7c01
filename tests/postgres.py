"""A PostgreSQL server of one's own, from Debian's packages, for tests."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

USER = "postgres"


def program(name: str) -> Path | None:
    """Find a program of the newest PostgreSQL; Debian keeps most of them off the path."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = places[-1] if places else shutil.which(name)
    return found and Path(found)


@contextmanager
def server() -> Iterator[str]:
    """Run a server on a socket in a folder of its own, and give the URL of its database."""
    initdb, control = program("initdb"), program("pg_ctl")
    if not initdb or not control:
        pytest.skip("no initdb and pg_ctl: PostgreSQL is needed")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    options: dict[str, object] = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, USER)
        options["user"] = USER
    data = str(folder / "data")
    try:
        start = [initdb, "-D", data, "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(start, **options)
        settings = f"-k {folder} -c listen_addresses= -c fsync=off"
        log = str(folder / "log")
        subprocess.run([control, "-D", data, "-w", "-l", log, "-o", settings, "start"], **options)
        try:
            yield f"postgresql+psycopg://{USER}@/{USER}?host={folder}"
        finally:
            subprocess.run([control, "-D", data, "-m", "immediate", "stop"], **options)
    finally:
        shutil.rmtree(folder)


def empty(url: str) -> None:
    """Remove all tables of a database."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
