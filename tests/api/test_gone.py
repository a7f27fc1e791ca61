"""A checkout whose workflow was terminated, over HTTP: what its buyer and ops meet until it is repaired, and after."""

import asyncio
from typing import Any

import httpx
import pytest

from checkout.api import engine
from checkout.domain import contract
from tests.api.buyer import Buyer, card
from tests.api.problem import problem
from tests.api.test_admin_checkout import inspected
from tests.api.test_admin_repairs import BY_HAND, WHY, act, log_of
from tests.support.invariants import check_invariants
from tests.support.waiting import eventually
from tests.workflows.fakes import Gate
from tests.workflows.faults import breaks, waits
from tests.workflows.gone import audit, begin_audit
from tests.workflows.stage import Stage

pytestmark = pytest.mark.usefixtures("worker")


async def gone(http: httpx.AsyncClient, stage: Stage, **paid: Any) -> tuple[Buyer, str]:
    """A buyer whose checkout was terminated."""
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started(**paid)
    await stage.client.get_workflow_handle(f"checkout-{buyer.cart_id}").terminate("by ops")
    return buyer, checkout


async def test_a_start_waits_for_the_repair_and_works_again_after_it(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer, checkout = await gone(http, stage)
    monkeypatch.setattr(engine, "UPDATE_WAIT", 1)
    monkeypatch.setattr("checkout.api.starting.UPDATE_WAIT", 1)
    refused = await buyer.start()
    problem(refused, 409, "checkout_closing")
    assert int(refused.headers["retry-after"]) > 0
    problem(await buyer.cancel(checkout), 409, "checkout_closing")
    monkeypatch.setattr(engine, "UPDATE_WAIT", 60)
    monkeypatch.setattr("checkout.api.starting.UPDATE_WAIT", 60)
    asked = asyncio.create_task(buyer.start(payment=card("tok_visa")))
    await audit(stage)
    assert (await asked).status_code == 201
    ended = await buyer.get(checkout)
    assert (ended["state"], ended["failure"]["code"], ended["locked"]) == ("failed", "workflow_terminated", False)
    assert (await buyer.cart())["order_reference"] is not None
    await check_invariants(stage.engine, await stage.ledger())


async def test_ops_release_it_at_once(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer, checkout = await gone(http, stage, payment=card("tok_3ds"))
    for _ in range(2):  # repeated, the same
        answer = await act(http, checkout, "release", WHY)
        assert (answer.status_code, answer.json()["state"]) == (200, "failed"), answer.text
    assert (await buyer.cart())["locked"] is False
    assert await log_of(http, checkout) == [("admin", "release", "the buyer called", "done")] * 2
    undone = {one["compensation"]: one["done"] for one in answer.json()["timeline"]["compensations"]}
    assert undone == dict.fromkeys(["unlock_cart", "release_stock", "discard_prices", "void_payment"], True)
    await check_invariants(stage.engine, await stage.ledger())


async def test_one_that_is_paid_is_completed_whatever_ops_ask(http: httpx.AsyncClient, stage: Stage) -> None:
    gate = Gate()
    stage.faults.then(contract.STOCK_COMMIT, breaks, *waits(gate))
    run = await stage.launch(token="tok_visa")
    await gate.reached.wait()
    await run.handle.terminate("by ops")
    stage.faults.clear()
    refused = problem(await act(http, run.checkout.checkout_id, "release", WHY), 409, "too_late")
    assert refused["detail"].startswith("The checkout is completed")
    gate.open()
    await check_invariants(stage.engine, await stage.ledger())


async def test_what_the_gateway_refuses_in_a_repair_is_seen_retried_and_resolved(
    http: httpx.AsyncClient, stage: Stage
) -> None:
    buyer, checkout = await gone(http, stage, payment=card("tok_3ds"))
    await stage.shop.execute(
        "UPDATE payment_attempts SET message = gateway_payment_id, gateway_payment_id = 'gw_lost' "
        "WHERE checkout_id = :id",
        id=checkout,
    )
    await (await begin_audit(stage)).result()

    async def refused() -> dict[str, Any]:
        found = await inspected(http, checkout)
        undone = [one["compensation"] for one in found["timeline"]["compensations"] if one["refused"]]
        return found if undone == ["void_payment"] else {}

    found = await eventually(refused, "the void is refused")
    assert (found["workflow"]["workflow_id"], found["workflow"]["status"]) == (f"repair-{checkout}", "running")
    tried = stage.faults.count(contract.VOID_PAYMENT)
    assert (await act(http, checkout, "retry")).status_code == 200

    async def again() -> bool:
        return stage.faults.count(contract.VOID_PAYMENT) > tried and bool(await refused())

    await eventually(again, "it is tried again, and refused again")
    answer = await act(http, checkout, "resolve", BY_HAND)
    assert answer.status_code == 200, answer.text

    async def ended() -> bool:
        return bool((await buyer.get(checkout))["state"] == "failed")

    await eventually(ended, "the repair goes on to its end")
    assert (await inspected(http, checkout))["timeline"]["payments"][0]["status"] == "resolved"
    await check_invariants(stage.engine)
