"""The database of the service: customers, references, templates, verifications, keys, audit.

Everything that changes something is one transaction, with its record in the audit. Who writes
holds the head of the audit, so writers of several processes go one after the other; readers do not
wait. A process that is killed leaves either the whole change or none.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, delete, event, func, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session

from fkd.errors import FkdError
from fkd.service import audit
from fkd.service.problems import Conflict, Erased, NotFound, NotReady
from fkd.service.sealing import Vault
from fkd.service.tables import (
    AuditRow,
    CustomerRow,
    HeadRow,
    KeyRow,
    ReferenceRow,
    TemplateRow,
    VerificationRow,
    VerifierRow,
)

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
def _transaction(engine: Engine, writes: bool = False) -> Iterator[Any]:
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
        current, wanted = version(engine)
        if current != wanted:
            raise FkdError(
                f"The database is of version {current or 'none'}, and this program needs {wanted}. "
                "Run `python -m fkd migrate_store` once."
            )

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with _transaction(self._engine) as connection, Session(connection) as session:
            yield session

    @contextmanager
    def _writing(self) -> Iterator[tuple[Session, "_Recorder"]]:
        with _transaction(self._engine, writes=True) as connection, Session(connection) as session:
            head = session.get_one(HeadRow, 1, with_for_update=True)
            yield session, _Recorder(session, head)
            session.flush()

    def is_reachable(self) -> bool:
        """Tell whether the database answers."""
        try:
            with self._reading() as session:
                return session.scalar(select(HeadRow.id)) == 1
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
        chosen = customer_id or uuid4()
        with self._writing() as (session, record):
            if session.get(CustomerRow, str(chosen)):
                raise Conflict(f"There is or was a customer {chosen}. Choose another identifier.")
            sealed = None if label is None else self._vault.seal(f"label/{chosen}", label.encode())
            row = CustomerRow(id=str(chosen), sealed_label=sealed, created=now(), erased=None)
            session.add(row)
            record(actor, "customer.created", str(chosen))
            return self._customer(session, row)

    def customers(self, after: UUID | None, limit: int) -> list[Customer]:
        """List customers by identifier, from the one after `after`; erased ones are left out."""
        with self._reading() as session:
            query = select(CustomerRow).where(CustomerRow.erased.is_(None))
            if after:
                query = query.where(CustomerRow.id > str(after))
            rows = session.scalars(query.order_by(CustomerRow.id).limit(limit))
            return [self._customer(session, row) for row in rows]

    def customer(self, customer_id: UUID) -> Customer:
        """Find a customer, also an erased one."""
        with self._reading() as session:
            row = session.get(CustomerRow, str(customer_id))
            if row is None:
                raise NotFound(f"There is no customer {customer_id}.")
            return self._customer(session, row)

    def erase(self, actor: str, customer_id: UUID) -> Customer:
        """Erase a customer: images, features, verifications and the label; a tombstone stays."""
        with self._writing() as (session, record):
            row = self._present(session, customer_id)
            own = select(ReferenceRow.id).where(ReferenceRow.customer_id == row.id)
            session.execute(delete(TemplateRow).where(TemplateRow.reference_id.in_(own)))
            for table in (ReferenceRow, VerificationRow):
                session.execute(delete(table).where(table.customer_id == row.id))
            row.sealed_label, row.erased = None, now()
            record(actor, "customer.erased", row.id)
            return self._customer(session, row)

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
        with self._writing() as (session, record):
            row = self._present(session, customer_id)
            self._check_active(session, verifier)
            last = select(func.max(ReferenceRow.position)).where(ReferenceRow.customer_id == row.id)
            position = session.scalar(last) or 0
            added = []
            for one in new:
                digest = hashlib.sha256(row.id.encode() + one.image).hexdigest()
                same = select(ReferenceRow.id).where(
                    ReferenceRow.customer_id == row.id, ReferenceRow.content == digest
                )
                if found := session.scalar(same):
                    raise Conflict(
                        f"An image is the reference {found} already. Copies are no further "
                        "references.",
                        reference_id=found,
                    )
                position, key = position + 1, str(uuid4())
                reference = ReferenceRow(
                    id=key,
                    customer_id=row.id,
                    position=position,
                    added=now(),
                    content=digest,
                    quality=json.dumps(list(one.quality)),
                    sealed_image=self._vault.seal(f"image/{key}", one.image),
                )
                session.add(reference)
                session.flush()
                session.add(self._template(key, verifier, one.feature))
                session.flush()
                record(actor, "reference.added", row.id, reference=key, verifier=verifier)
                added.append(_reference(reference))
            return added

    def references(self, customer_id: UUID) -> list[Reference]:
        """List a customer's references, the first one first."""
        with self._reading() as session:
            row = self._present(session, customer_id)
            return [_reference(one) for one in session.scalars(_references_of(row.id))]

    def remove_reference(self, actor: str, customer_id: UUID, reference_id: UUID) -> None:
        """Remove a reference of a customer."""
        with self._writing() as (session, record):
            row = self._present(session, customer_id)
            reference = session.get(ReferenceRow, str(reference_id))
            if reference is None or reference.customer_id != row.id:
                raise NotFound(f"Customer {customer_id} has no reference {reference_id}.")
            session.execute(delete(TemplateRow).where(TemplateRow.reference_id == reference.id))
            session.delete(reference)
            record(actor, "reference.removed", row.id, reference=reference.id)

    def images(self, customer_id: UUID, most: int) -> list[tuple[UUID, bytes]]:
        """Open the images of a customer's first references."""
        with self._reading() as session:
            row = self._present(session, customer_id)
            found = session.scalars(_references_of(row.id).limit(most))
            return [
                (UUID(one.id), self._vault.unseal(f"image/{one.id}", one.sealed_image))
                for one in found
            ]

    def templates(self, customer_id: UUID, verifier: str) -> list[np.ndarray]:
        """Open the features of a customer's references under a verifier, the first one first."""
        with self._reading() as session:
            row = self._present(session, customer_id)
            query = (
                select(TemplateRow)
                .join(ReferenceRow)
                .where(ReferenceRow.customer_id == row.id, TemplateRow.verifier == verifier)
                .order_by(ReferenceRow.position)
            )
            return [self._feature(one) for one in session.scalars(query)]

    # Verifications

    def add_verifications(
        self,
        actor: str,
        customer_id: UUID,
        verifier: str,
        answers: Sequence[Mapping[str, Any]],
    ) -> list[Verification]:
        """Record what a verifier said of questioned signatures."""
        with self._writing() as (session, record):
            row = self._present(session, customer_id)
            last = select(func.max(VerificationRow.position)).where(
                VerificationRow.customer_id == row.id
            )
            position = session.scalar(last) or 0
            added = []
            for number, answer in enumerate(answers, position + 1):
                key = str(uuid4())
                content = json.dumps(answer).encode()
                one = VerificationRow(
                    id=key,
                    customer_id=row.id,
                    position=number,
                    made=now(),
                    verifier=verifier,
                    sealed_answer=self._vault.seal(f"answer/{key}", content),
                )
                session.add(one)
                decision = answer["judgment"]["decision"]
                record(
                    actor,
                    "verification.made",
                    row.id,
                    verification=key,
                    verifier=verifier,
                    decision=decision,
                )
                added.append(self._verification(one))
            return added

    def verifications(self, customer_id: UUID, limit: int) -> list[Verification]:
        """List a customer's verifications, the last one first."""
        with self._reading() as session:
            row = self._present(session, customer_id)
            query = (
                select(VerificationRow)
                .where(VerificationRow.customer_id == row.id)
                .order_by(VerificationRow.position.desc())
                .limit(limit)
            )
            return [self._verification(one) for one in session.scalars(query)]

    def verification(self, customer_id: UUID, verification_id: UUID) -> Verification:
        """Find a verification of a customer."""
        with self._reading() as session:
            row = self._present(session, customer_id)
            one = session.get(VerificationRow, str(verification_id))
            if one is None or one.customer_id != row.id:
                raise NotFound(f"Customer {customer_id} has no verification {verification_id}.")
            return self._verification(one)

    # The active verifier

    def active(self) -> tuple[str, dict[str, Any]] | None:
        """Tell the digest and the files of the active verifier, if there is one."""
        with self._reading() as session:
            row = session.scalar(select(VerifierRow).where(VerifierRow.retired.is_(None)))
            return None if row is None else (row.digest, json.loads(row.files))

    def without_template(self, verifier: str, most: int) -> tuple[list[UUID], int]:
        """List references that have no template under a verifier, and count all of them."""
        with self._reading() as session:
            query = _without_template(verifier)
            number = session.scalar(select(func.count()).select_from(query.subquery()))
            found = session.scalars(query.order_by(ReferenceRow.id).limit(most))
            return [UUID(one) for one in found], number or 0

    def image(self, reference_id: UUID) -> bytes | None:
        """Open the image of a reference; None if it was removed."""
        with self._reading() as session:
            row = session.get(ReferenceRow, str(reference_id))
            return row and self._vault.unseal(f"image/{row.id}", row.sealed_image)

    def add_template(self, reference_id: UUID, verifier: str, feature: np.ndarray) -> None:
        """Add a template of a reference under a verifier that is to become active."""
        with self._writing() as (session, _):
            key = str(reference_id)
            # Meanwhile the reference may have been removed, or another process was faster.
            if session.get(ReferenceRow, key) and not session.get(TemplateRow, (key, verifier)):
                session.add(self._template(key, verifier, feature))

    def activate(self, actor: str, verifier: str, files: Mapping[str, Any]) -> bool:
        """Make a verifier the active one, if all references have a template under it.

        Templates under other verifiers are removed.

        Returns
        -------
        bool
            Whether it is active now. If not, references were added meanwhile.
        """
        with self._writing() as (session, record):
            if session.scalar(
                select(func.count()).select_from(_without_template(verifier).subquery())
            ):
                return False
            session.execute(delete(TemplateRow).where(TemplateRow.verifier != verifier))
            others = VerifierRow.retired.is_(None), VerifierRow.digest != verifier
            session.execute(update(VerifierRow).where(*others).values(retired=now()))
            row = session.get(VerifierRow, verifier)
            if row is None:
                row = VerifierRow(digest=verifier)
                session.add(row)
            row.files, row.activated, row.retired = json.dumps(files), now(), None
            record(actor, "verifier.activated", verifier)
            return True

    # API keys

    def add_key(self, actor: str, key_id: str, name: str, hashed: str, roles: list[str]) -> ApiKey:
        """Add an API key, of which only the hash is known."""
        with self._writing() as (session, record):
            row = KeyRow(
                id=key_id, name=name, hash=hashed, roles=json.dumps(roles), made=now(), revoked=None
            )
            session.add(row)
            record(actor, "key.made", key_id, roles=roles)
            return _key(row)

    def keys(self) -> list[ApiKey]:
        """List all API keys."""
        with self._reading() as session:
            return [_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.made))]

    def key(self, key_id: str) -> tuple[ApiKey, str] | None:
        """Find an API key and its hash."""
        with self._reading() as session:
            row = session.get(KeyRow, key_id)
            return None if row is None else (_key(row), row.hash)

    def revoke_key(self, actor: str, key_id: str) -> ApiKey:
        """Revoke an API key, which stays in the list."""
        with self._writing() as (session, record):
            row = session.get(KeyRow, key_id)
            if row is None:
                raise NotFound(f"There is no API key {key_id}.")
            if row.revoked is None:
                row.revoked = now()
                record(actor, "key.revoked", key_id)
            return _key(row)

    # Audit

    def records(self, after: int, limit: int) -> list[audit.Record]:
        """List records of the audit, from the one after the number `after`."""
        with self._reading() as session:
            query = select(AuditRow).where(AuditRow.number > after)
            return [
                _record(row)
                for row in session.scalars(query.order_by(AuditRow.number).limit(limit))
            ]

    def check_audit(self) -> tuple[int, str, list[str]]:
        """Check the audit: the number of its last record, that one's hash, and all faults."""
        with self._reading() as session:
            head = session.get_one(HeadRow, 1)
            rows = session.scalars(
                select(AuditRow).order_by(AuditRow.number).execution_options(yield_per=1000)
            )
            found = audit.faults(map(_record, rows), head.number, head.hash)
            return head.number, head.hash, found

    # Keys of the encryption

    def sealed(self) -> Iterator[tuple[Any, str, list[Any]]]:
        """Yield each table with something sealed, its column, and the primary keys of its rows."""
        for table, column in (
            (CustomerRow, "sealed_label"),
            (ReferenceRow, "sealed_image"),
            (TemplateRow, "sealed_feature"),
            (VerificationRow, "sealed_answer"),
        ):
            with self._reading() as session:
                primary = table.__table__.primary_key.columns
                yield table, column, list(session.execute(select(*primary)).all())

    def rotate(self, table: Any, column: str, keys: Sequence[Any]) -> None:
        """Seal rows of a table anew under the first key."""
        with self._writing() as (session, _):
            for key in keys:
                row = session.get(table, tuple(key))
                if row is not None and getattr(row, column) is not None:
                    setattr(row, column, self._vault.rotate(getattr(row, column)))

    def record(self, actor: str, action: str, subject: str, **details: Any) -> None:
        """Record something that changes nothing else."""
        with self._writing() as (_, record):
            record(actor, action, subject, **details)

    # What these share

    def _present(self, session: Session, customer_id: UUID) -> CustomerRow:
        row = session.get(CustomerRow, str(customer_id))
        if row is None:
            raise NotFound(f"There is no customer {customer_id}. Create the customer first.")
        if row.erased is not None:
            raise Erased(f"Customer {customer_id} was erased. Create another one.")
        return row

    def _check_active(self, session: Session, verifier: str) -> None:
        row = session.scalar(select(VerifierRow).where(VerifierRow.retired.is_(None)))
        if row is None or row.digest != verifier:
            raise Conflict("Another verifier has become active meanwhile. Send the request again.")

    def _customer(self, session: Session, row: CustomerRow) -> Customer:
        label = (
            row.sealed_label and self._vault.unseal(f"label/{row.id}", row.sealed_label).decode()
        )
        count = select(func.count()).where(ReferenceRow.customer_id == row.id)
        return Customer(
            UUID(row.id),
            label,
            _time(row.created),
            row.erased and _time(row.erased),
            session.scalar(count) or 0,
        )

    def _template(self, reference: str, verifier: str, feature: np.ndarray) -> TemplateRow:
        content = np.ascontiguousarray(feature, np.dtype("<f4")).tobytes()
        sealed = self._vault.seal(f"feature/{reference}/{verifier}", content)
        return TemplateRow(reference_id=reference, verifier=verifier, sealed_feature=sealed)

    def _feature(self, row: TemplateRow) -> np.ndarray:
        place = f"feature/{row.reference_id}/{row.verifier}"
        return np.frombuffer(self._vault.unseal(place, row.sealed_feature), np.dtype("<f4"))

    def _verification(self, row: VerificationRow) -> Verification:
        answer = json.loads(self._vault.unseal(f"answer/{row.id}", row.sealed_answer))
        ids = UUID(row.id), UUID(row.customer_id)
        return Verification(*ids, _time(row.made), row.verifier, answer)


class _Recorder:
    """Appends records to the audit in a transaction that holds its head."""

    def __init__(self, session: Session, head: HeadRow) -> None:
        self._session, self._head = session, head

    def __call__(self, actor: str, action: str, subject: str, **details: Any) -> None:
        number, at, previous = self._head.number + 1, now(), self._head.hash
        own = audit.hash_of(number, at, actor, action, subject, details, previous)
        self._session.add(
            AuditRow(
                number=number,
                at=at,
                actor=actor,
                action=action,
                subject=subject,
                details=json.dumps(details),
                previous=previous,
                hash=own,
            )
        )
        self._head.number, self._head.hash = number, own


def _references_of(customer: str) -> Any:
    query = select(ReferenceRow).where(ReferenceRow.customer_id == customer)
    return query.order_by(ReferenceRow.position)


def _without_template(verifier: str) -> Any:
    have = select(TemplateRow.reference_id).where(TemplateRow.verifier == verifier)
    return select(ReferenceRow.id).where(ReferenceRow.id.not_in(have))


def _reference(row: ReferenceRow) -> Reference:
    return Reference(UUID(row.id), UUID(row.customer_id), _time(row.added), json.loads(row.quality))


def _key(row: KeyRow) -> ApiKey:
    return ApiKey(
        row.id, row.name, json.loads(row.roles), _time(row.made), row.revoked and _time(row.revoked)
    )


def _record(row: AuditRow) -> audit.Record:
    return audit.Record(
        row.number,
        row.at,
        row.actor,
        row.action,
        row.subject,
        json.loads(row.details),
        row.previous,
        row.hash,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
