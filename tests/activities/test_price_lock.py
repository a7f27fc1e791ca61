"""Phase 3: what is frozen and compared, and coupons that are never redeemed beyond their limit (G1, G2)."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.domain.tax import Destination
from checkout.runtime.database import create_sessions, engine_for
from checkout.store.pricing import PriceRules
from tests.activities.checking_out import refusal, reserved
from tests.support.at_once import at_once, database_errors
from tests.support.invariants import check_invariants
from tests.support.shop import Shop
from tests.support.statements import sent


async def snapshot(shop: Shop) -> dict[str, Any]:
    return dict((await shop.rows("SELECT to_jsonb(price_snapshots) FROM price_snapshots"))[0][0])


async def test_every_figure_is_frozen(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", 2500, title="Mug", variant_title="Blue")
    await shop.product("BOOK", 1000, tax_class="reduced")
    await shop.coupon("TEN", name="Ten off")
    checking = await reserved(shop, {"MUG": 2, "BOOK": 6}, coupon_code="TEN", shipping_option="express")
    result = await checking.lock()
    frozen, row = await snapshot(shop), await checking.row()
    # 5000 and 6000 less 10 %, 19 % of 4500 and of 1490, 7 % of 5400
    expected = {
        "sub_total": 11000,
        "discount_total": 1100,
        "shipping_total": 1490,
        "shipping_tax_total": 283,
        "tax_total": 855 + 378 + 283,
        "total": 9900 + 1490 + 1516,
        "coupon_code": "TEN",
        "shipping_option": "express",
        "currency": "EUR",
        "discarded_at": None,
    }
    assert expected.items() <= frozen.items()
    assert [(part["code"], part["amount"]) for part in frozen["applied_discounts"]] == [("TEN", 1100)]
    assert [(part["sku"], part["amount"]) for part in frozen["discount_breakdown"]] == [("BOOK", 600), ("MUG", 500)]
    assert [(part["rate"], part["net"], part["tax"]) for part in frozen["tax_breakdown"]] == [
        ("19", 5990, 1138),
        ("7", 5400, 378),
    ]
    assert frozen["promotion_details"][0]["terms"] == {"effect": "percentage_off", "basis_points": 1000}
    lines = await shop.rows("SELECT to_jsonb(l) FROM price_snapshot_lines l ORDER BY position")
    assert [(line["name"], line["quantity"], line["unit_price"], line["total"]) for (line,) in lines] == [
        ("Mug – Blue", 2, 2500, 5355),
        ("BOOK", 6, 1000, 5778),
    ]
    assert [line["discount_breakdown"][0]["amount"] for (line,) in lines] == [500, 600]
    assert (result.total, result.currency, result.version) == (12906, "EUR", row["version"])
    assert (row["state"], row["total"]) == ("awaiting_payment", 12906)
    await check_invariants(engine, at_rest=False)


async def test_repeated_and_at_once_it_is_done_once(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG")
    await shop.coupon("TEN", limit_total=5)
    checking = await reserved(shop, {"MUG": 2}, coupon_code="TEN")
    results, refused = await at_once(checking.lock() for _ in range(10))
    assert refused == []
    await shop.execute("UPDATE prices SET amount = 1")
    again = await checking.lock()
    assert all(result == again for result in results)
    assert await shop.execute("SELECT redeemed FROM coupons") == 1
    await check_invariants(engine, at_rest=False)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("DELETE FROM prices", "price_missing"),
        ("DELETE FROM shipping_options", "no_shipping"),
        ("DELETE FROM coupons", "coupon_unknown"),
        ("UPDATE coupons SET active = false", "coupon_unknown"),
        ("UPDATE coupons SET starts_at = now() + interval '1 day'", "coupon_not_yet_valid"),
        ("UPDATE coupons SET ends_at = now()", "coupon_expired"),
        ("UPDATE coupons SET limit_total = 3, redeemed = 3", "coupon_used_up"),
        ("UPDATE coupons SET limit_per_customer = 0", "coupon_used_up_by_customer"),
        ("UPDATE coupons SET minimum_amount = 5001, currency = 'EUR'", "coupon_below_minimum"),
        (
            "UPDATE coupons SET kind = 'fixed_amount', basis_points = NULL, amount = 1, currency = 'USD'",
            "coupon_wrong_currency",
        ),
    ],
)
async def test_what_cannot_be_sold_now_is_refused_and_nothing_is_frozen(
    shop: Shop, engine: AsyncEngine, statement: str, code: str
) -> None:
    await shop.product("MUG", 2500)
    await shop.coupon("TEN")
    checking = await reserved(shop, {"MUG": 2}, coupon_code="TEN")
    await shop.execute(statement)
    error = await refusal(checking.lock())
    assert (error.type, error.category.name) == (code, "BENIGN")
    assert await shop.rows("SELECT * FROM price_snapshots") == []
    assert await shop.rows("SELECT * FROM coupon_redemptions") == []
    assert (await checking.row())["state"] == "locking_prices"
    if code != "coupon_used_up":
        await checking.undo()
        await check_invariants(engine)


async def test_rules_that_cannot_be_reckoned_with_are_not_the_buyers_doing(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", 2500)
    checking = await reserved(shop, {"MUG": 2})
    await shop.execute("INSERT INTO tax_rates (country, region, percent) VALUES ('DE', 'Atlantis', 1)")
    error = await refusal(checking.lock())
    assert (error.type, error.category.name) == ("pricing_impossible", "UNSPECIFIED")
    assert "Atlantis" in error.message
    await checking.undo()
    await check_invariants(engine)


async def test_prices_are_converted_and_the_rate_is_kept(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", {"EUR": 1000})
    await shop.execute("INSERT INTO exchange_rates (base, currency, date, rate) VALUES ('EUR', 'USD', now(), 1.25)")
    checking = await reserved(shop, {"MUG": 2}, currency="USD")
    assert (await checking.lock()).total == round((2500 + 900) * 1.19)
    frozen = await snapshot(shop)
    assert (frozen["currency"], frozen["compare_currency"]) == ("USD", "EUR")
    assert Decimal(str(frozen["exchange_rate"])) == Decimal("1.25")
    await check_invariants(engine, at_rest=False)


async def test_prices_entered_with_tax_are_taken_apart(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", {"EUR": 1190})
    checking = await reserved(shop, {"MUG": 3})
    checking.rules = PriceRules(prices_include_tax=True, home=Destination("DE"))
    assert (await checking.lock()).total == 3 * 1190 + 490
    await check_invariants(engine, at_rest=False)


async def test_a_total_of_zero_goes_on_without_a_payment(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("FLYER", 0)
    await shop.coupon("FREIGHT", kind="free_shipping")
    checking = await reserved(shop, {"FLYER": 2}, coupon_code="FREIGHT")
    assert (await checking.lock()).total == 0
    assert (await checking.row())["state"] == "creating_order"
    await checking.create()
    assert (await checking.row())["state"] == "committing"
    await checking.commit()
    await check_invariants(engine)


async def test_discarding_gives_the_redemption_back_once(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG")
    await shop.coupon("TEN", limit_total=1)
    await shop.execute(
        "INSERT INTO promotions (code, name, kind, basis_points, limit_total) "
        "VALUES ('P', 'P', 'order_percentage', 100, 1)"
    )
    checking = await reserved(shop, {"MUG": 2}, coupon_code="TEN")
    await checking.lock()
    counts = "SELECT c.redeemed, p.redeemed FROM coupons c, promotions p"
    assert await shop.rows(counts) == [(1, 1)]
    results, refused = await at_once(checking.discard() for _ in range(5))
    assert refused == []
    assert sorted(result.count for result in results) == [0, 0, 0, 0, 1]
    assert await shop.rows(counts) == [(0, 0)]
    assert (await snapshot(shop))["discarded_at"] is not None
    await checking.undo()
    await check_invariants(engine)
    other = await reserved(shop, {"MUG": 2}, coupon_code="TEN")
    await other.lock()
    assert await shop.rows(counts) == [(1, 1)]


async def test_a_coupon_for_ten_is_redeemed_by_ten_of_fifty_at_once(
    shop: Shop, engine: AsyncEngine, database_url: str
) -> None:
    await shop.product("MUG", stock=1000)
    await shop.coupon("TEN", limit_total=10)
    rivals = [await reserved(shop, {"MUG": 1}, coupon_code="TEN", email=f"b{n}@example.com") for n in range(50)]
    wide = engine_for(database_url, pool_size=30)
    for rival in rivals:
        rival.sessions = create_sessions(wide)
    with database_errors(wide) as errors:
        done, refused = await at_once(rival.lock() for rival in rivals)
    await wide.dispose()
    assert (len(done), len(refused), errors) == (10, 40, [])
    assert {error.type for error in refused} == {"coupon_used_up"}
    assert await shop.rows("SELECT redeemed FROM coupons") == [(10,)]
    await check_invariants(engine, at_rest=False)


@pytest.mark.parametrize("customer_id", ["customer_a", None])
async def test_a_customer_redeems_a_coupon_no_more_often_than_allowed(
    shop: Shop, engine: AsyncEngine, customer_id: str | None
) -> None:
    await shop.product("MUG", stock=1000)
    await shop.coupon("TEN", limit_per_customer=2)
    rivals = [
        await reserved(shop, {"MUG": 1}, coupon_code="TEN", email="Ada@Example.com", customer_id=customer_id)
        for _ in range(8)
    ]
    done, refused = await at_once(rival.lock() for rival in rivals)
    assert (len(done), {error.type for error in refused}) == (2, {"coupon_used_up_by_customer"})
    other = await reserved(shop, {"MUG": 1}, coupon_code="TEN", email="bob@example.com")
    await other.lock()
    await check_invariants(engine, at_rest=False)


async def test_a_promotion_with_a_limit_is_counted_like_a_coupon(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", 1000, stock=1000)
    await shop.execute(
        "INSERT INTO promotions (code, name, kind, basis_points, limit_total) "
        "VALUES ('FIRST3', 'First three', 'order_percentage', 1000, 3)"
    )
    rivals = [await reserved(shop, {"MUG": 1}) for _ in range(10)]
    done, refused = await at_once(rival.lock() for rival in rivals)
    assert refused == []
    assert sorted(result.total for result in done) == [1654] * 3 + [1773] * 7
    assert await shop.rows("SELECT redeemed FROM promotions") == [(3,)]
    await check_invariants(engine, at_rest=False)


async def test_a_hundred_lines_take_as_many_statements_as_one(shop: Shop) -> None:
    for number in range(100):
        await shop.product(f"SKU-{number}", 100 + number)
    await shop.coupon("TEN", limit_total=10)
    few = await reserved(shop, {"SKU-1": 1}, coupon_code="TEN")
    many = await reserved(shop, {f"SKU-{number}": 2 for number in range(100)}, coupon_code="TEN")
    few.local = many.local = True
    with sent() as of_few:
        await few.lock()
    with sent() as of_many:
        await many.lock()
    assert len(of_few) == len(of_many) == 5
