"""The catalogue admin over HTTP: coupons, promotions, tax, shipping and exchange rates."""

from tests.api.catalogue.shop import BASE, Shop

COUPON = {"code": "spring", "kind": "percentage", "percent": "12.5", "priority": "100", "stackable": "y", "active": "y"}
PROMOTION = COUPON | {"code": "SALE", "kind": "product_percentage", "product_handle": "teapot", "percent": "10"}


async def test_a_coupon_from_words_to_columns_and_back(shop: Shop) -> None:
    await shop.save(
        "coupon/create",
        **COUPON,
        currency="eur",
        minimum_amount="50",
        limit_total="5",
        starts_at="2030-01-01T10:00",
        ends_at="2030-02-01T10:00",
    )
    columns = "code, basis_points, currency, minimum_amount, limit_total, starts_at::text, stackable"
    assert await shop.rows(f"SELECT {columns} FROM coupons WHERE code = 'SPRING'") == [  # noqa: S608 - fixed
        ("SPRING", 1250, "EUR", 5000, 5, "2030-01-01 10:00:00+00", True)
    ]
    page = await shop.page(f"coupon/edit/{await shop.key('coupons', 'code', 'SPRING')}")
    for value in ("12.5", "50.00", "2030-01-01T10:00", "SPRING"):
        assert f'value="{value}"' in page


async def test_rules_that_are_refused_change_nothing(shop: Shop) -> None:
    await shop.refused("coupon/create", "must be from 0.01 to 100", **COUPON | {"percent": "0"})
    await shop.refused("coupon/create", "code: there is one with WELCOME10 already", **COUPON | {"code": "Welcome10"})
    rate = {"country": "DE", "region": "", "tax_class": "standard"}
    await shop.refused("tax-rate/create", "must be from 0 to 100 percent", **rate, percent="101")
    await shop.refused("tax-rate/create", "country, region, tax_class: there is one with DE", **rate, percent="19")
    await shop.refused(
        "exchange-rate/create", "must be above zero", base="EUR", currency="USD", date="2030-01-01", rate="0"
    )
    for table, rows in (("coupons", 2), ("exchange_rates", 11), ("promotions", 0)):
        assert await shop.value(f"SELECT count(*) FROM {table}") == rows  # noqa: S608 - fixed names


async def test_a_limit_below_what_was_redeemed_is_refused(shop: Shop) -> None:
    await shop.execute("UPDATE coupons SET redeemed = 4 WHERE code = 'LIMITED10'")
    path = f"coupon/edit/{await shop.key('coupons', 'code', 'LIMITED10')}"
    limited = COUPON | {"code": "LIMITED10"}
    await shop.refused(path, "limit_total: more were redeemed already", **limited, limit_total="3")
    await shop.save(path, **limited, limit_total="4", redeemed="0")
    columns = "redeemed, limit_total, updated_at > created_at"
    rows = await shop.rows(f"SELECT {columns} FROM coupons WHERE code = 'LIMITED10'")  # noqa: S608 - fixed names
    assert rows == [(4, 4, True)]


async def test_a_promotion_is_for_goods_that_there_are(shop: Shop) -> None:
    await shop.refused(
        "promotion/create", "Product: there is no product 'kettel'", **PROMOTION | {"product_handle": "Kettel"}
    )
    by_category = PROMOTION | {"kind": "category_percentage", "product_handle": ""}
    await shop.refused(
        "promotion/create", "Category: there is no product of the category 'Cars'", **by_category, category="Cars"
    )
    category = await shop.value("SELECT category FROM products WHERE handle = 'kettle'")
    await shop.save("promotion/create", **by_category | {"code": "GOODS"}, category=category)
    await shop.save("promotion/create", **PROMOTION | {"product_handle": "Teapot"})
    assert await shop.value("SELECT product_handle FROM promotions WHERE code = 'SALE'") == "teapot"


async def test_promotions_that_contradict_each_other_are_refused(shop: Shop) -> None:
    await shop.save("promotion/create", **PROMOTION, ends_at="2030-02-01T00:00")
    other = PROMOTION | {"code": "SALE2", "percent": "15"}
    await shop.refused("promotion/create", "Product: contradicts the promotion 'SALE'", **other)
    await shop.refused(
        "promotion/create", "Product: contradicts the promotion 'SALE'", **other, starts_at="2030-01-31T23:59"
    )
    await shop.save("promotion/create", **other, starts_at="2030-02-01T00:00")
    over = other | {"code": "OVER", "product_handle": "kettle", "ends_at": "2020-02-01T00:00"}
    await shop.save("promotion/create", **over)
    await shop.save("promotion/create", **over | {"code": "OVER2"})
    await shop.save("promotion/create", **other | {"code": "SALE3", "product_handle": "kettle"})
    await shop.save("promotion/create", **{k: v for k, v in other.items() if k != "active"} | {"code": "SALE4"})
    await shop.refused(
        f"promotion/edit/{await shop.key('promotions', 'code', 'SALE3')}",
        "Product: contradicts the promotion 'SALE'",
        **other | {"code": "SALE3"},
    )
    path = f"promotion/edit/{await shop.key('promotions', 'code', 'SALE')}"
    await shop.save(path, **PROMOTION | {"percent": "11"}, ends_at="2030-02-01T00:00")
    assert await shop.value("SELECT basis_points FROM promotions WHERE code = 'SALE'") == 1100


async def test_tax_shipping_and_rates_are_changed_and_deleted(shop: Shop) -> None:
    await shop.save("tax-rate/create", country="jp", tax_class="standard", percent="10", name="Consumption tax")
    key = await shop.key("tax_rates", "country", "JP")
    await shop.save(f"tax-rate/edit/{key}", country="JP", tax_class="standard", percent="6.625")
    assert str(await shop.value("SELECT percent FROM tax_rates WHERE country = 'JP'")) == "6.6250"
    assert 'value="6.625"' in await shop.page(f"tax-rate/edit/{key}")
    assert (await shop.client.delete(f"{BASE}/tax-rate/delete?pks={key}")).status_code == 200
    assert await shop.value("SELECT count(*) FROM tax_rates WHERE country = 'JP'") == 0
    await shop.save(
        "shipping-option/create",
        currency="JPY",
        code="post",
        name="Post",
        tax_class="as_goods",
        amount="500",
    )
    key = await shop.key("shipping_options", "code", "post")
    assert 'value="500"' in await shop.page(f"shipping-option/edit/{key}")
    await shop.save("exchange-rate/create", base="eur", currency="jpy", date="2030-01-01", rate="160.123456")
    assert 'value="160.123456"' in await shop.page("exchange-rate/edit/EUR;JPY;2030-01-01")
    assert await shop.rows("SELECT amount, country, active FROM shipping_options WHERE code = 'post'") == [
        (500, "", False)
    ]
    acts = await shop.rows("SELECT who, action, split_part(target, '/', 1), outcome FROM admin_actions ORDER BY id")
    assert acts == [
        ("admin", "catalogue_create", "tax-rate", "done"),
        ("admin", "catalogue_update", "tax-rate", "done"),
        ("admin", "catalogue_delete", "tax-rate", "done"),
        ("admin", "catalogue_create", "shipping-option", "done"),
        ("admin", "catalogue_create", "exchange-rate", "done"),
    ]
