"""Rows of tables, found, inserted and changed by their primary keys.

A statement takes longer to make than to execute, so each is made once for a table.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    func,
    insert,
    select,
    update,
)


def find_row(connection: Connection, table: Table, *key: Any) -> Any:
    """Find a row by its primary key; None if there is none."""
    return connection.execute(_selecting(table), _parameters(key)).one_or_none()


def insert_rows(
    connection: Connection, table: Table, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> None:
    """Insert a row, or several with the same columns."""
    connection.execute(_inserting(table), rows)


def change_row(connection: Connection, table: Table, *key: Any, **values: Any) -> None:
    """Change columns of the row with a primary key."""
    connection.execute(_changing(table, *values), _parameters(key) | values)


def last_position(connection: Connection, table: Table, customer: str) -> int:
    """Find the position of a customer's last row in a table; 0 if there is none."""
    return connection.scalar(_selecting_last(table), {"customer": customer}) or 0


@cache
def _selecting(table: Table) -> Select[Any]:
    return select(table).where(*_is(table))


@cache
def _inserting(table: Table) -> Insert:
    return insert(table)


@cache
def _changing(table: Table, *names: str) -> Update:
    return update(table).where(*_is(table)).values({name: bindparam(name) for name in names})


@cache
def _selecting_last(table: Table) -> Select[Any]:
    own = table.c.customer_id == bindparam("customer")
    return select(func.max(table.c.position)).where(own)


def _is(table: Table) -> list[ColumnElement[bool]]:
    """Compare the primary key with the parameters ``key_0`` and so on."""
    return [column == bindparam(f"key_{at}") for at, column in enumerate(table.primary_key.columns)]


def _parameters(key: Sequence[Any]) -> dict[str, Any]:
    return {f"key_{at}": one for at, one in enumerate(key)}
