"""The gateway's events: each change tells the shop, signed, until it is taken in; and what faults do to that."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import psycopg
import pytest

from checkout.payments.port import Payment
from checkout.payments.simulated.client import SimulatedGateway
from checkout.payments.simulated.courier import Endpoint
from tests.payments.receiver import Receiver, receiving
from tests.support.databases import fresh_database
from tests.support.gateway import API_KEY, WEBHOOK_SECRET, GatewayServer, act, running_gateway
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def webhook_database_url() -> Iterator[str]:
    with fresh_database() as url:
        yield url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def server(webhook_database_url: str, receiver: Receiver) -> Iterator[GatewayServer]:
    with running_gateway(webhook_database_url, endpoint=receiver.endpoint) as server:
        yield server


@pytest.fixture
async def gateway(server: GatewayServer) -> AsyncIterator[SimulatedGateway]:
    async with server.adapter() as adapter:
        yield adapter


@pytest.fixture
async def http(server: GatewayServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url, headers={"Authorization": f"Bearer {API_KEY}"}) as session:
        yield session


_numbers = iter(range(10**6))


async def confirmed(gateway: SimulatedGateway, method: str = "card", token: str | None = "tok_visa") -> Payment:  # noqa: S107
    """A confirmed payment of a checkout of its own."""
    number = next(_numbers)
    created = await gateway.create(
        checkout_id=f"chk_{number}",
        attempt_id=f"pay_{number}",
        currency="EUR",
        amount=1000,
        method=method,
        token=token,
        key=f"create {number}",
    )
    return await gateway.confirm(created.payment_id, key=f"confirm {number}")


async def fault(http: aiohttp.ClientSession, **body: Any) -> None:
    async with http.post("/faults", json=body) as response:
        assert response.status == 201, await response.text()


async def events_of(http: aiohttp.ClientSession, payment: Payment) -> list[dict[str, Any]]:
    """What the gateway says of a payment's events, oldest first."""
    async with http.get("/events", params={"payment_id": payment.payment_id}) as response:
        assert response.status == 200
        return list((await response.json())["items"])[::-1]


async def all_delivered(http: aiohttp.ClientSession, payment: Payment, count: int) -> list[dict[str, Any]]:
    async def there() -> bool:
        events = await events_of(http, payment)
        return len(events) == count and all(event["delivered_at"] for event in events)

    await eventually(there, f"{count} events of {payment.payment_id} are delivered")
    return await events_of(http, payment)


async def test_every_change_is_told_once_and_in_its_own_words(
    gateway: SimulatedGateway, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    payment = await confirmed(gateway, "bank_transfer", None)
    async with aiohttp.ClientSession() as bank:
        for amount in (400, 700, 5):
            await act(bank, payment, "funds_received", amount)
    await gateway.capture(payment.payment_id, amount=1000, key=f"{payment.payment_id} capture")
    await gateway.return_unowed(payment.payment_id, amount=105, key=f"{payment.payment_id} return")
    await gateway.refund(payment.payment_id, amount=300, key=f"{payment.payment_id} refund")
    await gateway.refund(payment.payment_id, amount=300, key=f"{payment.payment_id} refund")
    await gateway.refund(payment.payment_id, amount=700, key=f"{payment.payment_id} refund 2")
    told = [event["type"] for event in await all_delivered(http, payment, 8)]
    assert told == [
        "payment.pending",
        "payment.funds_received",
        "payment.authorized",
        "payment.funds_received",
        "payment.captured",
        "payment.funds_returned",
        "payment.refunded",
        "payment.refunded",
    ]
    assert sorted(receiver.types()) == sorted(told)
    assert len({event.id for event in receiver.events}) == 8
    assert {event.payment_id for event in receiver.events} == {payment.payment_id}


async def test_what_changes_nothing_tells_nothing(
    gateway: SimulatedGateway, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    payment = await confirmed(gateway)
    again = await gateway.confirm(payment.payment_id, key="another key")
    assert again == payment
    await gateway.cancel(payment.payment_id, key=f"{payment.payment_id} cancel")
    await gateway.cancel(payment.payment_id, key="another cancel")
    assert [event["type"] for event in await all_delivered(http, payment, 2)] == [
        "payment.authorized",
        "payment.voided",
    ]
    assert len(receiver.events) == 2


async def test_what_the_shop_does_not_take_comes_again_as_the_same_event(
    gateway: SimulatedGateway, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    receiver.statuses[:] = [503, 500, 302, 404]
    payment = await confirmed(gateway)
    (event,) = await all_delivered(http, payment, 1)
    assert (event["tries"], event["answer"]) == (5, "204")
    assert [one.id for one in receiver.events] == [event["id"]] * 5


async def test_a_shop_that_is_away_hears_of_it_when_it_is_back(
    webhook_database_url: str, server: GatewayServer, gateway: SimulatedGateway, http: aiohttp.ClientSession
) -> None:
    """Also when the gateway itself was stopped, or killed, in the meantime: what is to be told are rows."""
    with running_gateway(
        webhook_database_url, endpoint=Endpoint(url="http://127.0.0.1:9", secret=WEBHOOK_SECRET, first_retry=0.05)
    ) as deaf:
        async with deaf.adapter() as adapter:
            with psycopg.connect(webhook_database_url, autocommit=True) as connection:
                # Nobody else is to deliver it before this one has tried: two couriers share the work otherwise.
                server.stop()
                payment = await confirmed(adapter, "paypal", None)

                async def failed() -> bool:
                    row = connection.execute(
                        "SELECT answer FROM gateway.events WHERE payment_id = %s", [payment.payment_id]
                    ).fetchone()
                    return row is not None and row[0] is not None

                await eventually(failed, "the deaf gateway tried")
    await asyncio.to_thread(server.start)
    async with aiohttp.ClientSession(server.url, headers={"Authorization": f"Bearer {API_KEY}"}) as session:
        (event,) = await all_delivered(session, payment, 1)
    assert event["type"] == "payment.requires_action"


async def test_what_a_dead_courier_held_is_delivered_by_another(
    webhook_database_url: str, gateway: SimulatedGateway, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    """A courier that was killed in the middle of a delivery leaves a lease behind, which ends."""
    with psycopg.connect(webhook_database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO gateway.events (event_id, payment_id, type, created_at, body, tries, due_at) VALUES "
            "('evt_left', 'gw_left', 'payment.authorized', now(), %s, 1, now() + interval '1 second')",
            [
                '{"id":"evt_left","type":"payment.authorized","created":"2026-01-31T12:00:00Z","payment":{"id":"gw_left"}}'
            ],
        )
    await receiver.has(1)
    assert receiver.events[0].payment_id == "gw_left"


async def test_many_events_at_once_all_come(
    gateway: SimulatedGateway, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    receiver.statuses[:] = [503] * 10
    payments = await asyncio.gather(*(confirmed(gateway) for _ in range(40)))
    for payment in payments:
        await all_delivered(http, payment, 1)
    assert {event.payment_id for event in receiver.events} == {payment.payment_id for payment in payments}


async def test_two_gateways_on_one_database_share_the_deliveries(
    webhook_database_url: str, gateway: SimulatedGateway, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    with running_gateway(webhook_database_url, endpoint=receiver.endpoint):
        payments = await asyncio.gather(*(confirmed(gateway) for _ in range(20)))
        for payment in payments:
            await all_delivered(http, payment, 1)
    assert len(receiver.events) == 20, "each event once"


async def test_events_are_kept_where_nobody_takes_them(database_url: str) -> None:
    with running_gateway(database_url) as server:
        async with server.adapter() as adapter:
            payment = await confirmed(adapter)
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with aiohttp.ClientSession(server.url, headers=headers) as session:
            (event,) = await events_of(session, payment)
    assert (event["type"], event["next_try_at"], event["delivered_at"]) == ("payment.authorized", None, None)


# -- faults ----------------------------------------------------------------------------------------------------------


async def test_a_repeated_webhook_is_the_same_event(
    gateway: SimulatedGateway, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    await fault(http, operation="webhook", fault="repeat", times=3, count=1)
    payment = await confirmed(gateway)
    (event,) = await all_delivered(http, payment, 1)
    assert [one.id for one in receiver.events] == [event["id"]] * 3


async def test_a_dropped_webhook_never_comes(
    gateway: SimulatedGateway, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    await fault(http, operation="webhook", fault="drop", count=1)
    dropped = await confirmed(gateway)
    await all_delivered(http, dropped, 1)
    payment = await confirmed(gateway)
    await all_delivered(http, payment, 1)
    assert [event.payment_id for event in receiver.events] == [payment.payment_id]


async def test_a_delayed_webhook_is_overtaken(
    gateway: SimulatedGateway, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    await fault(http, operation="webhook", fault="delay", seconds=600, count=1)
    await fault(http, operation="webhook", fault="disorder", seconds=0.2, count=1)
    first = await confirmed(gateway)

    async def put_off() -> bool:
        return [event["answer"] for event in await events_of(http, first)] == ["sent later, as a fault wants it"]

    await eventually(put_off, "the first event is put off")
    second = await confirmed(gateway)
    third = await confirmed(gateway)
    await all_delivered(http, second, 1)
    await all_delivered(http, third, 1)
    assert {event.payment_id for event in receiver.events} == {second.payment_id, third.payment_id}
