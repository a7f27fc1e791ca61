"""Alembic's environment: migrations run on the connection that :mod:`checkout.store.migrate` hands in."""

from alembic import context

from checkout.store.tables import Table

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Table.metadata, compare_server_default=True)
with context.begin_transaction():
    context.run_migrations()
