"""Many at once: one start wins, one cart sells once, and nothing is oversold."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import httpx
import psycopg
import pytest

from tests.e2e.stack import SECRET_KEY, Stack
from tests.e2e.storefront import CARD, Buyer, session_token
from tests.e2e.test_sale import stock_of

pytestmark = pytest.mark.xdist_group("sale")
Buyers = Callable[[], Buyer]


async def test_the_same_start_ten_times_at_once(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    answers = await asyncio.gather(
        *(ada.call("POST", "/checkouts", {"cart_id": ada.cart_id, "payment": CARD}) for _ in range(10))
    )
    begun: dict[str, set[int]] = {}
    for answer in answers:
        if answer.status_code == 409:  # came after the sale
            assert answer.json()["code"] == "cart_ordered", answer.text
        else:
            assert answer.status_code in {200, 201, 202}, answer.text
            begun.setdefault(answer.json()["id"], set()).add(answer.status_code)
    assert [answer.status_code for answer in answers].count(201) <= 1
    ended = []
    for ada.checkout_id in begun:
        ended.append(await ada.until_closed())
    [sold] = [checkout for checkout in ended if checkout["state"] == "completed"]
    assert [entry["captured"] for entry in await stack.ledger_of(sold["id"])] == [sold["totals"]["total"]]
    for came_after_the_sale in (checkout for checkout in ended if checkout is not sold):
        # Told by no 409, because that took longer than five seconds: nothing ran any more that it could have joined.
        assert begun[came_after_the_sale["id"]] == {202}
        assert came_after_the_sale["locked_at"] > sold["completed_at"]
        assert (came_after_the_sale["state"], came_after_the_sale["failure"]["code"]) == ("failed", "cart_ordered")
        assert await stack.ledger_of(came_after_the_sale["id"]) == []
    assert await stock_of(ada, sku) == 19


async def test_two_sessions_of_a_customer_race_for_one_cart(buyer: Buyers, client: httpx.AsyncClient, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    phone = Buyer(client, session_token(SECRET_KEY, f"ses_phone_{sku}", f"customer-{sku}"))
    claimed = await phone.call("POST", f"/carts/{ada.cart_id}/claim", {"session_token": ada.token})
    assert claimed.status_code == 200, claimed.text
    laptop = Buyer(client, session_token(SECRET_KEY, f"ses_laptop_{sku}", f"customer-{sku}"))
    laptop.cart_id = phone.cart_id = ada.cart_id
    first, second = await asyncio.gather(phone.start(), laptop.start())
    winner, loser, refused = (phone, laptop, second) if first.status_code < 300 else (laptop, phone, first)
    assert sorted([first.status_code, second.status_code])[1] == 409, (first.text, second.text)
    assert refused.json()["code"] == "checkout_in_progress"
    await winner.until(lambda checkout: checkout["state"] == "awaiting_payment")
    stranger = Buyer(client, session_token(SECRET_KEY, f"ses_other_{sku}", "somebody-else"))
    stranger.checkout_id = winner.checkout_id
    assert (await stranger.call("GET", stranger.path)).status_code == 404
    assert (await stranger.pay()).status_code == 404
    await winner.pay()
    assert (await winner.until_closed())["state"] == "completed"
    assert (await loser.start()).json()["code"] == "cart_ordered"


async def sold_to(stack: Stack, buyers: Sequence[Buyer]) -> int:
    """Let all buy at once. How many have an order; each of the others was refused for want of stock, and told so."""
    answers = await asyncio.gather(*(one.start(payment=CARD) for one in buyers))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() <= {201, 202, 422}, (statuses, [each.text for each in answers if each.status_code >= 500])
    begun = [one for one, answer in zip(buyers, answers, strict=True) if answer.status_code != 422]
    for refused in (answer.json() for answer in answers if answer.status_code == 422):
        assert refused["code"] == "insufficient_stock", refused
        assert [line["requested"] for line in refused["context"]["lines"]] == [1]
    ended = await asyncio.gather(*(one.until_closed() for one in begun))
    sold = {checkout["id"]: checkout["totals"]["total"] for checkout in ended if checkout["state"] == "completed"}
    short = [checkout["failure"]["code"] for checkout in ended if checkout["id"] not in sold]
    assert set(short) <= {"insufficient_stock"}, short
    ids = {one.checkout_id for one in buyers}
    ledger = [entry for entry in await stack.ledger() if entry["checkout_id"] in ids]
    assert {entry["checkout_id"]: entry["captured"] for entry in ledger} == sold
    return len(sold)


async def test_sixty_buyers_for_twenty_units(stack: Stack, buyer: Buyers, sku: str) -> None:
    buyers = await asyncio.gather(*(buyer().fill({sku: 1}) for _ in range(60)))
    assert await sold_to(stack, buyers) == 20
    assert await stock_of(buyers[0], sku) == 0


async def test_two_hundred_buyers_for_fifty_units(stack: Stack, buyer: Buyers, sku: str) -> None:
    export = stack.data.parent / "fifty.csv"
    export.write_text(
        f"Handle,Title,Variant SKU,Variant Price,Variant Inventory Qty\n{sku.lower()},Fifty,{sku},25.00,42\n",
        encoding="utf-8",
    )
    stack.run("import-products", str(export), "--warehouse", "main")
    buyers = await asyncio.gather(*(buyer().fill({sku: 1}) for _ in range(200)))
    assert await sold_to(stack, buyers) == 50
    assert await stock_of(buyers[0], sku) == 0


async def test_a_coupon_for_ten_and_fifty_buyers_at_once(stack: Stack, buyer: Buyers) -> None:
    """The demo shop's LIMITED10, in carts that each see it as valid; of the goods there are enough for all."""
    buyers = await asyncio.gather(*(buyer().fill({f"TEST-{74 + n % 3}": 1}) for n in range(50)))
    await asyncio.gather(
        *(one.expect(200, "PUT", f"/carts/{one.cart_id}/coupon", {"code": "LIMITED10"}) for one in buyers)
    )
    answers = await asyncio.gather(*(one.start(payment=CARD) for one in buyers))
    codes = Counter(answer.status_code for answer in answers)
    assert codes.keys() <= {201, 202, 422}, codes
    ended = await asyncio.gather(*(one.until_closed() for one in buyers))
    assert Counter(checkout["state"] for checkout in ended) == {"completed": 10, "failed": 40}
    sold = [checkout for checkout in ended if checkout["state"] == "completed"]
    assert [checkout["totals"]["discount_total"] for checkout in sold] == [250] * 10
    for one, answer, checkout in zip(buyers, answers, ended, strict=True):
        told = [checkout["failure"]] if checkout["failure"] else []
        if answer.status_code == 422:
            told.append(answer.json())
        assert bool(told) is (checkout["state"] == "failed")
        for problem in told:
            assert (problem["code"], problem["phase"]) == ("coupon_used_up", "price_lock")
            assert problem["context"] == {"coupon": "LIMITED10", "limit": 10}
        if told:
            cart = await one.expect(200, "DELETE", f"/carts/{one.cart_id}/coupon")
            assert (cart["locked"], cart["coupon_code"], cart["discount_total"]) == (False, None, 0)
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        counted = await connection.execute(
            "SELECT redeemed, (SELECT count(*) FROM orders WHERE coupon_code = code AND discount_total > 0), "
            "(SELECT count(*) FROM coupon_redemptions WHERE coupon_id = coupons.id AND given_back_at IS NULL) "
            "FROM coupons WHERE code = 'LIMITED10'"
        )
        assert await counted.fetchall() == [(10, 10, 10)]
