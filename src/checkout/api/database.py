"""The store as routes use it: each call bounded in time, and a database that is away answered as 503."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from checkout.api.problems import unavailable
from checkout.runtime.database import create_sessions, in_transaction
from checkout.runtime.statements import Session, Transaction, transaction

T = TypeVar("T")
S = TypeVar("S", bound=Session)
Work = Callable[[AsyncSession], Awaitable[T]]

#: Seconds that a request waits for the database.
PATIENCE = 5.0


class Database:
    """Runs functions of the store, each given a session.

    Each method raises Problem ``database_unavailable`` (503) where the database does not answer in time.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = create_sessions(engine)
        # A read needs no transaction around it: each statement sees what is committed, and two round trips are saved.
        self._reading = async_sessionmaker(
            engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False
        )

    async def read(self, work: Work[T]) -> T:
        """Run what only reads."""
        return await _bounded(_twice(self._reading, work))

    async def read_directly(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run what only reads by fixed statements, without SQLAlchemy in between: a third of the time."""
        return await _bounded(_twice(lambda: transaction(self._engine, each=True), work))

    async def write_directly(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run one fixed statement that may as well run twice: it is a transaction by itself, in one round trip."""
        return await self.read_directly(work)

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction, again after a lost race, and commit."""
        return await _bounded(in_transaction(self._writing, work))


async def _twice(opened: Callable[[], AbstractAsyncContextManager[S]], work: Callable[[S], Awaitable[T]]) -> T:
    async def once() -> T:
        async with opened() as session:
            return await work(session)

    try:
        return await once()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return await once()  # the server was restarted, and this was the pool's old connection


async def _bounded(call: Awaitable[T]) -> T:
    """Wait, at most :data:`PATIENCE`. A call that is given up is cancelled but not waited for: a server that is stopped
    in the middle of a statement does not answer to the cancellation either."""
    task = asyncio.ensure_future(call)
    try:
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        task.add_done_callback(_forget)
        raise unavailable("database")
    try:
        return task.result()
    except (OperationalError, InterfaceError, PoolTimeout, OSError) as error:
        raise unavailable("database") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise unavailable("database") from error
        raise


def _forget(task: "asyncio.Future[T]") -> None:
    if not task.cancelled():
        task.exception()
