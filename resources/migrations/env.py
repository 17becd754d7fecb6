"""Alembic runs in the transaction that :meth:`resources.database.Database.migrate` hands over."""

import sqlalchemy as sa
from alembic import context

from resources.tables import metadata

connection = context.config.attributes["connection"]
connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {metadata.schema}"))
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_schemas=True,
    # Dagster keeps a version table of its own in the default schema of the same database.
    version_table_schema=metadata.schema,
)
context.run_migrations()
