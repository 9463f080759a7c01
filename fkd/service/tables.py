"""The tables of the service, as SQLAlchemy maps them. Migrations make and change them.

Times are text in ISO 8601 and UTC, and structures are JSON in text, so that both databases store
the same. Columns named ``sealed`` are encrypted, see :mod:`fkd.service.sealing`.
"""

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ID, TIME, DIGEST = String(36), String(32), String(64)


class Base(DeclarativeBase):
    """What all tables share."""


class CustomerRow(Base):
    """A customer; one that was erased stays as a tombstone without a label."""

    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    sealed_label: Mapped[bytes | None] = mapped_column(LargeBinary)
    created: Mapped[str] = mapped_column(TIME)
    erased: Mapped[str | None] = mapped_column(TIME)


class ReferenceRow(Base):
    """A genuine signature of a customer. `content` tells copies, and differs between customers."""

    __tablename__ = "references"
    __table_args__ = (
        UniqueConstraint("customer_id", "position"),
        UniqueConstraint("customer_id", "content"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey(CustomerRow.id))
    position: Mapped[int] = mapped_column(Integer)
    added: Mapped[str] = mapped_column(TIME)
    content: Mapped[str] = mapped_column(DIGEST)
    quality: Mapped[str] = mapped_column(Text)
    sealed_image: Mapped[bytes] = mapped_column(LargeBinary)


class TemplateRow(Base):
    """The features of a reference under one verifier."""

    __tablename__ = "templates"

    reference_id: Mapped[str] = mapped_column(
        ForeignKey(ReferenceRow.id, ondelete="CASCADE"), primary_key=True
    )
    verifier: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    sealed_feature: Mapped[bytes] = mapped_column(LargeBinary)


class VerificationRow(Base):
    """A verification of a questioned signature, whose image is not kept."""

    __tablename__ = "verifications"
    __table_args__ = (UniqueConstraint("customer_id", "position"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey(CustomerRow.id))
    position: Mapped[int] = mapped_column(Integer)
    made: Mapped[str] = mapped_column(TIME)
    verifier: Mapped[str] = mapped_column(DIGEST)
    sealed_answer: Mapped[bytes] = mapped_column(LargeBinary)


class VerifierRow(Base):
    """A verifier that is or was active, and the files from which it is loaded."""

    __tablename__ = "verifiers"

    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    files: Mapped[str] = mapped_column(Text)
    activated: Mapped[str] = mapped_column(TIME)
    retired: Mapped[str | None] = mapped_column(TIME)


class KeyRow(Base):
    """An API key, of which only a hash is stored."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    hash: Mapped[str] = mapped_column(Text)
    roles: Mapped[str] = mapped_column(Text)
    made: Mapped[str] = mapped_column(TIME)
    revoked: Mapped[str | None] = mapped_column(TIME)


class AuditRow(Base):
    """A record of the audit, see :mod:`fkd.service.audit`."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(TIME)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(64))
    details: Mapped[str] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(DIGEST)
    hash: Mapped[str] = mapped_column(DIGEST)


class HeadRow(Base):
    """The number and the hash of the last record. Who writes anything holds this row."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer)
    hash: Mapped[str] = mapped_column(DIGEST)
