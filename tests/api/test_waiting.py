"""What the API answers while others are slow, closing or away; and what it says once they are back."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from checkout.api import engine, starting
from checkout.api.app import create_app
from checkout.api.calls import StillRunning
from checkout.domain import contract
from checkout.domain.ids import new_checkout_id, workflow_id
from checkout.runtime.settings import Settings
from tests.api.buyer import CARD, Buyer
from tests.api.problem import problem
from tests.support.http import serve
from tests.support.waiting import eventually
from tests.workflows.fakes import Gate
from tests.workflows.faults import waits
from tests.workflows.stage import Stage


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for here never comes: there is no worker."""
    monkeypatch.setattr(engine, "UPDATE_WAIT", 2)
    monkeypatch.setattr(engine, "QUERY_WAIT", 0.2)


@pytest.mark.usefixtures("impatient")
async def test_a_start_without_a_worker_is_under_way_and_never_lost(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    answers = await asyncio.gather(*(buyer.start(payment=CARD) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [202] * 10
    first, shown = answers[0], answers[0].json()
    assert (shown["state"], shown["lines"], shown["totals"]) == ("pending", [], None)
    assert first.headers["location"] == f"/checkouts/{shown['id']}"
    assert {answer.json()["id"] for answer in answers} == {shown["id"]}
    standing = (await buyer.call("GET", f"/carts/{buyer.cart_id}/checkout")).json()
    assert (standing["locked"], standing["can_checkout"]) == (False, False)
    assert standing["reasons"] == ["checkout_in_progress"]
    assert (standing["checkout"]["id"], standing["checkout"]["state"]) == (shown["id"], "pending")
    assert (await buyer.get(shown["id"], live=True))["state"] == "pending"
    stranger = Buyer(http, await stage.cart())
    problem(await stranger.call("GET", f"/checkouts/{shown['id']}"), 404, "checkout_not_found")
    problem(await buyer.call("GET", f"/checkouts/{new_checkout_id(buyer.cart_id)}"), 404, "checkout_not_found")

    async def completed() -> bool:
        return bool((await buyer.get(shown["id"]))["state"] == "completed")

    async with stage.worker():
        await eventually(completed, "completed")
    assert len(await stage.ledger()) == 1
    assert await stage.shop.rows("SELECT id FROM payment_attempts WHERE token IS NOT NULL") == []


async def test_no_connection_is_held_while_temporal_is_waited_for(stage: Stage, api_settings: Settings) -> None:
    """More starts than the pool has connections wait for a worker, and leave all of them to others."""
    count = api_settings.database_pool_size + 2
    app = create_app(api_settings)
    with serve(app) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            buyers = [Buyer(http, await stage.cart()) for _ in range(count)]
            starts = [asyncio.create_task(buyer.start(payment=CARD)) for buyer in buyers]

            async def all_wait() -> bool:
                kept = await stage.shop.rows("SELECT id FROM payment_attempts")
                return len(kept) == count and app.state.resources.pool.pool.checkedout() == 0

            await eventually(all_wait, "every start has asked Temporal, and no connection is in use")
            assert not any(start.done() for start in starts)
            async with stage.worker():
                answers = await asyncio.gather(*starts)
    assert [answer.status_code for answer in answers] == [201] * count


@pytest.mark.usefixtures("impatient")
async def test_a_checkout_that_was_ended_before_it_began_is_still_answered(
    http: httpx.AsyncClient, stage: Stage
) -> None:
    buyer = Buyer(http, await stage.cart())
    ended = (await buyer.start()).json()["id"]
    await stage.client.get_workflow_handle(workflow_id(buyer.cart_id)).terminate()
    shown = await buyer.get(ended)
    assert (shown["state"], shown["failure"]["code"], shown["locked"]) == ("failed", "workflow_terminated", False)
    standing = (await buyer.call("GET", f"/carts/{buyer.cart_id}/checkout")).json()
    assert (standing["can_checkout"], standing["checkout"]) == (True, None)
    problem(await buyer.pay(ended), 409, "not_payable")
    following = (await buyer.start()).json()["id"]
    assert following != ended

    async def found() -> bool:  # older runs are found by a listing, which may lag
        return (await buyer.call("GET", f"/checkouts/{ended}")).status_code == 200

    await eventually(found, "the ended checkout is found")
    assert (await buyer.get(ended))["state"] == "failed"
    assert (await buyer.get(following))["state"] == "pending"


@pytest.mark.usefixtures("worker")
async def test_a_start_meets_a_checkout_that_is_closing(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer, gate = Buyer(http, await stage.cart()), Gate()
    checkout_id = await buyer.started()
    stage.faults.then(contract.RELEASE_STOCK, *waits(gate))
    cancelling = asyncio.create_task(buyer.cancel(checkout_id))
    await gate.reached.wait()
    monkeypatch.setattr(starting, "UPDATE_WAIT", 0.2)
    closing = await buyer.start(payment=CARD)
    problem(closing, 409, "checkout_closing")
    assert closing.headers["retry-after"]
    with monkeypatch.context() as hurried:
        hurried.setattr(engine, "UPDATE_WAIT", 0.2)
        still = await buyer.cancel(checkout_id)
    assert (still.status_code, still.json()["state"]) == (202, "compensating")
    gate.open()
    assert (await cancelling).json()["state"] == "cancelled"
    assert (await buyer.cancel(checkout_id)).json()["state"] == "cancelled"
    assert (await buyer.started()) != checkout_id


@pytest.mark.usefixtures("worker")
async def test_a_start_waits_for_a_checkout_that_closes_in_time(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "UPDATE_WAIT", 120)
    buyer, gate = Buyer(http, await stage.cart()), Gate()
    checkout_id = await buyer.started()
    stage.faults.then(contract.UNLOCK_CART, *waits(gate))
    cancelling = asyncio.create_task(buyer.cancel(checkout_id))
    await gate.reached.wait()
    starts = [asyncio.create_task(buyer.start()) for _ in range(3)]
    done, _ = await asyncio.wait(starts, timeout=0.3)
    assert not done
    gate.open()
    assert (await cancelling).status_code in {200, 202}
    answers = await asyncio.gather(*starts)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert {answer.json()["state"] for answer in answers} == {"awaiting_payment"}


async def test_a_start_that_reaches_temporal_after_the_sale_is_an_attempt_of_its_own_that_comes_to_nothing(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only way in which starts that were sent at once are two checkouts: nothing runs any more that it could join.

    With a worker at hand it is answered 409 ``cart_ordered``; without one 202, and it ends like that.
    """
    buyer, start = Buyer(http, await stage.cart()), engine.Engine.start
    on_its_way, sold = threading.Event(), threading.Event()

    async def late(self: engine.Engine, *given: Any) -> Any:
        monkeypatch.setattr(engine.Engine, "start", start)
        on_its_way.set()
        await asyncio.to_thread(sold.wait)
        return await start(self, *given)

    monkeypatch.setattr(engine.Engine, "start", late)
    last = asyncio.create_task(buyer.start(payment=CARD))
    await asyncio.to_thread(on_its_way.wait)
    async with stage.worker():
        first = await buyer.start(payment=CARD)
        assert (first.status_code, first.json()["state"]) == (201, "completed")
        await stage.client.get_workflow_handle(workflow_id(buyer.cart_id)).result()
    monkeypatch.setattr(engine, "UPDATE_WAIT", 2)
    monkeypatch.setattr(starting, "UPDATE_WAIT", 2)
    sold.set()
    answer = await last
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    second = answer.json()["id"]
    assert second != first.json()["id"]

    async def ended() -> bool:
        return bool((await buyer.get(second))["state"] == "failed")

    async with stage.worker():
        await eventually(ended, "it has failed")
    assert (await buyer.get(second))["failure"]["code"] == "cart_ordered"
    assert (await buyer.get(first.json()["id"]))["state"] == "completed"
    assert [entry["checkout_id"] for entry in await stage.ledger()] == [first.json()["id"]]
    assert await stage.shop.rows("SELECT id FROM payment_attempts WHERE token IS NOT NULL") == []


@pytest.mark.usefixtures("worker")
async def test_a_start_that_is_not_answered_while_its_cart_is_sold_finds_the_order(
    http: httpx.AsyncClient, stage: Stage, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    basket, start = await stage.cart(), engine.Engine.start
    buyer = Buyer(http, basket)

    async def late(*_: object) -> None:
        monkeypatch.setattr(engine.Engine, "start", start)
        monkeypatch.setattr(starting, "UPDATE_WAIT", 60)
        async with httpx.AsyncClient(base_url=api_url, timeout=120) as elsewhere:
            assert (await Buyer(elsewhere, basket).start(payment=CARD)).status_code == 201
        raise StillRunning

    monkeypatch.setattr(engine.Engine, "start", late)
    monkeypatch.setattr(starting, "UPDATE_WAIT", 0)  # so that its time is up
    problem(await buyer.start(payment=CARD), 409, "cart_ordered")
    assert len(await stage.ledger()) == 1


@pytest.mark.usefixtures("worker")
async def test_a_cart_whose_checkout_was_terminated_is_closing_until_someone_gives_it_back(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    await stage.client.get_workflow_handle(workflow_id(buyer.cart_id)).terminate()
    monkeypatch.setattr(starting, "UPDATE_WAIT", 0.2)
    closing = await buyer.start(payment=CARD)
    problem(closing, 409, "checkout_closing")
    assert (await buyer.cart())["checkout_id"] == checkout_id
    problem(await buyer.pay(checkout_id), 409, "not_payable")
    problem(await buyer.cancel(checkout_id), 409, "checkout_closing")
    assert await stage.ledger() == []


@pytest.mark.usefixtures("worker")
async def test_a_payment_that_takes_longer_is_answered_as_running(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer, gate = Buyer(http, await stage.cart()), Gate()
    checkout_id = await buyer.started()
    stage.faults.then(contract.PAYMENT_CAPTURE, *waits(gate))
    monkeypatch.setattr(engine, "UPDATE_WAIT", 2)
    paying = asyncio.create_task(buyer.pay(checkout_id))
    await gate.reached.wait()
    answer = await paying
    assert answer.status_code == 202
    assert answer.json()["state"] in {"authorizing", "creating_order", "capturing"}
    gate.open()

    async def completed() -> bool:
        return bool((await buyer.get(checkout_id))["state"] == "completed")

    await eventually(completed, "completed")
    assert len(await stage.ledger()) == 1


@pytest.mark.usefixtures("worker")
async def test_while_temporal_is_away(http: httpx.AsyncClient, stage: Stage, api_settings: Settings) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    nowhere = api_settings.model_copy(update={"temporal_address": "127.0.0.1:9"})
    with serve(create_app(nowhere)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as there:
            cut = Buyer(there, await stage.cart())
            problem(await cut.start(payment=CARD), 503, "temporal_unavailable")
            assert await stage.shop.rows("SELECT token, status FROM payment_attempts") == [(None, "discarded")]
            problem(await cut.call("GET", f"/carts/{cut.cart_id}/checkout"), 503, "temporal_unavailable")
            cut.headers = buyer.headers
            for answer in (await cut.pay(checkout_id), await cut.cancel(checkout_id)):
                problem(answer, 503, "temporal_unavailable")
            problem(await cut.extend(checkout_id, 60), 503, "temporal_unavailable")
            tokens = "SELECT id FROM payment_attempts WHERE token IS NOT NULL"
            assert await stage.shop.rows(tokens) == []
            assert (await cut.call("GET", f"/carts/{buyer.cart_id}/checkout")).json()["checkout"]["id"] == checkout_id
            for live in (False, True):
                assert (await cut.get(checkout_id, live=live))["state"] == "awaiting_payment"
            problem(await cut.call("GET", f"/checkouts/{new_checkout_id(buyer.cart_id)}"), 503, "temporal_unavailable")
            assert (await there.get("/products")).status_code == 200
    assert (await buyer.pay(checkout_id)).json()["state"] == "completed"


@pytest.fixture
async def database_away(http: httpx.AsyncClient, database_url: str, api_url: str) -> AsyncIterator["Outage"]:
    """Takes the database away from the API, and gives it back."""
    outage = Outage(database_url)
    yield outage
    outage.end()


class Outage:
    """The database refuses connections of all; who is connected already, but for the API, stays."""

    def __init__(self, uri: str) -> None:
        with psycopg.connect(uri) as connection:
            self._name = connection.info.dbname
        self._admin = psycopg.connect(uri, dbname="postgres", autocommit=True)

    def begin(self) -> None:
        """From now on it is away."""
        self._allow("false")
        self._admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND application_name IN ('checkout-api', 'checkout-listen')",
            (self._name,),
        )

    def end(self) -> None:
        """It answers again."""
        if not self._admin.closed:
            self._allow("true")
            self._admin.close()

    def _allow(self, allowed: str) -> None:
        statement = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS " + allowed).format(Identifier(self._name))
        self._admin.execute(statement)


@pytest.mark.usefixtures("worker")
async def test_while_the_database_is_away(http: httpx.AsyncClient, stage: Stage, database_away: Outage) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    stranger = Buyer(http, await stage.cart())
    database_away.begin()
    shown = await buyer.get(checkout_id)  # by its workflow
    assert (shown["state"], shown["payment"]["amount"]) == ("awaiting_payment", 9984)
    problem(await stranger.call("GET", f"/checkouts/{checkout_id}"), 503, "database_unavailable")
    calls = [
        ("GET", "/products", None),
        ("GET", f"/carts/{buyer.cart_id}", None),
        ("POST", "/carts", {"currency": "EUR"}),
        ("PUT", f"/carts/{buyer.cart_id}/lines/MUG", {"quantity": 1}),
        ("POST", "/checkouts", {"cart_id": buyer.cart_id}),
        ("POST", f"/checkouts/{checkout_id}/payment", CARD),
        ("POST", f"/checkouts/{checkout_id}/cancel", None),
        ("GET", "/orders", None),
    ]
    for method, path, body in calls:
        problem(await buyer.call(method, path, body), 503, "database_unavailable")
    assert (await http.get("/health/ready")).json()["checks"]["database"] == "away"
    assert (await http.get("/health/live")).status_code == 200
    database_away.end()
    assert (await buyer.pay(checkout_id)).json()["state"] == "completed"
