"""What several APIs count, added up where all of them find it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from checkout.api import tally as module
from checkout.api.database import Database
from checkout.api.problems import Problem
from checkout.api.tally import STATUS, Tally
from checkout.runtime.database import Sessions, engine_for
from checkout.store import counts
from checkout.store.counts import Counted
from tests.support.shop import Shop
from tests.support.waiting import eventually


async def read(sessions: Sessions, hours: int = 24) -> dict[Counted, int]:
    async with sessions() as session:
        return await counts.read(session, hours)


async def test_all_that_is_counted_is_added_up(sessions: Sessions, engine: Any) -> None:
    one, other = Tally(Database(engine)), Tally(Database(engine))
    for _ in range(3):
        one.rate_limit_hit("rate_limit")
        other.rate_limit_hit("rate_limit_address")
        other.cache_read(STATUS, hit=True)
    one.cache_read(STATUS, hit=False)
    one.cache_read("active", hit=False)  # not one that buyers ask
    for _ in range(2):
        await asyncio.gather(one.flush(), other.flush())
    assert await read(sessions) == {Counted.LIMITED: 6, Counted.STATUS_HIT: 3, Counted.STATUS_MISS: 1}


async def test_who_adds_up_waits_for_what_is_being_added_up(sessions: Sessions, engine: Any) -> None:
    tally = Tally(Database(engine))
    tally.rate_limit_hit("rate_limit")
    async with sessions() as session:
        await session.execute(text("LOCK TABLE minute_counts"))
        flushes = [asyncio.create_task(tally.flush()) for _ in range(2)]
        done, _ = await asyncio.wait(flushes, timeout=0.3)
        assert not done
    await asyncio.gather(*flushes)
    assert (await read(sessions))[Counted.LIMITED] == 1


async def test_what_cannot_be_written_is_kept_and_written_later(sessions: Sessions, engine: Any) -> None:
    away = engine_for("postgresql:///none?host=/nonexistent")
    tally = Tally(Database(away))
    tally.rate_limit_hit("rate_limit")
    for _ in range(2):
        with pytest.raises(Problem):
            await tally.flush()
        tally.rate_limit_hit("rate_limit")
    await away.dispose()
    tally._database = Database(engine)
    await tally.flush()
    assert (await read(sessions))[Counted.LIMITED] == 3


async def test_it_writes_by_itself_and_forgets_what_no_figure_reaches(
    sessions: Sessions, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY", 0.01)
    shop = Shop(sessions)
    await shop.execute(
        "INSERT INTO minute_counts (minute, name, number) SELECT now() - n * interval '1 day', 'limited', 1 "
        "FROM generate_series(1, 20) AS n"
    )
    assert (await read(sessions, 48))[Counted.LIMITED] == 1
    tally = Tally(Database(engine))
    tally.rate_limit_hit("rate_limit")
    running = asyncio.create_task(tally.run())

    async def written() -> bool:
        return bool(await shop.execute("SELECT count(*) FROM minute_counts") == 8)

    await eventually(written, "this minute's count is written, and what is older than eight days is gone")
    running.cancel()
    assert (await read(sessions, 168))[Counted.LIMITED] == 7
