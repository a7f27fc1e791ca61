"""So many checkouts of one buyer, and of one address, run at once, whatever he sends at once and to whom."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from checkout.api import engine
from checkout.api.app import create_app
from checkout.runtime.settings import Settings
from tests.api.buyer import CARD, Buyer
from tests.api.problem import problem
from tests.support.http import serve
from tests.support.waiting import eventually
from tests.workflows.stage import Stage


@asynccontextmanager
async def apis(settings: Settings, count: int = 1, **limits: Any) -> AsyncIterator[list[httpx.AsyncClient]]:
    """So many APIs with these caps."""
    given = {"max_running_checkouts": 3, "max_running_checkouts_address": None, **limits}
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            url = stack.enter_context(serve(create_app(settings.model_copy(update=given))))
            found.append(await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=120)))
        yield found


async def places(stage: Stage) -> list[str]:
    """The checkouts that have one."""
    return [row[0] for row in await stage.shop.rows("SELECT checkout_id FROM checkout_places")]


def refused(answer: httpx.Response, of: str, limit: int) -> Mapping[str, Any]:
    body = problem(answer, 429, "too_many_checkouts")
    assert body["context"] == {"of": of, "limit": limit}
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    return body


@pytest.mark.usefixtures("worker")
async def test_of_twenty_at_once_three_run_and_whoever_ends_makes_room(stage: Stage, api_settings: Settings) -> None:
    async with apis(api_settings, 2) as found:
        baskets = [await stage.shop.cart({"MUG": 1}, customer_id="ada") for _ in range(20)]
        buyers = [Buyer(found[number % 2], basket) for number, basket in enumerate(baskets)]
        answers = await asyncio.gather(*(buyer.start() for buyer in buyers))
        assert Counter(answer.status_code for answer in answers) == {201: 3, 429: 17}
        for answer in answers:
            if answer.status_code == 429:
                refused(answer, "customer", 3)
        running = [
            (buyer, answer.json()["id"])
            for buyer, answer in zip(buyers, answers, strict=True)
            if answer.status_code == 201
        ]
        waiting = [buyer for buyer, answer in zip(buyers, answers, strict=True) if answer.status_code == 429]
        assert set(await places(stage)) == {checkout_id for _, checkout_id in running}
        # Nothing was begun for those who were refused, and a start that is sent again meets its own.
        assert len(await stage.shop.rows("SELECT id FROM checkouts")) == 3
        for buyer, checkout_id in running:
            again = await buyer.start()
            assert (again.status_code, again.json()["id"]) == (200, checkout_id)
        assert len(await places(stage)) == 3
        # Each end makes room at once: cancelled, completed, failed in a phase.
        [(first, cancelled), (second, bought), (third, third_id)] = running
        assert (await first.cancel(cancelled)).status_code == 200
        assert (await waiting[0].start(expected_total=1)).status_code == 422
        await waiting[0].started()
        refused(await waiting[1].start(), "customer", 3)
        assert (await second.pay(bought)).json()["state"] == "completed"
        assert (await waiting[1].start(payment=CARD)).status_code == 201
        await waiting[2].started()
        refused(await waiting[3].start(), "customer", 3)
        open_ones = await stage.shop.rows("SELECT id FROM checkouts WHERE closed_at IS NULL")
        assert set(await places(stage)) == {row[0] for row in open_ones}
        # An extension does not cost a place, nor does another customer's crowd.
        assert (await third.extend(third_id, 900)).status_code == 200
        await Buyer(found[0], await stage.shop.cart({"MUG": 1}, customer_id="bob")).started()


@pytest.mark.usefixtures("worker")
async def test_an_address_has_a_cap_of_its_own(stage: Stage, api_settings: Settings) -> None:
    async with apis(api_settings, max_running_checkouts_address=2, trusted_proxies=("127.0.0.1",)) as [http]:
        buyers = [Buyer(http, await stage.shop.cart({"MUG": 1})) for _ in range(6)]
        answers = await asyncio.gather(*(buyer.start() for buyer in buyers))
        assert Counter(answer.status_code for answer in answers) == {201: 2, 429: 4}
        [late, *_] = [buyer for buyer, answer in zip(buyers, answers, strict=True) if answer.status_code == 429]
        refused(await late.start(), "address", 2)
        elsewhere = {"X-Forwarded-For": "203.0.113.7"}
        moved = await late.call("POST", "/checkouts", {"cart_id": late.cart_id}, headers=elsewhere)
        assert moved.status_code == 201
        [row] = await stage.shop.rows("SELECT address, subject FROM checkout_places ORDER BY expires_at DESC LIMIT 1")
        assert "203" not in row[0], "the address is kept as a hash alone"
        assert "ses_" not in row[1]


async def test_one_that_no_worker_has_taken_up_counts_until_its_time_is_over(
    stage: Stage, api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "UPDATE_WAIT", 1)
    monkeypatch.setattr(engine, "QUERY_WAIT", 1)
    async with apis(api_settings, max_running_checkouts=1) as [http]:
        one, other = [Buyer(http, await stage.shop.cart({"MUG": 1}, session_id="ses_ada")) for _ in range(2)]
        begun = await one.start(payment=CARD)
        assert begun.status_code == 202
        assert (await one.start()).status_code == 202  # meets it
        refused(await other.start(), "session", 1)
        assert await stage.shop.rows("SELECT id FROM checkouts") == []

        async def completed() -> bool:
            return bool((await one.get(begun.json()["id"]))["state"] == "completed")

        async with stage.worker():
            await eventually(completed, "completed")
        assert await places(stage) == []


@pytest.mark.usefixtures("worker")
async def test_places_of_starts_that_came_to_nothing_are_free_when_their_time_is_over(
    stage: Stage, api_settings: Settings
) -> None:
    async with apis(api_settings, max_running_checkouts=1) as [http]:
        buyer, other = [Buyer(http, await stage.shop.cart({"MUG": 1}, session_id="ses_ada")) for _ in range(2)]
        checkout_id = await buyer.started()
        # As when the process died before it could ask Temporal: a place whose checkout has no row, and never will.
        await stage.shop.execute("UPDATE checkout_places SET checkout_id = 'chk_lost', cart_id = 'cart_lost'")
        refused(await other.start(), "session", 1)
        await stage.shop.execute("UPDATE checkout_places SET expires_at = now() - interval '1 s'")
        other_id = await other.started()
        assert await places(stage) == [other_id]
        # Of one that runs, the time does not matter: a bank transfer may take days.
        await stage.shop.execute("UPDATE checkout_places SET expires_at = now() - interval '1 s'")
        assert (await buyer.cancel(checkout_id)).status_code == 200
        refused(await buyer.start(), "session", 1)
        assert await places(stage) == [other_id]


async def test_where_temporal_cannot_be_asked_no_place_is_lost(stage: Stage, api_settings: Settings) -> None:
    away = api_settings.model_copy(update={"temporal_address": "127.0.0.1:9"})
    async with apis(away, max_running_checkouts=1) as [http]:
        for _ in range(3):
            buyer = Buyer(http, await stage.shop.cart({"MUG": 1}, session_id="ses_ada"))
            problem(await buyer.start(), 503, "temporal_unavailable")
        assert await places(stage) == []


@pytest.mark.usefixtures("worker")
async def test_off_is_off(stage: Stage, api_settings: Settings) -> None:
    async with apis(api_settings, max_running_checkouts=None) as [http]:
        for _ in range(4):
            await Buyer(http, await stage.shop.cart({"MUG": 1}, session_id="ses_ada")).started()
        assert await places(stage) == []
