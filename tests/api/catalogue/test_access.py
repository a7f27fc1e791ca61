"""The catalogue admin over HTTP: who may enter, and from where."""

import httpx

from checkout.api.app import create_app
from checkout.runtime.database import Sessions
from checkout.runtime.settings import load_settings
from checkout.store.demo import seed_demo
from tests.api.catalogue.shop import BASE, TOKEN, Shop
from tests.store.shelves import Shelves
from tests.support.http import serve


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
