"""The simulated gateway as a third party: its ledger, its key, its refusals of bad requests, its durability."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from checkout.payments.port import Declined, GatewayStatus, Refused
from checkout.payments.simulated.client import SimulatedGateway
from tests.payments.conftest import Create
from tests.payments.harness import KEYS
from tests.support.gateway import API_KEY, GatewayServer, running_gateway

CREATE: dict[str, Any] = {
    "checkout_id": "chk_1",
    "attempt_id": "pay_1",
    "currency": "EUR",
    "amount": 5938,
    "method": "card",
    "token": "tok_visa",
}


@pytest.fixture
async def http(empty_gateway: GatewayServer) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": "k"}
    async with aiohttp.ClientSession(empty_gateway.url, headers=headers) as session:
        yield session


async def test_the_ledger_lists_what_was_approved_and_nothing_else(
    empty_gateway: GatewayServer, gateway: SimulatedGateway, create: Create
) -> None:
    await create("tok_visa", key="only created")
    declined = await create("tok_chargeDeclined", key="declined")
    with pytest.raises(Declined):
        await gateway.confirm(declined.payment_id, key="declined-confirm")
    assert await empty_gateway.ledger() == []

    voided = await create(key="voided")
    await gateway.confirm(voided.payment_id, key="voided-confirm")
    kept = await create(key="kept")
    await gateway.confirm(kept.payment_id, key="kept-confirm")
    await gateway.cancel(voided.payment_id, key="voided-cancel")
    await gateway.capture(kept.payment_id, amount=5938, key="kept-capture")
    await gateway.refund(kept.payment_id, amount=38, key="kept-refund")
    common = {"checkout_id": "chk_1", "currency": "EUR", "authorized": 5938}
    items = [
        {"payment_id": voided.payment_id, **common, "captured": 0, "refunded": 0, "voided": 5938, "status": "voided"},
        {"payment_id": kept.payment_id, **common, "captured": 5938, "refunded": 38, "voided": 0, "status": "captured"},
    ]
    assert await empty_gateway.ledger() == items
    assert await empty_gateway.ledger("chk_1") == items
    assert await empty_gateway.ledger("chk_2") == []


async def test_random_calls_at_once_leave_balanced_books(
    empty_gateway: GatewayServer, gateway: SimulatedGateway
) -> None:
    """Twelve payments, each called from many sides at once, then settled: nothing is kept, every identity holds."""
    chance = random.Random(7)
    payments = [
        await gateway.create(
            checkout_id=f"chk_{n}",
            attempt_id=f"pay_{n}",
            currency="EUR",
            amount=1000,
            method="card",
            token=chance.choice(["tok_visa", "tok_captureFails", "tok_partialAuthorization"]),
            key=f"create {n}",
        )
        for n in range(12)
    ]

    async def call(payment_id: str, n: int) -> None:
        operation = chance.choice(["confirm", "confirm", "capture", "cancel", "refund"])
        amount = {"amount": chance.choice([100, 500, 1000])} if operation in {"capture", "refund"} else {}
        with contextlib.suppress(Refused):
            await getattr(gateway, operation)(payment_id, key=f"{payment_id} {operation} {n}", **amount)

    for step in range(4):
        await asyncio.gather(*(call(p.payment_id, 10 * step + n) for p in payments for n in range(3)))
    for item in await empty_gateway.ledger():
        assert 0 <= item["refunded"] <= item["captured"]
        assert item["captured"] + item["voided"] <= item["authorized"]
        if item["status"] != "authorized":
            assert item["authorized"] == item["captured"] + item["voided"]


async def test_a_restart_keeps_payments_and_answers(database_url: str) -> None:
    with running_gateway(database_url) as server:
        async with server.adapter() as adapter:
            created = await adapter.create(**CREATE, key=KEYS.create())
            authorized = await adapter.confirm(created.payment_id, key=KEYS.confirm())
            ledger = await server.ledger()
    with running_gateway(database_url) as server:
        async with server.adapter() as adapter:
            assert await server.ledger() == ledger
            assert await adapter.fetch(created.payment_id) == authorized
            assert await adapter.create(**CREATE, key=KEYS.create()) == created
            captured = await adapter.capture(created.payment_id, amount=5938, key=KEYS.capture())
            assert captured.status == GatewayStatus.CAPTURED


async def test_gateways_that_start_at_once_make_one_schema(database_url: str) -> None:
    servers = [GatewayServer(database_url) for _ in range(4)]
    try:
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
        assert [await server.ledger() for server in servers] == [[]] * 4
    finally:
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in servers))


async def test_health_needs_no_key(empty_gateway: GatewayServer) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{empty_gateway.url}/health") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", API_KEY, f"Basic {API_KEY}", "Bearer ключ"])
async def test_without_the_key_nothing_is_done(empty_gateway: GatewayServer, authorization: str | None) -> None:
    headers = {"Idempotency-Key": "k"} | ({} if authorization is None else {"Authorization": authorization})
    async with aiohttp.ClientSession(empty_gateway.url, headers=headers) as session:
        for call in (
            session.post("/payments", json=CREATE),
            session.get("/payments/gw_1"),
            session.post("/payments/gw_1/refund", json={"amount": 1}),
        ):
            async with call as response:
                assert response.status == 401
                assert (await response.json())["error"]["code"] == "unauthorized"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"amount": 0}, "amount"),
    ({"amount": -1}, "amount"),
    ({"amount": 10**15 + 1}, "amount"),
    ({"amount": 10**30}, "amount"),
    ({"amount": "5938"}, "amount"),
    ({"amount": 59.38}, "amount"),
    ({"amount": True}, "amount"),
    ({"amount": None}, "amount"),
    ({"currency": "eur"}, "currency"),
    ({"currency": "EURO"}, "currency"),
    ({"method": "cash"}, "method"),
    ({"checkout_id": ""}, "checkout_id"),
    ({"checkout_id": "x" * 10_000}, "checkout_id"),
    ({"token": "tok_\x00visa"}, "token"),
    ({"surprise": 1}, "surprise"),
]


async def test_a_bad_request_names_its_field_and_does_nothing(http: aiohttp.ClientSession) -> None:
    for change, field in BAD:
        async with http.post("/payments", json=CREATE | change) as response:
            assert response.status == 422, change
            error = (await response.json())["error"]
        assert error["type"] == "invalid_request"
        assert error["message"].startswith(f"{field}:"), change
    async with http.post("/payments", json=CREATE) as response:
        assert response.status == 201, "the key is still free"


async def test_a_body_that_is_no_object_is_refused(http: aiohttp.ClientSession) -> None:
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"amount": NaN}'):
        async with http.post("/payments", data=body) as response:
            assert response.status == 422, body


async def test_a_body_over_64_kb_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.post("/payments", json=CREATE | {"token": "x" * 70_000}) as response:
        assert response.status == 413


async def test_a_key_is_needed_to_change_anything(http: aiohttp.ClientSession) -> None:
    for key in ("", "k" * 256):
        async with http.post("/payments", json=CREATE, headers={"Idempotency-Key": key}) as response:
            assert response.status == 422
            assert (await response.json())["error"]["code"] == "idempotency_key_required"


async def test_identifiers_that_no_database_holds_are_refused(http: aiohttp.ClientSession) -> None:
    for path in ("/payments/%00", "/ledger?checkout_id=%00"):
        async with http.get(path) as response:
            assert response.status == 422
    async with http.get("/payments/" + "x" * 5000) as response:
        assert response.status == 404


async def test_a_used_key_with_another_body_is_a_conflict_and_a_repeat_is_marked(http: aiohttp.ClientSession) -> None:
    async with http.post("/payments", json=CREATE) as response:
        assert "Idempotent-Replayed" not in response.headers
        first = await response.json()
    async with http.post("/payments", json=CREATE) as response:
        assert (response.status, response.headers["Idempotent-Replayed"]) == (201, "true")
        assert await response.json() == first
    async with http.post("/payments", json=CREATE | {"amount": 1}) as response:
        assert response.status == 409
        assert (await response.json())["error"]["code"] == "idempotency_key_reused"


async def test_a_token_is_never_shown(http: aiohttp.ClientSession) -> None:
    async with http.post("/payments", json=CREATE | {"token": "tok_secretCard"}) as response:
        created = await response.json()
        assert "tok_secretCard" not in await response.text()
    async with http.post(f"/payments/{created['id']}/confirm", headers={"Idempotency-Key": "c"}) as response:
        assert response.status == 402
        assert "tok_secretCard" not in await response.text()
