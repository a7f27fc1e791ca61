"""The catalogue admin over HTTP: every page shows its rows, and what checkouts wrote is there to read only."""

import httpx

from checkout.api.app import create_app
from checkout.runtime.settings import load_settings
from tests.api.catalogue.shop import BASE, PAGES, TOKEN, Shop
from tests.support.http import serve


async def test_every_page_shows_its_rows(shop: Shop) -> None:
    await shop.build((), ())
    shop.variants["MUG-ONE"] = await shop.key("variants", "sku", "MUG-ONE")
    shop.warehouses["main"] = await shop.key("warehouses", "code", "main")
    await shop.hold("chk_a", "MUG-ONE", 1)
    await shop.execute(
        "INSERT INTO payment_attempts (id, checkout_id, cart_id, number, method, token, gateway)"
        " VALUES ('pay_a', 'chk_a', 'cart_chk_a', 1, 'card', 'tok_secret', 'simulated')"
    )
    start = await shop.page("")
    for name in PAGES:
        assert f"{BASE}/{name}/list" in start
        text = await shop.page(f"{name}/list?search=chk_a&pageSize=100")
        await shop.page(f"{name}/list?sortBy=nothing", status=400)
        assert "tok_secret" not in text
    assert "MUG-ONE" in await shop.page("reservation/list")
    assert "1 × MUG-ONE in main, held" in await shop.page("checkout/details/chk_a")
    assert "tok_secret" not in await shop.page("payment-attempt/details/pay_a")
    assert "12.50 EUR" in await shop.page("price/list?search=MUG-SAND")
    assert "data:image/svg+xml" in await shop.page(f"product/details/{await shop.key('products', 'handle', 'teapot')}")


async def test_what_is_no_page_is_404_and_nothing_is_500(shop: Shop) -> None:
    for path in ("nothing/list", "product/details/x", "product/edit/99999", "product/details/99999", "price/details/1"):
        await shop.page(path, status=404)
    for path in ("product/edit/999999999999999999999999", "product/list?search=%00", "price/details/x;EUR"):
        assert (await shop.client.get(f"{BASE}/{path}")).status_code in {400, 404}
    for path in ("product/list?page=99999999999999999999", "product/list?page=-1"):
        assert (await shop.client.get(f"{BASE}/{path}")).status_code in {200, 302}
    assert (await shop.client.get(f"{BASE}/product/list?pageSize=0")).status_code == 400


async def test_what_checkouts_wrote_is_there_to_read_only(shop: Shop) -> None:
    for name in PAGES[10:]:
        await shop.page(f"{name}/list")
        for method, path in (("GET", "create"), ("POST", "create"), ("GET", "edit/1"), ("POST", "edit/1")):
            assert (await shop.client.request(method, f"{BASE}/{name}/{path}", data={})).status_code == 403
        assert (await shop.client.delete(f"{BASE}/{name}/delete?pks=1")).status_code == 403
        assert (await shop.client.get(f"{BASE}/{name}/export/csv")).status_code == 403


async def test_a_database_that_is_away_is_503() -> None:
    settings = load_settings(
        database_url="postgresql://127.0.0.1:1/none",
        temporal_address="127.0.0.1:1",
        secret_key="s" * 40,
        admin_token=TOKEN,
    )
    with serve(create_app(settings)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            await client.post(f"{BASE}/login", data={"password": TOKEN})
            answer = await client.get(f"{BASE}/product/list")
    assert answer.status_code == 503
    assert "The database does not answer." in answer.text


_ORDERED = (
    """
    INSERT INTO price_snapshots (checkout_id, cart_id, currency, sub_total, discount_total, shipping_total,
        shipping_tax_total, tax_total, total, tax_breakdown)
    VALUES ('chk_a', 'cart_chk_a', 'EUR', 5000, 0, 0, 0, 950, 5950, '[{"rate": "19", "name": "T<a>x"}]') RETURNING 1
    """,
    """
    INSERT INTO price_snapshot_lines (checkout_id, variant_id, position, sku, name, quantity, currency, unit_price,
        sub_total, discount_total, tax_total, total)
    VALUES ('chk_a', 1, 1, 'KETTLE', 'Kettle', 2, 'EUR', 2500, 5000, 0, 950, 5950) RETURNING 1
    """,
    """
    INSERT INTO orders (reference, checkout_id, cart_id, session_id, status, currency, sub_total, discount_total,
        shipping_total, tax_total, total, email)
    VALUES ('ORD-1', 'chk_a', 'cart_chk_a', 's', 'pending', 'EUR', 5000, 0, 0, 950, 5950, 'a@example.com') RETURNING 1
    """,
    """
    INSERT INTO order_lines (order_reference, variant_id, position, sku, name, quantity, unit_price, sub_total,
        discount_total, tax_total, total)
    VALUES ('ORD-1', 1, 1, 'KETTLE', 'Kettle', 2, 2500, 5000, 0, 950, 5950) RETURNING 1
    """,
)


async def test_what_was_ordered_is_shown_as_people_write_it(shop: Shop) -> None:
    """Amounts with their currency, those of lines too; documents as JSON."""
    shop.variants["KETTLE"] = await shop.key("variants", "sku", "KETTLE")
    shop.warehouses["main"] = await shop.key("warehouses", "code", "main")
    await shop.hold("chk_a", "KETTLE", 2)
    for statement in _ORDERED:
        await shop.value(statement)
    snapshot, order = await shop.page("price-snapshot/details/chk_a"), await shop.page("order/details/ORD-1")
    for page in (snapshot, order):
        assert "2 × KETTLE: 59.50 EUR" in page
        assert "9.50 EUR" in page
    assert "&#34;rate&#34;: &#34;19&#34;" in snapshot
    assert "T&lt;a&gt;x" in snapshot
