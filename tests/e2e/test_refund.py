"""A refund whose worker is killed when the gateway has given the money back and nobody has written it down."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.storefront import CARD, Buyer
from tests.e2e.test_sale import stock_of
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(600)]


async def test_a_worker_killed_in_the_middle_gives_back_once(
    stack: Stack, client: httpx.AsyncClient, buyer: Callable[[], Buyer], sku: str
) -> None:
    ada = await buyer().fill({sku: 3})
    await ada.start(payment=CARD)
    order = (await ada.until_closed())["order"]["reference"]
    described = stack.described()
    operator = {"Authorization": f"Bearer {described['admin_token']}", "Idempotency-Key": "return-1"}
    secrets = json.loads((stack.data / "secrets.json").read_text())
    gateway = httpx.AsyncClient(
        base_url=described["gateway"]["url"], headers={"Authorization": f"Bearer {secrets['gateway_api_key']}"}
    )

    async def refund() -> httpx.Response:
        body = {"lines": [{"sku": sku, "quantity": 2}], "restock": True, "reason": "came back"}
        return await client.post(f"/admin/orders/{order}/refund", json=body, headers=operator)

    def taken(response: httpx.Response) -> httpx.Response:
        """Done, or on its way: then the same request is to be sent again, and with its key it is the same refund."""
        assert response.status_code in {200, 202}, response.text
        assert ("retry-after" in response.headers) is (response.status_code == 202)
        return response

    async def shown() -> dict[str, int]:
        answer = await client.get(f"/admin/orders/{order}", headers=operator)
        payment: dict[str, int] = answer.json()["payment"]
        return payment

    async with gateway:
        fault = {"operation": "refund", "fault": "latency", "seconds": 3, "count": 1}
        assert (await gateway.post("/faults", json=fault)).status_code < 300
        asking = asyncio.ensure_future(refund())

        async def reserved() -> int:
            return (await shown())["refund_pending"]

        amount = await eventually(reserved, "the amount is kept free")
        async with stack.holding("SELECT FROM orders WHERE reference = %(order)s FOR UPDATE", {"order": order}) as hold:
            await hold.until_felt()  # by whoever writes down what the gateway did
            [entry] = await stack.ledger_of(ada.checkout_id)
            assert entry["refunded"] == amount
            await stack.kill("worker")
        taken(await asking)

        async def done() -> bool:
            return (await shown())["refunded"] == amount

        await eventually(done, "the refund goes on by itself")

        async def answered() -> httpx.Response | None:
            response = taken(await refund())
            return response if response.status_code == 200 else None

        # The row says so before its workflow has ended, for which a repeat waits five seconds.
        again = await eventually(answered, "the refund has ended")
    assert again is not None
    assert again.json()["status"] == "partially_refunded"
    assert len(again.json()["refunds"]) == 1
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert entry["refunded"] == amount
    assert await stock_of(ada, sku) == 19
