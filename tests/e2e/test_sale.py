"""One sale from cart to order, and what the buyer was shown staying true."""

from collections.abc import Callable

import pytest

from tests.e2e.stack import Stack
from tests.e2e.storefront import CARD, Buyer

pytestmark = pytest.mark.xdist_group("sale")
Buyers = Callable[[], Buyer]


async def stock_of(buyer: Buyer, sku: str) -> int:
    """What the shop offers of a product now."""
    return int((await buyer.expect(200, "GET", f"/products/{sku}"))["available"])


async def test_step_by_step(buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 3})
    response = await ada.start()
    assert response.status_code in {201, 202}, response.text
    waiting = await ada.until(lambda checkout: checkout["state"] == "awaiting_payment")
    assert waiting["locked"]
    assert waiting["totals"]["sub_total"] == 7500
    assert waiting["payment"]["amount"] == waiting["totals"]["total"]
    assert await stock_of(ada, sku) == 17
    assert (await ada.call("PUT", f"/carts/{ada.cart_id}/lines/{sku}", {"quantity": 1})).status_code == 423

    response = await ada.pay(expected_total=waiting["totals"]["total"])
    assert response.status_code in {200, 202}, response.text
    done = await ada.until_closed()
    assert done["state"] == "completed"
    assert done["payment"]["status"] == "captured"
    assert done["totals"] == waiting["totals"]
    order = await ada.expect(200, "GET", f"/orders/{done['order']['reference']}")
    assert order["status"] == "paid"
    assert order["totals"] == waiting["totals"]
    assert [(line["sku"], line["quantity"]) for line in order["lines"]] == [(sku, 3)]
    assert await stock_of(ada, sku) == 17
    assert (await ada.call("PUT", f"/carts/{ada.cart_id}/lines/{sku}", {"quantity": 1})).status_code == 409
    again = await ada.call("POST", "/checkouts", {"cart_id": ada.cart_id})
    assert (again.status_code, again.json()["code"]) == (409, "cart_ordered")


async def test_express(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    response = await ada.start(payment=CARD)
    assert response.status_code in {201, 202}, response.text
    done = await ada.until_closed()
    assert done["state"] == "completed"
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert entry["captured"] == entry["authorized"] == done["totals"]["total"]


async def test_a_cart_of_several_products(buyer: Buyers, sku: str) -> None:
    """Units from both warehouses: no single one has that many."""
    ada = await buyer().fill({sku: 15, "TEST-79": 1})
    await ada.start(payment=CARD)
    assert (await ada.until_closed())["state"] == "completed"
    assert await stock_of(ada, sku) == 5


async def test_every_short_line_is_named(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 21, "TEST-78": 999, "TEST-77": 1})
    response = await ada.start(payment=CARD)
    assert response.status_code == 422, response.text
    problem = response.json()
    assert problem["code"] == "insufficient_stock"
    short = {line["sku"]: (line["requested"], line["available"]) for line in problem["context"]["lines"]}
    assert short == {sku: (21, 20), "TEST-78": (999, 20)}
    assert not (await ada.cart())["locked"]
    assert await stock_of(ada, sku) == await stock_of(ada, "TEST-77") == 20
    assert not await stack.ledger_of(problem["checkout_id"])

    await ada.expect(200, "PUT", f"/carts/{ada.cart_id}/lines/{sku}", {"quantity": 20})
    await ada.expect(200, "DELETE", f"/carts/{ada.cart_id}/lines/TEST-78")
    await ada.start(payment=CARD)
    assert (await ada.until_closed())["state"] == "completed"


async def test_a_price_change_after_the_lock(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 2})
    waiting = await ada.started()
    export = stack.data.parent / "dearer.csv"
    export.write_text(
        f"Handle,Title,Variant SKU,Variant Price,Variant Inventory Qty\n{sku.lower()},Dearer,{sku},99.00,12\n",
        encoding="utf-8",
    )
    stack.run("import-products", str(export), "--warehouse", "main")
    assert (await ada.expect(200, "GET", f"/products/{sku}"))["unit_price"] == 9900
    await ada.pay()
    done = await ada.until_closed()
    assert done["totals"] == waiting["totals"]
    order = await ada.expect(200, "GET", f"/orders/{done['order']['reference']}")
    assert [line["unit_price"] for line in order["lines"]] == [2500]
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert entry["captured"] == waiting["totals"]["total"]


async def test_another_total_than_expected(buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    response = await ada.start(expected_total=1)
    assert response.status_code == 422, response.text
    assert response.json()["code"] == "total_mismatch"
    assert not (await ada.cart())["locked"]
    assert await stock_of(ada, sku) == 20
