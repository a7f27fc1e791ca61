"""The crash matrix: each process killed by SIGKILL while a checkout is in the middle of each phase.

A phase is kept in its middle by a lock on the rows it needs, so that the kill always hits it; then the lock goes and
whatever is left must bring the checkout to its one right end. `make chaos` runs all of it, `make test` some.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import httpx
import pytest

from tests.e2e.stack import PROCESSES, Stack
from tests.e2e.storefront import CARD, Buyer, card
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(600)]
Buyers = Callable[[], Buyer]

ORDERS = "LOCK TABLE orders IN SHARE MODE"
GATEWAY = "LOCK TABLE gateway.payments IN SHARE MODE"
# NO KEY: what only refers to these rows (a payment attempt to its cart) does not wait.
CART = "SELECT FROM carts WHERE id = %(cart)s FOR NO KEY UPDATE"
STOCK = "SELECT FROM stock JOIN variants ON id = variant_id WHERE sku = %(sku)s FOR NO KEY UPDATE OF stock"


@dataclass(frozen=True)
class Middle:
    """Where to keep a checkout: ``stop`` blocks the phase; ``before`` an earlier one, until ``stop`` is in place."""

    stop: str
    before: str | None = None
    token: str = "tok_visa"
    ends: str = "completed"


PHASES = {
    "cart_validation": Middle(CART),
    "inventory_reservation": Middle(STOCK),
    "price_lock": Middle("LOCK TABLE price_snapshots IN SHARE MODE"),
    "payment_authorization": Middle(GATEWAY),
    "order_creation": Middle(ORDERS),
    "payment_capture": Middle(GATEWAY, before=ORDERS),
    "stock_commit": Middle(STOCK, before=ORDERS),
    "compensation": Middle(STOCK, before=ORDERS, token="tok_captureFails", ends="failed"),
}
#: What `make test` runs: each process once and each phase once, the worker in those where most is at stake.
USUAL = {
    ("inventory_reservation", "worker"),
    ("payment_capture", "worker"),
    ("stock_commit", "worker"),
    ("compensation", "worker"),
    ("cart_validation", "api"),
    ("price_lock", "temporal"),
    ("order_creation", "postgres"),
    ("payment_authorization", "gateway"),
}


def _matrix() -> list[object]:
    return [
        pytest.param(
            phase,
            process,
            id=f"{phase}-{process}",
            marks=() if (phase, process) in USUAL else pytest.mark.chaos,
        )
        for phase in PHASES
        for process in PROCESSES
    ]


@contextlib.asynccontextmanager
async def in_the_middle(
    stack: Stack, middle: Middle, values: dict[str, str]
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Locks that stop a checkout in a phase. Yields what waits until it has come there."""
    async with contextlib.AsyncExitStack() as held:
        if middle.before is None:
            hold = await held.enter_async_context(stack.holding(middle.stop, values))
            yield hold.until_felt
            return
        earlier = contextlib.AsyncExitStack()
        first = await earlier.enter_async_context(stack.holding(middle.before, values))

        async def arrive() -> None:
            await first.until_felt()
            hold = await held.enter_async_context(stack.holding(middle.stop, values))
            await earlier.aclose()
            await hold.until_felt()

        try:
            yield arrive
        finally:
            await earlier.aclose()


async def _start(buyer: Buyer, token: str) -> None:
    """Start and pay at once; the answer does not matter, whoever gives it may be killed meanwhile."""
    with contextlib.suppress(httpx.TransportError):
        await buyer.start(payment=card(token))


async def _checkout_of(buyer: Buyer) -> str:
    """The checkout of a buyer who may never have got an answer: the cart knows it."""

    async def known() -> str | None:
        with contextlib.suppress(httpx.TransportError):
            response = await buyer.call("GET", f"/carts/{buyer.cart_id}")
            if response.status_code == 200:
                return response.json()["checkout_id"] or None
        return None

    return str(await eventually(known, "the cart knows its checkout"))


@pytest.mark.parametrize(("phase", "process"), _matrix())
async def test_killed_in_the_middle(stack: Stack, buyer: Buyers, sku: str, phase: str, process: str) -> None:
    middle = PHASES[phase]
    ada = await buyer().fill({sku: 2})
    async with in_the_middle(stack, middle, {"cart": ada.cart_id, "sku": sku}) as arrive:
        asked = asyncio.create_task(_start(ada, middle.token))
        await arrive()
        await stack.kill(process)
    await asked
    ada.checkout_id = await _checkout_of(ada)
    done = await ada.until_closed()
    assert done["state"] == middle.ends, done
    entries = await stack.ledger_of(ada.checkout_id)
    assert len(entries) == 1, entries
    sold = done["totals"]["total"] if middle.ends == "completed" else 0
    assert entries[0]["captured"] - entries[0]["refunded"] == sold
    left = (await ada.expect(200, "GET", f"/products/{sku}"))["available"]
    assert left == (18 if middle.ends == "completed" else 20)


@pytest.mark.parametrize("process", [pytest.param("worker", id="worker"), pytest.param("gateway", id="gateway")])
async def test_killed_between_the_effect_and_the_answer(stack: Stack, buyer: Buyers, sku: str, process: str) -> None:
    """The card is authorized, and who should say so or hear of it is dead: it is not authorized a second time."""
    ada = await buyer().fill({sku: 1})
    asked = asyncio.create_task(_start(ada, "tok_slow"))
    ada.checkout_id = await _checkout_of(ada)
    await eventually(lambda: stack.ledger_of(ada.checkout_id), "the card is authorized")
    await stack.kill(process)
    await asked
    done = await ada.until_closed()
    assert done["state"] == "completed", done
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert entry["captured"] == entry["authorized"] == done["totals"]["total"]


@pytest.mark.chaos
async def test_a_storm(stack: Stack, buyer: Buyers, sku: str) -> None:
    """Buyers come one after another while processes are killed at random: each checkout ends one of two ways."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    buyers = [await buyer().fill({sku: 1}) for _ in range(40)]

    async def buy(one: Buyer, delay: float) -> None:
        await asyncio.sleep(delay)
        await _start(one, chance.choice(["tok_visa", "tok_visa", "tok_slow", "tok_gatewayDown", "tok_captureFails"]))

    buying = [asyncio.create_task(buy(one, chance.uniform(0, 40))) for one in buyers]
    for _ in range(10):
        await stack.kill(chance.choice(PROCESSES))
    await asyncio.gather(*buying)
    states: Counter[str] = Counter()
    for one in buyers:
        # A start that met no API or no Temporal has left nothing; the cart is as it was, and may be sold now.
        if (await one.cart())["checkout_id"] is None:
            await one.start(payment=CARD)
        one.checkout_id = await _checkout_of(one)
        states[(await one.until_closed())["state"]] += 1
    assert set(states) <= {"completed", "failed"}, (seed, states)
    left = (await buyers[0].expect(200, "GET", f"/products/{sku}"))["available"]
    assert left == 20 - states["completed"], (seed, states)
