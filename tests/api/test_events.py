"""The stream of a checkout's changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from checkout.runtime.settings import Settings
from tests.api.buyer import Buyer
from tests.api.problem import problem
from tests.api.process import api_process
from tests.workflows.stage import Stage

pytestmark = pytest.mark.usefixtures("worker")

GENEROUS = 120


@asynccontextmanager
async def watching(buyer: Buyer, http: httpx.AsyncClient, checkout_id: str, **headers: str) -> AsyncIterator["Stream"]:
    """The stream, once it has begun."""
    async with (
        asyncio.timeout(GENEROUS),
        http.stream("GET", f"/checkouts/{checkout_id}/events", headers={**buyer.headers, **headers}) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield Stream(answer)


class Stream:
    """Events as they come, in the format of the HTML standard, section 9.2."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, Any] | None:
        """The next event's checkout, None where the stream has ended; pings are passed over."""
        event: dict[str, str] = {}
        async for line in self._lines:
            if line.startswith(":"):
                continue
            if not line and event:
                assert event["event"] == "checkout"
                shown: dict[str, Any] = json.loads(event["data"])
                assert int(event["id"]) == shown["version"]
                return shown
            name, _, value = line.partition(": ")
            if name:
                event[name] = value
        return None

    async def rest(self) -> list[dict[str, Any]]:
        """All that is to come."""
        events = []
        while (event := await self.next()) is not None:
            events.append(event)
        return events


async def test_a_checkout_is_watched_to_its_end(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    async with watching(buyer, http, checkout_id) as stream:
        first = await stream.next()
        assert first is not None
        assert first["state"] == "awaiting_payment"
        assert (await buyer.pay(checkout_id)).status_code == 200
        following = await stream.rest()
    versions = [event["version"] for event in (first, *following)]
    assert versions == sorted(set(versions))
    assert following[-1]["state"] == "completed"
    assert following[-1]["order"]["status"] == "paid"
    assert "waiting_for" not in following[-1]


async def test_what_was_seen_is_not_sent_again(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    seen = str((await buyer.get(checkout_id))["version"])
    async with watching(buyer, http, checkout_id, **{"Last-Event-ID": seen}) as stream:
        coming = asyncio.create_task(stream.rest())
        assert (await buyer.cancel(checkout_id)).status_code == 200
        events = await coming
    assert events
    assert all(event["version"] > int(seen) for event in events)
    assert events[-1]["state"] == "cancelled"
    final = str(events[-1]["version"])
    async with watching(buyer, http, checkout_id, **{"Last-Event-ID": final}) as stream:
        assert await stream.rest() == []
    for nonsense in ("", "x", "-1", "9" * 40):
        async with watching(buyer, http, checkout_id, **{"Last-Event-ID": nonsense}) as stream:
            assert [event["state"] for event in await stream.rest()] == ["cancelled"]


async def test_a_lost_listen_connection_loses_no_change(
    http: httpx.AsyncClient, stage: Stage, database_url: str
) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    async with watching(buyer, http, checkout_id) as stream:
        assert await stream.next()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'checkout-listen'"
            )
        assert (await buyer.cancel(checkout_id)).status_code == 200
        assert (await stream.rest())[-1]["state"] == "cancelled"


async def test_twenty_watch_one_checkout(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()

    async def watch() -> str:
        async with watching(buyer, http, checkout_id) as stream:
            assert await stream.next()
            begun.release()
            return str((await stream.rest())[-1]["state"])

    begun = asyncio.Semaphore(0)
    watchers = [asyncio.create_task(watch()) for _ in range(20)]
    for _ in watchers:
        await begun.acquire()
    assert (await buyer.pay(checkout_id)).status_code == 200
    assert await asyncio.gather(*watchers) == ["completed"] * 20


async def test_a_stream_ends_whole_when_the_api_is_told_to_stop(
    stage: Stage, api_settings: Settings, tmp_path: Path
) -> None:
    async with api_process(api_settings, tmp_path) as (process, there):
        buyer = Buyer(there, await stage.cart())
        checkout_id = await buyer.started()
        async with watching(buyer, there, checkout_id) as stream:
            assert await stream.next()
            process.terminate()
            assert await stream.rest() == []  # httpx raises where an answer is cut off
        assert await asyncio.wait_for(process.wait(), GENEROUS) == 0


async def test_only_its_owner_watches(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer, stranger = Buyer(http, await stage.cart()), Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    problem(await stranger.call("GET", f"/checkouts/{checkout_id}/events"), 404, "checkout_not_found")
    problem(await http.get(f"/checkouts/{checkout_id}/events"), 401, "token_missing")
