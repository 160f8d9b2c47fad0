"""How alembic reaches the database: on a connection that our code has opened and locked."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations(prefix=context.config.attributes["prefix"])
