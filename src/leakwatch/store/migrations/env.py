"""How Alembic runs here: on the connection that `store.schema` hands over, never on one of its own."""

from __future__ import annotations

from alembic import context

from leakwatch.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
