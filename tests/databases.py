"""The databases that tests of the service run on: a file of SQLite, and a server of PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest
from sqlalchemy import text

from fkd.service.store import connect

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.operations)]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a server of this module's own."""
    with postgres.server() as url:
        yield url


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/fkd.sqlite"
        return
    found = request.getfixturevalue("postgresql")
    yield found
    engine = connect(found)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
