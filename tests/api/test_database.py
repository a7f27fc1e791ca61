"""The store as routes use it: bounded in time, and again where a connection was cut."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from checkout.api import database as module
from checkout.api.database import Database
from checkout.api.problems import Problem

Work = Callable[[AsyncSession], Awaitable[int]]


async def seven(session: AsyncSession) -> int:
    return int((await session.execute(text("SELECT 7"))).scalar_one())


async def sleeping(session: AsyncSession) -> int:
    await session.execute(text("SELECT pg_sleep(3600)"))
    return 0


async def test_a_statement_that_does_not_end_is_503_in_time_and_is_cancelled(
    engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(engine)
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    for call in (database.read, database.write):
        with pytest.raises(Problem) as away:
            await call(sleeping)
        assert (away.value.code, away.value.status) == ("database_unavailable", 503)
        assert away.value.headers["Retry-After"]
    monkeypatch.setattr(module, "PATIENCE", 60)
    assert await database.read(seven) == 7
    async with await psycopg.AsyncConnection.connect(database_url) as connection, asyncio.timeout(60):
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%' AND state = 'active'"
        while (await (await connection.execute(query)).fetchone()) != (0,):
            await connection.rollback()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("way", ["read", "write"])
async def test_a_connection_that_was_cut_is_replaced(engine: AsyncEngine, database_url: str, way: str) -> None:
    database = Database(engine)
    call: Callable[[Work], Awaitable[int]] = getattr(database, way)
    await asyncio.gather(*(call(seven) for _ in range(5)))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'test'"
        )
    assert await asyncio.gather(*(call(seven) for _ in range(5))) == [7] * 5


async def test_a_mistake_of_ours_is_no_outage(engine: AsyncEngine) -> None:
    async def wrong(session: AsyncSession) -> int:
        await session.execute(text("SELECT * FROM no_such_table"))
        return 0

    with pytest.raises(Exception, match="no_such_table"):
        await Database(engine).read(wrong)
