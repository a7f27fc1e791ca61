"""Fixed statements, and transactions that send them straight to the driver.

SQLAlchemy's part of a statement costs the process more than twice what the driver's does. A phase of a checkout sends a
handful of fixed statements and needs nothing of it, so it runs in a :class:`Transaction`, on a connection of the same
pool. So what phases send, and what buyers read again and again, is a :class:`Statement`, which runs in both. All else
(what storefronts write, ops, imports, whatever builds a statement or loads objects) may take SQLAlchemy's session alone
and its ``text``, whose parameters can have types.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import CursorResult, Dialect, text
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

Row = Mapping[str, Any]

_DIALECT: Dialect = dialect()  # type: ignore[no-untyped-call]


class Transaction:
    """One transaction on a connection of the pool; it begins with its first statement."""

    def __init__(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        self._cursor = connection.cursor(row_factory=dict_row)

    async def send(self, sql: str, parameters: Row) -> list[dict[str, Any]]:
        """A statement, prepared at its second use on a connection, and its rows.

        Raises DBAPIError, as SQLAlchemy's session does.
        """
        try:
            await self._cursor.execute(cast(Any, sql), parameters)
            return [] if self._cursor.description is None else await self._cursor.fetchall()
        except psycopg.Error as error:
            raise _wrapped(sql, error) from error


#: What a statement runs in.
Session = AsyncSession | AsyncConnection | Transaction


class Statement:
    """SQL of fixed text with ``:name`` parameters. They carry no types of their own: cast where PostgreSQL has to know.

    A document is given as JSON text and cast. Every method raises DBAPIError.
    """

    def __init__(self, sql: str) -> None:
        self._clause = text(sql)
        self._sql = str(self._clause.compile(dialect=_DIALECT))

    @property
    def text(self) -> str:
        """Its SQL."""
        return self._clause.text

    async def rows(self, session: Session, parameters: Row) -> Sequence[Row]:
        """Its rows by the names of their columns; none of a statement that returns none."""
        if isinstance(session, Transaction):
            return await session.send(self._sql, parameters)
        result = cast("CursorResult[Any]", await session.execute(self._clause, parameters))
        return cast(Sequence[Row], result.mappings().all()) if result.returns_rows else []

    async def row(self, session: Session, parameters: Row) -> Row | None:
        """Its first row, if there is one."""
        rows = await self.rows(session, parameters)
        return rows[0] if rows else None

    async def value(self, session: Session, parameters: Row) -> Any:
        """The first column of its first row. Raises LookupError where there is none."""
        rows = await self.rows(session, parameters)
        return next(iter(rows[0].values()))

    async def run(self, session: Session, parameters: Row) -> None:
        """For its effect alone."""
        await self.rows(session, parameters)


@dataclass(frozen=True, slots=True)
class Change:
    """An INSERT or UPDATE of fixed text with its parameters: made by itself, or in one round trip with another."""

    sql: str
    parameters: Row

    async def run(self, session: Session) -> None:
        """Make it by itself."""
        await together(self.sql).run(session, self.parameters)


@cache
def together(sql: str, *changes: str) -> Statement:
    """A statement that makes changes as well; all of it sees the rows as they were before, so none may need another's.

    A parameter of one name is the same in all of them.
    """
    parts = ", ".join(f"change_{number} AS ({change})" for number, change in enumerate(changes))
    return Statement(f"WITH {parts} {sql}" if parts else sql)


@asynccontextmanager
async def transaction(engine: AsyncEngine, *, each: bool = False) -> AsyncIterator[Transaction]:
    """A transaction that is committed at the end of the block, and rolled back where the block raises.

    With ``each`` every statement is one by itself, which saves two round trips for what only reads.
    Raises DBAPIError; where it says ``connection_invalidated`` the pool's other connections are made anew too.
    """
    async with engine.connect() as pooled:
        connection = (await pooled.get_raw_connection()).driver_connection
        assert isinstance(connection, psycopg.AsyncConnection)  # noqa: S101 - create_engine says so
        try:
            if each:
                await connection.set_autocommit(True)
            yield Transaction(connection)
            await _end(connection, each=each)
        except DBAPIError:
            if connection.closed:
                # On the dead connection SQLAlchemy meets the same, empties its pool, and raises what it was.
                await pooled.exec_driver_sql("SELECT 1")
            raise
        finally:
            if connection.autocommit:
                # Whoever has the connection next relies on transactions; in the middle of a statement it cannot change.
                await pooled.invalidate()


async def _end(connection: "psycopg.AsyncConnection[Any]", *, each: bool) -> None:
    try:
        await (connection.set_autocommit(False) if each else connection.commit())
    except psycopg.Error as error:
        raise _wrapped("COMMIT", error) from error


def _wrapped(sql: str, error: psycopg.Error) -> DBAPIError:
    """The driver's error as SQLAlchemy has it; the values that were sent stay out of it."""
    wrapped = DBAPIError.instance(sql, None, error, psycopg.Error, hide_parameters=True, dialect=_DIALECT)
    assert isinstance(wrapped, DBAPIError)  # noqa: S101 - what else it may be needs an error that is not the driver's
    return wrapped
