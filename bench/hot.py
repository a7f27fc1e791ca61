"""One product that everybody wants, against the same sale spread over many products."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import aiohttp

from bench.products import write_products
from bench.report import Report, percentile, spread
from bench.stack import Stack
from bench.storefront import Storefront

BUYERS = 500
SPREAD_OVER = 50


async def measure_hot(stack: Stack, directory: Path, rounds: int, report: Report) -> None:
    """500 buyers at once, each for one unit: everything sold, and a flash sale of 50 units. Alternating rounds.

    Raises RuntimeError where not exactly the stock was sold, or an answer was 500.
    """
    report.title(f"Hot SKU: {BUYERS} checkouts at once, on one SKU and spread over {SPREAD_OVER}")
    for units, name in (BUYERS, "enough for all"), (BUYERS // 10, "a tenth of what is wanted"):
        rates: dict[str, list[float]] = {"hot": [], "spread": []}
        for number in range(rounds):
            for case, products in ("hot", 1), ("spread", SPREAD_OVER):
                skus = [f"{case}-{units}-{number}-{n}".upper() for n in range(products)]
                export = write_products(directory / "hot.csv", [(sku, units // products) for sku in skus])
                stack.command("import-products", str(export), "--warehouse", "main")
                rates[case].append(await _sale(stack, skus, units, report))
        report.line(f"{name}: one SKU", spread(rates["hot"], "checkouts/s"))
        report.line(f"{name}: spread", spread(rates["spread"], "checkouts/s"))
        ratios = [hot / cold for hot, cold in zip(rates["hot"], rates["spread"], strict=True)]
        report.line(f"{name}: ratio (aim: >= 0.8)", spread(ratios, digits=2), **{f"hot_ratio_{units}": ratios})


async def _sale(stack: Stack, skus: list[str], units: int, report: Report) -> float:
    """Checkouts a second of one sale to all buyers at once."""
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=BUYERS, force_close=True), timeout=timeout
    ) as http:
        shop = Storefront(http, stack.api)
        carts: list[tuple[str, str]] = []
        for first in range(0, BUYERS, 20):
            carts += await asyncio.gather(*(shop.cart(skus[n % len(skus)]) for n in range(first, first + 20)))
        began = time.perf_counter()
        answers = await asyncio.gather(*(shop.buy(cart, token) for cart, token in carts))
        ends = (end_of(shop, cart, token, status) for (cart, token), (status, _) in zip(carts, answers, strict=True))
        states = Counter(await asyncio.gather(*ends))
        took = time.perf_counter() - began
    statuses = Counter(status for status, _ in answers)
    seconds = [duration for _, duration in answers]
    report.note(
        f"{dict(states)}, answers {dict(statuses)}, p50 {percentile(seconds, 0.5):.1f} s, "
        f"p95 {percentile(seconds, 0.95):.1f} s, {took:.1f} s in all"
    )
    if states["completed"] != units or states["completed"] + states["failed"] != BUYERS or statuses[500]:
        raise RuntimeError(f"{units} units, but {dict(states)}; answers {dict(statuses)}")
    return BUYERS / took


async def end_of(shop: Storefront, cart_id: str, token: str, status: int) -> str:
    """How the checkout of a cart ended, once it has. A buyer who was told to come back (503) does so.

    One who was refused in the line of starts has no checkout; for him it failed.
    """
    while True:
        if status == 503:
            status, _ = await shop.buy(cart_id, token)
        if status == 422:
            return "failed"
        _, cart = await shop.call("GET", f"/carts/{cart_id}", token=token)
        if cart.get("checkout_id") is not None:
            _, checkout = await shop.call("GET", f"/checkouts/{cart['checkout_id']}", token=token)
            if checkout.get("state") in {"completed", "failed", "expired", "cancelled"}:
                return str(checkout["state"])
        await asyncio.sleep(1)
