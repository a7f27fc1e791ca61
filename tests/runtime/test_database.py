"""The pool: what libpq reads, transactions that lost a race, and connections that the server has cut."""

import asyncio
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from checkout.runtime.database import (
    DEADLOCK_DETECTED,
    Sessions,
    engine_for,
    in_direct_transaction,
    in_transaction,
    sqlstate,
)
from checkout.runtime.settings import SettingsError
from checkout.runtime.statements import Session, Statement

LOSE = Statement("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = 'deadlock_detected'; END $$")
ADD = Statement("UPDATE counter SET value = value + 1 WHERE id = :id")


def test_a_uri_that_libpq_refuses_is_one_line() -> None:
    with pytest.raises(SettingsError, match="CHECKOUT_DATABASE_URL is not a libpq URI"):
        engine_for("postgresql://[shop/db")


async def test_isolation_is_read_committed(sessions: Sessions) -> None:
    async with sessions() as session:
        assert await session.scalar(text("SHOW transaction_isolation")) == "read committed"


@pytest.fixture(params=[in_transaction, in_direct_transaction], ids=["session", "direct"])
def run(request: pytest.FixtureRequest) -> Any:
    """Runs work in a transaction, by SQLAlchemy's session or straight on the driver."""
    return request.param


async def _two_rows(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await session.execute(text("CREATE TABLE counter (id int PRIMARY KEY, value int NOT NULL)"))
        await session.execute(text("INSERT INTO counter VALUES (1, 0), (2, 0)"))


async def test_a_deadlock_is_run_again_and_both_have_their_effect(sessions: Sessions, run: Any) -> None:
    await _two_rows(sessions)
    both_hold_one = asyncio.Barrier(2)
    runs = 0

    async def add(session: Session, first: int, second: int) -> None:
        nonlocal runs
        runs += 1
        await ADD.run(session, {"id": first})
        if runs <= 2:
            await both_hold_one.wait()
        await ADD.run(session, {"id": second})

    await asyncio.gather(
        run(sessions, lambda session: add(session, 1, 2)),
        run(sessions, lambda session: add(session, 2, 1)),
    )

    async with sessions() as session:
        assert (await session.scalars(text("SELECT value FROM counter ORDER BY id"))).all() == [2, 2]
    assert runs >= 3  # more, where the one that is run again meets the other once more


async def test_a_race_that_is_lost_every_time_is_raised(sessions: Sessions, run: Any) -> None:
    runs = 0

    async def loses(session: Session) -> None:
        nonlocal runs
        runs += 1
        await Statement("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = 'deadlock_detected'; END $$").run(
            session, {}
        )

    with pytest.raises(DBAPIError) as error:
        await run(sessions, loses)

    assert sqlstate(error.value) == DEADLOCK_DETECTED
    assert runs == 5


async def test_another_error_is_not_run_again(sessions: Sessions, run: Any) -> None:
    runs = 0

    async def divides(session: Session) -> None:
        nonlocal runs
        runs += 1
        await Statement("SELECT 1 / 0").run(session, {})

    with pytest.raises(DBAPIError):
        await run(sessions, divides)

    assert runs == 1


async def _cut_all_other_connections(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_connection_cut_while_it_was_idle_is_replaced(sessions: Sessions, database_url: str, run: Any) -> None:
    await _two_rows(sessions)
    all_at_once = asyncio.Barrier(3)

    async def connects(session: Session) -> None:
        await Statement("SELECT 1").run(session, {})
        await all_at_once.wait()

    await asyncio.gather(*(run(sessions, connects) for _ in range(3)))
    await _cut_all_other_connections(database_url)

    async def add(session: Session) -> None:
        await ADD.run(session, {"id": 1})

    await run(sessions, add)

    async with sessions() as session:
        assert await session.scalar(text("SELECT value FROM counter WHERE id = 1")) == 1


async def test_a_connection_cut_before_the_commit_has_its_effect_once(
    sessions: Sessions, database_url: str, run: Any
) -> None:
    await _two_rows(sessions)
    runs = 0

    async def add(session: Session) -> None:
        nonlocal runs
        runs += 1
        await ADD.run(session, {"id": 1})
        if runs == 1:
            await _cut_all_other_connections(database_url)
            await Statement("SELECT 1").run(session, {})

    await run(sessions, add)

    async with sessions() as session:
        assert await session.scalar(text("SELECT value FROM counter WHERE id = 1")) == 1
    assert runs == 2


async def test_a_connection_cut_at_the_commit_is_raised_because_nobody_knows(
    sessions: Sessions, database_url: str, run: Any
) -> None:
    await _two_rows(sessions)
    runs = 0

    async def add(session: Session) -> None:
        nonlocal runs
        runs += 1
        await ADD.run(session, {"id": 1})
        await _cut_all_other_connections(database_url)

    with pytest.raises(DBAPIError):
        await run(sessions, add)

    assert runs == 1
