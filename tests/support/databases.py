"""A fresh, migrated database for each test: a copy of a template that the session migrates once."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from urllib.parse import urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from checkout.store.migrate import upgrade
from tests.support.servers import GIVEN, exclusively, postgres_kind, server, session_directory

_EXTERNAL = GIVEN["CHECKOUT_DATABASE_URL"]


def server_uri() -> str:
    """The server that tests use: what ``CHECKOUT_DATABASE_URL`` named when the session began, else the embedded one."""
    return os.environ.get(_EXTERNAL) or server(postgres_kind())["uri"]


@contextlib.contextmanager
def fresh_database() -> Iterator[str]:
    """The libpq URI of a migrated, empty database of the caller's own; dropped at the end, whoever is connected."""
    uri = server_uri()
    template = _template(uri)
    name = f"checkout_test_{secrets.token_hex(6)}"
    with psycopg.connect(uri, autocommit=True) as admin:
        # Copying files is seven times as fast where nothing is synced; where it is, each copy waits for checkpoints.
        strategy = sql.SQL("wal_log" if os.environ.get(_EXTERNAL) else "file_copy")
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
                sql.Identifier(name), sql.Identifier(template), strategy
            )
        )
        try:
            yield _with_database(uri, name)
        finally:
            _drop(admin, name)


def drop_templates() -> None:
    """Drop what the session left on a server that outlives it."""
    uri = os.environ.get(_EXTERNAL)
    file = session_directory() / "template"
    if uri and file.exists():
        with psycopg.connect(uri, autocommit=True) as admin:
            _drop(admin, file.read_text())


def _template(uri: str) -> str:
    file = session_directory() / "template"
    if not file.exists():
        with exclusively("template"):
            if not file.exists():
                name = f"checkout_template_{secrets.token_hex(6)}"
                with psycopg.connect(uri, autocommit=True) as admin:
                    admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                upgrade(_with_database(uri, name))
                making = file.with_suffix(".making")
                making.write_text(name)
                making.rename(file)
    return file.read_text()


def _drop(admin: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _with_database(uri: str, name: str) -> str:
    parameters = {key: str(value) for key, value in conninfo_to_dict(uri).items() if key != "dbname"}
    return f"postgresql:///{name}?{urlencode(parameters)}"
