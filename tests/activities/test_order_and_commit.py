"""Phases 5 and 7: the order has the frozen prices, and a completed checkout is completed in every table (G2 to G4)."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from tests.activities.checking_out import CheckingOut, refusal, stock
from tests.support.at_once import at_once
from tests.support.invariants import check_invariants
from tests.support.shop import Shop
from tests.support.statements import sent


@pytest.fixture
async def checking(shop: Shop) -> CheckingOut:
    """A checkout whose payment is authorized."""
    await shop.product("MUG", 2500, 10)
    await shop.product("BOOK", 1000, {"FRA": 4, "LYS": 4}, tax_class="reduced")
    await shop.coupon("TEN", limit_total=10)
    checking = CheckingOut(shop, await shop.cart({"MUG": 2, "BOOK": 6}, coupon_code="TEN"))
    await checking.until_priced()
    await checking.authorized()
    return checking


CHANGES = [
    "UPDATE prices SET amount = amount + 777",
    "DELETE FROM prices",
    "UPDATE coupons SET basis_points = 5000",
    "UPDATE coupons SET active = false",
    "UPDATE tax_rates SET percent = 25",
    "DELETE FROM shipping_options",
    "INSERT INTO promotions (code, name, kind, basis_points) VALUES ('P', 'P', 'order_percentage', 9000)",
    "INSERT INTO exchange_rates (base, currency, date, rate) VALUES ('EUR', 'USD', now(), 7)",
    "UPDATE products SET title = 'Something else'",
]


async def test_the_order_has_the_frozen_prices_whatever_changes(checking: CheckingOut, engine: AsyncEngine) -> None:
    shop, frozen = checking.shop, (await checking.row())["total"]
    with capture_logs() as logs:
        for change in CHANGES[:5]:
            await shop.execute(change)
        await checking.create()
        for change in CHANGES[5:]:
            await shop.execute(change)
        await checking.captured()
        await checking.commit()
    assert await shop.rows("SELECT total, status FROM orders") == [(frozen, "paid")]
    assert await shop.rows("SELECT name FROM order_lines ORDER BY position") == [("MUG",), ("BOOK",)]
    drift = next(log for log in logs if log["event"] == "price_drift")
    assert (drift["checkout_id"], drift["frozen_total"]) == (checking.id, frozen)
    assert drift["current_total"] != frozen
    await check_invariants(engine)


async def age(shop: Shop) -> None:
    """Have everything that has changed so far have done so before the prices were frozen, an hour ago."""
    await shop.execute("UPDATE price_changes SET changed_at = changed_at - interval '2 hours'")
    await shop.execute("UPDATE price_snapshots SET created_at = created_at - interval '1 hour'")


SINCE = [
    *CHANGES[:4],
    "UPDATE tax_rates SET percent = 25",
    "UPDATE shipping_options SET amount = amount + 100",
    CHANGES[6],
]


@pytest.mark.parametrize("change", SINCE)
async def test_every_change_since_the_prices_were_frozen_is_seen(checking: CheckingOut, change: str) -> None:
    await age(checking.shop)
    await checking.shop.execute(change)
    with capture_logs() as logs:
        await checking.create()
    assert [log["event"] for log in logs] == ["price_drift"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE coupons SET ends_at = now() - interval '1 minute'",
        (
            "INSERT INTO promotions (code, name, kind, basis_points, starts_at) "
            "VALUES ('P', 'P', 'order_percentage', 9000, now() - interval '1 minute')"
        ),
    ],
)
async def test_a_window_that_opened_or_closed_since_then_is_seen(checking: CheckingOut, change: str) -> None:
    await checking.shop.execute(change)
    await age(checking.shop)
    with capture_logs() as logs:
        await checking.create()
    assert [log["event"] for log in logs] == ["price_drift"]


async def test_prices_are_not_reckoned_again_where_nothing_changed(checking: CheckingOut) -> None:
    await age(checking.shop)
    with sent() as statements:
        await checking.create()
    assert any("INTO orders" in statement for statement, _ in statements)
    assert not any("tax_rates" in statement for statement, _ in statements)


async def test_a_drift_within_the_tolerance_is_not_logged(checking: CheckingOut) -> None:
    await checking.shop.execute("UPDATE prices SET amount = 2501 WHERE amount = 2500")
    with capture_logs() as logs:
        await checking.create(tolerance=2)
    assert [log["event"] for log in logs] == []


async def test_the_order_is_made_once(checking: CheckingOut, engine: AsyncEngine) -> None:
    results, refused = await at_once(checking.create() for _ in range(10))
    assert refused == []
    again = await checking.create()
    assert all(result == again for result in results)
    assert await checking.shop.rows("SELECT reference, status, email FROM orders") == [
        (again.order_reference, "pending", "ada@example.com")
    ]
    row = await checking.row()
    assert (row["state"], row["order_reference"], row["version"]) == ("capturing", again.order_reference, again.version)
    await check_invariants(engine, at_rest=False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reservations SET status = 'released' WHERE quantity = 2",
        "UPDATE reservations SET quantity = quantity - 1",
        "UPDATE price_snapshots SET discarded_at = now()",
    ],
)
async def test_no_order_without_the_units_and_prices_it_needs(checking: CheckingOut, statement: str) -> None:
    await checking.shop.execute(statement)
    error = await refusal(checking.create())
    assert (error.type, error.category.name) == ("reservation_missing", "UNSPECIFIED")
    assert await checking.shop.rows("SELECT * FROM orders") == []
    assert (await checking.row())["state"] == "creating_order"


async def test_a_cancelled_order_is_kept(checking: CheckingOut, engine: AsyncEngine) -> None:
    await checking.create()
    results, refused = await at_once(checking.cancel() for _ in range(5))
    assert refused == []
    assert sorted(result.count for result in results) == [0, 0, 0, 0, 1]
    assert await checking.shop.rows("SELECT status, cancelled_at IS NOT NULL FROM orders") == [("cancelled", True)]
    await checking.gave_back()
    await checking.undo()
    await check_invariants(engine)
    second = CheckingOut(checking.shop, checking.basket)
    await second.complete()
    assert sorted(await checking.shop.rows("SELECT status FROM orders")) == [("cancelled",), ("paid",)]
    await check_invariants(engine)


async def test_completion_is_complete_and_done_once(checking: CheckingOut, engine: AsyncEngine) -> None:
    order = await checking.create()
    await checking.captured()
    results, refused = await at_once(checking.commit() for _ in range(10))
    assert refused == []
    again = await checking.commit()
    assert all(result == again for result in results)
    assert again.units == 8
    row, cart = await checking.row(), await checking.cart()
    assert (row["state"], row["phase"], row["version"]) == ("completed", "stock_commit", again.version)
    assert row["completed_at"] is not None
    assert (cart["locked_by"], cart["order_reference"]) == (None, order.order_reference)
    assert await stock(checking.shop, "MUG") == {"FRA": (8, 0)}
    assert await stock(checking.shop, "BOOK") == {"FRA": (0, 0), "LYS": (2, 0)}
    await check_invariants(engine)


async def test_nothing_is_completed_that_is_not_captured_in_full(checking: CheckingOut, engine: AsyncEngine) -> None:
    await checking.create()
    total = (await checking.row())["total"]
    for amount in (total - 1, total + 1, 0):
        await checking.captured(amount)
        error = await refusal(checking.commit())
        assert (error.type, error.category.name) == ("not_captured", "UNSPECIFIED")
    await checking.captured(total)
    await checking.shop.execute("UPDATE payment_attempts SET currency = 'USD'")
    assert (await refusal(checking.commit())).type == "not_captured"
    await checking.shop.execute("UPDATE payment_attempts SET currency = 'EUR'")
    assert (await checking.row())["state"] == "committing"
    assert (await checking.cart())["locked_by"] == checking.id
    await checking.commit()
    await check_invariants(engine)


async def test_units_that_are_gone_stop_the_completion_whole(checking: CheckingOut) -> None:
    await checking.create()
    await checking.captured()
    await checking.shop.execute("UPDATE reservations SET status = 'released' WHERE quantity = 2")
    assert (await refusal(checking.commit())).type == "reservation_missing"
    assert (await checking.row())["state"] == "committing"
    assert (await checking.cart())["order_reference"] is None
    assert await checking.shop.rows("SELECT status FROM orders") == [("pending",)]
    assert await stock(checking.shop, "BOOK") == {"FRA": (4, 4), "LYS": (4, 2)}


async def test_no_compensation_touches_a_completed_checkout(checking: CheckingOut, engine: AsyncEngine) -> None:
    """Closed is absorbing: whatever decides to undo it (the audit, a reset run), the sale stands."""
    await checking.create()
    await checking.captured()
    await checking.commit()
    tables = ("checkouts", "carts", "orders", "reservations", "stock", "price_snapshots", "coupons", "stock_movements")
    before = [await checking.shop.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608
    compensations: list[Callable[[], Awaitable[object]]] = [
        *(checking.restock, checking.cancel, checking.discard, checking.release, checking.unlock)
    ]
    for compensation in compensations:
        error = await refusal(compensation())
        assert (error.type, error.category.name) == ("checkout_completed", "UNSPECIFIED")
    assert [await checking.shop.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables] == before  # noqa: S608
    await check_invariants(engine)


async def test_a_cart_that_is_an_order_starts_no_other_checkout(checking: CheckingOut, engine: AsyncEngine) -> None:
    await checking.create()
    await checking.captured()
    await checking.commit()
    second = CheckingOut(checking.shop, checking.basket)
    assert (await refusal(second.validate())).type == "cart_ordered"
    await second.undo()
    assert (await checking.cart())["order_reference"] is not None
    assert (await checking.cart())["checkout_id"] == checking.id
    await check_invariants(engine)
