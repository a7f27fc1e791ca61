"""Gateways for the tests of the port: each adapter that the port has."""

from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

from checkout.payments.keys import AttemptKeys
from checkout.payments.port import Gateway, Payment
from tests.support.gateway import GatewayServer

#: Adapters that the conformance suite runs against.
ADAPTERS = ["simulated"]
KEYS = AttemptKeys("chk_1", "pay_1")

Create = Callable[..., Awaitable[Payment]]


@pytest.fixture
def empty_gateway(gateway_server: GatewayServer) -> GatewayServer:
    """The shared gateway, with nothing in its books: these tests reuse ids and keys."""
    with psycopg.connect(gateway_server.database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE gateway.payments, gateway.answers, gateway.events")
    return gateway_server


@pytest.fixture(params=ADAPTERS)
async def gateway(request: pytest.FixtureRequest, empty_gateway: GatewayServer) -> AsyncIterator[Gateway]:
    assert request.param == "simulated"
    async with empty_gateway.adapter() as adapter:
        yield adapter


@pytest.fixture
def create(gateway: Gateway) -> Create:
    """Creates the payment of checkout ``chk_1``, attempt ``pay_1``: 59.38 EUR by the given card."""

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
