"""Bank transfers over HTTP: what the buyer is told, what arrives, and what goes back."""

from typing import Any

import httpx
import pytest

from checkout.domain.ids import unowed_workflow_id
from tests.api.buyer import Buyer
from tests.api.problem import problem
from tests.api.test_payments import event, payment_id, send
from tests.support.waiting import eventually
from tests.workflows.stage import Stage

pytestmark = pytest.mark.usefixtures("worker")


async def ordered(buyer: Buyer) -> dict[str, Any]:
    """A checkout that waits for a bank transfer: the order is made, the stock is held."""
    answer = await buyer.start(payment={"method": "bank_transfer"})
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    assert (shown["state"], shown["payment"]["status"]) == ("awaiting_funds", "pending")
    assert shown["order"]["status"] == "pending"
    details = shown["next_action"]
    assert (details["type"], details["amount"]) == ("bank_details", shown["totals"]["total"])
    assert {"iban", "bic", "holder", "reference", "currency", "url"} <= details.keys()
    return shown


async def transfer(shown: dict[str, Any], amount: int | None = None) -> None:
    body = {"outcome": "funds_received"} | ({} if amount is None else {"amount": amount})
    async with httpx.AsyncClient(timeout=60) as bank:
        answer = await bank.post(shown["next_action"]["url"], json=body)
        assert answer.status_code == 200, answer.text


async def kept(stage: Stage, shown: dict[str, Any]) -> int:
    return sum(item["captured"] - item["refunded"] for item in await stage.gateway.ledger(shown["id"]))


async def returned(stage: Stage) -> list[tuple[Any, ...]]:
    return await stage.shop.rows("SELECT amount, currency FROM unowed_money ORDER BY returned_until")


async def test_paid_in_parts_then_late_money_goes_back(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    shown = await ordered(buyer)
    total, payment = shown["totals"]["total"], await payment_id(stage, shown)
    problem(await buyer.cancel(shown["id"]), 409, "too_late")
    await transfer(shown, 1000)
    assert (await send(http, event(payment, 1))).status_code == 200

    async def missing() -> bool:
        now = await buyer.get(shown["id"])
        return bool(now["last_error"] and now["next_action"]["amount"] == total - 1000)

    await eventually(missing, "what is missing is shown")
    partly = await buyer.get(shown["id"])
    assert partly["last_error"]["code"] == "funds_missing"
    assert partly["last_error"]["context"] == {"currency": "EUR", "received": 1000, "missing": total - 1000}
    assert partly["state"] == "awaiting_funds"
    await transfer(shown, total - 1000 + 5)  # 5 too much
    assert (await send(http, event(payment, 2))).status_code == 200

    async def completed() -> bool:
        return bool((await buyer.get(shown["id"]))["state"] == "completed")

    await eventually(completed, "the rest completes it")

    async def excess_went_back() -> bool:
        return bool(await kept(stage, shown) == total)

    await eventually(excess_went_back, "the excess went back")
    await transfer(shown, 700)
    for number in (3, 3, 4):  # repeated, and told of twice: it goes back once
        assert (await send(http, event(payment, number))).status_code == 200
        await stage.client.get_workflow_handle(unowed_workflow_id(payment)).result()
    assert await kept(stage, shown) == total
    assert await returned(stage) == [(5, "EUR"), (700, "EUR")]
    done = await buyer.get(shown["id"])
    assert (done["order"]["status"], done["payment"]["status"]) == ("paid", "captured")
