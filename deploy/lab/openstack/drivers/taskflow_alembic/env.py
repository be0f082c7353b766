"""Runs taskflow's one migration on the connection that its caller opened."""
from alembic import context

context.configure(connection=context.config.attributes['connection'], target_metadata=None,
                  version_table='taskflow_alembic_version')
with context.begin_transaction():
    context.run_migrations()
