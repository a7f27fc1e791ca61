"""Status reads: ``GET /checkouts/{id}`` against an endpoint of the same application that does nothing."""

import asyncio
import time
from pathlib import Path

import aiohttp

from bench.products import write_products
from bench.report import Report, spread
from bench.stack import Stack
from bench.storefront import CARD, Storefront

IN_FLIGHT = 16
CHECKOUTS = 20
READS = 20  # of each checkout in a round

#: A path, and the token that opens it.
_Asked = tuple[str, str | None]


async def measure_reads(stack: Stack, directory: Path, rounds: int, report: Report) -> None:
    """Reads a second of completed checkouts, and answers a second of ``/health/live``, alternating."""
    report.title(f"Status reads, {CHECKOUTS * READS} a round, {IN_FLIGHT} in flight")
    export = write_products(directory / "reads.csv", [("READ", 1000)])
    stack.command("import-products", str(export), "--warehouse", "main")
    async with aiohttp.ClientSession() as http:
        shop = Storefront(http, stack.api)
        bought = [await _bought(shop) for _ in range(CHECKOUTS)]
        kinds: dict[str, list[_Asked]] = {"read": bought, "empty": [("/health/live", None)] * CHECKOUTS}
        rates: dict[str, list[float]] = {name: [] for name in kinds}
        for paths in kinds.values():
            await _rate(shop, paths)
        for number in range(rounds):
            for name in sorted(kinds, reverse=number % 2 == 1):
                rates[name].append(await _rate(shop, kinds[name]))
    for name, values in rates.items():
        report.line(f"{name}: answers", spread(values, "/s", 0), **{f"{name}_answers": values})
    ratios = [read / empty for read, empty in zip(rates["read"], rates["empty"], strict=True)]
    report.line("ratio (aim: >= 0.5)", spread(ratios, digits=2), read_ratio=ratios)


async def _bought(shop: Storefront) -> _Asked:
    cart_id, token = await shop.cart("READ")
    checkout = await shop.expect("POST", "/checkouts", {"cart_id": cart_id, "payment": CARD}, token)
    return f"/checkouts/{checkout['id']}", token


async def _rate(shop: Storefront, paths: list[_Asked]) -> float:
    waiting = iter(paths * READS)

    async def lane() -> None:
        for path, token in waiting:
            await shop.expect("GET", path, token=token)

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))
    return len(paths) * READS / (time.perf_counter() - began)
