"""Carts and products over HTTP: made, filled, addressed, discounted, claimed, and nobody else's."""

from typing import Any

import httpx
import pytest

from checkout.api.security import Session, Tokens
from checkout.runtime.database import Sessions
from tests.api.conftest import ADMIN_TOKEN, SECRET_KEY
from tests.api.problem import problem
from tests.support.shop import ADDRESS, Shop

TOKENS = Tokens(SECRET_KEY, ADMIN_TOKEN)
MISSING = {"line2": None, "region": None}


@pytest.fixture
async def shop(sessions: Sessions) -> Shop:
    shop = await Shop(sessions).open()
    await shop.product("MUG", {"EUR": 2500, "USD": 2700}, {"FRA": 60, "LYS": 40}, title="Mug", variant_title="Blue")
    await shop.product("BOOK/1", 1000, 3, tax_class="reduced", title="Book")
    await shop.coupon("TEN")
    return shop


def bearer(session: Session) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS.mint(session)}"}


async def new_cart(http: httpx.AsyncClient, **body: Any) -> tuple[str, dict[str, str]]:
    answer = await http.post("/carts", json={"currency": "EUR", **body})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], {"Authorization": f"Bearer {answer.json()['session_token']}"}


async def test_products_are_listed_with_prices_and_what_is_available(http: httpx.AsyncClient, shop: Shop) -> None:
    listed = (await http.get("/products")).json()["items"]
    assert [
        (item["sku"], item["name"], item["unit_price"], item["currency"], item["available"]) for item in listed
    ] == [
        ("BOOK/1", "Book", 1000, "EUR", 3),
        ("MUG", "Mug – Blue", 2500, "EUR", 100),
    ]
    assert listed[0].keys() == {"sku", "name", "description", "image_url", "unit_price", "currency", "available"}
    in_dollars = (await http.get("/products", params={"currency": "USD"})).json()["items"]
    assert [(item["sku"], item["unit_price"]) for item in in_dollars] == [("MUG", 2700)]
    assert len((await http.get("/products", params={"limit": 1})).json()["items"]) == 1
    assert (await http.get("/products/BOOK%2F1")).json() == listed[0]
    problem(await http.get("/products/NONE"), 404, "sku_not_found")
    problem(await http.get("/products/BOOK%2F1", params={"currency": "USD"}), 404, "sku_not_found")


async def test_a_cart_is_filled_addressed_and_priced(http: httpx.AsyncClient, shop: Shop) -> None:
    cart_id, headers = await new_cart(http, email="ada@example.com")
    path = f"/carts/{cart_id}"
    cart = (await http.put(f"{path}/lines/MUG", json={"quantity": 2}, headers=headers)).json()
    assert (cart["sub_total"], cart["tax_total"], cart["shipping_address"]) == (5000, 0, None)
    answer = await http.put(f"{path}/addresses", json={"shipping": ADDRESS}, headers=headers)
    assert answer.json()["shipping_address"] == {**ADDRESS, **MISSING}
    assert answer.json()["email"] == "ada@example.com"
    cart = (await http.put(f"{path}/coupon", json={"code": "ten"}, headers=headers)).json()
    assert cart["lines"] == [
        {
            "sku": "MUG",
            "name": "Mug – Blue",
            "quantity": 2,
            "unit_price": 2500,
            "sub_total": 5000,
            "discount_total": 500,
            "tax_total": 855,
            "total": 5355,
        }
    ]
    totals = {name: cart[name] for name in ("sub_total", "discount_total", "shipping_total", "tax_total", "total")}
    assert totals == {
        "sub_total": 5000,
        "discount_total": 500,
        "shipping_total": 490,
        "tax_total": 948,
        "total": 5938,
    }
    assert (cart["coupon_code"], cart["shipping_option"], cart["locked"]) == ("TEN", "standard", False)
    assert (cart["checkout_id"], cart["order_reference"]) == (None, None)
    assert cart["created_at"].endswith("Z")
    assert (await http.get(path, headers=headers)).json() == {**cart, "updated_at": cart["updated_at"]}


async def test_lines_are_set_replaced_and_deleted(http: httpx.AsyncClient, shop: Shop) -> None:
    cart_id, headers = await new_cart(http)
    lines = f"/carts/{cart_id}/lines"
    for quantity in (1, 999, 1, 4):  # stock is not asked
        cart = (await http.put(f"{lines}/BOOK%2F1", json={"quantity": quantity}, headers=headers)).json()
        assert [(line["sku"], line["quantity"]) for line in cart["lines"]] == [("BOOK/1", quantity)]
    problem(await http.put(f"{lines}/NONE", json={"quantity": 1}, headers=headers), 404, "sku_not_found")
    for _ in range(2):
        deleted = await http.delete(f"{lines}/BOOK%2F1", headers=headers)
        assert (deleted.status_code, deleted.json()["lines"]) == (200, [])


async def test_shipping_options_the_cheapest_until_one_is_chosen(http: httpx.AsyncClient, shop: Shop) -> None:
    cart_id, headers = await new_cart(http)
    path = f"/carts/{cart_id}"
    assert (await http.get(f"{path}/shipping-options", headers=headers)).json() == {"items": []}
    chosen = {"option": "express"}
    problem(await http.put(f"{path}/shipping-option", json=chosen, headers=headers), 422, "address_missing")
    await http.put(f"{path}/addresses", json={"shipping": ADDRESS}, headers=headers)
    await http.put(f"{path}/lines/MUG", json={"quantity": 1}, headers=headers)
    options = (await http.get(f"{path}/shipping-options", headers=headers)).json()["items"]
    assert [(option["code"], option["amount"], option["selected"]) for option in options] == [
        ("standard", 490, True),
        ("express", 1490, False),
    ]
    cart = (await http.put(f"{path}/shipping-option", json=chosen, headers=headers)).json()
    assert (cart["shipping_option"], cart["shipping_total"]) == ("express", 1490)
    unknown = await http.put(f"{path}/shipping-option", json={"option": "drone"}, headers=headers)
    problem(unknown, 422, "shipping_option_unavailable")
    assert (await http.get(path, headers=headers)).json()["shipping_option"] == "express"


async def test_a_refused_coupon_changes_nothing(http: httpx.AsyncClient, shop: Shop) -> None:
    await shop.coupon("BIG", minimum_amount=1_000_000)
    cart_id, headers = await new_cart(http)
    path = f"/carts/{cart_id}"
    await http.put(f"{path}/lines/MUG", json={"quantity": 1}, headers=headers)
    assert (await http.put(f"{path}/coupon", json={"code": "TEN"}, headers=headers)).status_code == 200
    problem(await http.put(f"{path}/coupon", json={"code": "NONE"}, headers=headers), 422, "coupon_unknown")
    problem(await http.put(f"{path}/coupon", json={"code": "BIG"}, headers=headers), 422, "coupon_below_minimum")
    assert (await http.get(path, headers=headers)).json()["coupon_code"] == "TEN"
    for _ in range(2):
        assert (await http.delete(f"{path}/coupon", headers=headers)).json()["coupon_code"] is None


async def test_what_stands_in_the_way_of_a_checkout_is_said_all_at_once(http: httpx.AsyncClient, shop: Shop) -> None:
    cart_id, headers = await new_cart(http)
    path = f"/carts/{cart_id}"

    async def standing() -> dict[str, Any]:
        return dict((await http.get(f"{path}/checkout", headers=headers)).json())

    assert (await standing())["reasons"] == ["empty_cart", "email_missing", "address_missing"]
    await http.put(f"{path}/lines/BOOK%2F1", json={"quantity": 4}, headers=headers)
    await http.put(f"{path}/addresses", json={"shipping": ADDRESS, "email": "ada@example.com"}, headers=headers)
    assert await standing() == {
        "locked": False,
        "can_checkout": False,
        "reasons": ["insufficient_stock"],
        "checkout": None,
    }
    await http.put(f"{path}/lines/BOOK%2F1", json={"quantity": 3}, headers=headers)
    assert await standing() == {"locked": False, "can_checkout": True, "reasons": [], "checkout": None}


async def test_a_cart_is_its_sessions_and_nobody_elses(http: httpx.AsyncClient, shop: Shop) -> None:
    cart_id, headers = await new_cart(http)
    path = f"/carts/{cart_id}"
    stranger = bearer(Session("ses_stranger", "customer-2"))
    calls: list[tuple[str, str, Any]] = [
        ("GET", path, None),
        ("GET", f"{path}/checkout", None),
        ("GET", f"{path}/shipping-options", None),
        ("PUT", f"{path}/lines/MUG", {"quantity": 1}),
        ("DELETE", f"{path}/lines/MUG", None),
        ("PUT", f"{path}/addresses", {"shipping": ADDRESS}),
        ("PUT", f"{path}/coupon", {"code": "TEN"}),
        ("DELETE", f"{path}/coupon", None),
        ("PUT", f"{path}/shipping-option", {"option": "standard"}),
        ("POST", f"{path}/claim", {"session_token": TOKENS.mint(Session("ses_stranger"))}),
    ]
    for method, url, body in calls:
        problem(await http.request(method, url, json=body, headers=stranger), 404, "cart_not_found")
        problem(await http.request(method, url, json=body), 401, "token_missing")
        operator = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        problem(await http.request(method, url, json=body, headers=operator), 403, "session_required")
    assert (await http.get(path, headers=headers)).json()["lines"] == []


async def test_a_session_that_has_a_token_gets_no_other(http: httpx.AsyncClient, shop: Shop) -> None:
    session = bearer(Session("ses_mine"))
    answer = await http.post("/carts", json={"currency": "USD"}, headers=session)
    assert (answer.status_code, answer.json()["session_token"]) == (201, None)
    assert (await http.get(f"/carts/{answer.json()['id']}", headers=session)).status_code == 200


async def test_a_guests_cart_is_claimed_by_the_customer_who_signs_in(http: httpx.AsyncClient, shop: Shop) -> None:
    cart_id, headers = await new_cart(http)
    guest_token = headers["Authorization"].removeprefix("Bearer ")
    path = f"/carts/{cart_id}"
    customer, elsewhere = bearer(Session("ses_new", "customer-1")), bearer(Session("ses_phone", "customer-1"))
    problem(await http.get(path, headers=customer), 404, "cart_not_found")
    claim = {"session_token": guest_token}
    problem(await http.post(f"{path}/claim", json=claim, headers=headers), 403, "customer_required")
    broken = {"session_token": guest_token[:-3] + "xyz"}
    problem(await http.post(f"{path}/claim", json=broken, headers=customer), 422, "validation_failed", "session_token")
    for _ in range(2):
        claimed = await http.post(f"{path}/claim", json=claim, headers=customer)
        assert (claimed.status_code, claimed.json()["id"]) == (200, cart_id)
    for owner in (customer, elsewhere, headers):
        assert (await http.get(path, headers=owner)).status_code == 200
    other = bearer(Session("ses_other", "customer-2"))
    problem(await http.post(f"{path}/claim", json=claim, headers=other), 404, "cart_not_found")


async def test_a_row_of_the_shop_that_makes_no_sense_is_told_and_is_no_crash(
    http: httpx.AsyncClient, shop: Shop
) -> None:
    cart_id, headers = await new_cart(http, email="ada@example.com")
    path = f"/carts/{cart_id}"
    await http.put(f"{path}/lines/MUG", json={"quantity": 2}, headers=headers)
    before = (await http.put(f"{path}/addresses", json={"shipping": ADDRESS}, headers=headers)).json()
    await shop.execute("INSERT INTO tax_rates (country, region, percent) VALUES ('DE', 'Atlantis', 1)")
    for answer in (
        await http.get(path, headers=headers),
        await http.get(f"{path}/checkout", headers=headers),
        await http.get(f"{path}/shipping-options", headers=headers),
        await http.put(f"{path}/lines/MUG", json={"quantity": 3}, headers=headers),
    ):
        assert "Atlantis" in problem(answer, 422, "pricing_impossible")["detail"]
    await shop.execute("DELETE FROM tax_rates WHERE region = 'Atlantis'")
    assert (await http.get(path, headers=headers)).json() == before
