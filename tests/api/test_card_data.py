"""A card number that is sent all the same: refused by field, and in no row, log or history afterwards."""

import json
import logging
from typing import Any

import httpx
import pytest

from tests.api.buyer import Buyer, card
from tests.api.problem import problem
from tests.workflows.stage import Stage

#: Of test cards, in the ways people write them.
NUMBERS = ["4242424242424242", "4242 4242 4242 4242", "5555-5555-5555-4444", "378282246310005", "6304000000000000"]
NUMBERS += ["4000 0566 5566 5556 12/30 123"]
#: Calls whose texts are kept.
KEPT: list[tuple[str, str, dict[str, Any], str]] = [
    ("PUT", "/carts/{cart}/addresses", {"shipping": {"name": "Ada", "line1": "{number}"}}, "shipping.line1"),
    ("PUT", "/carts/{cart}/coupon", {"code": "{number}"}, "code"),
    ("POST", "/admin/checkouts/{checkout}/release", {"reason": "his card {number} was stolen"}, "reason"),
    ("POST", "/admin/orders/ORD-1/refund", {"reason": "to {number}, please"}, "reason"),
]


@pytest.mark.usefixtures("worker")
async def test_a_card_number_is_kept_nowhere(
    http: httpx.AsyncClient, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    buyer = Buyer(http, await stage.cart())
    for number in NUMBERS:
        answer = await buyer.start(payment=card(number))
        problem(answer, 422, "card_number_refused", "payment.token")
        assert number not in answer.text
    checkout_id = await buyer.started()
    for number in NUMBERS:
        answer = await buyer.pay(checkout_id, number)
        problem(answer, 422, "card_number_refused", "token")
        assert number not in answer.text
        body = {"method": "card", "token": "tok_visa", "card": {"number": number, "cvc": "123"}}
        problem(
            await buyer.call("POST", f"/checkouts/{checkout_id}/payment", body),
            422,
            "card_number_refused",
            "card.number",
        )
        for method, path, given, field in KEPT:
            filled = json.loads(json.dumps(given).replace("{number}", number))
            answer = await buyer.call(method, path.format(cart=buyer.cart_id, checkout=checkout_id), filled)
            problem(answer, 422, "card_number_refused", field)
    answer = await buyer.call(
        "POST", f"/checkouts/{checkout_id}/payment", {"method": "card", "token": 4242424242424242}
    )
    problem(answer, 422, "validation_failed", "token")
    assert (await buyer.get(checkout_id))["payment"]["attempts_left"] == 3

    handle = stage.client.get_workflow_handle(f"checkout-{buyer.cart_id}")
    history = (await handle.fetch_history()).to_json()
    rows = await _everything(stage)
    for number in [*NUMBERS, *(number.replace(" ", "").replace("-", "") for number in NUMBERS)]:
        for place in (history, rows, caplog.text):
            assert number not in place


async def _everything(stage: Stage) -> str:
    """Every row of every table, the gateway's too, as text."""
    tables = await stage.shop.rows(
        "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables "
        "WHERE table_schema IN ('public', 'gateway') AND table_type = 'BASE TABLE'"
    )
    assert len(tables) > 20
    found = [await stage.shop.rows(f"SELECT t::text FROM {table} t") for (table,) in tables]  # noqa: S608 - names
    return "\n".join(row for rows in found for (row,) in rows)


async def test_a_token_of_another_gateway_costs_no_attempt(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    for token in ("pm_card_visa", "tok_1NirD82eZvKYlo2CIvbtLWuY", "pi_3MtwBwLkdIwHu7ix28a3tqPa"):
        problem(await buyer.start(payment=card(token)), 422, "validation_failed", "payment.token")
    assert await stage.shop.execute("SELECT count(*) FROM payment_attempts") == 0
