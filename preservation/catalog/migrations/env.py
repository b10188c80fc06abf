"""Alembic's entry: migrate over the connection we are handed, inside its transaction."""

from __future__ import annotations

from alembic import context

from preservation.catalog.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
with context.begin_transaction():
    context.run_migrations()
