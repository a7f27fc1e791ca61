"""Carts: their changes, their prices, and that a locked one cannot change by any way."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from checkout.domain.errors import DefiniteFailure
from checkout.domain.pricing.model import MAX_LINES
from checkout.runtime.database import Sessions, sqlstate
from checkout.store import carts
from checkout.store.carts import CartView
from checkout.store.errors import CartFull, CartLocked, CartNotFound, CartOrdered, SkuNotFound
from checkout.store.owner import Owner
from checkout.store.pricing import PriceRules
from tests.support.locks import until_someone_waits
from tests.support.shop import ADDRESS, Shop
from tests.support.statements import sent

RULES = PriceRules()
ADA = Owner("ses_ada")
BOB = Owner("ses_bob")


async def changed(sessions: Sessions, function: Any, *arguments: Any) -> Any:
    async with sessions() as session, session.begin():
        return await function(session, *arguments)


async def view(sessions: Sessions, owner: Owner, cart_id: str) -> CartView:
    async with sessions() as session:
        return await carts.view_cart(session, owner, cart_id, RULES)


async def test_a_cart_is_filled_and_priced(sessions: Sessions, shop: Shop) -> None:
    await shop.product("MUG", 2500, title="Mug", variant_title="Blue")
    await shop.product("BOOK", 1000, tax_class="reduced")
    cart = await changed(sessions, carts.create_cart, ADA, "EUR")
    await changed(sessions, carts.set_line, ADA, cart, "MUG", 2)
    await changed(sessions, carts.set_line, ADA, cart, "BOOK", 3)
    await changed(sessions, carts.set_line, ADA, cart, "BOOK", 1)
    before = await view(sessions, ADA, cart)
    assert [(line.sku, line.name, line.quantity) for line in before.lines] == [
        ("MUG", "Mug – Blue", 2),
        ("BOOK", "BOOK", 1),
    ]
    assert (before.pricing.sub_total, before.pricing.tax_total, before.pricing.shipping_total) == (6000, 0, 0)
    assert before.obstacles() == ["email_missing", "address_missing"]

    await changed(sessions, carts.set_addresses, ADA, cart, ADDRESS, {**ADDRESS, "country": "FR"}, "ada@example.com")
    after = await view(sessions, ADA, cart)
    assert after.obstacles() == []
    # 2 x 2500 at 19 %, 1000 at 7 %, shipping 490 at 19 %
    assert (after.pricing.tax_total, after.pricing.total) == (950 + 70 + 93, 6000 + 490 + 950 + 70 + 93)
    assert after.billing_address is not None
    assert (after.email, after.billing_address["country"]) == ("ada@example.com", "FR")
    assert after.updated_at > before.updated_at

    await changed(sessions, carts.set_addresses, ADA, cart, {**ADDRESS, "country": "FR"})
    await changed(sessions, carts.delete_line, ADA, cart, "BOOK")
    await changed(sessions, carts.delete_line, ADA, cart, "BOOK")
    last = await view(sessions, ADA, cart)
    assert last.billing_address is None
    assert last.email == "ada@example.com"
    assert last.pricing.total == 5000 + 1000 + 490 + 98


async def test_an_unknown_or_inactive_sku_is_not_put_into_a_cart(sessions: Sessions, shop: Shop) -> None:
    await shop.product("MUG")
    await shop.execute("UPDATE variants SET active = false")
    cart = await changed(sessions, carts.create_cart, ADA, "EUR")
    for sku in ("MUG", "NONE", "'; DROP TABLE carts; --"):
        with pytest.raises(SkuNotFound):
            await changed(sessions, carts.set_line, ADA, cart, sku, 1)
    assert (await view(sessions, ADA, cart)).lines == ()


async def fill(shop: Shop, cart_id: str, lines: int) -> None:
    """So many lines of other goods than the test's own."""
    await shop.execute(
        "WITH p AS (INSERT INTO products (handle, title) VALUES ('many', 'Many') RETURNING id), "
        "v AS (INSERT INTO variants (product_id, sku) SELECT p.id, 'MANY-' || n FROM p, generate_series(1, :lines) n "
        "RETURNING id) INSERT INTO cart_lines (cart_id, variant_id, quantity, position) "
        "SELECT :cart, id, 1, row_number() OVER () FROM v",
        lines=lines,
        cart=cart_id,
    )


async def test_a_cart_takes_so_many_lines_and_no_more(sessions: Sessions, shop: Shop) -> None:
    cart = await changed(sessions, carts.create_cart, ADA, "EUR")
    await fill(shop, cart, MAX_LINES - 2)
    for sku in ("MUG", "BOOK", "TEA"):
        await shop.product(sku)
    for sku in ("MUG", "BOOK", "MUG"):
        await changed(sessions, carts.set_line, ADA, cart, sku, 2)
    with pytest.raises(CartFull) as full:
        await changed(sessions, carts.set_line, ADA, cart, "TEA", 1)
    assert (full.value.code, full.value.context) == ("cart_full", {"max_lines": MAX_LINES})
    with pytest.raises(SkuNotFound):
        await changed(sessions, carts.set_line, ADA, cart, "NONE", 1)
    await changed(sessions, carts.delete_line, ADA, cart, "MUG")
    await changed(sessions, carts.set_line, ADA, cart, "TEA", 1)
    lines = (await view(sessions, ADA, cart)).lines
    assert [line.sku for line in lines[-2:]] == ["BOOK", "TEA"]
    assert len(lines) == MAX_LINES


@pytest.mark.parametrize("by", ["the store", "any way"])
async def test_lines_that_come_at_once_do_not_pass_the_limit(sessions: Sessions, shop: Shop, by: str) -> None:
    cart = await changed(sessions, carts.create_cart, ADA, "EUR")
    await fill(shop, cart, MAX_LINES - 3)
    skus = [f"MUG-{number}" for number in range(6)]
    for sku in skus:
        await shop.product(sku)

    async def put(sku: str) -> str | None:
        try:
            if by == "the store":
                await changed(sessions, carts.set_line, ADA, cart, sku, 1)
            else:
                await shop.execute(
                    "INSERT INTO cart_lines (cart_id, variant_id, quantity, position) VALUES (:cart, :variant, 1, 1)",
                    cart=cart,
                    variant=shop.variants[sku],
                )
        except CartFull as full:
            return full.code
        except DBAPIError as refused:
            return sqlstate(refused)
        return None

    async with sessions() as held:
        await held.execute(text("SELECT FROM carts FOR NO KEY UPDATE"))
        puts = [asyncio.create_task(put(sku)) for sku in skus]
        await until_someone_waits(sessions, len(skus))
    refusals = [refusal for refusal in await asyncio.gather(*puts) if refusal is not None]
    assert refusals == ["cart_full" if by == "the store" else "CK422"] * 3
    assert len((await view(sessions, ADA, cart)).lines) == MAX_LINES


async def test_a_cart_is_not_there_for_others(sessions: Sessions, shop: Shop) -> None:
    await shop.product("MUG")
    cart = await changed(sessions, carts.create_cart, ADA, "EUR")
    calls: list[Any] = [
        (carts.set_line, BOB, cart, "MUG", 1),
        (carts.delete_line, BOB, cart, "MUG"),
        (carts.set_addresses, BOB, cart, ADDRESS),
        (carts.claim, BOB, cart, "customer_b"),
        (carts.set_coupon, BOB, cart, "X", RULES),
        (carts.set_shipping_option, BOB, cart, "standard", RULES),
        (carts.view_cart, BOB, cart, RULES),
        (carts.view_cart, ADA, "cart_none", RULES),
    ]
    for function, *arguments in calls:
        with pytest.raises(CartNotFound):
            await changed(sessions, function, *arguments)


async def test_a_claimed_cart_belongs_to_its_customer_too(sessions: Sessions, shop: Shop) -> None:
    cart = await changed(sessions, carts.create_cart, ADA, "EUR")
    elsewhere = Owner("ses_other", "customer_a")
    with pytest.raises(CartNotFound):
        await view(sessions, elsewhere, cart)
    await changed(sessions, carts.claim, ADA, cart, "customer_a")
    await changed(sessions, carts.claim, ADA, cart, "customer_a")
    assert (await view(sessions, elsewhere, cart)).customer_id == "customer_a"
    assert (await view(sessions, ADA, cart)).customer_id == "customer_a"
    with pytest.raises(CartNotFound):
        await changed(sessions, carts.claim, ADA, cart, "customer_b")
    with pytest.raises(CartNotFound):
        await view(sessions, Owner("ses_other", "customer_b"), cart)


LOCKED_CHANGES = [
    "UPDATE cart_lines SET quantity = 5",
    "UPDATE cart_lines SET position = 5",
    "DELETE FROM cart_lines",
    "INSERT INTO cart_lines (cart_id, variant_id, quantity, position) SELECT id, :other, 1, 9 FROM carts",
    "UPDATE cart_addresses SET city = 'Bonn'",
    "DELETE FROM cart_addresses",
    "INSERT INTO cart_addresses SELECT cart_id, 'billing', 'Eve', '1', NULL, 'B', NULL, '1', 'DE' FROM cart_addresses",
    "UPDATE carts SET email = 'eve@example.com'",
    "UPDATE carts SET email = NULL, locked_by = NULL",
    "UPDATE carts SET currency = 'USD'",
    "UPDATE carts SET coupon_code = 'X'",
    "UPDATE carts SET shipping_option = 'express'",
    "UPDATE carts SET customer_id = 'customer_e'",
    "UPDATE carts SET session_id = 'ses_eve'",
    "UPDATE carts SET id = 'cart_eve'",
    "DELETE FROM carts",
    "TRUNCATE cart_lines",
    "TRUNCATE carts CASCADE",
]


@pytest.mark.parametrize(("column", "state"), [("locked_by", "CK423"), ("order_reference", "CK409")])
async def test_no_statement_changes_a_held_cart(sessions: Sessions, shop: Shop, column: str, state: str) -> None:
    await shop.product("MUG")
    other = await shop.product("BOOK")
    basket = await shop.cart({"MUG": 2})
    await shop.execute(f"UPDATE carts SET {column} = 'its holder'")  # noqa: S608
    tables = ("carts", "cart_lines", "cart_addresses")
    before = [await shop.rows(f"SELECT * FROM {table}") for table in tables]  # noqa: S608
    for statement in LOCKED_CHANGES:
        with pytest.raises(DBAPIError) as refused:
            await shop.execute(statement, **({"other": other} if ":other" in statement else {}))
        expected = "CK423" if statement.startswith("TRUNCATE") else state
        assert sqlstate(refused.value) == expected, statement
    assert [await shop.rows(f"SELECT * FROM {table}") for table in tables] == before  # noqa: S608
    assert (await view(sessions, Owner(basket.session_id), basket.cart_id)).lines[0].quantity == 2


@pytest.mark.parametrize(("column", "error"), [("locked_by", CartLocked), ("order_reference", CartOrdered)])
async def test_every_change_of_a_held_cart_is_refused_by_name(
    sessions: Sessions, shop: Shop, column: str, error: type[DefiniteFailure]
) -> None:
    await shop.product("MUG")
    basket = await shop.cart({"MUG": 2})
    owner, cart = Owner(basket.session_id), basket.cart_id
    await shop.execute(f"UPDATE carts SET {column} = 'its holder'")  # noqa: S608
    calls: list[Any] = [
        (carts.set_line, owner, cart, "MUG", 1),
        (carts.set_line, owner, cart, "NONE", 1),
        (carts.delete_line, owner, cart, "MUG"),
        (carts.delete_line, owner, cart, "NONE"),
        (carts.set_addresses, owner, cart, ADDRESS),
        (carts.claim, owner, cart, "customer_a"),
        (carts.set_coupon, owner, cart, None, RULES),
        (carts.set_shipping_option, owner, cart, "standard", RULES),
    ]
    for function, *arguments in calls:
        with pytest.raises(error) as refused:
            await changed(sessions, function, *arguments)
        assert "its holder" in refused.value.context.values()


@pytest.mark.parametrize("by", ["the store", "a statement"])
async def test_a_change_that_meets_a_start_comes_after_it(sessions: Sessions, shop: Shop, by: str) -> None:
    """The start has locked the cart and not committed yet: the change waits for it, and is refused."""
    await shop.product("MUG")
    basket = await shop.cart({"MUG": 2})
    owner = Owner(basket.session_id)
    async with sessions() as starting:
        await starting.execute(text("UPDATE carts SET locked_by = 'chk_x'"))
        change: asyncio.Task[Any] = asyncio.create_task(
            changed(sessions, carts.set_line, owner, basket.cart_id, "MUG", 7)
            if by == "the store"
            else shop.execute("UPDATE cart_lines SET quantity = 7")
        )
        await until_someone_waits(sessions)
        await starting.commit()
    with pytest.raises((CartLocked, DBAPIError)) as refused:
        await change
    assert isinstance(refused.value, CartLocked) or sqlstate(refused.value) == "CK423"
    assert await shop.execute("SELECT quantity FROM cart_lines") == 2


async def test_coupons_are_refused_with_their_own_code(sessions: Sessions, shop: Shop) -> None:
    await shop.product("MUG", 2500)
    basket = await shop.cart({"MUG": 2})
    owner, cart = Owner(basket.session_id), basket.cart_id
    await shop.coupon("TEN")
    await shop.coupon("SOON", starts_at=await shop.execute("SELECT now() + interval '1 day'"))
    await shop.coupon("OVER", ends_at=await shop.execute("SELECT now() - interval '1 day'"))
    await shop.coupon("USED", limit_total=1, redeemed=1)
    await shop.coupon("RICH", minimum_amount=5001, currency="EUR")
    await shop.coupon("DOLLARS", kind="fixed_amount", amount=500, currency="USD")
    await shop.coupon("OFF", active=False)
    refusals = {
        "none": "coupon_unknown",
        "off": "coupon_unknown",
        "SOON": "coupon_not_yet_valid",
        "OVER": "coupon_expired",
        "USED": "coupon_used_up",
        "RICH": "coupon_below_minimum",
        "DOLLARS": "coupon_wrong_currency",
    }
    for code, expected in refusals.items():
        with pytest.raises(DefiniteFailure) as refused:
            await changed(sessions, carts.set_coupon, owner, cart, code, RULES)
        assert refused.value.code == expected
        assert (await view(sessions, owner, cart)).coupon_code is None
    applied = await changed(sessions, carts.set_coupon, owner, cart, " ten ", RULES)
    assert (applied.coupon_code, applied.pricing.discount_total) == ("TEN", 500)
    removed = await changed(sessions, carts.set_coupon, owner, cart, None, RULES)
    assert (removed.coupon_code, removed.pricing.discount_total) == (None, 0)


async def test_a_shipping_option_is_chosen_among_those_that_ship(sessions: Sessions, shop: Shop) -> None:
    await shop.product("MUG", 2500)
    basket = await shop.cart({"MUG": 2}, country="")
    owner, cart = Owner(basket.session_id), basket.cart_id
    with pytest.raises(DefiniteFailure) as refused:
        await changed(sessions, carts.set_shipping_option, owner, cart, "express", RULES)
    assert refused.value.code == "address_missing"
    await changed(sessions, carts.set_addresses, owner, cart, ADDRESS)
    assert (await view(sessions, owner, cart)).pricing.shipping_option == "standard"
    chosen = await changed(sessions, carts.set_shipping_option, owner, cart, "express", RULES)
    assert (chosen.pricing.shipping_option, chosen.pricing.shipping_total) == ("express", 1490)
    with pytest.raises(DefiniteFailure) as refused:
        await changed(sessions, carts.set_shipping_option, owner, cart, "drone", RULES)
    assert refused.value.code == "shipping_option_unavailable"
    assert refused.value.context == {"options": ["standard", "express"]}


async def test_prices_are_converted_where_the_shop_set_none(sessions: Sessions, shop: Shop) -> None:
    await shop.product("MUG", {"EUR": 1000})
    await shop.product("BOOK", {"EUR": 1000, "USD": 1500})
    basket = await shop.cart({"MUG": 1, "BOOK": 1}, currency="USD")
    owner = Owner(basket.session_id)
    missing = await view(sessions, owner, basket.cart_id)
    assert missing.obstacles() == ["price_missing"]
    await shop.execute(
        "INSERT INTO exchange_rates (base, currency, date, rate) VALUES "
        "('EUR', 'USD', '2020-01-01', 9), ('EUR', 'USD', '2020-01-02', 1.1), "
        "('EUR', 'USD', CURRENT_DATE + 1, 7)"
    )
    found = await view(sessions, owner, basket.cart_id)
    assert [line.unit_price for line in found.pricing.lines] == [1100, 1500]
    assert (found.pricing.compare_currency, found.pricing.exchange_rate) == ("EUR", "1.1")


async def test_a_cart_of_many_lines_and_promotions_is_one_statement(sessions: Sessions, shop: Shop) -> None:
    for number in range(100):
        await shop.product(f"SKU-{number}", 100 + number, category=f"category {number % 10}")
    for number in range(20):
        await shop.execute(
            "INSERT INTO promotions (code, name, kind, category, basis_points) "
            "VALUES (:code, :code, 'category_percentage', :category, 500)",
            code=f"PROMO-{number}",
            category=f"category {number % 10}",
        )
    basket = await shop.cart({f"SKU-{number}": 1 + number % 9 for number in range(100)})
    with sent() as statements:
        found = await view(sessions, Owner(basket.session_id), basket.cart_id)
    assert len(statements) == 1
    assert len(found.pricing.lines) == 100
    assert len(found.pricing.applied_discounts) == 20
