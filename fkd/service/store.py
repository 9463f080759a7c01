"""The database of the service: customers, references, templates, verifications, keys, audit.

Everything that changes something is one transaction, with its record in the audit. Who writes
holds the head of the audit, so writers of several processes go one after the other; readers do not
wait. A process that is killed leaves either the whole change or none.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    Table,
    create_engine,
    delete,
    event,
    func,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from fkd.errors import FkdError
from fkd.service import audit, tables
from fkd.service.problems import Conflict, Erased, NotFound, NotReady
from fkd.service.rows import change_row, find_row, insert_rows, last_position
from fkd.service.sealing import Vault

VARIABLE = "FKD_DATABASE"
"""The variable of the environment with the database."""

DEFAULT = "sqlite:///fkd.sqlite"
"""The database if none is named: a file in the working folder."""

WAIT = 30
"""Seconds that a writer waits for another one on SQLite."""

PAGE = 100
"""The number of rows of a list at most."""


@dataclass(frozen=True)
class Customer:
    """A customer, whose signatures are verified."""

    customer_id: UUID
    label: str | None
    created: datetime
    erased: datetime | None
    references: int


@dataclass(frozen=True)
class Reference:
    """A genuine signature of a customer, without its image."""

    reference_id: UUID
    customer_id: UUID
    added: datetime
    quality: list[dict[str, str]]


@dataclass(frozen=True)
class NewReference:
    """What is to be stored of a reference: the bytes of its file, its findings and its features."""

    image: bytes
    quality: Sequence[Mapping[str, str]]
    feature: np.ndarray


@dataclass(frozen=True)
class Verification:
    """A verification as it is stored; `answer` is what the verifier said."""

    verification_id: UUID
    customer_id: UUID
    made: datetime
    verifier: str
    answer: dict[str, Any]


@dataclass(frozen=True)
class ApiKey:
    """An API key, without its secret."""

    key_id: str
    name: str
    roles: list[str]
    made: datetime
    revoked: datetime | None


def connect(url: str | None = None) -> Engine:
    """Open a database.

    Parameters
    ----------
    url : str, optional
        Such as ``sqlite:///fkd.sqlite`` or ``postgresql+psycopg://USER:PASSWORD@HOST/NAME``; by
        default, that of the environment.

    Raises
    ------
    FkdError
        If it is no such URL.
    """
    url = url or os.environ.get(VARIABLE, DEFAULT)
    try:
        name = make_url(url).get_backend_name()
    except ArgumentError:
        name = ""
    if name not in ("sqlite", "postgresql"):
        raise FkdError(
            f"{VARIABLE}: expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME."
        )
    if name == "postgresql":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": WAIT})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # begin() below begins, also before changes of tables
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is erased is written over

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", "fkd.service:migrations")
    return config


def migrate(engine: Engine) -> str:
    """Bring the tables of a database to this version, and return its name.

    Two processes that do so at once go one after the other, and one that is killed leaves the
    tables as they were.
    """
    config = _migrations()
    with _transaction(engine, writes=True) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7315)")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return version(engine)[0] or ""


def version(engine: Engine) -> tuple[str | None, str | None]:
    """Tell the version of the tables of a database, and the one of this program."""
    with _transaction(engine) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current, ScriptDirectory.from_config(_migrations()).get_current_head()


@contextmanager
def _transaction(engine: Engine, writes: bool = False) -> Iterator[Connection]:
    options: dict[str, Any] = {"writes": writes}
    if engine.dialect.name == "postgresql" and not writes:
        # Who reads sees one state of the database, as on SQLite.
        options["isolation_level"] = "REPEATABLE READ"
    try:
        with engine.execution_options(**options).begin() as connection:
            yield connection
    except OperationalError as error:
        raise NotReady(f"The database cannot be used ({type(error.orig).__name__}).") from error


def now() -> str:
    """The time, as it is stored."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Store:
    """The database, opened.

    Parameters
    ----------
    engine : Engine
        As :func:`connect` opens it.
    vault : Vault
        Seals and opens images, features, answers and labels.

    Raises
    ------
    FkdError
        If the tables are of another version.
    """

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine, self._vault = engine, vault
        self._writer = Lock()
        current, wanted = version(engine)
        if current != wanted:
            raise FkdError(
                f"The database is of version {current or 'none'}, and this program needs {wanted}. "
                "Run `python -m fkd migrate_store` once."
            )

    def _reading(self) -> AbstractContextManager[Connection]:
        return _transaction(self._engine)

    @contextmanager
    def _writing(self) -> Iterator[tuple[Connection, "_Recorder"]]:
        # Who waits for another thread waits here: SQLite would sleep, for longer each time.
        with self._writer, _transaction(self._engine, writes=True) as connection:
            record = _Recorder(connection)
            yield connection, record
            record.store()

    def is_reachable(self) -> bool:
        """Tell whether the database answers."""
        try:
            with self._reading() as connection:
                return connection.scalar(select(tables.audit_head.c.id)) == 1
        except NotReady:
            return False

    # Customers

    def add_customer(self, actor: str, label: str | None, customer_id: UUID | None) -> Customer:
        """Add a customer.

        Raises
        ------
        Conflict
            If there is one of this identifier, or was one.
        """
        chosen = str(customer_id or uuid4())
        with self._writing() as (connection, record):
            if find_row(connection, tables.customers, chosen):
                raise Conflict(f"There is or was a customer {chosen}. Choose another identifier.")
            sealed = None if label is None else self._vault.seal(f"label/{chosen}", label.encode())
            row = {"id": chosen, "sealed_label": sealed, "created": now()}
            insert_rows(connection, tables.customers, row)
            record(actor, "customer.created", chosen)
            return self._customer(connection, find_row(connection, tables.customers, chosen))

    def customers(self, after: UUID | None, limit: int) -> list[Customer]:
        """List customers by identifier, from the one after `after`; erased ones are left out."""
        known = tables.customers.c
        query = select(tables.customers).where(known.erased.is_(None))
        if after:
            query = query.where(known.id > str(after))
        with self._reading() as connection:
            found = connection.execute(query.order_by(known.id).limit(limit)).all()
            return [self._customer(connection, one) for one in found]

    def customer(self, customer_id: UUID) -> Customer:
        """Find a customer, also an erased one."""
        with self._reading() as connection:
            row = find_row(connection, tables.customers, str(customer_id))
            if row is None:
                raise NotFound(f"There is no customer {customer_id}.")
            return self._customer(connection, row)

    def erase(self, actor: str, customer_id: UUID) -> Customer:
        """Erase a customer: images, features, verifications and the label; a tombstone stays."""
        with self._writing() as (connection, record):
            key = _present(connection, customer_id)
            own = select(tables.references.c.id).where(tables.references.c.customer_id == key)
            connection.execute(
                delete(tables.templates).where(tables.templates.c.reference_id.in_(own))
            )
            for table in (tables.references, tables.verifications):
                connection.execute(delete(table).where(table.c.customer_id == key))
            change_row(connection, tables.customers, key, sealed_label=None, erased=now())
            record(actor, "customer.erased", key)
            return self._customer(connection, find_row(connection, tables.customers, key))

    # References

    def add_references(
        self, actor: str, customer_id: UUID, verifier: str, new: Sequence[NewReference]
    ) -> list[Reference]:
        """Add references with their templates under a verifier: all of them, or none.

        Raises
        ------
        Conflict
            If an image is a reference of this customer already, or the verifier is not the active
            one any more.
        """
        there = tables.references.c
        with self._writing() as (connection, record):
            customer = _present(connection, customer_id)
            active = _active(connection)
            if active is None or active.digest != verifier:
                raise Conflict(
                    "Another verifier has become active meanwhile. Send the request again."
                )
            last = last_position(connection, tables.references, customer)
            added = []
            for position, one in enumerate(new, last + 1):
                digest = hashlib.sha256(customer.encode() + one.image).hexdigest()
                same = there.customer_id == customer, there.content == digest
                if found := connection.scalar(select(there.id).where(*same)):
                    raise Conflict(
                        f"An image is the reference {found} already. Copies are no further "
                        "references.",
                        reference_id=found,
                    )
                key = str(uuid4())
                row = {
                    "id": key,
                    "customer_id": customer,
                    "position": position,
                    "added": now(),
                    "content": digest,
                    "quality": json.dumps(list(one.quality)),
                    "sealed_image": self._vault.seal(f"image/{key}", one.image),
                }
                insert_rows(connection, tables.references, row)
                self._insert_template(connection, key, verifier, one.feature)
                record(actor, "reference.added", customer, reference=key, verifier=verifier)
                added.append(_reference(key, customer, row["added"], row["quality"]))
            return added

    def references(self, customer_id: UUID) -> list[Reference]:
        """List a customer's references, the first one first."""
        there = tables.references.c
        with self._reading() as connection:
            query = _references_of(
                _present(connection, customer_id),
                *(there.id, there.customer_id, there.added, there.quality),
            )
            return [_reference(*row) for row in connection.execute(query)]

    def remove_reference(self, actor: str, customer_id: UUID, reference_id: UUID) -> None:
        """Remove a reference of a customer."""
        with self._writing() as (connection, record):
            customer, key = _present(connection, customer_id), str(reference_id)
            row = find_row(connection, tables.references, key)
            if row is None or row.customer_id != customer:
                raise NotFound(f"Customer {customer_id} has no reference {reference_id}.")
            there = tables.templates.c.reference_id
            connection.execute(delete(tables.templates).where(there == key))
            connection.execute(delete(tables.references).where(tables.references.c.id == key))
            record(actor, "reference.removed", customer, reference=key)

    def images(self, customer_id: UUID, most: int) -> list[tuple[UUID, bytes]]:
        """Open the images of a customer's first references."""
        there = tables.references.c
        with self._reading() as connection:
            customer = _present(connection, customer_id)
            query = _references_of(customer, there.id, there.sealed_image).limit(most)
            return [
                (UUID(key), self._vault.unseal(f"image/{key}", sealed))
                for key, sealed in connection.execute(query)
            ]

    def templates(self, customer_id: UUID, verifier: str) -> list[np.ndarray]:
        """Open the features of a customer's references under a verifier, the first one first."""
        there = tables.templates.c
        with self._reading() as connection:
            query = (
                _references_of(_present(connection, customer_id), *there)
                .join(tables.templates)
                .where(there.verifier == verifier)
            )
            return [self._feature(*row) for row in connection.execute(query)]

    # Verifications

    def add_verifications(
        self,
        actor: str,
        customer_id: UUID,
        verifier: str,
        answers: Sequence[Mapping[str, Any]],
    ) -> list[Verification]:
        """Record what a verifier said of questioned signatures."""
        with self._writing() as (connection, record):
            customer = _present(connection, customer_id)
            last = last_position(connection, tables.verifications, customer)
            rows = []
            for position, answer in enumerate(answers, last + 1):
                key = str(uuid4())
                rows.append(
                    {
                        "id": key,
                        "customer_id": customer,
                        "position": position,
                        "made": now(),
                        "verifier": verifier,
                        "sealed_answer": self._vault.seal(
                            f"answer/{key}", json.dumps(answer).encode()
                        ),
                    }
                )
                record(
                    actor,
                    "verification.made",
                    customer,
                    verification=key,
                    verifier=verifier,
                    decision=answer["judgment"]["decision"],
                )
            insert_rows(connection, tables.verifications, rows)
            return [self._verification(row) for row in rows]

    def verifications(self, customer_id: UUID, limit: int) -> list[Verification]:
        """List a customer's verifications, the last one first."""
        there = tables.verifications.c
        with self._reading() as connection:
            query = (
                select(tables.verifications)
                .where(there.customer_id == _present(connection, customer_id))
                .order_by(there.position.desc())
                .limit(limit)
            )
            return [self._verification(row) for row in connection.execute(query).mappings()]

    def verification(self, customer_id: UUID, verification_id: UUID) -> Verification:
        """Find a verification of a customer."""
        with self._reading() as connection:
            customer = _present(connection, customer_id)
            row = find_row(connection, tables.verifications, str(verification_id))
            if row is None or row.customer_id != customer:
                raise NotFound(f"Customer {customer_id} has no verification {verification_id}.")
            return self._verification(row._mapping)

    # The active verifier

    def active(self) -> tuple[str, dict[str, Any]] | None:
        """Tell the digest and the files of the active verifier, if there is one."""
        with self._reading() as connection:
            row = _active(connection)
            return None if row is None else (row.digest, json.loads(row.files))

    def without_template(self, verifier: str, most: int) -> tuple[list[UUID], int]:
        """List references that have no template under a verifier, and count all of them."""
        query = _without_template(verifier)
        with self._reading() as connection:
            found = connection.scalars(query.order_by(tables.references.c.id).limit(most))
            return [UUID(one) for one in found], _number(connection, query)

    def image(self, reference_id: UUID) -> bytes | None:
        """Open the image of a reference; None if it was removed."""
        with self._reading() as connection:
            row = find_row(connection, tables.references, str(reference_id))
            return row and self._vault.unseal(f"image/{row.id}", row.sealed_image)

    def add_template(self, reference_id: UUID, verifier: str, feature: np.ndarray) -> None:
        """Add a template of a reference under a verifier that is to become active."""
        key = str(reference_id)
        with self._writing() as (connection, _):
            # Meanwhile the reference may have been removed, or another process was faster.
            is_there = find_row(connection, tables.references, key) is not None
            if is_there and find_row(connection, tables.templates, key, verifier) is None:
                self._insert_template(connection, key, verifier, feature)

    def activate(self, actor: str, verifier: str, files: Mapping[str, Any]) -> bool:
        """Make a verifier the active one, if all references have a template under it.

        Templates under other verifiers are removed.

        Returns
        -------
        bool
            Whether it is active now. If not, references were added meanwhile.
        """
        known = tables.verifiers
        with self._writing() as (connection, record):
            if _number(connection, _without_template(verifier)):
                return False
            other = tables.templates.c.verifier != verifier
            connection.execute(delete(tables.templates).where(other))
            others = known.c.retired.is_(None), known.c.digest != verifier
            connection.execute(update(known).where(*others).values(retired=now()))
            row = {"files": json.dumps(files), "activated": now(), "retired": None}
            if find_row(connection, known, verifier) is None:
                insert_rows(connection, known, {"digest": verifier, **row})
            else:
                change_row(connection, known, verifier, **row)
            record(actor, "verifier.activated", verifier)
            return True

    # API keys

    def add_key(self, actor: str, key_id: str, name: str, hashed: str, roles: list[str]) -> ApiKey:
        """Add an API key, of which only the hash is known."""
        row = {"id": key_id, "name": name, "roles": json.dumps(roles), "made": now()}
        with self._writing() as (connection, record):
            insert_rows(connection, tables.api_keys, {"hash": hashed, **row})
            record(actor, "key.made", key_id, roles=roles)
            return _key(find_row(connection, tables.api_keys, key_id))

    def keys(self) -> list[ApiKey]:
        """List all API keys."""
        query = select(tables.api_keys).order_by(tables.api_keys.c.made)
        with self._reading() as connection:
            return [_key(row) for row in connection.execute(query)]

    def key(self, key_id: str) -> tuple[ApiKey, str] | None:
        """Find an API key and its hash."""
        with self._reading() as connection:
            row = find_row(connection, tables.api_keys, key_id)
            return None if row is None else (_key(row), row.hash)

    def revoke_key(self, actor: str, key_id: str) -> ApiKey:
        """Revoke an API key, which stays in the list."""
        with self._writing() as (connection, record):
            row = find_row(connection, tables.api_keys, key_id)
            if row is None:
                raise NotFound(f"There is no API key {key_id}.")
            if row.revoked is None:
                change_row(connection, tables.api_keys, key_id, revoked=now())
                record(actor, "key.revoked", key_id)
            return _key(find_row(connection, tables.api_keys, key_id))

    # Audit

    def records(self, after: int, limit: int) -> list[audit.Record]:
        """List records of the audit, from the one after the number `after`."""
        query = select(tables.audit).where(tables.audit.c.number > after)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(tables.audit.c.number).limit(limit))
            return [_record(row) for row in rows]

    def check_audit(self) -> tuple[int, str, list[str]]:
        """Check the audit: the number of its last record, that one's hash, and all faults."""
        query = select(tables.audit).order_by(tables.audit.c.number)
        with self._reading() as connection:
            head = connection.execute(select(tables.audit_head)).one()
            rows = connection.execution_options(yield_per=1000).execute(query)
            found = audit.faults(map(_record, rows), head.number, head.hash)
            return head.number, head.hash, found

    # Keys of the encryption

    def sealed(self) -> Iterator[tuple[Table, str, list[Any]]]:
        """Yield each table with something sealed, its column, and the primary keys of its rows."""
        for table, column in (
            (tables.customers, "sealed_label"),
            (tables.references, "sealed_image"),
            (tables.templates, "sealed_feature"),
            (tables.verifications, "sealed_answer"),
        ):
            with self._reading() as connection:
                keys = connection.execute(select(*table.primary_key.columns)).all()
            yield table, column, list(keys)

    def rotate(self, table: Table, column: str, keys: Sequence[Any]) -> None:
        """Seal rows of a table anew under the first key."""
        with self._writing() as (connection, _):
            for key in keys:
                row = find_row(connection, table, *key)
                if row is not None and (sealed := getattr(row, column)) is not None:
                    change_row(connection, table, *key, **{column: self._vault.rotate(sealed)})

    def record(self, actor: str, action: str, subject: str, **details: Any) -> None:
        """Record something that changes nothing else."""
        with self._writing() as (_, record):
            record(actor, action, subject, **details)

    # What these share

    def _customer(self, connection: Connection, row: Any) -> Customer:
        sealed = row.sealed_label
        return Customer(
            UUID(row.id),
            sealed and self._vault.unseal(f"label/{row.id}", sealed).decode(),
            _time(row.created),
            row.erased and _time(row.erased),
            _number(connection, _references_of(row.id, tables.references.c.id)),
        )

    def _insert_template(
        self, connection: Connection, reference_id: str, verifier: str, feature: np.ndarray
    ) -> None:
        content = np.ascontiguousarray(feature, np.dtype("<f4")).tobytes()
        sealed = self._vault.seal(_place(reference_id, verifier), content)
        row = {"reference_id": reference_id, "verifier": verifier, "sealed_feature": sealed}
        insert_rows(connection, tables.templates, row)

    def _feature(self, reference_id: str, verifier: str, sealed_feature: bytes) -> np.ndarray:
        content = self._vault.unseal(_place(reference_id, verifier), sealed_feature)
        return np.frombuffer(content, np.dtype("<f4"))

    def _verification(self, row: Mapping[str, Any]) -> Verification:
        answer = json.loads(self._vault.unseal(f"answer/{row['id']}", row["sealed_answer"]))
        ids = UUID(row["id"]), UUID(row["customer_id"])
        return Verification(*ids, _time(row["made"]), row["verifier"], answer)


_HEAD = select(tables.audit_head).with_for_update()


class _Recorder:
    """Appends records to the audit in a transaction, which holds the audit's head from here on."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._rows = connection, list[dict[str, Any]]()
        head = connection.execute(_HEAD).one()
        self._number, self._hash = head.number, head.hash

    def __call__(self, actor: str, action: str, subject: str, **details: Any) -> None:
        number, at, previous = self._number + 1, now(), self._hash
        own = audit.hash_of(number, at, actor, action, subject, details, previous)
        self._rows.append(
            {
                "number": number,
                "at": at,
                "actor": actor,
                "action": action,
                "subject": subject,
                "details": json.dumps(details),
                "previous": previous,
                "hash": own,
            }
        )
        self._number, self._hash = number, own

    def store(self) -> None:
        """Store the records and the new head."""
        if self._rows:
            insert_rows(self._connection, tables.audit, self._rows)
            change_row(self._connection, tables.audit_head, 1, number=self._number, hash=self._hash)


def _present(connection: Connection, customer_id: UUID) -> str:
    """Give the primary key of a customer who was not erased."""
    row = find_row(connection, tables.customers, str(customer_id))
    if row is None:
        raise NotFound(f"There is no customer {customer_id}. Create the customer first.")
    if row.erased is not None:
        raise Erased(f"Customer {customer_id} was erased. Create another one.")
    return row.id


_ACTIVE = select(tables.verifiers).where(tables.verifiers.c.retired.is_(None))


def _active(connection: Connection) -> Any:
    """Find the row of the active verifier."""
    return connection.execute(_ACTIVE).one_or_none()


def _number(connection: Connection, query: Any) -> int:
    """Count the rows that a query gives."""
    return connection.scalar(select(func.count()).select_from(query.subquery())) or 0


def _references_of(customer: str, *columns: Any) -> Any:
    """Select columns of a customer's references, the first one first."""
    there = tables.references.c
    query = select(*columns).select_from(tables.references)
    return query.where(there.customer_id == customer).order_by(there.position)


def _without_template(verifier: str) -> Any:
    """Select the references that have no template under a verifier."""
    have = select(tables.templates.c.reference_id).where(tables.templates.c.verifier == verifier)
    return select(tables.references.c.id).where(tables.references.c.id.not_in(have))


def _place(reference_id: str, verifier: str) -> str:
    """Name the place for which a feature is sealed."""
    return f"feature/{reference_id}/{verifier}"


def _reference(key: str, customer_id: str, added: str, quality: str) -> Reference:
    return Reference(UUID(key), UUID(customer_id), _time(added), json.loads(quality))


def _key(row: Any) -> ApiKey:
    return ApiKey(
        row.id, row.name, json.loads(row.roles), _time(row.made), row.revoked and _time(row.revoked)
    )


def _record(row: Any) -> audit.Record:
    fields = row._asdict()
    return audit.Record(**{**fields, "details": json.loads(fields["details"])})


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
