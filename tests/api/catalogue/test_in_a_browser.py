"""The catalogue admin in a real browser: its pages fit a phone, and what is entered is saved, refused or deleted."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, ViewportSize, expect

from tests.api.catalogue.shop import BASE, PAGES, TOKEN, Shop
from tests.support.browser import browser

PATIENCE = 60_000
PHONE = ViewportSize(width=390, height=844)


@pytest.fixture
async def page(shop: Shop, api_url: str) -> AsyncIterator[Page]:
    """A phone that has logged in. Fails where the browser complains of anything."""
    expect.set_options(timeout=PATIENCE)
    async with browser() as started:
        context = await started.new_context(base_url=api_url, viewport=PHONE)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{BASE}/")
        await page.get_by_label("Admin token").fill(TOKEN)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("link", name="Logout")).to_be_visible()
        yield page
        # A form that is refused is answered with 400, which the browser mentions.
        refused = [one for one in complaints if "400 (Bad Request)" not in one]
        assert not refused, refused
        await context.close()


async def test_every_list_fits_a_phone(page: Page) -> None:
    for name in PAGES:
        await page.goto(f"{BASE}/{name}/list")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], name


async def test_a_tax_rate_is_refused_saved_and_deleted(page: Page, shop: Shop) -> None:
    await page.goto(f"{BASE}/tax-rate/create")
    await page.get_by_label("Country").fill("JP")
    await page.get_by_label("Percent").fill("120")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("must be from 0 to 100 percent")).to_be_visible()
    await page.get_by_label("Percent").fill("10")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.wait_for_url("**/tax-rate/list*")
    assert await shop.rows("SELECT percent::text FROM tax_rates WHERE country = 'JP'") == [("10.0000",)]
    await page.goto(f"{BASE}/tax-rate/list?search=JP")
    await page.locator("tbody .fa-trash").click()
    async with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        await page.locator("#modal-delete-button").click()
    assert await shop.rows("SELECT percent FROM tax_rates WHERE country = 'JP'") == []
