"""Phase 1: what a cart must have, that it is locked once, and how it is unlocked."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.domain.errors import Failure
from checkout.domain.words import OnShortage, Outcome
from tests.activities.checking_out import CheckingOut, context, refusal
from tests.support.at_once import at_once
from tests.support.invariants import check_invariants
from tests.support.shop import Shop


@pytest.fixture
async def checking(shop: Shop) -> CheckingOut:
    await shop.product("MUG", 2500, 10)
    await shop.product("BOOK", 1000, {"FRA": 2, "LYS": 2})
    return CheckingOut(shop, await shop.cart({"MUG": 2, "BOOK": 3}))


async def test_it_locks_the_cart_and_records_the_checkout(checking: CheckingOut) -> None:
    result = await checking.validate(payment_attempts=5)
    row, cart = await checking.row(), await checking.cart()
    assert (result.currency, result.lines, result.units, result.version) == ("EUR", 2, 5, row["version"])
    assert (row["state"], row["phase"], row["attempts_left"]) == ("reserving", "inventory_reservation", 5)
    assert (row["session_id"], row["cart_id"], row["currency"]) == (checking.basket.session_id, cart["id"], "EUR")
    assert (cart["locked_by"], cart["checkout_id"]) == (checking.id, checking.id)


async def test_repeated_and_at_once_it_is_done_once(checking: CheckingOut) -> None:
    results, refused = await at_once(checking.validate() for _ in range(10))
    assert refused == []
    again = await checking.validate()
    assert all(result == again for result in results)
    row = await checking.row()
    assert (row["version"], list(row["results"])) == (again.version, ["cart_validation"])


REFUSALS: dict[str, tuple[str, dict[str, Any]]] = {
    "empty_cart": ("DELETE FROM cart_lines", {}),
    "email_missing": ("UPDATE carts SET email = NULL", {}),
    "address_missing": ("DELETE FROM cart_addresses", {}),
    "sku_unavailable": ("UPDATE variants SET active = false WHERE sku = 'MUG'", {"skus": ["MUG"]}),
    "sku_unavailable (product)": ("UPDATE products SET active = false WHERE handle = 'book'", {"skus": ["BOOK"]}),
    "insufficient_stock": (
        "UPDATE stock SET on_hand = 1",
        {
            "lines": [
                {"sku": "MUG", "requested": 2, "available": 1},
                {"sku": "BOOK", "requested": 3, "available": 2},
            ]
        },
    ),
    "insufficient_stock (held by others)": (
        "UPDATE stock SET reserved = 9 WHERE on_hand = 10",
        {"lines": [{"sku": "MUG", "requested": 2, "available": 1}]},
    ),
    "insufficient_stock (warehouses serve other countries)": (
        "UPDATE warehouses SET countries = '{FR}' WHERE code = 'LYS'",
        {"lines": [{"sku": "BOOK", "requested": 3, "available": 2}]},
    ),
    "insufficient_stock (a closed warehouse)": (
        "UPDATE warehouses SET active = false WHERE code = 'LYS'",
        {"lines": [{"sku": "BOOK", "requested": 3, "available": 2}]},
    ),
    "cart_ordered": ("UPDATE carts SET order_reference = 'ORD-1'", {"order_reference": "ORD-1"}),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_cart_that_cannot_be_sold_is_refused_and_stays_as_it_was(checking: CheckingOut, case: str) -> None:
    statement, figures = REFUSALS[case]
    await checking.shop.execute(statement)
    before = await checking.cart()
    error = await refusal(checking.validate())
    assert error.type == case.split(maxsplit=1)[0]
    assert error.category.name == "BENIGN"
    assert figures.items() <= context(error).items()
    assert (await checking.row(), await checking.cart()) == ({}, before)
    await checking.unlock()
    assert (await checking.row())["state"] == "failed"
    assert (await checking.cart())["locked_by"] is None


async def test_less_than_wanted_is_enough_for_a_start_that_takes_what_there_is(checking: CheckingOut) -> None:
    await checking.shop.execute("UPDATE stock SET on_hand = 1")
    assert (await checking.validate(on_shortage=OnShortage.REDUCE)).units == 5
    await checking.unlock()
    await checking.shop.execute("UPDATE stock SET on_hand = 0")
    other = CheckingOut(checking.shop, checking.basket)
    assert (await refusal(other.validate(on_shortage=OnShortage.REDUCE))).type == "insufficient_stock"


async def test_a_cart_of_others_is_not_there(checking: CheckingOut) -> None:
    assert (await refusal(checking.validate(session_id="ses_other"))).type == "cart_not_found"
    assert (await refusal(checking.validate(customer_id="customer_a", session_id="ses_other"))).type == "cart_not_found"
    assert (await refusal(checking.validate(cart_id="cart_none"))).type == "cart_not_found"
    assert await checking.row() == {}
    await checking.shop.execute("UPDATE carts SET customer_id = 'customer_a'")
    await checking.validate(session_id="ses_other", customer_id="customer_a")
    assert (await checking.row())["state"] == "reserving"


async def test_a_cart_that_another_checkout_holds_is_closing(checking: CheckingOut, engine: AsyncEngine) -> None:
    await checking.validate()
    other = CheckingOut(checking.shop, checking.basket)
    assert (await refusal(other.validate())).type == "checkout_closing"
    await checking.release()
    assert (await checking.row())["state"] == "compensating"
    assert (await refusal(other.validate())).type == "checkout_closing"
    await other.unlock()
    assert (await checking.cart())["locked_by"] == checking.id, "the other's end unlocks nothing of this one"
    await checking.unlock()
    third = CheckingOut(checking.shop, checking.basket)
    await third.validate()
    assert (await checking.cart())["locked_by"] == third.id
    await check_invariants(engine, at_rest=False)


async def test_of_many_checkouts_of_a_cart_one_locks_it(checking: CheckingOut, engine: AsyncEngine) -> None:
    rivals = [CheckingOut(checking.shop, checking.basket) for _ in range(10)]
    done, refused = await at_once(rival.validate() for rival in rivals)
    assert (len(done), {error.type for error in refused}) == (1, {"checkout_closing"})
    holder = (await checking.cart())["locked_by"]
    for rival in rivals:
        await rival.unlock()
        if rival.id != holder:
            assert (await rival.row())["state"] == "failed"
    assert (await checking.cart())["locked_by"] is None
    await check_invariants(engine)


async def test_unlocking_closes_the_checkout_and_says_why(checking: CheckingOut) -> None:
    await checking.validate()
    failure = Failure(
        "insufficient_stock", "inventory_reservation", "too little", {"lines": []}, "2026-01-31T12:00:00Z"
    )
    first = await checking.unlock(Outcome.FAILED, failure)
    row, cart = await checking.row(), await checking.cart()
    assert (first.version, first.count) == (row["version"], 1)
    assert (row["state"], row["completed_at"], row["failure"]["code"]) == ("failed", None, "insufficient_stock")
    assert row["failed_at"] is not None
    assert (cart["locked_by"], cart["checkout_id"]) == (None, checking.id)
    again = await checking.unlock(Outcome.EXPIRED)
    assert (again.version, again.count) == (first.version, 0)
    assert await checking.row() == row


@pytest.mark.parametrize("held", ["units", "prices", "redemption", "order", "payment"])
async def test_it_does_not_close_while_anything_is_held(checking: CheckingOut, held: str) -> None:
    await checking.shop.coupon("TEN")
    await checking.shop.execute("UPDATE carts SET coupon_code = 'TEN'")
    await checking.until_priced()
    await checking.authorized()
    await checking.create()
    undo = {
        "units": checking.release,
        "prices": checking.discard,
        "redemption": checking.discard,
        "order": checking.cancel,
        "payment": checking.gave_back,
    }
    for name, compensation in undo.items():
        if name != held and not (held in {"prices", "redemption"} and name in {"prices", "redemption"}):
            await compensation()
    if held == "redemption":
        await checking.shop.execute("UPDATE price_snapshots SET discarded_at = now()")
    with pytest.raises(Exception, match="still holds units, an order, prices or a payment"):
        await checking.unlock()
    assert (await checking.row())["state"] == "compensating"
    assert (await checking.cart())["locked_by"] == checking.id
    await undo[held]()
    await checking.unlock()
    assert (await checking.row())["state"] == "failed"
