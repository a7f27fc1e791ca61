"""The admin page in a real browser: what it shows, what is done by it, and what it never does."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from checkout.api import admin_page
from checkout.api.app import create_app
from checkout.runtime.settings import Settings
from tests.api.buyer import Buyer, card
from tests.api.conftest import ADMIN_TOKEN, VIEWER_TOKEN, beside_the_gateway
from tests.api.test_admin_checkout import fault
from tests.api.test_admin_repairs import log_of, refused_by_the_gateway
from tests.support.browser import browser
from tests.support.http import serve, steady_port
from tests.workflows.stage import Stage

ASSETS = Path(admin_page.__file__).parent / "assets"
PATIENCE = 60_000
EVIL = "<img src=x onerror=document.title='taken'>"

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(autouse=True)
def patient_browser() -> None:
    expect.set_options(timeout=PATIENCE)


@pytest.fixture
def api_settings(api_settings: Settings, stage: Stage) -> Settings:
    return beside_the_gateway(api_settings, stage).model_copy(update={"temporal_ui_url": "https://temporal.example"})


@asynccontextmanager
async def opened(started: Browser, url: str, token: str | None = ADMIN_TOKEN, **options: Any) -> AsyncIterator[Page]:
    """The page, signed in. Fails where the browser complains of anything, the policy of what it may load included."""
    context = await started.new_context(base_url=url, **options)
    context.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    page = await context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto("/admin")
    if token is not None:
        await sign_in(page, token)
        await expect(page.get_by_role("navigation")).to_be_visible()
    try:
        yield page
        refused = [one for one in complaints if not one.startswith("Failed to load resource")]
        assert not refused, refused
    finally:
        await context.close()


async def sign_in(page: Page, token: str) -> None:
    await page.get_by_label("Admin token").fill(token)
    await page.get_by_role("button", name="Sign in").click()


async def test_its_files_are_its_own_and_closed_to_others(http: httpx.AsyncClient) -> None:
    page = await http.get("/admin")
    assert page.headers["content-type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 3
    assert "<style" not in page.text
    assert re.findall(r"<script[^>]*>([^<]*)<", page.text) == [""]
    for path in (*named, *(f"admin/assets/{file.name}" for file in ASSETS.iterdir())):
        answer = await http.get(f"/{path}")
        assert answer.status_code == 200, path
        for each in (answer, page):
            assert "script-src 'self'" in each.headers["content-security-policy"]
            assert "unsafe" not in each.headers["content-security-policy"]
            assert each.headers["x-content-type-options"] == "nosniff"
            assert each.headers["cache-control"] == "no-cache"
        elsewhere = [one for one in re.findall(r"https?://[\w.]+", answer.text) if "w3.org" not in one]
        assert not elsewhere
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", answer.text)
    assert (await http.get("/admin/assets/none.js")).status_code == 404
    assert (await http.get("/admin/catalogue/", follow_redirects=True)).status_code == 200


async def test_who_may_come_in(http: httpx.AsyncClient, stage: Stage, api_url: str) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    session = buyer.headers["Authorization"].removeprefix("Bearer ")
    async with browser() as started:
        async with opened(started, api_url, token=None) as page:
            for wrong in ("x" * 20, session, "not a token", "tökén"):
                await sign_in(page, wrong)
                await expect(page.get_by_role("alert")).to_have_text("This is no admin token.")
            await sign_in(page, VIEWER_TOKEN)
            await expect(page.get_by_text("ada, viewer")).to_be_visible()
            await page.get_by_role("link", name=checkout).click()
            await expect(page.get_by_text("You may look.")).to_be_visible()
            await expect(page.get_by_role("button", name="Release")).to_have_count(0)
            await page.reload()  # the tab keeps the token
            await expect(page.get_by_role("heading", name=checkout)).to_be_visible()
            await page.get_by_role("button", name="Sign out").click()
            await page.reload()
            await expect(page.get_by_label("Admin token")).to_be_visible()
            assert await page.evaluate("sessionStorage.length + localStorage.length + document.cookie.length") == 0
        async with opened(started, api_url) as page:
            # At once, because an open page asks by itself every now and then, and then has no link any more.
            await page.evaluate("sessionStorage.setItem('checkout-admin-token', 'gone'); location.hash = '#/log'")
            await expect(page.get_by_role("alert")).to_have_text("The API takes this token no more.")
            await expect(page.get_by_role("link", name="The catalogue admin")).to_be_visible()


async def test_the_list_filters_pages_and_lives(http: httpx.AsyncClient, stage: Stage, api_url: str) -> None:
    buyers = [Buyer(http, await stage.shop.cart({"MUG": 1}, customer_id=EVIL)) for _ in range(4)]
    ids = [await buyer.started() for buyer in buyers]
    assert (await buyers[0].pay(ids[0])).status_code == 200
    await stage.shop.execute("ALTER TABLE checkouts DISABLE TRIGGER next_version")
    await stage.shop.execute("UPDATE checkouts SET expires_at = now() - interval '9 minutes' WHERE id = :id", id=ids[1])
    await stage.shop.execute("ALTER TABLE checkouts ENABLE TRIGGER next_version")
    async with browser() as started, opened(started, api_url) as page:
        rows = page.locator("tbody tr")
        await expect(rows).to_have_count(4)
        assert await page.locator("tbody td:first-child").all_inner_texts() == ids[::-1]
        await expect(page.get_by_text(EVIL).first).to_be_visible()  # as text
        assert await page.title() == "Checkouts – Checkouts"
        assert await page.locator("main img").count() == 0

        await page.get_by_label("State").select_option("completed")
        await page.get_by_role("button", name="Filter").click()
        await expect(rows).to_have_count(1)
        assert "state=completed" in page.url
        await expect(rows).to_contain_text(ids[0])
        await page.get_by_role("link", name="Stuck", exact=True).click()
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("Stuck: its deadline passed at ")
        await page.goto("/admin#/checkouts?state=paid")
        await expect(page.get_by_role("alert")).to_contain_text("state must be ")

        await page.route("**/admin/checkouts?**", lambda route: route.continue_(url=f"{route.request.url}&limit=3"))
        await page.route("**/admin/checkouts", lambda route: route.continue_(url=f"{route.request.url}?limit=3"))
        await page.get_by_role("link", name="Checkouts").click()
        await expect(rows).to_have_count(3)
        await page.get_by_role("button", name="Show older ones").click()
        await expect(rows).to_have_count(4)
        await expect(page.get_by_role("button", name="Show older ones")).to_be_hidden()
        # What others do is shown by itself, and the focus stays.
        await page.get_by_role("link", name=ids[2]).focus()
        assert (await buyers[2].cancel(ids[2])).status_code == 200
        await expect(rows.filter(has_text=ids[2])).to_contain_text("Cancelled")
        await expect(page.get_by_role("link", name=ids[2])).to_be_focused()

        search = page.get_by_role("searchbox")
        reference = (await buyers[0].get(ids[0]))["order"]["reference"]
        for wanted in (reference, buyers[0].cart_id, ids[0]):
            await search.fill(wanted)
            await search.press("Enter")
            await expect(page.get_by_role("heading", level=1)).to_have_text(ids[0])
        await search.fill("chk_none_none")
        await search.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("There is no such checkout.")
        await expect(page.get_by_role("main").get_by_text("…", exact=True)).to_have_count(0)


async def test_a_checkout_is_looked_at_and_released(http: httpx.AsyncClient, stage: Stage, api_url: str) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    assert (await buyer.pay(checkout, "tok_chargeDeclined")).status_code == 402
    async with browser() as started, opened(started, api_url) as page, opened(started, api_url) as other:
        for each in (page, other):
            await each.goto(f"/admin#/checkouts/{checkout}")
            await expect(each.get_by_role("heading", name="Nothing is wrong with it")).to_be_visible()
        ui = page.get_by_role("link", name="in the Temporal UI")
        assert str(await ui.get_attribute("href")).startswith("https://temporal.example/namespaces/")
        await expect(page.get_by_role("table", name="Phases").locator("tbody tr")).to_have_count(4)
        payments = page.get_by_role("table", name="Payments").locator("tbody tr")
        await expect(payments).to_contain_text("declined: card declined")
        await expect(payments).to_contain_text(re.compile(r"gw_\w+: declined"))
        await expect(page.get_by_role("table", name="Stock").locator("tbody tr")).to_have_count(2)

        await page.get_by_role("button", name="Release").click()
        dialog = page.get_by_role("dialog", name="Release the checkout")
        await dialog.get_by_label("Why").fill(" ")
        await dialog.get_by_role("button", name="Release").click()
        await expect(dialog.get_by_role("alert")).to_have_text("reason must not be empty")
        await dialog.get_by_role("button", name="Not now").click()
        assert await log_of(http, checkout) == []
        await page.get_by_role("button", name="Release").click()
        await dialog.get_by_label("Why").fill(f"he called {EVIL}")
        await dialog.get_by_role("button", name="Release").click()
        await expect(page.get_by_text(f"Released: {checkout} is cancelled.")).to_be_visible()
        for each in (page, other):  # the other one by itself
            await expect(each.locator(".standing")).to_have_text("Cancelled")
            await expect(each.get_by_role("button", name="Release")).to_have_count(0)
            await expect(each.get_by_role("table", name="What admins did")).to_contain_text(EVIL)
        assert await log_of(http, checkout) == [("admin", "release", f"he called {EVIL}", "done")]
        await page.get_by_role("link", name="Log", exact=True).click()
        await expect(page.get_by_role("heading", level=1, name="What admins did")).to_be_visible()
        await expect(page.locator("tbody tr").filter(has_text=EVIL)).to_have_count(1)


async def test_what_is_stuck_is_explained_tried_again_and_resolved(
    http: httpx.AsyncClient, stage: Stage, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fault(stage, "capture", fault="error")
    run = await stage.launch(token="tok_visa")
    capturing = run.checkout.checkout_id
    async with browser() as started, opened(started, api_url) as page:
        _, refused = await refused_by_the_gateway(http, stage, monkeypatch)
        await page.goto(f"/admin#/checkouts/{refused}")
        command = page.locator("[data-code=compensation_refused] code").last
        await expect(command).to_contain_text(f"checkout resolve {refused} --compensation void_payment")
        await page.get_by_role("button", name="Resolve: void payment").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Why").fill("the gateway lost it")
        await dialog.get_by_label("What was done by hand").fill("voided on its own pages")
        await dialog.get_by_role("button", name="It is done by hand").click()
        await expect(page.get_by_text("Resolved: ")).to_be_visible()
        await expect(page.locator(".standing")).to_have_text("Cancelled")
        await expect(page.get_by_role("table", name="Payments")).to_contain_text("settled by hand by admin")

        await page.goto(f"/admin#/checkouts/{capturing}")
        await expect(page.locator("[data-code=activity_failing]")).to_contain_text("payment_capture has failed ")
        await fault(stage, "capture")

        async def tried() -> None:
            await page.get_by_role("button", name="Retry now").click()
            await dialog.get_by_role("button", name="Retry now").click()

        # It may be tried by itself in the same moment: then there is nothing to be tried any more.
        await tried()
        await run.handle.result()
        if await dialog.is_visible():
            await dialog.get_by_role("button", name="Not now").click()
        await expect(page.locator(".standing")).to_have_text("Completed")
        await expect(page.get_by_role("heading", name="Nothing is wrong with it")).to_be_visible()


async def test_the_shop_and_an_api_that_goes_away(
    http: httpx.AsyncClient, stage: Stage, api_settings: Settings
) -> None:
    port = steady_port()
    url = f"http://127.0.0.1:{port}"
    async with browser() as started:
        with serve(create_app(api_settings), port):
            buyer = Buyer(http, await stage.cart())
            await buyer.started(payment=card("tok_visa"))
            context = opened(started, url)
            page = await context.__aenter__()
            await page.get_by_role("link", name="The shop").click()
            await expect(page.get_by_role("heading", name="It is healthy")).to_be_visible()
            await expect(page.get_by_role("definition").nth(1)).to_have_text("100.0 %")
            await page.get_by_label("What ended within").select_option("the last week")
            await expect(page).to_have_url(re.compile("hours=168"))
            await expect(page.get_by_text("live", exact=True)).to_be_visible()
        await expect(page.get_by_text("not live")).to_be_visible()
        await page.get_by_role("link", name="Log", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("The API does not answer.")
        with serve(create_app(api_settings), port):
            await expect(page.get_by_text("live", exact=True)).to_be_visible()
            await page.get_by_role("link", name="Checkouts").click()
            await expect(page.locator("tbody tr")).to_have_count(1)
            await page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_and_a_screen_reader(http: httpx.AsyncClient, stage: Stage, api_url: str, scheme: str) -> None:
    await fault(stage, "capture", fault="error")
    run = await stage.launch(token="tok_visa")
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    phone: dict[str, Any] = {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        "color_scheme": scheme,
    }
    async with browser() as started, opened(started, api_url, **phone) as page:
        paper = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
        places = ["", f"#/checkouts/{checkout}", f"#/checkouts/{run.checkout.checkout_id}", "#/shop", "#/log"]
        for place in places:
            await page.goto(f"/admin{place}")
            await expect(page.locator("main :is(table, .well, .wrong, p)").first).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, place
            found = await Axe().run(page)
            assert found.violations_count == 0, (place, found.generate_report())
        await page.goto(f"/admin#/checkouts/{checkout}")
        await page.get_by_role("button", name="Release").tap()
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.get_by_role("button", name="Sign out").tap()
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    await fault(stage, "capture")
    await run.handle.result()
