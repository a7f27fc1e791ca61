"""Webhooks on the admin page, in a real browser; and that its words are those of the engine."""

import re

import httpx
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from checkout.api.app import create_app
from checkout.domain.events import EVENTS
from checkout.domain.words import Phase, State
from checkout.listeners import Listeners
from checkout.runtime.settings import Settings
from tests.api.test_admin_page import ASSETS, EVIL, opened
from tests.support.browser import browser
from tests.support.http import serve
from tests.support.receiver import receiver
from tests.support.waiting import eventually
from tests.workflows.stage import Stage


async def test_webhooks_are_kept_and_sent_again(http: httpx.AsyncClient, stage: Stage, api_settings: Settings) -> None:
    stage.listeners = Listeners(webhooks=True)
    near = api_settings.model_copy(update={"webhook_allow_http": True, "webhook_allow_private": True})
    with serve(create_app(near)) as url, receiver() as there:
        there.always = 500
        async with browser() as started, opened(started, url) as page, stage.worker():
            await page.get_by_role("link", name="Webhooks").click()
            await expect(page.get_by_text("No endpoint yet.")).to_be_visible()
            await page.get_by_role("button", name="Add an endpoint").click()
            dialog = page.get_by_role("dialog")
            await dialog.get_by_label("Address").fill("ftp://127.0.0.1/")
            await dialog.get_by_label("What it is").fill(EVIL)
            await dialog.get_by_label("checkout.completed").check()
            await dialog.get_by_role("button", name="Add").click()
            await expect(dialog.get_by_role("alert")).to_contain_text("url ")
            await dialog.get_by_label("Address").fill(there.url)
            await dialog.get_by_role("button", name="Add").click()
            secret = page.get_by_role("dialog", name="The secret").locator("pre")
            await expect(secret).to_contain_text("whsec_")
            there.secret = await secret.inner_text()
            await page.get_by_role("button", name="I have it").click()
            await expect(page.get_by_role("article")).to_contain_text(EVIL)
            await expect(page.get_by_text(there.secret)).to_have_count(0)

            run, _ = await stage.start(token="tok_visa")
            await run.result()

            async def tried() -> bool:
                return bool(there.received)

            await eventually(tried, "it is sent")
            await page.reload()
            row = page.locator("tbody tr")
            await expect(row).to_contain_text("pending")
            await row.get_by_role("link").first.click()
            await expect(page.get_by_role("table", name="Attempts")).to_contain_text("the receiver answered 500")
            await expect(page.locator("pre")).to_contain_text('"type"')
            found = await Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            there.always = 200
            await page.get_by_role("button", name="Send again").click()
            await dialog.get_by_role("button", name="Send again").click()
            await expect(page.locator(".standing")).to_have_text("delivered")

            await page.get_by_role("link", name="Webhooks").first.click()
            await page.get_by_label("Status").select_option("failed")
            await expect(page.get_by_text("Nothing was sent.")).to_be_visible()
            for button, then in (("Disable", "disabled"), ("Enable", "enabled")):
                await page.get_by_role("button", name=f"{button}: ").click()
                await dialog.get_by_role("button", name=button).click()
                await expect(page.get_by_role("article").get_by_role("heading")).to_contain_text(then)
            found = await Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            await page.get_by_role("button", name="Remove: ").click()
            await dialog.get_by_role("button", name="Remove").click()
            await expect(page.get_by_text("No endpoint yet.")).to_be_visible()


def test_its_words_are_those_of_the_engine() -> None:
    listed = {
        name: re.findall(r'"([\w.]+)"', found[1])
        for path in ("list.js", "webhooks.js")
        for name in ("STATES", "PHASES", "EVENTS")
        if (found := re.search(rf"const {name} = \[(.*?)\];", (ASSETS / path).read_text(), re.DOTALL))
    }
    assert listed == {"STATES": list(State), "PHASES": list(Phase), "EVENTS": list(EVENTS)}
