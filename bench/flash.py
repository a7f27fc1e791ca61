"""A flash sale: many buyers at once for a few units, and how long each of them waits for a clear answer."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import aiohttp

from bench.hot import end_of
from bench.products import write_products
from bench.report import Report, percentile, spread
from bench.stack import Stack
from bench.storefront import CARD, Storefront

BUYERS = 200
UNITS = 50


async def measure_flash(stack: Stack, directory: Path, rounds: int, report: Report) -> None:
    """Seconds until the answer of 200 starts with payment at once, for 50 units of one SKU.

    Raises RuntimeError where not exactly the stock was sold, or an answer was a server's error.
    """
    report.title(f"Flash sale: {BUYERS} buyers at once for {UNITS} units (aim: no 5xx, p95 under 5 s)")
    medians: list[float] = []
    slowest: list[float] = []
    for number in range(rounds):
        sku = f"FLASH-{number}"
        export = write_products(directory / "flash.csv", [(sku, UNITS)])
        stack.command("import-products", str(export), "--warehouse", "main")
        seconds = await _sale(stack, sku, report)
        medians.append(percentile(seconds, 0.5))
        slowest.append(percentile(seconds, 0.95))
    report.line("p50 of the answers", spread(medians, "s", 2), flash_p50_seconds=medians)
    report.line("p95 of the answers", spread(slowest, "s", 2), flash_p95_seconds=slowest)


async def _sale(stack: Stack, sku: str, report: Report) -> list[float]:
    timeout = aiohttp.ClientTimeout(total=300)
    connector = aiohttp.TCPConnector(limit=BUYERS, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        shop = Storefront(http, stack.api)
        carts: list[tuple[str, str]] = []
        for _ in range(BUYERS // 20):
            carts += await asyncio.gather(*(shop.cart(sku) for _ in range(20)))

        async def buy(cart_id: str, token: str) -> tuple[int, str, float]:
            began = time.perf_counter()
            status, answer = await shop.call("POST", "/checkouts", {"cart_id": cart_id, "payment": CARD}, token)
            return status, str(answer.get("code") or answer.get("state")), time.perf_counter() - began

        answers = await asyncio.gather(*(buy(*cart) for cart in carts))
        ends = (end_of(shop, *cart, status) for cart, (status, *_) in zip(carts, answers, strict=True))
        states = Counter(await asyncio.gather(*ends))
    said = Counter(f"{status} {word}" for status, word, _ in answers)
    seconds = [duration for *_, duration in answers]
    report.note(f"{dict(states)}, answers {dict(said)}, slowest {max(seconds):.2f} s")
    if states["completed"] != UNITS or any(status >= 500 for status, *_ in answers):
        raise RuntimeError(f"{UNITS} units, but {dict(states)}; answers {dict(said)}")
    return seconds
