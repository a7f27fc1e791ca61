"""Statements of fixed text: the same rows by SQLAlchemy's session and straight from the driver, and errors alike."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.runtime.database import Sessions, in_direct_transaction, in_transaction, sqlstate
from checkout.runtime.statements import Session, Statement, transaction


@pytest.fixture(params=[in_transaction, in_direct_transaction], ids=["session", "direct"])
def run(request: pytest.FixtureRequest) -> Any:
    """Runs work in a transaction, by SQLAlchemy's session or straight on the driver."""
    return request.param


KINDS = Statement("""
SELECT CAST(:text AS text) AS words, CAST(:number AS bigint) AS number, CAST(:document AS jsonb) AS document,
    CAST(:moment AS timestamptz) AS moment, CAST(:units AS bigint[]) AS units, 5 % 2 AS rest, '12:30'::time::text AS at
""")
GIVEN = {
    "text": "100 % :of it",
    "number": 2**40,
    "document": '{"lines": [1, null]}',
    "moment": datetime(2026, 1, 31, tzinfo=UTC),
    "units": [1, 2],
}


async def test_values_of_every_kind_come_back(sessions: Sessions, run: Any) -> None:
    row = await run(sessions, lambda session: KINDS.row(session, GIVEN))
    assert dict(row) == {
        "words": "100 % :of it",
        "number": 2**40,
        "document": {"lines": [1, None]},
        "moment": datetime(2026, 1, 31, tzinfo=UTC),
        "units": [1, 2],
        "rest": 1,
        "at": "12:30:00",
    }


async def test_rows_a_row_a_value_and_none(sessions: Sessions, run: Any) -> None:
    series = Statement("SELECT n FROM generate_series(1, :last) n ORDER BY n")

    async def asks(session: Session) -> None:
        assert [row["n"] for row in await series.rows(session, {"last": 3})] == [1, 2, 3]
        assert await series.value(session, {"last": 2}) == 1
        assert await series.row(session, {"last": 0}) is None
        with pytest.raises(LookupError):
            await series.value(session, {"last": 0})
        assert await Statement("CREATE TEMPORARY TABLE none_of_it (id int)").rows(session, {}) == []

    await run(sessions, asks)


async def test_what_raises_leaves_nothing_behind(sessions: Sessions, run: Any) -> None:
    await run(sessions, lambda session: Statement("CREATE TABLE kept (id text PRIMARY KEY)").run(session, {}))
    insert = Statement("INSERT INTO kept VALUES (:id)")

    async def fails(session: Session) -> None:
        await insert.run(session, {"id": "secret"})
        raise KeyError

    async def repeats(session: Session) -> None:
        for _ in range(2):
            await insert.run(session, {"id": "secret"})

    with pytest.raises(KeyError):
        await run(sessions, fails)
    with pytest.raises(IntegrityError) as error:
        await run(sessions, repeats)

    assert sqlstate(error.value) == "23505"
    assert await run(sessions, lambda session: Statement("SELECT count(*) FROM kept").value(session, {})) == 0


async def test_the_values_that_were_sent_stay_out_of_what_is_raised(sessions: Sessions) -> None:
    divide = Statement("SELECT CAST(:token AS text), 1 / 0")
    with pytest.raises(DBAPIError) as error:
        await in_direct_transaction(sessions, lambda session: divide.run(session, {"token": "tok_visa"}))
    assert "tok_visa" not in str(error.value)


async def test_a_transaction_that_is_cancelled_leaves_a_connection_that_can_be_used(
    sessions: Sessions, run: Any
) -> None:
    for _ in range(12):  # more than the pool has
        waits = asyncio.ensure_future(run(sessions, lambda session: Statement("SELECT pg_sleep(60)").run(session, {})))
        await asyncio.sleep(0.05)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
    assert await run(sessions, lambda session: Statement("SELECT 1 AS one").value(session, {})) == 1


async def test_a_read_by_itself_leaves_no_connection_that_commits_by_itself(
    sessions: Sessions, engine: AsyncEngine
) -> None:
    await in_direct_transaction(sessions, lambda session: Statement("CREATE TABLE kept (id int)").run(session, {}))

    async def reads(sql: str) -> None:
        async with transaction(engine, each=True) as session:
            await Statement(sql).run(session, {})

    async def fails(session: Session) -> None:
        await Statement("INSERT INTO kept VALUES (1)").run(session, {})
        raise KeyError

    for sql in ("SELECT 1", "SELECT 1 / 0", "SELECT pg_sleep(60)"):
        reading = asyncio.ensure_future(reads(sql))
        await asyncio.sleep(0.1)
        reading.cancel()  # where it has not ended by itself
        with contextlib.suppress(DBAPIError, asyncio.CancelledError):
            await reading
        with pytest.raises(KeyError):
            await in_direct_transaction(sessions, fails)
        count = await in_direct_transaction(
            sessions, lambda session: Statement("SELECT count(*) FROM kept").value(session, {})
        )
        assert count == 0, sql
