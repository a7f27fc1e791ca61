"""Requests that are repeated with their Idempotency-Key, on everything that is real, over two processes of the API."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from checkout.api import idempotency
from checkout.api.app import create_app
from checkout.api.problems import unavailable
from checkout.domain import contract
from checkout.domain.ids import new_session_id, workflow_id
from checkout.runtime.settings import Settings
from tests.api.buyer import CARD, Buyer, card
from tests.api.problem import problem
from tests.support.http import serve, steady_port
from tests.support.shop import Basket
from tests.support.waiting import eventually
from tests.workflows.fakes import Gate
from tests.workflows.faults import waits
from tests.workflows.stage import Stage


@pytest.fixture
async def elsewhere(api_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Another process of the API, as far as it shares nothing but the servers."""
    with serve(create_app(api_settings)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            yield client


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The API's processes die after the effect of a request, before its answer is kept; ``undo`` ends that."""

    async def end(*_: object) -> None:
        """Nothing is written."""

    monkeypatch.setattr(idempotency._Run, "end", end)
    return monkeypatch


class Twice:
    """A buyer whose requests are each sent first to a process that dies of it, then again to another."""

    def __init__(self, stage: Stage, basket: Basket, http: httpx.AsyncClient, elsewhere: httpx.AsyncClient) -> None:
        self.stage = stage
        self.first, self.second = Buyer(http, basket), Buyer(elsewhere, basket)

    async def post(self, path: str, body: Any = None, key: str = "k") -> tuple[httpx.Response, httpx.Response]:
        """What the first would have answered, and what the second does once the lease is over."""
        one = await self.first.call("POST", path, body, headers={"Idempotency-Key": key})
        busy = await self.second.call("POST", path, body, headers={"Idempotency-Key": key})
        problem(busy, 409, "idempotency_key_in_use")
        assert busy.headers["retry-after"] == "1"
        return one, await self.again(path, body, key)

    async def again(self, path: str, body: Any = None, key: str = "k") -> httpx.Response:
        """Once more, after the lease of the one that died."""
        await self.stage.shop.execute("UPDATE idempotency_keys SET lease_until = now() WHERE key = :key", key=key)
        return await self.second.call("POST", path, body, headers={"Idempotency-Key": key})

    async def runs(self) -> int:
        """How many checkouts there ever were of the cart."""
        query = f"WorkflowId = '{workflow_id(self.first.cart_id)}'"
        rows = await self.stage.shop.execute(
            "SELECT count(*) FROM checkouts WHERE cart_id = :id", id=self.first.cart_id
        )
        seen = len([run async for run in self.stage.client.list_workflows(query)])
        return max(seen, int(rows))

    async def tokens(self) -> int:
        """How many payment tokens are kept."""
        return int(await self.stage.shop.execute("SELECT count(*) FROM payment_attempts WHERE token IS NOT NULL"))


@pytest.fixture
async def twice(stage: Stage, http: httpx.AsyncClient, elsewhere: httpx.AsyncClient, dying: Any) -> Twice:
    return Twice(stage, await stage.cart(MUG=1), http, elsewhere)


#: What differs between two looks at the same.
CLOCK = {"server_time", "updated_at"}


def same(one: httpx.Response, two: httpx.Response) -> dict[str, Any]:
    """Both answers are the same but for the clock; gives the body."""
    bodies = [{name: value for name, value in answer.json().items() if name not in CLOCK} for answer in (one, two)]
    assert (one.status_code, bodies[0]) == (two.status_code, bodies[1])
    assert one.headers.get("location") == two.headers.get("location")
    return bodies[0]


async def at_once(buyers: list[Buyer], path: str, body: Any, times: int = 50) -> list[httpx.Response]:
    headers = {"Idempotency-Key": "the-same"}
    calls = (buyers[n % len(buyers)].call("POST", path, body, headers=headers) for n in range(times))
    return await asyncio.gather(*calls)


def of_one(answers: list[httpx.Response], status: int) -> dict[str, Any]:
    """Exactly one was run; the others are its replays, or were told that it runs."""
    busy = [answer for answer in answers if answer.status_code == 409]
    for answer in busy:
        problem(answer, 409, "idempotency_key_in_use")
    done = [answer for answer in answers if answer.status_code == status]
    assert len(done) + len(busy) == len(answers), Counter(answer.status_code for answer in answers)
    assert len({answer.content for answer in done}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in done) == 1
    return dict(done[0].json())


async def test_fifty_repeats_at_once_of_a_start_and_of_a_payment(
    http: httpx.AsyncClient, elsewhere: httpx.AsyncClient, stage: Stage, worker: None
) -> None:
    baskets = [await stage.cart(MUG=1) for _ in range(2)]
    express = [Buyer(client, baskets[0]) for client in (http, elsewhere)]
    wanted = {"cart_id": baskets[0].cart_id, "payment": CARD}
    first = of_one(await at_once(express, "/checkouts", wanted), 201)
    steps = [Buyer(client, baskets[1]) for client in (http, elsewhere)]
    checkout_id = await steps[0].started()
    second = of_one(await at_once(steps, f"/checkouts/{checkout_id}/payment", CARD), 200)
    assert second["id"] == checkout_id
    for done in (first, second):
        assert done["state"] == "completed"
        assert [item["captured"] for item in await stage.gateway.ledger(done["id"])] == [done["totals"]["total"]]
    assert await stage.shop.execute("SELECT count(*) FROM orders") == 2
    assert await stage.shop.execute("SELECT count(*) FROM checkouts") == 2
    assert await stage.shop.execute("SELECT count(*) FROM payment_attempts") == 2
    # Later too, at both, and it is byte for byte the same.
    later = [
        await buyer.call("POST", "/checkouts", wanted, headers={"Idempotency-Key": "the-same"}) for buyer in express
    ]
    assert {answer.content for answer in later} == {later[0].content}
    assert (later[0].json(), later[0].headers["location"]) == (first, f"/checkouts/{first['id']}")


async def test_a_start_that_died_after_its_effect(twice: Twice, stage: Stage, worker: None) -> None:
    one, two = await twice.post("/checkouts", {"cart_id": twice.first.cart_id, "payment": CARD})
    assert same(one, two)["state"] == "completed"
    assert (one.status_code, await twice.runs(), await twice.tokens()) == (201, 1, 0)
    assert len(await stage.gateway.ledger()) == 1


async def test_a_start_whose_checkout_goes_on_is_the_same_one(twice: Twice, worker: None) -> None:
    one, two = await twice.post("/checkouts", {"cart_id": twice.first.cart_id})
    assert same(one, two)["state"] == "awaiting_payment"
    assert (one.status_code, await twice.runs()) == (201, 1)
    assert (await twice.first.cancel(one.json()["id"])).status_code == 200
    # Ended meanwhile: what became of it, and no other one.
    problem(await twice.again("/checkouts", {"cart_id": twice.first.cart_id}), 409, "checkout_cancelled")
    assert await twice.runs() == 1


async def test_a_start_that_failed_fails_the_same_and_begins_nothing(twice: Twice, stage: Stage, worker: None) -> None:
    await stage.shop.execute("UPDATE cart_lines SET quantity = 999")
    one, two = await twice.post("/checkouts", {"cart_id": twice.first.cart_id, "payment": CARD})
    assert same(one, two)["code"] == "insufficient_stock"
    await stage.shop.execute("UPDATE cart_lines SET quantity = 1")
    three = await twice.again("/checkouts", {"cart_id": twice.first.cart_id, "payment": CARD})
    assert same(one, three)["checkout_id"]
    assert (await twice.runs(), await twice.tokens()) == (1, 0)


async def test_a_start_that_died_before_its_effect_has_it_once(
    twice: Twice, stage: Stage, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"cart_id": twice.first.cart_id, "payment": CARD}
    with monkeypatch.context() as patched:
        patched.setattr("checkout.api.engine.Engine.start", _dies)
        problem(
            await twice.first.call("POST", "/checkouts", wanted, headers={"Idempotency-Key": "k"}),
            503,
            "temporal_unavailable",
        )
    assert await twice.runs() == 0
    answer = await twice.again("/checkouts", wanted)
    assert (answer.status_code, answer.json()["state"]) == (201, "completed")
    assert (await twice.runs(), await twice.tokens()) == (1, 0)


async def _dies(*_: object) -> None:
    raise unavailable("temporal")


@pytest.mark.parametrize(("token", "status"), [("tok_visa", 200), ("tok_chargeDeclined", 402)])
async def test_a_payment_that_died_after_its_effect(
    twice: Twice, stage: Stage, worker: None, token: str, status: int
) -> None:
    checkout_id = await twice.first.started()
    path = f"/checkouts/{checkout_id}/payment"
    one, two = await twice.post(path, card(token))
    assert same(one, two)
    assert one.status_code == status
    if status == 402:
        assert (await twice.first.pay(checkout_id)).json()["state"] == "completed"
        assert same(one, await twice.again(path, card(token)))["attempts_left"] == 2
    assert [item["captured"] > 0 for item in await stage.gateway.ledger()].count(True) == 1
    assert await twice.tokens() == 0
    taken_up = "SELECT count(*) FROM payment_attempts WHERE number IS NOT NULL"
    assert await stage.shop.execute(taken_up) == (1 if status == 200 else 2)


async def test_what_else_may_be_asked_is_answered_the_same_after_a_death(
    twice: Twice, stage: Stage, worker: None
) -> None:
    checkout_id = await twice.first.started(ttl_seconds=60)
    path = f"/checkouts/{checkout_id}"
    one, two = await twice.post(f"{path}/extend", {"ttl_seconds": 600}, "extend")
    assert same(one, two)["expires_at"] > (await twice.first.cart())["updated_at"]
    one, two = await twice.post(f"{path}/payment/confirm", None, "confirm")
    assert same(one, two)["state"] == "awaiting_payment"
    one, two = await twice.post(f"{path}/cancel", None, "cancel")
    assert same(one, two)["state"] == "cancelled"
    one, two = await twice.post("/carts", {"currency": "EUR"}, "cart")
    assert same(one, two)["session_token"] is None
    assert await stage.shop.execute("SELECT count(*) FROM carts") == 2
    customer = Basket(twice.first.cart_id, new_session_id(), "customer-1")
    guest = twice.first.headers["Authorization"].removeprefix("Bearer ")
    twice.first, twice.second = Buyer(twice.first._http, customer), Buyer(twice.second._http, customer)
    one, two = await twice.post(f"/carts/{customer.cart_id}/claim", {"session_token": guest}, "claim")
    assert same(one, two)["id"] == customer.cart_id
    assert await stage.shop.execute("SELECT count(*) FROM carts WHERE customer_id = 'customer-1'") == 1


async def test_who_hung_up_finds_the_answer(http: httpx.AsyncClient, stage: Stage, worker: None) -> None:
    stage.faults.then(contract.PAYMENT_CAPTURE, *waits(gate := Gate()))
    buyer = Buyer(http, await stage.cart(MUG=1))
    call = {"body": {"cart_id": buyer.cart_id, "payment": CARD}, "headers": {"Idempotency-Key": "k"}}
    hung_up = asyncio.create_task(buyer.call("POST", "/checkouts", **call))
    await gate.reached.wait()
    hung_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hung_up
    problem(await buyer.call("POST", "/checkouts", **call), 409, "idempotency_key_in_use")
    gate.open()

    async def answered() -> httpx.Response | None:
        answer = await buyer.call("POST", "/checkouts", **call)
        return None if answer.status_code == 409 else answer

    answer = await eventually(answered, "what ran on is answered")
    assert answer is not None
    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert answer.json()["state"] == "completed"
    assert len(await stage.gateway.ledger()) == 1


async def test_nothing_secret_is_kept(http: httpx.AsyncClient, stage: Stage, worker: None) -> None:
    buyer = Buyer(http, await stage.cart(MUG=1))
    wanted = {"cart_id": buyer.cart_id, "payment": CARD}
    assert (await buyer.call("POST", "/checkouts", wanted, headers={"Idempotency-Key": "k"})).status_code == 201
    made = await buyer.call("POST", "/carts", {"currency": "EUR"}, headers={"Idempotency-Key": "cart"})
    nobody = await http.post("/carts", json={"currency": "EUR"}, headers={"Idempotency-Key": "nobody"})
    assert (made.json()["session_token"], nobody.status_code) == (None, 201)
    kept = str(await stage.shop.rows("SELECT idempotency_keys::text FROM idempotency_keys"))
    assert kept.count("k,") >= 1
    for secret in ("tok_visa", nobody.json()["session_token"], buyer.headers["Authorization"][7:], "nobody"):
        assert secret not in kept


async def test_what_was_away_is_asked_again(
    elsewhere: httpx.AsyncClient, api_settings: Settings, stage: Stage, worker: None
) -> None:
    basket = await stage.cart(MUG=1)
    wanted = {"cart_id": basket.cart_id, "payment": CARD}
    nowhere = f"127.0.0.1:{steady_port()}"
    without_temporal = api_settings.model_copy(update={"temporal_address": nowhere})
    without_database = api_settings.model_copy(update={"database_url": f"postgresql://{nowhere}/none"})
    for settings, code in ((without_database, "database_unavailable"), (without_temporal, "temporal_unavailable")):
        with serve(create_app(settings)) as url:
            async with httpx.AsyncClient(base_url=url, timeout=120) as away:
                buyer = Buyer(away, basket)
                answer = await buyer.call("POST", "/checkouts", wanted, headers={"Idempotency-Key": "k"})
                problem(answer, 503, code)
    buyer = Buyer(elsewhere, basket)
    answer = await buyer.call("POST", "/checkouts", wanted, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["state"]) == (201, "completed")
    assert len(await stage.gateway.ledger()) == 1
