"""Workflows that are taken away from a whole shop: terminated one by one, or all at once with Temporal's data."""

import asyncio
from collections.abc import Callable

import pytest
from temporalio.client import Client

from tests.e2e.stack import Stack
from tests.e2e.storefront import CARD, Buyer, card
from tests.e2e.test_crash_matrix import ORDERS, STOCK, Middle, in_the_middle

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(600)]
Buyers = Callable[[], Buyer]


async def terminate(stack: Stack, buyer: Buyer) -> None:
    """As ops do in the Temporal UI."""
    client = await Client.connect(stack.described()["temporal"]["address"])
    await client.get_workflow_handle(f"checkout-{buyer.cart_id}").terminate("by ops")


async def test_terminated(stack: Stack, buyer: Buyers, sku: str) -> None:
    """While it waits for the buyer, for his approval and for his bank; the cart is free again afterwards."""
    ada, ben, eve = [await buyer().fill({sku: 2}) for _ in range(3)]
    await ada.started()
    assert (await ben.start(payment=card("tok_3ds"))).json()["state"] == "requires_action"
    assert (await eve.start(payment={"method": "bank_transfer"})).json()["state"] == "awaiting_funds"
    for one in (ada, ben, eve):
        await terminate(stack, one)
    for one in (ada, ben, eve):
        ended = await one.until_closed()
        assert (ended["state"], ended["failure"]["code"]) == ("failed", "workflow_terminated")
    assert (await ada.expect(200, "GET", f"/products/{sku}"))["available"] == 20
    again = await ada.start_when_possible(payment=CARD)
    assert again.status_code == 201, again.text
    assert (await ada.until_closed())["state"] == "completed"


@pytest.mark.parametrize("killed", ["worker", None], ids=["and-the-worker-killed", "alone"])
async def test_terminated_when_it_is_paid(stack: Stack, buyer: Buyers, sku: str, killed: str | None) -> None:
    """The money is captured and the units are not committed yet: the order is completed."""
    ada = await buyer().fill({sku: 2})
    async with in_the_middle(stack, Middle(STOCK, before=ORDERS), {"cart": ada.cart_id, "sku": sku}) as arrive:
        asked = asyncio.create_task(ada.start(payment=CARD))
        await arrive()
        await terminate(stack, ada)
        if killed:
            await stack.kill(killed)
    await asked
    ada.checkout_id = str((await ada.cart())["checkout_id"])
    done = await ada.until_closed()
    assert done["state"] == "completed", done
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert entry["captured"] - entry["refunded"] == done["totals"]["total"]


async def test_temporal_has_lost_everything(stack: Stack, buyer: Buyers, sku: str) -> None:
    """Its data is gone, as after a disk that no backup was made of: whatever ran ends, and the shop goes on selling."""
    ada, ben = [await buyer().fill({sku: 2}) for _ in range(2)]
    await ada.started()
    assert (await ben.start(payment={"method": "bank_transfer"})).json()["state"] == "awaiting_funds"
    for file in (stack.data / "temporal").iterdir():
        file.unlink()  # the server that runs has it open; the one that takes its place makes another
    await stack.kill("temporal")
    await stack.kill("worker")  # which sees to the schedules when it starts
    for one in (ada, ben):
        ended = await one.until_closed()
        assert (ended["state"], ended["failure"]["code"]) == ("failed", "workflow_terminated")
    await ada.start_when_possible(payment=CARD)
    assert (await ada.until_closed())["state"] == "completed"
    assert (await ada.expect(200, "GET", f"/products/{sku}"))["available"] == 18
