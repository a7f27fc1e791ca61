"""Gateways for the tests of the port: each adapter that the port has."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import psycopg
import pytest
from stripe import WebhookSignature

from checkout.payments.port import Gateway, Payment
from checkout.payments.simulated.signature import HEADER, sign
from tests.payments.harness import KEYS, Case, Harness
from tests.support.gateway import WEBHOOK_SECRET, GatewayServer, act
from tests.support.stripe import server as stripe
from tests.support.stripe.server import StripeServer

#: Adapters that the conformance suite runs against.
ADAPTERS = ["simulated", "stripe"]

Create = Callable[..., Awaitable[Payment]]

_SIMULATED_CASES: dict[Case, tuple[str, str | None]] = {
    Case.GOOD: ("card", "tok_visa"),
    Case.DECLINED: ("card", "tok_chargeDeclined"),
    Case.INSUFFICIENT_FUNDS: ("card", "tok_insufficientFunds"),
    Case.EXPIRED: ("card", "tok_expiredCard"),
    Case.UNPROCESSED: ("card", "tok_processingError"),
    Case.UNKNOWN_TOKEN: ("card", "tok_no_such_card"),
    Case.CAPTURE_REFUSED: ("card", "tok_captureFails"),
    Case.OUTAGE: ("card", "tok_gatewayDown"),
    Case.PARTIAL: ("card", "tok_partialAuthorization"),
    Case.APPROVAL: ("card", "tok_3ds"),
    Case.REDIRECT: ("paypal", None),
    Case.TRANSFER: ("bank_transfer", None),
}
_STRIPE_CASES: dict[Case, tuple[str, str | None]] = {
    Case.GOOD: ("card", "pm_card_visa"),
    Case.DECLINED: ("card", "pm_card_visa_chargeDeclined"),
    Case.INSUFFICIENT_FUNDS: ("card", "pm_card_visa_chargeDeclinedInsufficientFunds"),
    Case.EXPIRED: ("card", "pm_card_chargeDeclinedExpiredCard"),
    Case.UNPROCESSED: ("card", "pm_card_chargeDeclinedProcessingError"),
    Case.UNKNOWN_TOKEN: ("card", "pm_1NirD82eZvKYlo2CIvbtLWuY"),
    Case.CAPTURE_REFUSED: ("card", "pm_card_authorizationLapses"),
    Case.OUTAGE: ("card", "pm_card_outage"),
    Case.PARTIAL: ("card", "pm_card_partialAuthorization"),
    Case.APPROVAL: ("card", "pm_card_authenticationRequired"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The port's tests run against every adapter, those of the simulated gateway against it alone."""
    if "harness" in metafunc.fixturenames:
        alone = metafunc.module.__name__.rpartition(".")[2].startswith("test_simulated")
        metafunc.parametrize("harness", ["simulated"] if alone else ADAPTERS, indirect=True)


@pytest.fixture
def empty_gateway(gateway_server: GatewayServer) -> GatewayServer:
    """The shared gateway, with nothing in its books: these tests reuse ids and keys."""
    with psycopg.connect(gateway_server.database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE gateway.payments, gateway.answers, gateway.events")
    return gateway_server


@pytest.fixture
def empty_stripe(stripe_server: StripeServer) -> StripeServer:
    """The shared Stripe, with nothing in its books."""
    stripe_server.clear()
    return stripe_server


@pytest.fixture
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    make = {"simulated": _simulated, "stripe": _stripe}[request.param]
    server = request.getfixturevalue("empty_gateway" if request.param == "simulated" else "empty_stripe")
    async with server.adapter() as adapter:
        yield make(adapter)


@pytest.fixture
def gateway(harness: Harness) -> Gateway:
    return harness.gateway


@pytest.fixture
def create(harness: Harness) -> Create:
    """Creates the payment of checkout ``chk_1``, attempt ``pay_1``: 59.38 EUR, by case or by a card's token."""

    async def make(what: Case | str = Case.GOOD, *, amount: int = 5938, key: str = KEYS.create()) -> Payment:
        method, token = harness.cases[what] if isinstance(what, Case) else ("card", what)
        return await harness.gateway.create(
            checkout_id="chk_1",
            attempt_id="pay_1",
            currency="EUR",
            amount=amount,
            method=method,
            token=token,
            key=key,
        )

    return make


def _simulated(adapter: Gateway) -> Harness:
    async def do(payment: Payment, outcome: str, amount: int | None) -> None:
        async with aiohttp.ClientSession() as buyer:
            await act(buyer, payment, outcome, amount)

    return Harness(adapter, _SIMULATED_CASES, do, _webhook)


def _stripe(adapter: Gateway) -> Harness:
    async def do(payment: Payment, outcome: str, amount: int | None) -> None:
        await stripe.act(payment, outcome)

    return Harness(adapter, _STRIPE_CASES, do, _stripe_webhook)


def _stripe_webhook(payment: Payment) -> tuple[dict[str, str], bytes]:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.amount_capturable_updated",
        "created": int(datetime.now(UTC).timestamp()),
        "livemode": False,
        "data": {"object": {"id": payment.payment_id, "object": "payment_intent"}},
    }
    body = json.dumps(event)
    signature = WebhookSignature.generate_signature_header(body, stripe.WEBHOOK_SECRET)
    return {"Stripe-Signature": signature}, body.encode()


def _webhook(payment: Payment) -> tuple[dict[str, str], bytes]:
    event = {
        "id": "evt_1",
        "type": "payment.authorized",
        "created": datetime.now(UTC).isoformat(),
        "payment": {"id": payment.payment_id},
    }
    body = json.dumps(event).encode()
    return {HEADER: sign(WEBHOOK_SECRET, body)}, body
