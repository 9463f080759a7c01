"""The first tables."""

import sqlalchemy as sa
from alembic import op

from fkd.service.audit import FIRST

revision, down_revision = "0001", None


def upgrade() -> None:
    """Make all tables, with an empty audit."""
    op.create_table(
        "customers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("sealed_label", sa.LargeBinary),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("erased", sa.String(32)),
    )
    op.create_table(
        "references",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("customer_id", sa.String(36), sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("added", sa.String(32), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("quality", sa.Text, nullable=False),
        sa.Column("sealed_image", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("customer_id", "position"),
        sa.UniqueConstraint("customer_id", "content"),
    )
    op.create_table(
        "templates",
        sa.Column(
            "reference_id",
            sa.String(36),
            sa.ForeignKey("references.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("verifier", sa.String(64), primary_key=True),
        sa.Column("sealed_feature", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "verifications",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("customer_id", sa.String(36), sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("made", sa.String(32), nullable=False),
        sa.Column("verifier", sa.String(64), nullable=False),
        sa.Column("sealed_answer", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("customer_id", "position"),
    )
    op.create_table(
        "verifiers",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("activated", sa.String(32), nullable=False),
        sa.Column("retired", sa.String(32)),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("made", sa.String(32), nullable=False),
        sa.Column("revoked", sa.String(32)),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0, "hash": FIRST}])


def downgrade() -> None:
    """Remove all tables."""
    for table in (
        *("audit_head", "audit", "api_keys", "verifiers", "verifications", "templates"),
        *("references", "customers"),
    ):
        op.drop_table(table)
