"""Whole purchases over HTTP: cart, line, addresses, start, pay."""

import asyncio
import re
import time
from pathlib import Path

import aiohttp
import psycopg

from bench.products import write_products
from bench.report import Report, percentile, spread
from bench.stack import Stack
from bench.storefront import Storefront

SESSIONS = 20
COUNTED = 20
_STATEMENT = re.compile(r"^bench\|(?P<application>[^|]*)\|.*?LOG:  (?:statement|execute [^:]*): (?P<sql>.*)")


async def measure_purchases(stack: Stack, directory: Path, rounds: int, count: int, report: Report) -> None:
    """Throughput and latency at 20 sessions, and the SQL statements that one purchase takes."""
    report.title(f"A whole purchase (cart, line, addresses, start, pay) at {SESSIONS} sessions")
    export = write_products(directory / "purchase.csv", [(f"BUY-{n}", 100_000) for n in range(SESSIONS)])
    stack.command("import-products", str(export), "--warehouse", "main")
    rates: list[float] = []
    medians: list[float] = []
    async with aiohttp.ClientSession() as http:
        shop = Storefront(http, stack.api)
        await _round(shop, SESSIONS)
        for _ in range(rounds):
            began = time.perf_counter()
            durations = await _round(shop, count)
            rates.append(len(durations) / (time.perf_counter() - began))
            medians.append(percentile(durations, 0.5))
        statements = await _statements(stack, shop)
    report.line("throughput", spread(rates, "purchases/s"), purchases_per_second=rates)
    report.line("p50 of a purchase", spread(medians, "s", 2), purchase_seconds=medians)
    total = sum(statements.values())
    each = ", ".join(f"{name} {number:.1f}" for name, number in sorted(statements.items()))
    report.line(
        "SQL statements of a purchase (aim: <= 80, reach for 60)", f"{total:.1f} ({each})", statements=statements
    )


async def _round(shop: Storefront, count: int) -> list[float]:
    """Buy ``count`` times by 20 sessions at once; the seconds of each purchase."""

    async def session(number: int) -> list[float]:
        return [await shop.purchase(f"BUY-{number}") for _ in range(max(1, count // SESSIONS))]

    return [seconds for one in await asyncio.gather(*map(session, range(SESSIONS))) for seconds in one]


async def _statements(stack: Stack, shop: Storefront) -> dict[str, float]:
    """What PostgreSQL's own log counts for one purchase, BEGIN and COMMIT included, by process; one buyer at a time.

    The gateway is left out: it stands for a third party.
    """
    uri = stack.postgres.uri()
    async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as connection:
        for setting in "log_statement = 'all'", "log_line_prefix = 'bench|%a|'":
            await connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        await connection.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(1)  # the backends take it over between two statements
        for _ in range(3):
            await shop.purchase("BUY-0")
        before = _logged(stack.log("postgres"))
        for _ in range(COUNTED):
            await shop.purchase("BUY-0")
        after = _logged(stack.log("postgres"))
        for setting in "log_statement", "log_line_prefix":
            await connection.execute(f"ALTER SYSTEM RESET {setting}".encode())
        await connection.execute("SELECT pg_reload_conf()")
    counted = {name: (number - before.get(name, 0)) / COUNTED for name, number in after.items()}
    return {name: number for name, number in counted.items() if number and "gateway" not in name}


def _logged(log: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if found := _STATEMENT.match(line):
                name = "gateway" if "gateway." in found["sql"] else found["application"]
                counts[name] = counts.get(name, 0) + 1
    return counts
