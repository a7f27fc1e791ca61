"""What is kept of a status is never older than what was told, nor than a second; whoever changed it sees the change."""

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import httpx
import psycopg
import pytest

from checkout.api import changes, reading
from checkout.api.cache import Cache, Entry
from checkout.api.changes import FRESH
from checkout.runtime.metrics import CACHE_READS
from checkout.runtime.settings import Settings
from tests.api.buyer import Buyer
from tests.api.conftest import ADMIN_TOKEN
from tests.api.problem import problem
from tests.api.process import api_process
from tests.support import servers
from tests.support.waiting import eventually
from tests.workflows.stage import Stage

OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


def hits(cache: str = "status") -> float:
    """How often a cache of this process had what was asked for."""
    return float(CACHE_READS.labels(cache, "hit")._value.get())


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is dropped by its age here."""
    monkeypatch.setattr(reading, "STATUS_SECONDS", 3600)


async def until_kept(buyer: Buyer, checkout_id: str) -> dict[str, Any]:
    """A status once it comes from the cache."""

    async def kept() -> dict[str, Any] | None:
        before = hits()
        shown = await buyer.get(checkout_id)
        return shown if hits() > before else None

    return await eventually(kept, "the status is kept") or {}


@pytest.mark.usefixtures("worker", "lasting")
async def test_what_is_kept_is_answered_as_what_is_read(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer, stranger = Buyer(http, await stage.cart()), Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    read = await buyer.get(checkout_id, live=False)  # with a query: never from the cache
    kept = await until_kept(buyer, checkout_id)
    assert kept["server_time"] > read["server_time"]
    assert {**kept, "server_time": ""} == {**read, "server_time": ""}
    answer = await buyer.call("GET", f"/checkouts/{checkout_id}")
    assert answer.headers["content-type"] == "application/json"
    problem(await stranger.call("GET", f"/checkouts/{checkout_id}"), 404, "checkout_not_found")
    problem(await http.get(f"/checkouts/{checkout_id}"), 401, "token_missing")
    problem(await http.get(f"/checkouts/{checkout_id}", headers=OPERATOR), 403, "session_required")
    misspelt = await buyer.call("GET", f"/checkouts/{checkout_id}", params={"alive": "1"})
    problem(misspelt, 422, "validation_failed", "alive")
    before = hits()
    assert (await buyer.get(checkout_id, live=True))["waiting_for"]["what"] == "payment"
    assert hits() == before
    figures = (await http.get("/admin/statistics", headers=OPERATOR)).json()
    assert 0 < figures["cache_hit_rate"] <= 1


@pytest.mark.usefixtures("worker", "lasting")
async def test_what_cannot_be_extended_any_more_is_not_kept_as_if_it_could(
    http: httpx.AsyncClient, stage: Stage
) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    await stage.shop.execute("UPDATE checkouts SET expires_at = now() + interval '700 ms'")
    assert (await buyer.get(checkout_id))["can_extend"]

    async def over() -> bool:
        return not (await buyer.get(checkout_id))["can_extend"]

    await eventually(over, "past its deadline")


@pytest.mark.usefixtures("worker")
async def test_two_apis_through_two_hundred_changes(stage: Stage, api_settings: Settings, tmp_path: Path) -> None:
    """Whoever changes a checkout never reads an older version of it; at the other API none is older than a second."""
    answered: dict[str, list[tuple[float, int]]] = defaultdict(list)
    seen: Counter[str] = Counter()
    async with (
        api_process(api_settings, tmp_path / "one") as (_, one),
        api_process(api_settings, tmp_path / "two") as (_, two),
    ):
        baskets = [await stage.shop.cart({"MUG": 1}) for _ in range(4)]
        pairs = [(Buyer(one, basket), Buyer(two, basket)) for basket in baskets]
        ids = [await here.started() for here, _ in pairs]
        done = asyncio.Event()

        async def change(buyer: Buyer, checkout_id: str) -> None:
            for _ in range(50):
                answer = await buyer.extend(checkout_id, 900)
                assert answer.status_code == 200, answer.text
                version = answer.json()["version"]
                answered[checkout_id].append((time.monotonic(), version))
                for _ in range(2):
                    assert (await buyer.get(checkout_id))["version"] >= version

        async def read(buyer: Buyer, checkout_id: str) -> None:
            last = 0
            while not done.is_set():
                asked = time.monotonic()
                version = (await buyer.get(checkout_id))["version"]
                known = [made for at, made in answered[checkout_id] if at <= asked - FRESH]
                assert version >= max(known, default=0), "older than a second"
                assert version >= last, "it went back"
                last, seen[checkout_id] = version, seen[checkout_id] + 1
                await asyncio.sleep(0.01)  # leaves the changes room

        readers = [asyncio.create_task(read(there, one_id)) for (_, there), one_id in zip(pairs, ids, strict=True)]
        await asyncio.gather(*(change(here, one_id) for (here, _), one_id in zip(pairs, ids, strict=True)))
        for (_, there), checkout_id in zip(pairs, ids, strict=True):
            last = answered[checkout_id][-1][1]
            assert last > 50

            async def reached(there: Buyer = there, checkout_id: str = checkout_id, last: int = last) -> bool:
                return bool((await there.get(checkout_id))["version"] >= last)

            await eventually(reached, "the other API shows the last change")
        done.set()
        await asyncio.gather(*readers)
        assert min(seen.values()) > 1
        for api in (one, two):
            served = (await api.get("/metrics")).text
            assert 'checkout_cache_reads_total{cache="status",result="hit"}' in served


async def listener(database_url: str) -> int:
    """The process of PostgreSQL by which the one API on this database is told."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        rows = await connection.execute(
            "SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'checkout-listen'"
        )
        [(pid,)] = await rows.fetchall()
    return int(pid)


@pytest.mark.usefixtures("worker", "lasting")
@pytest.mark.parametrize("fault", ["lost", "paused"])
async def test_a_connection_that_does_not_tell_is_bypassed(
    fault: str, http: httpx.AsyncClient, stage: Stage, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "paused" and servers.given():
        pytest.skip("a server of yours is not for pausing")
    monkeypatch.setattr(changes, "RECONNECT", (3600, 3600))  # being told anew would drop everything
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    version = (await until_kept(buyer, checkout_id))["version"]
    pid = await listener(database_url)
    if fault == "lost":
        await stage.shop.execute("SELECT pg_terminate_backend(:pid)", pid=pid)
    else:
        os.kill(pid, signal.SIGSTOP)

    async def bypassed() -> bool:
        before = hits()
        await buyer.get(checkout_id)
        return hits() == before

    try:
        await eventually(bypassed, "nothing is served from what is kept")
        for change in range(1, 4):
            await stage.shop.execute("UPDATE checkouts SET updated_at = now() WHERE id = :id", id=checkout_id)
            assert (await buyer.get(checkout_id))["version"] == version + change
    finally:
        if fault == "paused":
            os.kill(pid, signal.SIGCONT)
    if fault == "paused":
        assert (await until_kept(buyer, checkout_id))["version"] == version + 3


@pytest.mark.usefixtures("worker", "lasting")
@pytest.mark.skipif(servers.given(), reason="a server of yours is not for pausing")
async def test_whoever_changed_it_sees_the_change_before_it_is_told(
    http: httpx.AsyncClient, stage: Stage, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "FRESH", 3600)  # what is told late is not noticed to be late
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    await until_kept(buyer, checkout_id)
    pid = await listener(database_url)
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            extended = (await buyer.extend(checkout_id, 900)).json()
            assert await until_kept(buyer, checkout_id) == {**extended, "waiting_for": None, "server_time": ANY}
        figures = await http.get("/admin/statistics", headers=OPERATOR)
        assert figures.json()["active"] == 1
        assert (await buyer.cancel(checkout_id)).status_code == 200
        assert (await buyer.get(checkout_id))["state"] == "cancelled"
        figures = await http.get("/admin/statistics", headers=OPERATOR)
        assert figures.json()["active"] == 0
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.usefixtures("worker", "lasting")
async def test_the_status_of_an_order_that_is_cancelled_is_told(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started(payment={"method": "card", "token": "tok_visa"})
    await until_kept(buyer, checkout_id)
    await stage.shop.execute("UPDATE orders SET status = 'cancelled', cancelled_at = now()")

    async def told() -> bool:
        return bool((await buyer.get(checkout_id))["order"]["status"] == "cancelled")

    await eventually(told, "the order's status is shown")


@pytest.mark.usefixtures("worker")
async def test_how_many_are_active_is_kept_until_one_changes(http: httpx.AsyncClient, stage: Stage) -> None:
    async def active() -> int:
        return int((await http.get("/admin/statistics", headers=OPERATOR)).json()["active"])

    async def kept() -> bool:
        before = hits("active")
        await active()
        return hits("active") > before

    buyer = Buyer(http, await stage.cart())
    assert await active() == 0
    checkout_id = await buyer.started()
    assert await active() == 1
    await eventually(kept, "the count is kept")
    assert (await buyer.cancel(checkout_id)).status_code == 200
    assert await active() == 0


def cache_of(changes: SimpleNamespace, size: int = 10) -> Cache[str]:
    tally: Any = SimpleNamespace(cache_read=lambda _name, *, hit: None)
    told: Any = changes
    return Cache("test", told, tally, size=size)


def test_what_was_told_while_it_was_read_is_not_kept() -> None:
    cache = cache_of(SimpleNamespace(fresh=True))
    with cache.reading("a") as outdated, cache.reading("b") as other:
        cache.drop("a")
        cache.keep("a", outdated, Entry("old", 1, 30))
        cache.keep("b", other, Entry("b", 1, 30))
    assert (cache.get("a"), cache.get("b")) == (None, "b")
    with cache.reading("a") as read:
        cache.keep("a", read, Entry("new", 2, 30))
    assert cache.get("a") == "new"
    with cache.reading("c") as before_the_loss:
        cache.clear()
        cache.keep("c", before_the_loss, Entry("c", 9, 30))
    assert [cache.get(key) for key in "abc"] == [None] * 3


def test_what_this_process_has_shown_is_the_least_that_it_keeps() -> None:
    cache = cache_of(SimpleNamespace(fresh=True))
    with cache.reading("a") as slow:
        with cache.reading("a") as quick:
            cache.seen("a", 2)
            cache.keep("a", quick, Entry("two", 2, 30))
        cache.keep("a", slow, Entry("one", 1, 30))
    assert cache.get("a") == "two"
    cache.seen("a", 2)
    assert cache.get("a") == "two"
    cache.seen("a", 3)
    assert cache.get("a") is None


def test_it_is_bounded_and_silent_while_nobody_tells() -> None:
    told = SimpleNamespace(fresh=True)
    cache = cache_of(told, size=3)
    for number in range(10):
        with cache.reading(str(number)) as read:
            cache.keep(str(number), read, Entry(str(number), 1, 30))
    assert [key for key in map(str, range(10)) if cache.get(key)] == ["7", "8", "9"]
    told.fresh = False
    assert cache.get("9") is None
    told.fresh = True
    assert cache.get("9") == "9"
    with cache.reading("short") as read:
        cache.keep("short", read, Entry("short", 1, 0.0))
    assert cache.get("short") is None
    assert cache._reads == {}
