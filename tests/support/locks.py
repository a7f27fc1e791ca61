"""Waiting for a lock, seen from beside."""

import asyncio

from sqlalchemy import text

from checkout.runtime.database import Sessions

_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'"
)


async def until_someone_waits(sessions: Sessions, others: int = 1) -> None:
    """Return once that many connections of the test's database wait for a lock."""
    async with asyncio.timeout(60), sessions() as session:
        while int((await session.execute(_WAITING)).scalar_one()) < others:
            await session.rollback()
            await asyncio.sleep(0.01)
