"""The migrations of the service's database, which Alembic runs."""
