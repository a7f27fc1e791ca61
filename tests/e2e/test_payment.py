"""Cards that are declined, slow, or fail later, and a gateway that is down for a while."""

from collections.abc import Callable

import pytest

from tests.e2e.stack import Stack
from tests.e2e.storefront import Buyer, card
from tests.e2e.test_sale import stock_of

pytestmark = pytest.mark.xdist_group("sale")
Buyers = Callable[[], Buyer]


async def given_back(stack: Stack, buyer: Buyer, sku: str) -> None:
    """Assert that nothing is held or kept for a checkout that ended without a sale."""
    assert not (await buyer.cart())["locked"]
    assert await stock_of(buyer, sku) == 20
    for entry in await stack.ledger_of(buyer.checkout_id):
        assert entry["authorized"] == entry["captured"] + entry["voided"]
        assert entry["captured"] == entry["refunded"]


async def test_declined_then_another_card(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    await ada.started()
    response = await ada.pay("tok_chargeDeclined")
    assert response.status_code == 402, response.text
    assert response.json()["code"] == "payment_declined"
    assert response.json()["attempts_left"] == 2
    waiting = await ada.checkout()
    assert waiting["state"] == "awaiting_payment"
    assert waiting["last_error"]["phase"] == "payment_authorization"
    await ada.pay()
    done = await ada.until_closed()
    assert done["state"] == "completed"
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert entry["captured"] == done["totals"]["total"]


async def test_three_declines(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 2})
    await ada.started()
    left = [(await ada.pay("tok_insufficientFunds")).json()["attempts_left"] for _ in range(3)]
    assert left == [2, 1, 0]
    done = await ada.until_closed()
    assert done["state"] == "failed"
    assert done["failure"]["phase"] == "payment_authorization"
    await given_back(stack, ada, sku)
    # The cart is open again, and a new attempt sells it.
    await ada.started()
    await ada.pay()
    assert (await ada.until_closed())["state"] == "completed"


async def test_an_express_start_that_is_declined_waits_for_another_card(buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    response = await ada.start(payment=card("tok_chargeDeclined"))
    assert response.status_code == 402, response.text
    ada.checkout_id = response.json()["checkout_id"]
    assert (await ada.checkout())["state"] == "awaiting_payment"
    await ada.pay()
    assert (await ada.until_closed())["state"] == "completed"


async def test_capture_fails(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 4})
    await ada.started()
    response = await ada.pay("tok_captureFails")
    assert response.status_code in {202, 422}, response.text
    done = await ada.until_closed()
    assert done["state"] == "failed"
    assert done["failure"]["phase"] == "payment_capture"
    assert done["order"] is None or done["order"]["status"] == "cancelled"
    await given_back(stack, ada, sku)
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert (entry["captured"], entry["voided"]) == (0, entry["authorized"])


@pytest.mark.parametrize("token", ["tok_slow", "tok_gatewayDown"])
async def test_a_gateway_that_needs_a_while(stack: Stack, buyer: Buyers, sku: str, token: str) -> None:
    ada = await buyer().fill({sku: 1})
    await ada.started()
    response = await ada.pay(token)
    assert response.status_code in {200, 202}, response.text
    done = await ada.until_closed()
    assert done["state"] == "completed"
    assert done["payment"]["attempts_left"] == 3 or done["last_error"] is None
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert entry["captured"] == entry["authorized"] == done["totals"]["total"]
