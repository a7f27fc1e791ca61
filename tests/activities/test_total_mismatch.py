"""A start that expects another total is refused with both totals, and with what changed since the cart was shown."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.activities.price_lock import PriceLock
from checkout.domain.errors import DefiniteFailure
from checkout.domain.messages import PriceLockInput
from checkout.domain.words import OnShortage
from checkout.store.pricing import EURO_PRICES
from tests.activities.checking_out import CheckingOut, context, refusal, reserved
from tests.support.invariants import check_invariants
from tests.support.shop import Shop
from tests.support.statements import sent

PROMOTIONS = """
INSERT INTO promotions (code, name, kind, product_handle, category, basis_points, limit_total) VALUES
    ('CUPS', 'Cups', 'category_percentage', NULL, 'cups', 500, NULL),
    ('BOOKS', 'Books', 'product_percentage', 'book', NULL, 500, NULL),
    ('ALL', 'All', 'order_percentage', NULL, NULL, 100, 5)
"""


async def shop_with_everything(shop: Shop) -> None:
    """A mug and a book whose prices are converted from 25.00 and 10.00 EUR, and a pen that has one in USD."""
    await shop.product("MUG", 2500, category="cups")
    await shop.product("BOOK", 1000, tax_class="reduced")
    await shop.product("PEN", {"EUR": 300, "USD": 400}, tax_class="zero")
    await shop.product("LAMP", 5000)
    await shop.coupon("TEN")
    for statement in (
        "INSERT INTO tax_rates (country, tax_class, percent) VALUES ('DE', 'zero', 0)",
        "INSERT INTO exchange_rates (base, currency, date, rate) VALUES ('EUR', 'USD', '2026-01-02', 1.25)",
        PROMOTIONS,
    ):
        await shop.execute(statement)


async def mismatch(checking: CheckingOut, expected_total: int = 1) -> dict[str, Any]:
    """The figures of the refusal of another total."""
    error = await refusal(checking.lock(expected_total=expected_total))
    assert (error.type, error.category.name) == ("total_mismatch", "BENIGN")
    return context(error)


def told(figures: Mapping[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """What is said to have changed: for the cart, and by line."""
    return figures["changed"], {line["sku"]: line["changed"] for line in figures["lines"]}


async def test_both_totals_and_the_changed_line_are_told(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", 2500)
    await shop.product("BOOK", 1000)
    checking = await reserved(shop, {"MUG": 2, "BOOK": 1})
    shown = round((6000 + 490) * 1.19)
    await shop.execute("UPDATE prices SET amount = 2600 WHERE amount = 2500")
    assert await mismatch(checking, shown) == {
        "expected_total": shown,
        "total": 7961,
        "currency": "EUR",
        "sub_total": 6200,
        "discount_total": 0,
        "shipping_total": 490,
        "tax_total": 1271,
        "changed": ["price"],
        "lines": [
            {
                "sku": "MUG",
                "quantity": 2,
                "unit_price": 2600,
                "discount_total": 0,
                "tax_total": 988,
                "total": 6188,
                "changed": ["price"],
            }
        ],
    }
    assert await shop.rows("SELECT * FROM price_snapshots") == []
    assert (await checking.lock(expected_total=7961)).total == 7961
    await check_invariants(engine, at_rest=False)


ALL = ["MUG", "BOOK", "PEN"]
#: A change, its kind where it concerns the cart, and the lines that it concerns.
CHANGES: list[tuple[str, str | None, list[str]]] = [
    ("UPDATE prices SET amount = 410 WHERE currency = 'USD'", "price", ["PEN"]),
    ("UPDATE prices SET amount = 310 WHERE amount = 300", None, []),  # in another currency
    ("UPDATE prices SET amount = 1 WHERE amount = 5000", None, []),  # of what is not in the cart
    ("UPDATE prices SET updated_at = now()", None, []),
    ("DELETE FROM prices WHERE currency = 'USD'", "price", ["PEN"]),
    ("INSERT INTO prices SELECT id, 'USD', 3000 FROM variants WHERE sku = 'MUG'", "price", ["MUG"]),
    ("UPDATE exchange_rates SET rate = 2", "rate", ["MUG", "BOOK"]),
    ("INSERT INTO exchange_rates VALUES ('EUR', 'USD', '2026-01-03', 2)", "rate", ["MUG", "BOOK"]),
    ("INSERT INTO exchange_rates VALUES ('EUR', 'JPY', '2026-01-03', 160)", None, []),
    ("UPDATE tax_rates SET percent = 9 WHERE tax_class = 'reduced'", "tax", ["BOOK"]),
    ("DELETE FROM tax_rates WHERE tax_class = 'reduced'", "tax", ["BOOK"]),
    ("UPDATE tax_rates SET percent = 21 WHERE country = 'DE' AND tax_class = 'standard'", "tax", ["MUG"]),
    ("UPDATE tax_rates SET percent = 21 WHERE country = 'FR'", None, []),
    ("UPDATE tax_rates SET name = 'VAT'", None, []),
    ("INSERT INTO tax_rates (country, region, percent) VALUES ('DE', 'BY', 21)", None, []),  # it goes to Berlin
    ("UPDATE variants SET tax_class = 'zero' WHERE sku = 'MUG'", "tax", ["MUG"]),
    ("UPDATE shipping_options SET amount = 1000 WHERE currency = 'USD'", "shipping", []),
    ("UPDATE shipping_options SET active = false WHERE currency = 'USD'", "shipping", []),
    ("DELETE FROM shipping_options WHERE currency = 'USD'", "shipping", []),
    ("INSERT INTO shipping_options VALUES (77, 'FR', 'USD', 'cheap', 'Cheap', 'standard', 1)", None, []),
    ("INSERT INTO shipping_options VALUES (77, 'DE', 'USD', 'cheap', 'Cheap', 'standard', 1)", "shipping", []),
    ("UPDATE variants SET weight_grams = 900 WHERE sku = 'PEN'", "shipping", []),
    ("UPDATE coupons SET basis_points = 500", "coupon", ALL),
    ("UPDATE promotions SET basis_points = 600 WHERE code = 'CUPS'", "promotion", ["MUG"]),
    ("UPDATE promotions SET active = false WHERE code = 'BOOKS'", "promotion", ["BOOK"]),
    ("DELETE FROM promotions WHERE code = 'BOOKS'", "promotion", ["BOOK"]),
    ("UPDATE promotions SET category = '', product_handle = 'pen' WHERE code = 'CUPS'", "promotion", ["MUG", "PEN"]),
    ("UPDATE promotions SET redeemed = 5 WHERE code = 'ALL'", "promotion", ALL),
    ("UPDATE promotions SET redeemed = 4 WHERE code = 'ALL'", None, []),
    ("UPDATE promotions SET limit_total = NULL WHERE code = 'ALL'", "promotion", ALL),
    ("UPDATE promotions SET name = 'Cups!'", None, []),
    ("UPDATE products SET category = 'gifts' WHERE handle = 'mug'", "promotion", ["MUG"]),
    ("UPDATE products SET title = 'Mug!'", None, []),
]


async def test_each_kind_of_change_is_told_with_its_lines(shop: Shop, engine: AsyncEngine) -> None:
    await shop_with_everything(shop)
    checking = await reserved(shop, {"MUG": 2, "BOOK": 1, "PEN": 1}, currency="USD", coupon_code="TEN")
    given = PriceLockInput(checking.id, checking.basket.cart_id, expected_total=1)

    async def locked_after(statement: str) -> None:
        # The refusal rolls the change back, so that each stands alone.
        async with shop.sessions() as session, session.begin():
            await session.execute(text(statement))
            await PriceLock(shop.sessions, EURO_PRICES)._lock(session, given)

    for statement, kind, skus in [("SELECT 1", None, []), *CHANGES]:
        with pytest.raises(DefiniteFailure) as refused:
            await locked_after(statement)
        expected = ([kind], {sku: [kind] for sku in skus}) if kind else ([], {})
        assert told(refused.value.context) == expected, statement
    await checking.undo()
    await check_invariants(engine)


async def test_several_changes_are_told_in_one_order(shop: Shop) -> None:
    await shop_with_everything(shop)
    checking = await reserved(shop, {"MUG": 2, "BOOK": 1}, coupon_code="TEN")
    for statement in (
        "UPDATE shipping_options SET amount = 500",
        "UPDATE tax_rates SET percent = 9 WHERE tax_class = 'reduced'",
        "UPDATE promotions SET active = false WHERE code = 'CUPS'",
        "UPDATE prices SET amount = 2600 WHERE amount = 2500",
        "UPDATE exchange_rates SET rate = 3",  # nothing is converted
    ):
        await shop.execute(statement)
    assert told(await mismatch(checking)) == (
        ["price", "promotion", "tax", "shipping"],
        {"MUG": ["price", "promotion"], "BOOK": ["tax"]},
    )


async def test_a_promotion_that_begins_or_ends_by_itself_is_told(shop: Shop) -> None:
    await shop_with_everything(shop)
    await shop.execute("UPDATE promotions SET starts_at = now() - interval '1 minute' WHERE code = 'CUPS'")
    await shop.execute("UPDATE promotions SET ends_at = now() - interval '1 minute' WHERE code = 'BOOKS'")
    await shop.execute("DELETE FROM price_changes")  # it was planned long ago
    checking = await reserved(shop, {"MUG": 2, "BOOK": 1})
    assert told(await mismatch(checking)) == ([], {})
    await shop.execute("UPDATE carts SET updated_at = now() - interval '2 minutes'")
    assert told(await mismatch(checking)) == (["promotion"], {"MUG": ["promotion"], "BOOK": ["promotion"]})


async def test_a_promotion_that_the_customer_used_up_elsewhere_is_told(shop: Shop) -> None:
    await shop_with_everything(shop)
    await shop.execute("UPDATE promotions SET limit_per_customer = 1 WHERE code = 'BOOKS'")
    checking = await reserved(shop, {"MUG": 2, "BOOK": 1}, email="ada@example.com")
    await (await reserved(shop, {"BOOK": 1}, email="bob@example.com")).lock()
    assert told(await mismatch(checking)) == ([], {})
    await (await reserved(shop, {"BOOK": 1}, email="ada@example.com")).lock()
    assert told(await mismatch(checking)) == (["promotion"], {"BOOK": ["promotion"]})


async def test_free_shipping_that_changes_concerns_no_line(shop: Shop) -> None:
    await shop_with_everything(shop)
    await shop.coupon("FREIGHT", kind="free_shipping")
    checking = await reserved(shop, {"MUG": 2}, coupon_code="FREIGHT")
    await shop.execute("UPDATE coupons SET stackable = false WHERE code = 'FREIGHT'")
    assert told(await mismatch(checking)) == (["coupon"], {})


async def test_what_the_cart_was_shown_after_is_not_told(shop: Shop) -> None:
    await shop_with_everything(shop)
    await shop.execute("UPDATE prices SET amount = 2600 WHERE amount = 2500")
    checking = await reserved(shop, {"MUG": 2})
    assert told(await mismatch(checking)) == ([], {})


async def test_a_start_that_took_less_says_so_beside_the_totals(shop: Shop) -> None:
    await shop.product("MUG", 2500, stock=3)
    checking = CheckingOut(shop, await shop.cart({"MUG": 5}))
    await checking.validate(on_shortage=OnShortage.REDUCE)
    await checking.reserve()
    assert (await mismatch(checking))["adjustments"] == [{"sku": "MUG", "requested": 5, "taken": 3}]


async def test_a_hundred_changed_lines_are_found_by_one_statement(shop: Shop) -> None:
    for number in range(100):
        await shop.product(f"SKU-{number}", 100 + number)
    checking = await reserved(shop, {f"SKU-{number}": 2 for number in range(100)})
    await shop.execute("UPDATE prices SET amount = amount + 1")
    checking.local = True
    with sent() as statements:
        assert len((await mismatch(checking))["lines"]) == 100
    assert len(statements) == 3
