"""Requests repeated with their Idempotency-Key at two processes of the API, of which one is killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from checkout.runtime.embedded.process import launch
from tests.e2e.stack import LEASE, Stack
from tests.e2e.storefront import CARD, Buyer
from tests.e2e.test_crash_matrix import CART, GATEWAY
from tests.support.http import steady_port
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(600)]
Buyers = Callable[[], Buyer]


@pytest.fixture
async def second_api(stack: Stack, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Another process of the API, on the same database and Temporal."""
    port = steady_port()
    process = launch(
        [sys.executable, "-m", "checkout.cli.main", "api"],
        log=tmp_path / "api.log",
        environment={**stack.environment, "CHECKOUT_HTTP_PORT": str(port)},
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=90) as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/health/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready, "the second API is ready")
            yield client
    finally:
        process.terminate()
        process.wait(30)


async def answered(buyer: Buyer, path: str, body: object, key: str) -> httpx.Response:
    """The answer, once nobody runs the request any more."""

    async def other() -> httpx.Response | None:
        answer = await buyer.call("POST", path, body, key=key)
        return None if answer.status_code == 409 and answer.json()["code"] == "idempotency_key_in_use" else answer

    found = await eventually(other, f"the lease of {LEASE} s passes")
    assert found is not None
    return found


async def test_an_api_killed_while_its_start_is_in_flight(
    stack: Stack, buyer: Buyers, sku: str, second_api: httpx.AsyncClient
) -> None:
    ada = await buyer().fill({sku: 1})
    elsewhere = Buyer(second_api, ada.token)
    wanted = {"cart_id": ada.cart_id, "payment": CARD}
    async with stack.holding(CART, {"cart": ada.cart_id}) as hold:
        asked = asyncio.create_task(ada.call("POST", "/checkouts", wanted, key="k"))
        await hold.until_felt()  # the workflow has begun, and locks its cart
        os.kill(stack.pid("api"), signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            await asked
    first = await answered(elsewhere, "/checkouts", wanted, "k")
    assert first.status_code in {201, 202}, first.text
    assert "idempotent-replayed" not in first.headers
    ada.checkout_id = first.json()["id"]
    await stack.until_ready()
    again = await ada.call("POST", "/checkouts", wanted, key="k")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert (await ada.until_closed())["state"] == "completed"
    assert len(await stack.ledger_of(ada.checkout_id)) == 1
    assert (await ada.cart())["checkout_id"] == ada.checkout_id


async def test_an_api_killed_while_a_payment_is_in_flight(
    stack: Stack, buyer: Buyers, sku: str, second_api: httpx.AsyncClient
) -> None:
    ada = await buyer().fill({sku: 1})
    await ada.started()
    elsewhere, path = Buyer(second_api, ada.token), f"{ada.path}/payment"
    async with stack.holding(GATEWAY, {}) as hold:
        asked = asyncio.create_task(ada.call("POST", path, CARD, key="pay"))
        await hold.until_felt()  # the workflow has taken the payment, and asks the gateway
        os.kill(stack.pid("api"), signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            await asked
    first = await answered(elsewhere, path, CARD, "pay")
    assert first.status_code in {200, 202}, first.text
    await stack.until_ready()
    assert (await ada.call("POST", path, CARD, key="pay")).content == first.content
    assert (await ada.until_closed())["state"] == "completed"
    assert len(await stack.ledger_of(ada.checkout_id)) == 1
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        query = "SELECT status, token FROM payment_attempts WHERE checkout_id = %s ORDER BY number NULLS LAST"
        rows = await (await connection.execute(query, [ada.checkout_id])).fetchall()
    # That of the repeat was never taken up, and is kept without its token.
    assert rows == [("captured", None), ("discarded", None)]


async def test_thirty_repeats_of_a_payment_over_two_processes(
    stack: Stack, buyer: Buyers, sku: str, second_api: httpx.AsyncClient
) -> None:
    ada = await buyer().fill({sku: 1})
    await ada.started()
    both = (ada, Buyer(second_api, ada.token))
    calls = (both[n % 2].call("POST", f"{ada.path}/payment", CARD, key="pay") for n in range(30))
    answers = [answer for answer in await asyncio.gather(*calls) if answer.status_code != 409]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert (await ada.until_closed())["state"] == "completed"
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert entry["captured"] == (await ada.checkout())["totals"]["total"]
