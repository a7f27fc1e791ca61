"""The invariants' own test: they hold for what the phases make, and each is noticed when it is broken."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.activities.checking_out import CheckingOut
from tests.support.invariants import check_invariants
from tests.support.shop import Shop

BREAKS: dict[str, list[str]] = {
    "G1 more is reserved": [
        "ALTER TABLE stock DROP CONSTRAINT ck_stock_no_oversell",
        "UPDATE stock SET reserved = on_hand + 1",
    ],
    "G1 what is reserved is not what checkouts hold": ["UPDATE stock SET reserved = 1"],
    "G1 stock is not the sum of its movements": ["UPDATE stock SET on_hand = on_hand + 1"],
    "G1 a coupon is redeemed": ["UPDATE coupons SET redeemed = redeemed + 1"],
    "G1 a customer redeemed": ["UPDATE coupons SET limit_per_customer = 0"],
    "G2 an order's figures": [
        "ALTER TABLE orders DROP CONSTRAINT ck_orders_total",
        "UPDATE orders SET total = total + 1",
    ],
    "G2 an order's lines": ["UPDATE order_lines SET quantity = quantity + 1"],
    "G2 the lines of a snapshot": ["UPDATE price_snapshot_lines SET total = total + 1"],
    "G2 the total that was told": ["UPDATE checkouts SET total = total + 1"],
    "G2 what is priced is not what is held": ["UPDATE price_snapshot_lines SET quantity = quantity + 1"],
    "G2 an attempt is for another amount": ["UPDATE payment_attempts SET amount = 1"],
    "G3 a cart has two running checkouts": [
        "DROP INDEX uq_checkouts_running",
        "UPDATE checkouts SET state = 'reserving', cart_id = (SELECT min(id) FROM carts)",
    ],
    "G3 a cart has two orders": [
        "DROP INDEX uq_orders_one_for_a_cart",
        "UPDATE orders SET status = 'paid', cart_id = (SELECT min(id) FROM carts)",
    ],
    "G3 a checkout has two captures": [
        "UPDATE payment_attempts SET checkout_id = (SELECT min(id) FROM checkouts), captured = 1"
    ],
    "G3 a cart is held by what does not run": ["UPDATE carts SET locked_by = 'chk_none'"],
    "G3 a running checkout does not hold its cart": ["UPDATE checkouts SET state = 'reserving' WHERE state = 'failed'"],
    "G4 a completed checkout has no paid order": ["UPDATE orders SET status = 'pending' WHERE status = 'paid'"],
    "G4 a completed checkout captured another amount": ["UPDATE payment_attempts SET captured = captured + 1"],
    "G4 a completed checkout has not committed": ["UPDATE reservations SET status = 'held' WHERE status = 'committed'"],
    "G4 a completed checkout lost its prices": ["UPDATE price_snapshots SET discarded_at = now()"],
    "G4 an undone checkout holds units": ["UPDATE reservations SET status = 'held' WHERE status = 'released'"],
    "G4 an undone checkout has an order": ["UPDATE orders SET status = 'pending' WHERE status = 'cancelled'"],
    "G4 an undone checkout keeps its prices": ["UPDATE price_snapshots SET discarded_at = NULL"],
    "G4 an undone checkout keeps its redemption": ["UPDATE coupon_redemptions SET given_back_at = NULL"],
    "G4 an undone checkout has an attempt": ["UPDATE payment_attempts SET status = 'authorized'"],
    "G4 an undone checkout says that its payment goes on": ["UPDATE checkouts SET payment_status = 'authorized'"],
    "G4 an undone checkout says not when": ["UPDATE checkouts SET failed_at = NULL"],
    "G4 a checkout has not ended": ["UPDATE checkouts SET state = 'compensating' WHERE state = 'failed'"],
    "G7 a closed checkout keeps a payment token": ["UPDATE payment_attempts SET token = 'tok_visa'"],
}

LEDGER_BREAKS: dict[str, dict[str, Any]] = {
    "G4 the gateway still holds money": {"voided": 0, "captured": 0},
    "G2 the gateway authorized another amount": {"authorized": 1, "captured": 1},
    "G2 the gateway's books do not add up": {"refunded": 10**9},
    "G4 the shop keeps more than the total": {"captured": 10**9},
    "G4 the shop keeps money without an order": {"checkout_id": "chk_none"},
}


@pytest.fixture
async def ledger(shop: Shop) -> list[dict[str, Any]]:
    """One completed and one undone checkout; what the gateway would say of them."""
    await shop.product("MUG", 2500)
    await shop.coupon("TEN", limit_total=5)
    undone = CheckingOut(shop, await shop.cart({"MUG": 1}, coupon_code="TEN"))
    await undone.until_priced()
    await undone.authorized()
    await undone.create()
    await undone.gave_back()
    await undone.undo()
    done = CheckingOut(shop, await shop.cart({"MUG": 2}, coupon_code="TEN"))
    await done.complete()
    items = []
    for checking, captured in ((undone, 0), (done, 1)):
        total = (await checking.row())["total"]
        item = {"payment_id": "p", "checkout_id": checking.id, "currency": "EUR", "authorized": total, "refunded": 0}
        items.append({**item, "captured": total * captured, "voided": total * (1 - captured)})
    return items


async def test_they_hold_for_what_the_phases_make(ledger: list[dict[str, Any]], engine: AsyncEngine) -> None:
    await check_invariants(engine, ledger)
    await check_invariants(engine)


@pytest.mark.parametrize("rule", BREAKS)
async def test_each_is_noticed_when_it_is_broken(
    shop: Shop, ledger: list[dict[str, Any]], engine: AsyncEngine, rule: str
) -> None:
    for statement in BREAKS[rule]:
        await shop.execute(statement)
    with pytest.raises(AssertionError, match=rule):
        await check_invariants(engine, ledger)


@pytest.mark.parametrize("rule", LEDGER_BREAKS)
async def test_the_ledger_is_held_against_the_database(
    ledger: list[dict[str, Any]], engine: AsyncEngine, rule: str
) -> None:
    with pytest.raises(AssertionError, match=rule):
        await check_invariants(engine, [ledger[0], {**ledger[1], **LEDGER_BREAKS[rule]}])
