"""The catalogue admin over HTTP: no change without its line in the log of what admins did."""

from tests.api.catalogue.shop import BASE, Shop


async def test_no_change_is_made_that_is_not_kept_in_the_log(shop: Shop) -> None:
    await shop.save("tax-rate/create", country="jp", tax_class="standard", percent="10", name="Consumption tax")
    key = await shop.key("tax_rates", "country", "JP")
    [(variant, warehouse)] = await shop.rows("SELECT variant_id, warehouse_id FROM stock ORDER BY 1, 2 LIMIT 1")
    stock = f"stock/edit/{variant};{warehouse}"
    await shop.execute("ALTER TABLE admin_actions ADD CONSTRAINT no_more CHECK (id < 2)")
    before = (
        await shop.rows("SELECT * FROM stock ORDER BY 1, 2"),
        await shop.rows("SELECT * FROM tax_rates ORDER BY id"),
    )
    for path, entered in (
        ("tax-rate/create", {"country": "KR", "tax_class": "standard", "percent": "10"}),
        (f"tax-rate/edit/{key}", {"country": "JP", "tax_class": "standard", "percent": "8"}),
        (stock, {"how": "set", "quantity": "77", "reason": "counted"}),
    ):
        answer = await shop.client.post(f"{BASE}/{path}", data={"save": "Save", **entered})
        assert answer.status_code == 400, answer.text
    assert "error" in (await shop.client.delete(f"{BASE}/tax-rate/delete?pks={key}")).text
    assert (
        await shop.rows("SELECT * FROM stock ORDER BY 1, 2"),
        await shop.rows("SELECT * FROM tax_rates ORDER BY id"),
    ) == before
    await shop.execute("ALTER TABLE admin_actions DROP CONSTRAINT no_more")
    await shop.save(stock, how="set", quantity="77", reason="counted")
    assert await shop.rows("SELECT action, target FROM admin_actions ORDER BY id DESC LIMIT 1") == [
        ("catalogue_update", f"stock/{stock.rpartition('/')[2]}")
    ]
