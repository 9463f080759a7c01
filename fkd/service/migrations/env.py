"""What Alembic runs: the migrations on the connection that :func:`fkd.service.store.migrate` gives."""

from alembic import context

from fkd.service.tables import TABLES

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=TABLES,
    transactional_ddl=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
