"""The tables of the service. Migrations make and change them.

Times are text in ISO 8601 and UTC, and structures are JSON in text, so that both databases store
the same. Columns named ``sealed`` are encrypted, see :mod:`fkd.service.sealing`.
"""

from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

ID, TIME, DIGEST = String(36), String(32), String(64)

TABLES = MetaData()
"""All tables."""

customers = Table(
    "customers",
    TABLES,
    Column("id", ID, primary_key=True),
    Column("sealed_label", LargeBinary),
    Column("created", TIME, nullable=False),
    Column("erased", TIME),
)
"""Customers; one who was erased stays as a tombstone without a label."""

references = Table(
    "references",
    TABLES,
    Column("id", ID, primary_key=True),
    Column("customer_id", ForeignKey(customers.c.id), nullable=False),
    Column("position", Integer, nullable=False),
    Column("added", TIME, nullable=False),
    Column("content", DIGEST, nullable=False),
    Column("quality", Text, nullable=False),
    Column("sealed_image", LargeBinary, nullable=False),
    UniqueConstraint("customer_id", "position"),
    UniqueConstraint("customer_id", "content"),
)
"""Genuine signatures of customers. `content` tells copies, and differs between customers."""

templates = Table(
    "templates",
    TABLES,
    Column("reference_id", ForeignKey(references.c.id, ondelete="CASCADE"), primary_key=True),
    Column("verifier", DIGEST, primary_key=True),
    Column("sealed_feature", LargeBinary, nullable=False),
)
"""The features of references, each under one verifier."""

verifications = Table(
    "verifications",
    TABLES,
    Column("id", ID, primary_key=True),
    Column("customer_id", ForeignKey(customers.c.id), nullable=False),
    Column("position", Integer, nullable=False),
    Column("made", TIME, nullable=False),
    Column("verifier", DIGEST, nullable=False),
    Column("sealed_answer", LargeBinary, nullable=False),
    UniqueConstraint("customer_id", "position"),
)
"""Verifications of questioned signatures, whose images are not kept."""

verifiers = Table(
    "verifiers",
    TABLES,
    Column("digest", DIGEST, primary_key=True),
    Column("files", Text, nullable=False),
    Column("activated", TIME, nullable=False),
    Column("retired", TIME),
)
"""The verifier that is active, and those that were, with the files from which they are loaded."""

api_keys = Table(
    "api_keys",
    TABLES,
    Column("id", String(16), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("hash", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("made", TIME, nullable=False),
    Column("revoked", TIME),
)
"""API keys, of which only hashes are stored."""

audit = Table(
    "audit",
    TABLES,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", TIME, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", DIGEST, nullable=False),
    Column("hash", DIGEST, nullable=False),
)
"""The records of the audit, see :mod:`fkd.service.audit`."""

audit_head = Table(
    "audit_head",
    TABLES,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("hash", DIGEST, nullable=False),
)
"""The number and the hash of the last record. Who writes anything holds this one row."""
