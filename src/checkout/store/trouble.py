"""What went wrong at the database, for ops: which server, which table and row, who holds it, and what mends it.

Histories keep these sentences, so they carry no statement and no value but the keys of rows (G7).
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import cache

import psycopg
from sqlalchemy import Column, Dialect
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from checkout.domain.times import rfc3339
from checkout.runtime.database import Sessions
from checkout.runtime.settings import PREFIX
from checkout.runtime.statements import Row, Statement
from checkout.store.tables import Table

#: Seconds to look for the row: an attempt that failed is to say so soon, and a local one has two seconds in all.
PATIENCE = 0.3

_DIALECT: Dialect = dialect()  # type: ignore[no-untyped-call]
_TABLES: Mapping[str, SqlTable] = Table.metadata.tables
#: PostgreSQL's own words for the row that a statement stood before; where lc_messages has others, the row is not named.
_TUPLE = re.compile(r'tuple (\(\d+,\d+\)) in relation "([^"]+)"')
_FAILING_ROW = re.compile(r"^Failing row contains \((.*)\)\.?$", re.DOTALL)
#: Keys that say nothing to people, and what does.
_NAMES = {
    "variant_id": ("sku", "(SELECT sku FROM variants WHERE id = t.variant_id)"),
    "warehouse_id": ("warehouse", "(SELECT code FROM warehouses WHERE id = t.warehouse_id)"),
}
#: Classes of SQLSTATE by which a server says that it cannot serve now.
_NOT_SERVING = ("08", "53", "57P")


async def told(sessions: Sessions, error: SQLAlchemyError) -> str:
    """A sentence about an error of the database. Looks for the row that it is about where it can."""
    where = f"the database at {sessions.address}"
    if isinstance(error, NoConnectionFree):
        return f"no connection to {where} was free: {PREFIX}DATABASE_POOL_SIZE of this process are all in use"
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, psycopg.errors.LockNotAvailable):
        return await _locked(sessions, cause)
    if isinstance(cause, psycopg.IntegrityError):
        return await _refused(sessions, cause)
    if isinstance(cause, psycopg.Error):
        return f"{where} {_answered(cause)}"
    return f"{where} was asked in vain: {type(error).__name__}"


def _answered(cause: psycopg.Error) -> str:
    state, kind = cause.sqlstate, type(cause).__name__
    if state is None:
        return f"does not answer: {_said(cause)}"
    if state.startswith(_NOT_SERVING):
        return f"does not serve: {kind}, SQLSTATE {state}"
    if state.startswith("42"):  # what names no table or column as it is
        return f"does not know what was asked ({cause.diag.message_primary}): has `checkout migrate` run?"
    return f"answered with {kind}, SQLSTATE {state}"


def _said(cause: psycopg.Error) -> str:
    """The driver's reason in one line, without the address before it."""
    first = next(iter(str(cause).splitlines()), "")
    return first.rpartition("failed: ")[2] or type(cause).__name__


async def _locked(sessions: Sessions, cause: psycopg.Error) -> str:
    found = _TUPLE.search(cause.diag.context or "")
    if found is None or found[2] not in _TABLES:
        return f"a row is locked by another transaction for too long, SQLSTATE {cause.sqlstate}"
    place, table = found.groups()
    row = await _look(sessions, _at_place(table), {"place": place})
    name = table if row is None else f"{table} ({_named(table, row)})"
    holder = "another transaction"
    if row is not None and row["pid"] is not None:
        details = [row["application"], row["doing"], row["since"] and f"since {rfc3339(row['since'])}"]
        holder = f"the database's process {row['pid']} ({', '.join(one for one in details if one)})"
    return f"the row of {name} is locked by {holder}, SQLSTATE {cause.sqlstate}"


async def _refused(sessions: Sessions, cause: psycopg.Error) -> str:
    table, constraint = cause.diag.table_name, cause.diag.constraint_name or cause.diag.column_name
    if table is None or table not in _TABLES:
        return f"a constraint of the database refuses it: {type(cause).__name__}, SQLSTATE {cause.sqlstate}"
    name, keys = table, _keys_of(table, cause.diag.message_detail)
    if keys is not None:
        row = await _look(sessions, _by_keys(table), keys)
        name = f"{table} ({_listed(keys) if row is None else _named(table, row)})"
    return f"the row of {name} would break {constraint}, SQLSTATE {cause.sqlstate}"


def _keys_of(table: str, detail: str | None) -> dict[str, str] | None:
    """The keys of a row that a constraint refuses: the first of its values, and they alone."""
    found = _FAILING_ROW.match(detail or "")
    columns = _key(table)
    values = found[1].split(", ", len(columns))[: len(columns)] if found else []
    return dict(zip((column.name for column in columns), values, strict=True)) if values else None


def _key(table: str) -> "Sequence[Column[object]]":
    return list(_TABLES[table].primary_key.columns)


def _named(table: str, row: Row) -> str:
    shown = [_NAMES.get(column.name, (column.name,))[0] for column in _key(table)]
    return _listed({name: row[name] for name in shown})


def _listed(keys: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in keys.items())


async def _look(sessions: Sessions, statement: Statement, parameters: Row) -> Row | None:
    """The row, None where it is not found at once."""
    try:
        async with asyncio.timeout(PATIENCE), sessions.transaction() as session:
            return await statement.row(session, parameters)
    except (TimeoutError, SQLAlchemyError):
        return None


@cache
def _at_place(table: str) -> Statement:
    """A row by its place, and the process whose transaction has locked or changed it and is not over."""
    return Statement(f"""
SELECT {_shown(table)}, l.pid, a.application_name AS application, a.state AS doing, a.xact_start AS since
FROM {table} t
LEFT JOIN pg_locks l ON l.locktype = 'transactionid' AND l.transactionid = t.xmax AND l.granted
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE t.ctid = CAST(:place AS tid)
""")  # noqa: S608 - names of our own tables


@cache
def _by_keys(table: str) -> Statement:
    wanted = " AND ".join(
        f"t.{column.name} = CAST(:{column.name} AS {column.type.compile(dialect=_DIALECT)})" for column in _key(table)
    )
    return Statement(f"SELECT {_shown(table)} FROM {table} t WHERE {wanted}")  # noqa: S608 - as above


def _shown(table: str) -> str:
    names = (_NAMES.get(column.name, (column.name, f"t.{column.name}")) for column in _key(table))
    return ", ".join(f"{expression} AS {name}" for name, expression in names)
