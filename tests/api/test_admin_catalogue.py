"""The catalogue admin over HTTP: who may enter, what may be changed and what is refused, with the field's name."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from checkout.api.app import create_app
from checkout.runtime.database import Sessions
from checkout.runtime.settings import load_settings
from checkout.store.demo import seed_demo
from checkout.store.verification import verify_stock
from tests.store.shelves import Shelves
from tests.support.http import serve

TOKEN = "admin-token-of-the-tests"
BASE = "/admin/catalogue"


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """An API on the test's database; Temporal is away, which these pages do not mind."""
    settings = load_settings(
        database_url=database_url, temporal_address="127.0.0.1:1", secret_key="s" * 40, admin_token=TOKEN
    )
    with serve(create_app(settings)) as address:
        yield address


@pytest.fixture
async def stranger(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has not logged in."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


class Shop(Shelves):
    """The demo shop, and a client that has logged in to its admin."""

    def __init__(self, sessions: Sessions, client: httpx.AsyncClient) -> None:
        super().__init__(sessions)
        self.client = client

    async def page(self, path: str, status: int = 200) -> str:
        """The text of a page."""
        answer = await self.client.get(f"{BASE}/{path}")
        assert answer.status_code == status, answer.text
        return answer.text

    async def save(self, path: str, **entered: Any) -> None:
        """Save a form, which has to be taken."""
        answer = await self.client.post(f"{BASE}/{path}", data={"save": "Save", **entered})
        assert answer.status_code == 302, answer.text
        assert "/list" in answer.headers["location"]

    async def refused(self, path: str, message: str, **entered: Any) -> None:
        """Save a form, which has to be refused with this message."""
        answer = await self.client.post(f"{BASE}/{path}", data={"save": "Save", **entered})
        assert answer.status_code == 400
        assert message in answer.text.replace("&#39;", "'")

    async def key(self, table: str, column: str, value: str) -> int:
        """The id of a row."""
        return int(await self.value(f"SELECT id FROM {table} WHERE {column} = :value", value=value))  # noqa: S608


@pytest.fixture
async def shop(sessions: Sessions, stranger: httpx.AsyncClient) -> Shop:
    await seed_demo(sessions)
    shop = Shop(sessions, stranger)
    answer = await stranger.post(f"{BASE}/login", data={"password": TOKEN})
    assert (answer.status_code, answer.headers["location"].endswith(f"{BASE}/")) == (302, True)
    return shop


PAGES = (
    *("product", "variant", "price", "stock", "warehouse", "coupon", "promotion", "tax-rate", "shipping-option"),
    *("exchange-rate", "checkout", "order", "price-snapshot", "stock-movement", "reservation", "payment-attempt"),
    "coupon-redemption",
)


# -- access ----------------------------------------------------------------------------------------------------------


async def test_nothing_is_shown_or_done_without_a_login(stranger: httpx.AsyncClient, sessions: Sessions) -> None:
    await seed_demo(sessions)
    login = f"{stranger.base_url}".rstrip("/") + f"{BASE}/login"
    for path in ("", "product/list", "product/details/1", "product/create", "product/edit/1", "checkout/list"):
        answer = await stranger.get(f"{BASE}/{path}")
        assert (answer.status_code, answer.headers["location"]) == (302, login)
    for method, path in (("POST", "product/edit/1"), ("POST", "stock/create"), ("DELETE", "price/delete?pks=1;EUR")):
        answer = await stranger.request(method, f"{BASE}/{path}", data={"title": "X"})
        assert (answer.status_code, answer.headers["location"]) == (302, login)
    assert await Shelves(sessions).value("SELECT count(*) FROM prices") == 62


async def test_another_token_is_refused(stranger: httpx.AsyncClient) -> None:
    for password in ("", "wrong", TOKEN.upper(), "ä", f"{TOKEN}x"):
        answer = await stranger.post(f"{BASE}/login", data={"password": password})
        assert answer.status_code == 400
        assert "This is not the admin token." in answer.text
        assert (await stranger.get(f"{BASE}/")).status_code == 302


async def test_a_login_ends_at_logout_and_with_the_token(
    shop: Shop, stranger: httpx.AsyncClient, database_url: str
) -> None:
    cookies = dict(stranger.cookies)
    settings = load_settings(
        database_url=database_url, temporal_address="127.0.0.1:1", secret_key="s" * 40, admin_token=f"another-{TOKEN}"
    )
    with serve(create_app(settings)) as other:
        async with httpx.AsyncClient(base_url=other, cookies=cookies) as client:
            assert (await client.get(f"{BASE}/")).status_code == 302
    assert (await stranger.get(f"{BASE}/")).status_code == 200
    await stranger.get(f"{BASE}/logout")
    assert (await stranger.get(f"{BASE}/")).status_code == 302


async def test_the_cookie_is_for_these_pages_alone(stranger: httpx.AsyncClient, database_url: str) -> None:
    plain = await stranger.post(f"{BASE}/login", data={"password": TOKEN})
    cookie = plain.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", f"path={BASE};", "max-age=28800"))
    assert "secure" not in cookie
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "1.1.1.1"}
    of_anybody = await stranger.post(f"{BASE}/login", data={"password": TOKEN}, headers=said)
    assert "secure" not in of_anybody.headers["set-cookie"].lower()
    behind_tls = load_settings(
        database_url=database_url,
        temporal_address="127.0.0.1:1",
        secret_key="s" * 40,
        admin_token=TOKEN,
        trusted_proxies="127.0.0.1",
    )
    with serve(create_app(behind_tls)) as address:
        async with httpx.AsyncClient(base_url=address) as client:
            of_the_proxy = await client.post(f"{BASE}/login", data={"password": TOKEN}, headers=said)
    assert "secure" in of_the_proxy.headers["set-cookie"].lower()


async def test_another_sites_page_changes_nothing(shop: Shop) -> None:
    key = await shop.key("coupons", "code", "WELCOME10")
    foreign: tuple[dict[str, str], ...] = (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"},
    )
    for headers in foreign:
        answer = await shop.client.post(f"{BASE}/coupon/edit/{key}", data={"save": "Save"}, headers=headers)
        assert answer.status_code == 403
        answer = await shop.client.delete(f"{BASE}/price/delete", params={"pks": "1;EUR"}, headers=headers)
        assert answer.status_code == 403
    assert await shop.value("SELECT count(*) FROM prices") == 62
    own = {"Origin": str(shop.client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert (await shop.client.delete(f"{BASE}/price/delete", params={"pks": "1;EUR"}, headers=own)).status_code == 200
    assert await shop.value("SELECT count(*) FROM prices") == 61


async def test_pages_stand_in_no_frame_and_in_no_cache(shop: Shop) -> None:
    headers = (await shop.client.get(f"{BASE}/product/list")).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "script" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


# -- pages -----------------------------------------------------------------------------------------------------------


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


# -- goods -----------------------------------------------------------------------------------------------------------

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


# -- what decides prices ---------------------------------------------------------------------------------------------

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


async def test_promotions_that_contradict_each_other_are_refused(shop: Shop) -> None:
    await shop.save("promotion/create", **PROMOTION, ends_at="2030-02-01T00:00")
    other = PROMOTION | {"code": "SALE2", "percent": "15"}
    await shop.refused("promotion/create", "Product: contradicts the promotion 'SALE'", **other)
    await shop.refused(
        "promotion/create", "Product: contradicts the promotion 'SALE'", **other, starts_at="2030-01-31T23:59"
    )
    await shop.save("promotion/create", **other, starts_at="2030-02-01T00:00")
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
