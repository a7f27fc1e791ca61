"""The catalogue admin over HTTP: products, prices, stock and warehouses; what is refused names the field."""

from checkout.store.verification import verify_stock
from tests.api.catalogue.shop import BASE, Shop

PRODUCT = {"handle": "jug", "title": "Jug", "description": "For <b>milk</b>", "category": "Ware", "active": "y"}
VARIANT = {
    "handle": "jug",
    "sku": "JUG-L",
    "option1": "L",
    "weight_grams": "500",
    "tax_class": "standard",
    "active": "y",
}


async def test_a_product_from_nothing_to_sold(shop: Shop) -> None:
    await shop.save("product/create", **PRODUCT)
    await shop.save("variant/create", **VARIANT)
    await shop.save("price/create", sku="JUG-L", currency="eur", price="19.90")
    await shop.save("stock/create", sku="JUG-L", warehouse="main", how="receive", quantity="7", reason="first delivery")
    listed = (await shop.client.get("/products/JUG-L", params={"currency": "EUR"})).json()
    assert (listed["name"], listed["unit_price"], listed["available"]) == ("Jug – L", 1990, 7)
    assert "&lt;b&gt;milk&lt;/b&gt;" in await shop.page(
        f"product/details/{await shop.key('products', 'handle', 'jug')}"
    )
    assert (await shop.rows("SELECT kind, on_hand_delta, reason FROM stock_movements ORDER BY id DESC LIMIT 1")) == [
        ("received", 7, "first delivery")
    ]


async def test_goods_that_are_refused_name_the_field(shop: Shop) -> None:
    await shop.refused("product/create", "must be letters", **PRODUCT | {"handle": "a b"})
    await shop.refused("product/create", "handle: there is one with teapot already", **PRODUCT | {"handle": "teapot"})
    await shop.refused("variant/create", "Product: there is no product 'jug'", **VARIANT)
    await shop.refused(
        "variant/create", "sku: there is one with KETTLE already", **VARIANT | {"handle": "kettle", "sku": "KETTLE"}
    )
    await shop.refused("price/create", "'EURO' is no ISO", sku="KETTLE", currency="EURO", price="1")
    await shop.refused("price/create", "'1.999' has 3 decimals", sku="KETTLE", currency="GBP", price="1.999")
    await shop.refused("price/create", "SKU: there is no variant 'X'", sku="X", currency="GBP", price="1")
    await shop.refused("price/create", "variant_id, currency: there is one", sku="KETTLE", currency="EUR", price="1")
    assert await shop.value("SELECT count(*) FROM products") == 27


async def test_a_price_is_edited_as_a_decimal_and_its_carts_see_that_it_moved(shop: Shop) -> None:
    key = await shop.key("variants", "sku", "KETTLE")
    assert 'value="89.00"' in await shop.page(f"price/edit/{key};EUR")
    before = await shop.value("SELECT updated_at FROM prices WHERE variant_id = :v AND currency = 'EUR'", v=key)
    await shop.save(f"price/edit/{key};EUR", price="79.5", currency="USD", sku="TOTE")
    await shop.refused(f"price/edit/{key};EUR", "'7,5' is no decimal number", price="7,5")
    rows = await shop.rows("SELECT currency, amount FROM prices WHERE variant_id = :v ORDER BY 1", v=key)
    assert rows == [("EUR", 7950), ("USD", 9800)]
    assert await shop.value("SELECT max(updated_at) FROM prices WHERE variant_id = :v", v=key) > before


async def test_stock_changes_by_the_ledger_alone(shop: Shop) -> None:
    shop.variants["KETTLE"] = await shop.key("variants", "sku", "KETTLE")
    shop.warehouses["main"] = await shop.key("warehouses", "code", "main")
    key = f"{shop.variants['KETTLE']};{shop.warehouses['main']}"
    assert 'value="35"' not in await shop.page(f"stock/edit/{key}")
    await shop.save(f"stock/edit/{key}", how="set", quantity="30", reason="counted")
    await shop.save(f"stock/edit/{key}", how="receive", quantity="2", reason="came", on_hand="999", reserved="5")
    await shop.hold("chk_a", "KETTLE", 31)
    await shop.refused(
        f"stock/edit/{key}", "on_hand cannot be 30: chk_a (31).", how="set", quantity="30", reason="counted"
    )
    await shop.refused(f"stock/edit/{key}", "between 0 and 1000000000", how="set", quantity="-1", reason="x")
    await shop.refused(f"stock/edit/{key}", "quantity: must be from 1", how="receive", quantity="0", reason="x")
    await shop.refused("stock/create", "warehouse 'x' is not known", sku="TOTE", warehouse="x", **_COUNTED)
    await shop.refused("stock/create", "sku: 'X' is no SKU", sku="X", warehouse="main", **_COUNTED)
    assert (await shop.client.delete(f"{BASE}/stock/delete", params={"pks": key})).status_code == 403
    assert await shop.stock("KETTLE") == (32, 31)
    assert (await shop.movements("KETTLE"))[1:] == [
        *(("received", 12, 0), ("adjusted", -5, 0), ("received", 2, 0), ("reserved", 0, 31)),
    ]
    assert not (await verify_stock(shop.sessions)).differences


_COUNTED = {"how": "set", "quantity": "1", "reason": "counted"}


async def test_warehouses_keep_their_countries(shop: Shop) -> None:
    await shop.save("warehouse/create", code="alps", name="Alps", priority="3", countries="at, CH", active="y")
    key = await shop.key("warehouses", "code", "alps")
    assert 'value="AT, CH"' in await shop.page(f"warehouse/edit/{key}")
    await shop.save(f"warehouse/edit/{key}", code="alps", name="Alps", priority="4", countries="")
    assert await shop.rows("SELECT priority, countries, active FROM warehouses WHERE code = 'alps'") == [(4, [], False)]
