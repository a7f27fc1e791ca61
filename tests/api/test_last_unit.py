"""Three buyers at once for the last unit, over HTTP, each by another method: one order, and nobody else's money."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.buyer import CARD, Buyer, card
from tests.api.problem import problem
from tests.api.test_bank_transfers import transfer
from tests.api.test_payments import confirm, decide
from tests.support.invariants import check_invariants
from tests.support.waiting import eventually
from tests.workflows.stage import Stage

pytestmark = pytest.mark.usefixtures("worker")
APPROVED, BANK = card("tok_3ds"), {"method": "bank_transfer"}


async def buy(buyer: Buyer, payment: dict[str, Any]) -> httpx.Response:
    """Start with the payment at once, and do what the buyer, or his bank, has to."""
    answer = await buyer.start(payment=payment)
    shown = answer.json()
    if shown.get("next_action") is not None:
        await (transfer(shown) if payment == BANK else decide(shown, "approve"))
        assert (await confirm(buyer, shown["id"])).status_code == 200
    return answer


async def test_one_order_and_the_others_are_told_that_stock_is_short(http: httpx.AsyncClient, stage: Stage) -> None:
    for number, first in enumerate((CARD, APPROVED, BANK)):
        sku = f"LAST-{number}"
        await stage.shop.product(sku, price=1500, stock={"FRA": 1})
        buyers = [Buyer(http, await stage.cart(**{sku: 1})) for _ in range(3)]
        # Who comes first is a matter of luck; each method begins once.
        payments = [first, *(payment for payment in (CARD, APPROVED, BANK) if payment != first)]
        answers = await asyncio.gather(*map(buy, buyers, payments))
        [sold] = [(buyer, answer) for buyer, answer in zip(buyers, answers, strict=True) if answer.status_code == 201]
        await _completed(*sold)
        refused = [(buyer, answer) for buyer, answer in zip(buyers, answers, strict=True) if answer.status_code != 201]
        assert len(refused) == 2
        for buyer, answer in refused:
            told = problem(answer, 422, "insufficient_stock")
            assert told["context"] == {"lines": [{"sku": sku, "requested": 1, "available": 0}]}
            assert (await buyer.cart())["locked"] is False
            assert (await buyer.call("GET", "/orders")).json()["items"] == []
        left = "SELECT on_hand, reserved FROM stock WHERE variant_id = :v AND warehouse_id = :w"
        of = {"v": stage.shop.variants[sku], "w": stage.shop.warehouses["FRA"]}
        assert await stage.shop.rows(left, **of) == [(0, 0)]
    ledger = await stage.ledger()
    assert len(ledger) == 3, "nobody else was even asked for money"
    await check_invariants(stage.engine, ledger)


async def _completed(buyer: Buyer, answer: httpx.Response) -> None:
    async def there() -> bool:
        return bool((await buyer.get(answer.json()["id"]))["state"] == "completed")

    await eventually(there, "the one that has the unit is completed")
