"""Bring a database to the newest schema: what ``checkout migrate``, ``checkout dev`` and the tests call."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine

#: A number that all migrating processes agree on, so that of several replicas one migrates and the rest wait.
_LOCK = 0x0C_4E_C0_07


def upgrade(database_url: str, revision: str = "head") -> None:
    """Migrate the database at a libpq URI; does nothing when it is there already.

    One transaction: a failure leaves the schema as it was. Raises what the database raises.
    """
    with _engine(database_url).begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        command.upgrade(_config(connection), revision)


def current_revision(database_url: str) -> str | None:
    """The revision that the database is at; None when no migration ran."""
    with _engine(database_url).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_known(revision: str) -> bool:
    """Whether this code has that revision; one of a newer version it has not."""
    return any(each.revision == revision for each in ScriptDirectory.from_config(_config()).walk_revisions())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _engine(database_url: str) -> Engine:
    return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url), poolclass=NullPool)
