"""Pictures for the documentation, taken from what runs: the Temporal UI and the admin page of the stuck shop.

``make screenshots`` writes them into ``docs/operate/images``. Look at each before it is kept: it has to show what the
page says.
"""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, FloatRect, Locator, Page, ViewportSize

from checkout.domain.ids import cart_of, workflow_id
from tests.e2e.stuck import StuckShop, stuck_shop
from tests.support import servers
from tests.support.browser import browser

IMAGES = Path(__file__).parents[2] / "docs/operate/images"
#: Bytes of a picture at most: pages with pictures are read in the night, by telephone.
LARGEST = 150_000

DESK: ViewportSize = {"width": 1500, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 844}
#: Of the Temporal UI its navigation on the left is left out.
BESIDE = 258
COLUMNS = ("Status", "CheckoutItems", "CheckoutState", "CheckoutPhase", "CheckoutTotal", "CheckoutFailure")
ALL = "WorkflowType = 'Checkout'"


async def temporal_list(shop: StuckShop, page: Page) -> None:
    """All checkouts, with search attributes as columns."""
    await page.goto(f"{shop.temporal.ui}/namespaces/default/workflows?query={ALL}")
    await page.get_by_text("committing").wait_for()
    await keep(page, "temporal-list", {"x": BESIDE, "y": 60, "width": DESK["width"] - BESIDE, "height": 720})


async def temporal_details(shop: StuckShop, page: Page) -> None:
    """A workflow's summary and current details."""
    await run_of(shop, page, "gateway_away", "user-metadata")
    # The UI shows Markdown in a frame of its own.
    last = page.frame_locator("#user-metadata-current-details").get_by_text("gateway_unavailable").first
    await last.wait_for()
    await keep(page, "temporal-details", await down_to(last, 60))


async def temporal_pending(shop: StuckShop, page: Page) -> None:
    """A pending activity with its last failure; not its stack trace, which is of the machine that took the picture."""
    await run_of(shop, page, "row_locked", "pending-activities")
    trace = page.get_by_text("Stack Trace")
    await trace.wait_for()
    await keep(page, "temporal-pending", await down_to(trace, -26))


async def admin_list(shop: StuckShop, page: Page) -> None:
    """What is stuck, on the admin page."""
    await page.goto(f"{shop.url}/admin#/checkouts?stuck=true")
    await page.get_by_role("cell", name="Committing").first.wait_for()
    await keep(page, "admin-list")


async def admin_checkout(shop: StuckShop, page: Page) -> None:
    """A checkout whose compensation the gateway refuses."""
    await page.goto(f"{shop.url}/admin#/checkouts/{shop.checkouts['gateway_refuses']}")
    await page.get_by_text("void_payment").first.wait_for()
    await keep(page, "admin-checkout")


async def admin_phone(shop: StuckShop, page: Page) -> None:
    """A checkout that waits for a locked row, on a phone."""
    await page.set_viewport_size(PHONE)
    await page.goto(f"{shop.url}/admin#/checkouts/{shop.checkouts['row_locked']}")
    await page.get_by_text("ROW-LOCKED").first.wait_for()
    await keep(page, "admin-phone")


PICTURES = (temporal_list, temporal_details, temporal_pending, admin_list, admin_checkout, admin_phone)


async def run_of(shop: StuckShop, page: Page, name: str, tab: str) -> None:
    """Open a tab of a checkout's run."""
    checkout_id = shop.checkouts[name]
    await page.goto(f"{shop.temporal.ui}/namespaces/default/workflows/{workflow_id(str(cart_of(checkout_id)))}")
    await page.wait_for_url("**/timeline")
    await page.goto(f"{page.url.rpartition('/')[0]}/{tab}")


async def down_to(thing: Locator, more: float) -> FloatRect:
    """The part of the Temporal UI that ends so much below the top of a thing."""
    box = await thing.bounding_box()
    assert box is not None
    return {"x": BESIDE, "y": 60, "width": DESK["width"] - BESIDE, "height": box["y"] + more - 60}


async def keep(page: Page, name: str, part: FloatRect | None = None) -> None:
    """Write the picture."""
    await page.wait_for_timeout(700)  # what fades in
    file = IMAGES / f"{name}.png"
    await page.screenshot(path=file, clip=part, animations="disabled")
    # Few colours are enough for what is text, and a third of the size.
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(colors=128, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    print(f"{file.relative_to(IMAGES.parents[2])}: {size:,} bytes")
    assert size <= LARGEST, f"{name} is too large: take a smaller part of the page"


@contextlib.asynccontextmanager
async def opened(shop: StuckShop, started: Browser) -> AsyncIterator[Page]:
    """A page whose browser knows the columns of the list, and the admin's token."""
    context = await started.new_context(viewport=DESK, color_scheme="light")
    columns = json.dumps({"default": [{"label": name} for name in COLUMNS]})
    token = shop.environment["CHECKOUT_ADMIN_TOKEN"]
    await context.add_init_script(
        f"localStorage.setItem('namespace-workflow-table-columns', {json.dumps(columns)});"
        f"sessionStorage.setItem('checkout-admin-token', {json.dumps(token)});"
    )
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def take(shop: StuckShop) -> None:
    """All pictures."""
    IMAGES.mkdir(exist_ok=True)
    async with browser() as started:
        for picture in PICTURES:
            async with opened(shop, started) as page:
                await picture(shop, page)


def main() -> None:
    """Build the shop, take the pictures, and leave nothing running."""
    servers.begin_session()
    try:
        with tempfile.TemporaryDirectory(prefix="screenshots-") as directory, stuck_shop(Path(directory)) as shop:
            asyncio.run(take(shop))
    finally:
        servers.end_session()


if __name__ == "__main__":
    main()
