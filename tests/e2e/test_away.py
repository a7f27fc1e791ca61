"""What the shop says while something it needs is away, and that it is whole again afterwards."""

import asyncio
from collections.abc import Callable

import pytest

from tests.e2e.stack import Stack
from tests.e2e.storefront import CARD, Buyer

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(600)]
Buyers = Callable[[], Buyer]


async def test_temporal_away(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    with stack.paused("temporal"):
        response = await ada.call("POST", "/checkouts", {"cart_id": ada.cart_id, "payment": CARD})
        assert response.status_code == 503, response.text
        assert response.headers["content-type"].startswith("application/problem+json")
        assert int(response.headers["retry-after"]) > 0
        assert (await ada.call("GET", "/health/ready")).status_code == 503
        assert (await ada.call("GET", "/health/live")).status_code == 200
        # What needs no Temporal goes on.
        await ada.expect(200, "GET", f"/carts/{ada.cart_id}")
    await stack.until_ready()
    # The start whose answer was lost may have begun after all: a repeat finds it or makes it, once.
    again = await ada.start_when_possible(payment=CARD)
    assert again.status_code in {200, 201, 202, 409}, again.text
    ada.checkout_id = str((await ada.cart())["checkout_id"])
    checkout = await ada.until(lambda checkout: checkout["state"] in {"completed", "awaiting_payment"})
    if checkout["state"] == "awaiting_payment":
        await ada.pay()
    assert (await ada.until_closed())["state"] == "completed"
    assert len(await stack.ledger_of(ada.checkout_id)) == 1


async def test_postgres_killed_while_a_checkout_waits(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 3})
    waiting = await ada.started()
    await stack.kill("postgres")
    assert (await ada.checkout())["totals"] == waiting["totals"]
    response = await ada.pay()
    assert response.status_code in {200, 202}, response.text
    assert (await ada.until_closed())["state"] == "completed"


async def test_everything_killed_at_once(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada, ben = await buyer().fill({sku: 1}), await buyer().fill({sku: 1})
    await ada.started()
    await asyncio.gather(*(stack.kill(name) for name in ("worker", "api", "gateway", "temporal", "postgres")))
    await ada.pay()
    assert (await ada.until_closed())["state"] == "completed"
    await ben.start(payment=CARD)
    assert (await ben.until_closed())["state"] == "completed"
