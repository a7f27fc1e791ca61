"""The buyer's page: two buttons that work without scripts, nothing that a payment can smuggle into it."""

import base64
import hashlib
import html
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import aiohttp
import pytest

from checkout.payments.port import GatewayStatus, Payment
from checkout.payments.simulated.client import SimulatedGateway
from tests.payments.harness import KEYS
from tests.support.gateway import API_KEY, GatewayServer

RETURN_URL = "https://shop.example/done?a=1&b=%22"


class Page(HTMLParser):
    """What is on a page: its tags with their attributes, its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def buttons(self) -> list[str | None]:
        return [attributes["value"] for tag, attributes in self.tags if tag == "button"]


@pytest.fixture
async def gateway(empty_gateway: GatewayServer) -> AsyncIterator[SimulatedGateway]:
    async with empty_gateway.adapter() as adapter:
        yield adapter


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def confirmed(
    gateway: SimulatedGateway, method: str, token: str | None = None, *, currency: str = "EUR", amount: int = 5938
) -> Payment:
    created = await gateway.create(
        checkout_id="chk_<script>alert(1)</script>",
        attempt_id="pay_1",
        currency=currency,
        amount=amount,
        method=method,
        token=token,
        key=KEYS.create(),
    )
    return await gateway.confirm(created.payment_id, key=KEYS.confirm(), return_url=RETURN_URL)


def url_of(payment: Payment) -> str:
    assert payment.next_action is not None
    return payment.next_action.url


async def opened(browser: aiohttp.ClientSession, url: str, status: int = 200) -> Page:
    async with browser.get(url) as response:
        assert response.status == status
        assert response.content_type == "text/html"
        return Page(await response.text())


async def pressed(browser: aiohttp.ClientSession, url: str, **fields: str) -> tuple[int, str | None, str]:
    """What a browser gets that sends the page's form: status, where it leads, and the page."""
    async with browser.post(url, data=fields, allow_redirects=False) as response:
        return response.status, response.headers.get("Location"), await response.text()


@pytest.mark.parametrize(("method", "token"), [("card", "tok_3ds"), ("paypal", None)])
async def test_the_page_shows_what_is_paid_and_its_buttons_lead_back(
    gateway: SimulatedGateway, browser: aiohttp.ClientSession, method: str, token: str | None
) -> None:
    payment = await confirmed(gateway, method, token)
    page = await opened(browser, url_of(payment))
    assert page.buttons() == ["approve", "deny"]
    assert "59.38 EUR" in page.text
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "link", "iframe"}), "nothing but the page itself"
    assert (await pressed(browser, url_of(payment), outcome="approve"))[:2] == (303, RETURN_URL)
    assert (await gateway.fetch(payment.payment_id)).status is GatewayStatus.AUTHORIZED
    assert (await opened(browser, url_of(payment))).buttons() == []
    assert (await pressed(browser, url_of(payment), outcome="approve"))[:2] == (303, RETURN_URL), "pressed twice"
    status, _, shown = await pressed(browser, url_of(payment), outcome="deny")
    assert (status, "cannot be denied" in shown) == (409, True)
    assert (await gateway.fetch(payment.payment_id)).authorized == 5938


async def test_the_other_button_declines(gateway: SimulatedGateway, browser: aiohttp.ClientSession) -> None:
    payment = await confirmed(gateway, "card", "tok_3ds")
    assert (await pressed(browser, url_of(payment), outcome="deny"))[:2] == (303, RETURN_URL)
    assert (await gateway.fetch(payment.payment_id)).status is GatewayStatus.DECLINED
    page = await opened(browser, url_of(payment))
    assert (page.buttons(), "declined" in page.text) == ([], True)


async def test_a_browser_may_do_what_the_page_needs_and_nothing_else(
    gateway: SimulatedGateway, browser: aiohttp.ClientSession
) -> None:
    payment = await confirmed(gateway, "card", "tok_3ds")
    async with browser.get(url_of(payment)) as response:
        policy = response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        source = await response.text()
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; "
        r"form-action 'self' https://shop\.example; base-uri 'none'; frame-ancestors 'none'",
        policy,
    ), policy
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy, "the browser takes the style for the one that is allowed"


async def test_whatever_a_shop_sends_is_text_on_the_page(
    gateway: SimulatedGateway, browser: aiohttp.ClientSession
) -> None:
    payment = await confirmed(gateway, "card", "tok_3ds")
    async with browser.get(url_of(payment)) as response:
        source = await response.text()
    assert "alert(1)" not in source
    assert html.escape(RETURN_URL) in source, "its ampersand is escaped, and so would be a quote"
    status, _, shown = await pressed(browser, url_of(payment), outcome="<script>alert(1)</script>")
    assert (status, "<script" in shown) == (409, False)


@pytest.mark.parametrize(
    "return_url",
    [
        "javascript:alert(1)",
        "/relative",
        "https://",
        'https://shop.example/"><script>',
        "https://shop.example/\nSet-Cookie: a=b",
        "https://shop.example/ x",
        "https://" + "x" * 2000,
    ],
)
async def test_a_way_back_that_is_none_is_refused(
    gateway: SimulatedGateway, empty_gateway: GatewayServer, browser: aiohttp.ClientSession, return_url: str
) -> None:
    payment = await gateway.create(
        checkout_id="chk_1", attempt_id="pay_1", currency="EUR", amount=1, method="paypal", token=None, key="create"
    )
    headers = {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": "k"}
    url = f"{empty_gateway.url}/payments/{payment.payment_id}/confirm"
    async with browser.post(url, json={"return_url": return_url}, headers=headers) as response:
        assert response.status == 422
        assert (await response.json())["error"]["message"].startswith("return_url:")
    assert (await gateway.fetch(payment.payment_id)).status is GatewayStatus.CREATED


async def test_the_bank_s_page_transfers_in_amounts_as_people_write_them(
    gateway: SimulatedGateway, browser: aiohttp.ClientSession
) -> None:
    payment = await confirmed(gateway, "bank_transfer", currency="KWD", amount=10_500)
    page = await opened(browser, url_of(payment))
    assert page.buttons() == ["funds_received"]
    assert "10.500 KWD" in page.text
    (field,) = [attributes for tag, attributes in page.tags if tag == "input"]
    assert (field["name"], field["value"]) == ("amount", "10.500")
    path = "/" + url_of(payment).split("/", 3)[3]
    assert (await pressed(browser, url_of(payment), outcome="funds_received", amount="4.25"))[:2] == (303, path)
    assert (await gateway.fetch(payment.payment_id)).missing == 6250
    for wrong in ("", "0", "-1", "1.0001", "ten", "1e3"):
        if wrong:
            status, _, shown = await pressed(browser, url_of(payment), outcome="funds_received", amount=wrong)
            assert (status, 'role="alert"' in shown) == (409, True), wrong
    assert (await gateway.fetch(payment.payment_id)).missing == 6250
    await pressed(browser, url_of(payment), outcome="funds_received")
    assert (await gateway.fetch(payment.payment_id)).status is GatewayStatus.AUTHORIZED
    status, _, shown = await pressed(browser, url_of(payment), outcome="funds_received")
    assert (status, "nothing is missing" in shown) == (409, True)
    await pressed(browser, url_of(payment), outcome="funds_received", amount="0.001")
    assert (await gateway.fetch(payment.payment_id)).unowed == 1


async def test_json_does_the_same(gateway: SimulatedGateway, browser: aiohttp.ClientSession) -> None:
    payment = await confirmed(gateway, "bank_transfer")
    async with browser.post(url_of(payment), json={"outcome": "funds_received", "amount": 938}) as response:
        assert response.status == 200
        assert await response.json() == {
            "status": "pending",
            "currency": "EUR",
            "amount": 5938,
            "missing": 5000,
            "unowed": 0,
            "return_url": RETURN_URL,
        }
    for body, status, code in (
        ({"outcome": "approve"}, 409, "payment_pending"),
        ({"outcome": "deny"}, 409, "payment_pending"),
        ({"outcome": "steal"}, 422, "invalid_request"),
        ({"outcome": "funds_received", "amount": 0}, 422, "invalid_request"),
        ({"outcome": "funds_received", "amount": "5"}, 422, "invalid_request"),
        ({"outcome": "approve", "amount": 5}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ([], 422, "invalid_request"),
    ):
        async with browser.post(url_of(payment), json=body) as response:
            assert response.status == status, body
            assert (await response.json())["error"]["code"] == code
    async with browser.post(url_of(payment), data=b"x" * 70_000) as response:
        assert response.status == 413
    assert (await gateway.fetch(payment.payment_id)).missing == 5000


async def test_an_address_that_is_nobody_s_is_404(
    empty_gateway: GatewayServer, gateway: SimulatedGateway, browser: aiohttp.ClientSession
) -> None:
    payment = await confirmed(gateway, "card", "tok_3ds")
    for address in ("x", payment.payment_id, "%00"):
        async with browser.get(f"{empty_gateway.url}/actions/{address}") as response:
            assert response.status in {404, 422}
        async with browser.post(f"{empty_gateway.url}/actions/{address}", json={"outcome": "approve"}) as response:
            assert response.status in {404, 422}
    assert (await gateway.fetch(payment.payment_id)).status is GatewayStatus.REQUIRES_ACTION


async def test_the_address_is_known_to_the_shop_alone(
    empty_gateway: GatewayServer, gateway: SimulatedGateway, browser: aiohttp.ClientSession
) -> None:
    payment = await confirmed(gateway, "bank_transfer")
    await pressed(browser, url_of(payment), outcome="funds_received")
    secret = url_of(payment).rsplit("/", 1)[1]
    async with browser.get(f"{empty_gateway.url}/ledger") as response:
        assert payment.payment_id in (text := await response.text())
        assert secret not in text


async def test_approved_and_then_declined_by_the_bank(
    gateway: SimulatedGateway, browser: aiohttp.ClientSession
) -> None:
    payment = await confirmed(gateway, "card", "tok_3dsInsufficientFunds")
    assert (await pressed(browser, url_of(payment), outcome="approve"))[0] == 303
    declined = await gateway.fetch(payment.payment_id)
    assert (declined.status, declined.decline_code) == (GatewayStatus.DECLINED, "insufficient_funds")
