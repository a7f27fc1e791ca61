"""Events on real processes: what is being told when its process is killed is told again, of the same."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.storefront import Buyer, card
from tests.support.receiver import HANGS, receiver
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("crash")
Buyers = Callable[[], Buyer]


async def test_a_worker_that_is_killed_in_the_middle_of_a_webhook(
    stack: Stack, client: httpx.AsyncClient, buyer: Buyers, sku: str
) -> None:
    """And a listener of its own accord: the confirmation is in the mailbox once."""
    admin = {"Authorization": f"Bearer {stack.described()['admin_token']}"}
    with receiver() as there:
        wanted = {"url": there.url, "events": ["checkout.completed"]}
        endpoint: dict[str, Any] = (await client.post("/admin/webhooks", json=wanted, headers=admin)).json()
        there.secret, there.answers = endpoint["secret"], [HANGS]
        ada = await buyer().fill({sku: 1})
        response = await ada.start(payment=card("tok_visa"))
        assert response.status_code == 201, response.text

        async def hangs() -> bool:
            return there.hanging.is_set()

        await eventually(hangs, "the webhook is under way")
        await stack.kill("worker")

        async def again() -> bool:
            return len(there.received) > 1

        await eventually(again, "another worker sends it")
        assert there.refused == []
        assert there.received[0] == there.received[1]
        reference = (await ada.checkout())["order"]["reference"]
        assert there.received[0][1]["data"]["order_reference"] == reference

        async def mailed() -> bool:
            return (await client.get("/dev/mailbox")).text.count(f"Your order {reference}") > 0

        await eventually(mailed, "the order is confirmed")
        assert (await client.delete(f"/admin/webhooks/{endpoint['id']}", headers=admin)).status_code == 200
