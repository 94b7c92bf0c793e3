"""Alembic's door to the database: the connection comes from `keepwell.frame.migrate`."""

from __future__ import annotations

from alembic import context

from keepwell.frame.database import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    # SQLite cannot alter most things; Alembic then copies the table.
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
