"""The database pool: SQLAlchemy on psycopg 3, and the one way to run a transaction that may lose a race."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from checkout.runtime.settings import PREFIX, Settings, SettingsError
from checkout.runtime.statements import Session, Transaction, transaction
from checkout.runtime.tracing import connection_options

T = TypeVar("T")
S = TypeVar("S", bound=Session)

SERIALIZATION_FAILURE = "40001"
DEADLOCK_DETECTED = "40P01"
#: Seconds for which a transaction may do nothing. Ours do nothing for milliseconds between two statements.
IDLE_TIMEOUT = 15.0
_LOST_RACES = frozenset({SERIALIZATION_FAILURE, DEADLOCK_DETECTED})


def create_engine(
    settings: Settings, *, application_name: str = "checkout", lock_timeout: float | None = None
) -> AsyncEngine:
    """The pool of this process for ``settings.database_url``; nothing connects before the first use.

    libpq itself reads the URI, so all that psql understands works here: socket directories, several hosts, sslmode.
    Raises SettingsError where the URI is missing or libpq refuses it.
    """
    return engine_for(
        settings.require_database_url(),
        pool_size=settings.database_pool_size,
        application_name=application_name,
        lock_timeout=lock_timeout,
    )


def engine_for(
    uri: str,
    *,
    pool_size: int = 10,
    application_name: str = "checkout",
    lock_timeout: float | None = None,
    idle_timeout: float = IDLE_TIMEOUT,
) -> AsyncEngine:
    """The pool for a libpq URI. Isolation is READ COMMITTED: every guarantee is made by row locks and constraints.

    A connection that a restarted server has cut is found by the statement that fails on it, which also empties the
    pool; :func:`in_transaction` then begins anew. So no statement is spent on a ping before each transaction.
    A statement that waits longer than ``lock_timeout`` (seconds) for a lock fails with SQLSTATE 55P03. A process that
    is stopped in the middle of a transaction loses it after ``idle_timeout`` (seconds), and with it the locks that
    others wait for.
    Raises SettingsError where libpq refuses the URI.
    """
    try:
        parameters = conninfo_to_dict(uri)
    except psycopg.ProgrammingError as error:
        raise SettingsError(f"{PREFIX}DATABASE_URL is not a libpq URI: {str(error).strip()}") from None
    database = parameters.get("dbname")
    options = f"{parameters.get('options') or ''} -c idle_in_transaction_session_timeout={round(idle_timeout * 1000)}"
    if lock_timeout is not None:
        options += f" -c lock_timeout={round(lock_timeout * 1000)}"
    parameters["options"] = options.strip()
    return create_async_engine(
        # The URL is for display alone, it holds no password; the parameters reach psycopg as libpq read them.
        URL.create("postgresql+psycopg", host=_address(parameters), database=str(database) if database else None),
        connect_args={
            "application_name": application_name,
            "connect_timeout": 5,
            # Every statement here is one of a few fixed texts: worth preparing at its second use on a connection.
            "prepare_threshold": 1,
            **parameters,
            **connection_options(),
        },
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        hide_parameters=True,
    )


def _address(parameters: Mapping[str, Any]) -> str | None:
    """HOST:PORT, or a socket's directory, of each server that the URI names; None where it leaves that to libpq."""
    hosts = str(parameters.get("host") or parameters.get("hostaddr") or "")
    ports = str(parameters.get("port") or "").split(",")
    named = zip(hosts.split(","), itertools.chain(ports, itertools.repeat(ports[-1])), strict=False)
    return ",".join(f"{host}:{port}" if port and not host.startswith("/") else host for host, port in named) or None


class Sessions(async_sessionmaker[AsyncSession]):
    """Opens SQLAlchemy's sessions, and transactions straight on the driver, on connections of one pool.

    A session's objects stay readable after the commit (``expire_on_commit`` would load each of them again).
    """

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, expire_on_commit=False)
        self._engine = engine

    @property
    def address(self) -> str:
        """Where the database is, for people: HOST:PORT, or the directory of its socket."""
        return self._engine.url.host or "libpq's default address"

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction on the driver; see :func:`checkout.runtime.statements.transaction`."""
        return transaction(self._engine)


def create_sessions(engine: AsyncEngine) -> Sessions:
    """Sessions on the pool of an engine."""
    return Sessions(engine)


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE behind an error of SQLAlchemy or psycopg, None where the server gave none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


async def retry_serialization(transaction: Callable[[], Awaitable[T]], *, attempts: int = 5) -> T:
    """Run ``transaction``, a whole one that has no effect outside the database, again after a lost race.

    A serialization failure or a deadlock (SQLSTATE 40001, 40P01) undid all of it; PostgreSQL's manual, section 13.5,
    says to repeat. Waits 0 to 20 ms, doubled each time, so that the two that met do not meet again. Raises the last
    error after ``attempts`` runs.
    """
    for attempt in range(1, attempts + 1):
        try:
            return await transaction()
        except DBAPIError as error:
            if sqlstate(error) not in _LOST_RACES or attempt == attempts:
                raise
        await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable: the last attempt returns or raises")


async def in_transaction(sessions: Sessions, work: Callable[[AsyncSession], Awaitable[T]], *, attempts: int = 5) -> T:
    """Run ``work`` in one transaction and commit; all of it again after a lost race (:func:`retry_serialization`).

    A connection lost *before* the commit was sent is replaced once and ``work`` is run again, since the server rolled
    back; one lost while committing is raised, because nobody knows what became of it.
    """
    return await _committed(sessions, work, attempts)


async def in_direct_transaction(sessions: Sessions, work: Callable[[Transaction], Awaitable[T]]) -> T:
    """As :func:`in_transaction`, but that statements go to the driver as they are (:mod:`checkout.runtime.statements`).

    On the same pool: for work that sends fixed statements, and many of them.
    """
    return await _committed(sessions.transaction, work, attempts=5)


async def _committed(
    opened: Callable[[], AbstractAsyncContextManager[S]], work: Callable[[S], Awaitable[T]], attempts: int
) -> T:
    committing = False

    async def once() -> T:
        nonlocal committing
        committing = False
        async with opened() as session:
            result = await work(session)
            committing = True
            if isinstance(session, AsyncSession):  # a Transaction commits at the end of its block
                await session.commit()
            return result

    try:
        return await retry_serialization(once, attempts=attempts)
    except DBAPIError as error:
        if committing or not error.connection_invalidated:
            raise
    return await retry_serialization(once, attempts=attempts)
