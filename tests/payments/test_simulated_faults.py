"""Faults on demand: the gateway slow, failing, or mute after the effect, and how a shop comes through it."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from checkout.payments.port import GatewayStatus, Unavailable
from checkout.payments.settle import settle_to_zero
from checkout.payments.simulated.client import SimulatedGateway
from checkout.payments.simulated.faults import FaultBody, Faults
from tests.payments.conftest import Create
from tests.payments.harness import KEYS
from tests.support.gateway import API_KEY, GatewayServer


@pytest.fixture
async def http(empty_gateway: GatewayServer) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with aiohttp.ClientSession(empty_gateway.url, headers=headers) as session:
        yield session
        async with session.delete("/faults") as response:
            assert await response.json() == {"items": []}


async def fault(http: aiohttp.ClientSession, **body: Any) -> None:
    async with http.post("/faults", json=body) as response:
        assert response.status == 201, await response.text()


async def test_a_lost_answer_was_an_effect_and_a_repeat_finds_it(
    gateway: SimulatedGateway, create: Create, http: aiohttp.ClientSession
) -> None:
    """For each operation: the call breaks, the effect is there, the repeat answers it and nothing is done twice."""
    await fault(http, operation="create", fault="lost", count=1)
    with pytest.raises(Unavailable):
        await create()
    created = await create()
    assert [
        payment.payment_id async for payment in gateway.list_payments(since=datetime.now(UTC) - timedelta(hours=1))
    ] == [created.payment_id]
    calls: dict[str, tuple[dict[str, Any], GatewayStatus]] = {
        "confirm": ({}, GatewayStatus.AUTHORIZED),
        "capture": ({"amount": 5000}, GatewayStatus.CAPTURED),
        "refund": ({"amount": 5000}, GatewayStatus.REFUNDED),
    }
    for operation, (amount, status) in calls.items():
        await fault(http, operation=operation, fault="lost", count=1)
        with pytest.raises(Unavailable):
            await getattr(gateway, operation)(created.payment_id, key=operation, **amount)
        done = await gateway.fetch(created.payment_id)
        assert done.status is status
        assert await getattr(gateway, operation)(created.payment_id, key=operation, **amount) == done


async def test_settling_comes_through_lost_answers_and_outages(
    gateway: SimulatedGateway, create: Create, http: aiohttp.ClientSession
) -> None:
    created = await create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    await gateway.capture(created.payment_id, amount=5000, key=KEYS.capture())
    for operation, kind in (("refund", "lost"), ("fetch", "error"), ("fetch", "lost"), ("*", "error")):
        await fault(http, operation=operation, fault=kind, count=1)
    for _ in range(4):
        with pytest.raises(Unavailable):
            await settle_to_zero(gateway, created.payment_id, KEYS)
    settled = await settle_to_zero(gateway, created.payment_id, KEYS)
    assert (settled.captured, settled.refunded) == (5000, 5000)


async def test_an_error_is_answered_before_anything_is_done(
    gateway: SimulatedGateway, create: Create, http: aiohttp.ClientSession
) -> None:
    created = await create()
    await fault(http, operation="confirm", fault="error", count=2)
    for _ in range(2):
        with pytest.raises(Unavailable, match="503"):
            await gateway.confirm(created.payment_id, key=KEYS.confirm())
        assert await gateway.fetch(created.payment_id) == created
    assert (await gateway.confirm(created.payment_id, key=KEYS.confirm())).status is GatewayStatus.AUTHORIZED


async def test_short_by_one_it_says_so_and_a_repeat_too(
    gateway: SimulatedGateway, create: Create, http: aiohttp.ClientSession
) -> None:
    for operation in ("confirm", "capture"):
        await fault(http, operation=operation, fault="short", count=1)
    created = await create()
    confirmed = [await gateway.confirm(created.payment_id, key=KEYS.confirm()) for _ in range(2)]
    assert [payment.authorized for payment in confirmed] == [5937, 5937]
    captured = [await gateway.capture(created.payment_id, amount=5937, key=KEYS.capture()) for _ in range(2)]
    assert [(payment.captured, payment.voided) for payment in captured] == [(5936, 1), (5936, 1)]
    assert await gateway.fetch(created.payment_id) == captured[0]


async def test_latency_slows_its_operation_and_no_other(
    empty_gateway: GatewayServer, create: Create, http: aiohttp.ClientSession
) -> None:
    """A call that is made to wait for minutes is given up, and has done nothing; the others do not wait for it."""
    created = await create()
    await fault(http, operation="capture", fault="latency", seconds=600)
    async with empty_gateway.adapter(timeout=30) as patient, empty_gateway.adapter(timeout=0.5) as hasty:
        await patient.confirm(created.payment_id, key=KEYS.confirm())
        with pytest.raises(Unavailable, match="TimeoutError"):
            await hasty.capture(created.payment_id, amount=5938, key=KEYS.capture())
        assert (await patient.fetch(created.payment_id)).captured == 0
        async with http.delete("/faults") as response:
            assert await response.json() == {"items": []}
        assert (await patient.capture(created.payment_id, amount=5938, key=KEYS.capture())).captured == 5938


async def test_a_short_latency_only_delays(
    gateway: SimulatedGateway, create: Create, http: aiohttp.ClientSession
) -> None:
    await fault(http, operation="*", fault="latency", seconds=0.2, count=2)
    begun = time.monotonic()
    created = await create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert time.monotonic() - begun >= 0.4, "never earlier than told; how much later is the machine's affair"


async def test_what_is_on_can_be_seen_and_taken_off(http: aiohttp.ClientSession, create: Create) -> None:
    await fault(http, operation="create", fault="error", count=2, probability=1)
    await fault(http, operation="webhook", fault="delay", seconds=2.5)
    with pytest.raises(Unavailable):
        await create()
    async with http.get("/faults") as response:
        items = (await response.json())["items"]
    assert [(item["operation"], item["fault"], item["count"]) for item in items] == [
        ("create", "error", 1),
        ("webhook", "delay", None),
    ]
    async with http.delete("/faults") as response:
        assert await response.json() == {"items": []}
    async with http.get("/faults") as response:
        assert await response.json() == {"items": []}
    await create()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "operation"),
        ({"operation": "confirm"}, "fault"),
        ({"operation": "steal", "fault": "error"}, "operation"),
        ({"operation": "confirm", "fault": "explode"}, "fault"),
        ({"operation": "confirm", "fault": "drop"}, "body"),
        ({"operation": "webhook", "fault": "lost"}, "body"),
        ({"operation": "refund", "fault": "short"}, "body"),
        ({"operation": "webhook", "fault": "short"}, "body"),
        ({"operation": "confirm", "fault": "error", "probability": 0}, "probability"),
        ({"operation": "confirm", "fault": "error", "probability": 1.1}, "probability"),
        ({"operation": "confirm", "fault": "error", "count": 0}, "count"),
        ({"operation": "confirm", "fault": "latency", "seconds": -1}, "seconds"),
        ({"operation": "webhook", "fault": "repeat", "times": 1}, "times"),
        ({"operation": "confirm", "fault": "error", "surprise": 1}, "surprise"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused(http: aiohttp.ClientSession, body: Any, field: str) -> None:
    async with http.post("/faults", json=body) as response:
        assert response.status == 422
        assert (await response.json())["error"]["message"].startswith(f"{field}:")
    async with http.get("/faults") as response:
        assert await response.json() == {"items": []}


async def test_faults_need_the_key(empty_gateway: GatewayServer) -> None:
    async with aiohttp.ClientSession(empty_gateway.url) as session:
        for call in (session.post("/faults", json={}), session.get("/faults"), session.delete("/faults")):
            async with call as response:
                assert response.status == 401


def test_a_probability_strikes_about_as_often_as_it_says() -> None:
    faults = Faults()
    faults.add(FaultBody(operation="confirm", fault="error", probability=0.25))
    struck = sum("error" in faults.strike("confirm", "error") for _ in range(4000))
    assert 700 < struck < 1300, "ten standard deviations and more on both sides"
    assert not any(faults.strike(other, "error") for other in ("capture", "webhook"))


def test_several_faults_of_one_call_strike_together_and_each_kind_once() -> None:
    faults = Faults()
    for seconds in (1.0, 2.0):
        faults.add(FaultBody(operation="*", fault="latency", seconds=seconds, count=1))
    faults.add(FaultBody(operation="confirm", fault="lost"))
    struck = faults.strike("confirm", "latency", "error", "lost")
    assert (struck["latency"].seconds, set(struck)) == (1.0, {"latency", "lost"})
    assert faults.strike("capture", "latency", "error", "lost")["latency"].seconds == 2.0
    assert faults.strike("capture", "latency", "error", "lost") == {}


async def test_a_lost_answer_beside_many_good_ones(
    gateway: SimulatedGateway, create: Create, http: aiohttp.ClientSession
) -> None:
    created = await create()
    await fault(http, operation="confirm", fault="lost", count=3)
    outcomes = await asyncio.gather(
        *(gateway.confirm(created.payment_id, key=KEYS.confirm()) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Unavailable) for outcome in outcomes) == 3
    assert (await gateway.fetch(created.payment_id)).authorized == 5938
