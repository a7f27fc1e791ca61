"""Those who watch a checkout are woken by its changes, also after the connection that tells of them was lost."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from checkout.api import changes as module
from checkout.api.changes import Changes
from tests.support.waiting import eventually

GENEROUS = 60


async def until_listening(changes: Changes) -> None:
    async def listening() -> bool:
        return changes.listening

    await eventually(listening, "listening")


@pytest.fixture
async def changes(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Changes]:
    # Only being told may wake a watcher here.
    monkeypatch.setattr(module, "LOOK_WHEN_TOLD", GENEROUS * 10)
    monkeypatch.setattr(module, "LOOK_WHEN_NOT_TOLD", GENEROUS * 10)
    monkeypatch.setattr(module, "RECONNECT", (0.5, 0.5))
    changes = Changes(database_url)
    running = asyncio.create_task(changes.run())
    yield changes
    running.cancel()
    await asyncio.wait({running})


async def tell(database_url: str, checkout_id: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        payload = f'{{"id": "{checkout_id}", "version": 2}}'
        await connection.execute("SELECT pg_notify('checkout_changed', %s)", (payload,))


async def test_a_change_wakes_its_watchers_and_no_others(changes: Changes, database_url: str) -> None:
    await until_listening(changes)
    with changes.watch("chk_a") as first, changes.watch("chk_a") as second, changes.watch("chk_b") as other:
        waiting = [asyncio.create_task(watch.changed()) for watch in (first, second, other)]
        await tell(database_url, "chk_a")
        async with asyncio.timeout(GENEROUS):
            await asyncio.gather(*waiting[:2])
        await tell(database_url, "chk_c")
        assert not waiting[2].done()
        await tell(database_url, "chk_b")
        async with asyncio.timeout(GENEROUS):
            await waiting[2]


async def test_a_change_between_two_waits_is_not_missed(changes: Changes, database_url: str) -> None:
    await until_listening(changes)
    with changes.watch("chk_a") as watch, changes.watch("chk_a") as witness:
        await tell(database_url, "chk_a")
        async with asyncio.timeout(GENEROUS):
            await witness.changed()
            await watch.changed()


async def test_a_lost_connection_wakes_everyone_and_is_made_again(changes: Changes, database_url: str) -> None:
    await until_listening(changes)
    with changes.watch("chk_a") as watch:
        waiting = asyncio.create_task(watch.changed())
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'checkout-listen'"
            )
        async with asyncio.timeout(GENEROUS):
            await waiting
        await until_listening(changes)
        # What changed between the two connections was told to nobody, so it is time for a look.
        assert watch._changed.is_set()
        await watch.changed()
        await tell(database_url, "chk_a")
        async with asyncio.timeout(GENEROUS):
            await watch.changed()
