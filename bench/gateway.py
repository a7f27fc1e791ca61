"""Checkouts at a gateway that takes its time: what it takes must be waited for by those who pay, and by nobody else.

The floor. A checkout by card makes three calls one after the other (create, confirm, capture), so with each answered
after 300 ms and 100 checkouts in flight the gateway alone allows 100 / 0.9 s = 111 a second. No machine of two cores
does the shop's own work that often; what that allows is measured beside it, with the same 100 in flight at the same
gateway when it answers at once. The floor is the lower of the two, and the ratio says how near to it the slow gateway
comes: 1 where its time costs nothing but itself.
"""

from pathlib import Path

import aiohttp

from bench.engine import PRODUCTS, Checkouts, throughput
from bench.products import write_products
from bench.report import Report, spread
from bench.stack import Stack
from bench.storefront import Storefront
from checkout.runtime.database import create_sessions, engine_for
from checkout.runtime.temporal import connect

IN_FLIGHT = 100
#: Seconds until a call is answered, and the calls of a checkout by card.
ANSWER = 0.3
CALLS = 3


async def measure_gateway(stack: Stack, directory: Path, rounds: int, count: int, report: Report) -> None:
    """Throughput with a gateway that answers at once, and after 300 ms; alternating rounds."""
    count = max(count, 3 * IN_FLIGHT)
    report.title(f"A gateway that answers after {ANSWER * 1000:.0f} ms, {count} a round, {IN_FLIGHT} in flight")
    export = write_products(directory / "gateway.csv", [(f"ENGINE-{n}", 1_000_000) for n in range(PRODUCTS)])
    stack.command("import-products", str(export), "--warehouse", "main")
    client = await connect(stack.settings)
    engine = engine_for(stack.settings.require_database_url(), application_name="bench")
    rates: dict[float, list[float]] = {0.0: [], ANSWER: []}
    try:
        async with aiohttp.ClientSession() as http:
            checkouts = Checkouts(client, create_sessions(engine), Storefront(http, stack.api))
            for seconds in rates:
                await _answer_after(stack, http, seconds)
                await throughput(await checkouts.prepare(IN_FLIGHT), IN_FLIGHT)
            for number in range(rounds):
                for seconds in sorted(rates, reverse=number % 2 == 1):
                    jobs = await checkouts.prepare(count)
                    await _answer_after(stack, http, seconds)
                    rates[seconds].append(await throughput(jobs, IN_FLIGHT))
            await _answer_after(stack, http, 0.0)
    finally:
        await engine.dispose()
    allowed = IN_FLIGHT / (CALLS * ANSWER)
    ratios = [slow / min(fast, allowed) for fast, slow in zip(rates[0.0], rates[ANSWER], strict=True)]
    report.line("answered at once", spread(rates[0.0], "/s"), gateway_at_once_rate=rates[0.0])
    report.line(f"answered after {ANSWER * 1000:.0f} ms", spread(rates[ANSWER], "/s"), gateway_slow_rate=rates[ANSWER])
    report.line("what the gateway's time alone allows", f"{allowed:.0f} /s", gateway_allows=allowed)
    report.line("of the floor, the lower of the two (aim: >= 0.9)", spread(ratios, digits=2), gateway_ratio=ratios)


async def _answer_after(stack: Stack, http: aiohttp.ClientSession, seconds: float) -> None:
    """Have the gateway wait so long before each call; 0 has it behave."""
    secret = stack.settings.secret("gateway_api_key")
    url, headers = f"{stack.gateway}/faults", {"Authorization": f"Bearer {secret}"}
    async with http.delete(url, headers=headers) as answer:
        answer.raise_for_status()
    if seconds:
        body = {"operation": "*", "fault": "latency", "seconds": seconds}
        async with http.post(url, json=body, headers=headers) as answer:
            answer.raise_for_status()
