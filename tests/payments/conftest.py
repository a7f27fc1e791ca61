"""Gateways for the tests of the port: each adapter that the port has."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import psycopg
import pytest

from checkout.payments.port import Gateway, Payment
from checkout.payments.simulated.signature import HEADER, sign
from tests.payments.harness import KEYS, Case, Harness
from tests.support.gateway import WEBHOOK_SECRET, GatewayServer, act

#: Adapters that the conformance suite runs against.
ADAPTERS = ["simulated"]

Create = Callable[..., Awaitable[Payment]]

_SIMULATED_CASES: dict[Case, tuple[str, str | None]] = {
    Case.GOOD: ("card", "tok_visa"),
    Case.DECLINED: ("card", "tok_chargeDeclined"),
    Case.INSUFFICIENT_FUNDS: ("card", "tok_insufficientFunds"),
    Case.EXPIRED: ("card", "tok_expiredCard"),
    Case.UNKNOWN_TOKEN: ("card", "tok_no_such_card"),
    Case.CAPTURE_REFUSED: ("card", "tok_captureFails"),
    Case.OUTAGE: ("card", "tok_gatewayDown"),
    Case.PARTIAL: ("card", "tok_partialAuthorization"),
    Case.APPROVAL: ("card", "tok_3ds"),
    Case.REDIRECT: ("paypal", None),
    Case.TRANSFER: ("bank_transfer", None),
}


@pytest.fixture
def empty_gateway(gateway_server: GatewayServer) -> GatewayServer:
    """The shared gateway, with nothing in its books: these tests reuse ids and keys."""
    with psycopg.connect(gateway_server.database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE gateway.payments, gateway.answers, gateway.events")
    return gateway_server


@pytest.fixture(params=ADAPTERS)
async def harness(request: pytest.FixtureRequest, empty_gateway: GatewayServer) -> AsyncIterator[Harness]:
    assert request.param == "simulated"
    async with aiohttp.ClientSession() as buyer, empty_gateway.adapter() as adapter:

        async def do(payment: Payment, outcome: str, amount: int | None) -> None:
            await act(buyer, payment, outcome, amount)

        yield Harness(adapter, _SIMULATED_CASES, do, _webhook)


@pytest.fixture
def gateway(harness: Harness) -> Gateway:
    return harness.gateway


@pytest.fixture
def create(gateway: Gateway) -> Create:
    """Creates the payment of checkout ``chk_1``, attempt ``pay_1``: 59.38 EUR by a card of the simulated gateway."""

    async def make(token: str = "tok_visa", *, amount: int = 5938, key: str = KEYS.create()) -> Payment:  # noqa: S107
        return await gateway.create(
            checkout_id="chk_1",
            attempt_id="pay_1",
            currency="EUR",
            amount=amount,
            method="card",
            token=token,
            key=key,
        )

    return make


def _webhook(payment: Payment) -> tuple[dict[str, str], bytes]:
    event = {
        "id": "evt_1",
        "type": "payment.authorized",
        "created": datetime.now(UTC).isoformat(),
        "payment": {"id": payment.payment_id},
    }
    body = json.dumps(event).encode()
    return {HEADER: sign(WEBHOOK_SECRET, body)}, body
