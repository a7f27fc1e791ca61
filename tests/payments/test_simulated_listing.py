"""What the gateway lists page by page, and the addresses that it gives to buyers alone."""

import itertools
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aiohttp
import psycopg
import pytest

from checkout.payments.methods import BadPayment, check_payment
from checkout.payments.port import NextAction
from checkout.payments.simulated import reports
from checkout.payments.simulated.client import SimulatedGateway
from checkout.payments.simulated.tokens import CARDS
from tests.payments.conftest import Create
from tests.support.gateway import GatewayServer

BEGUN = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
async def gateway(empty_gateway: GatewayServer) -> AsyncIterator[SimulatedGateway]:
    async with empty_gateway.adapter() as adapter:
        yield adapter


def set_created(server: GatewayServer, moment: datetime) -> None:
    """Have all payments created in one moment."""
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute("UPDATE gateway.payments SET created_at = %s", [moment])


@pytest.mark.parametrize("count", [2, 6, 7], ids=["less than a page", "two whole pages", "a page begun"])
async def test_payments_of_one_moment_are_all_listed_and_each_once(
    empty_gateway: GatewayServer,
    gateway: SimulatedGateway,
    create: Create,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    monkeypatch.setattr(reports, "PAGE", 3)
    made = sorted([(await create(key=f"{number}")).payment_id for number in range(count)])
    set_created(empty_gateway, BEGUN)
    listed = []
    async for payment in gateway.list_payments(since=BEGUN):
        listed.append(payment.payment_id)
        assert len(listed) <= count, "a cursor that stands still"
    assert listed == made
    later = BEGUN + timedelta(microseconds=1)
    assert [payment async for payment in gateway.list_payments(since=later)] == []


@pytest.mark.parametrize("token", sorted(CARDS))
def test_a_token_is_known_as_a_whole(token: str) -> None:
    """One that only begins or ends like a known one is a typing mistake, refused before it costs an attempt."""
    check_payment(SimulatedGateway.methods, "card", token)
    for wrong in (f"{token}x", f"x{token}", f"{token}\n", f"{token} ", token[:-1], token.upper()):
        with pytest.raises(BadPayment) as bad:
            check_payment(SimulatedGateway.methods, "card", wrong)
        assert bad.value.field == "token"


async def test_an_address_is_a_secret_of_one_payment(
    empty_gateway: GatewayServer, gateway: SimulatedGateway, create: Create
) -> None:
    """Payments that are alike in all that a shop says have addresses that say nothing of it, nor of each other."""

    async def awaited(number: int) -> tuple[str, NextAction]:
        created = await create("tok_3ds", key=f"{number}")
        payment = await gateway.confirm(created.payment_id, key=f"confirm {number}")
        assert payment.next_action is not None
        return payment.payment_id, payment.next_action

    shown = [await awaited(number) for number in range(8)]
    secrets = [action.url.removeprefix(f"{empty_gateway.url}/actions/") for _, action in shown]
    assert len(set(secrets)) == len(secrets)
    for (payment_id, _), secret in zip(shown, secrets, strict=True):
        # 192 bits in base 64, the least that is taken for a password nobody has to remember (RFC 4086 asks for 128).
        assert re.fullmatch(r"[A-Za-z0-9_-]{32,}", secret)
        assert payment_id.removeprefix("gw_") not in secret
    for first, second in itertools.pairwise(secrets):
        # Random characters agree by chance in one place of 64: half of them never do.
        assert sum(a == b for a, b in zip(first, second, strict=True)) < len(first) // 2
    async with aiohttp.ClientSession(empty_gateway.url) as buyer:
        for wrong in (secrets[0][:-1], secrets[0] + "A", secrets[0].swapcase(), shown[0][0], "%25", "*"):
            async with buyer.post(f"/actions/{wrong}", json={"outcome": "approve"}) as response:
                assert response.status == 404
        async with buyer.post(f"/actions/{secrets[0]}", json={"outcome": "approve"}) as response:
            assert response.status == 200
    statuses = [(await gateway.fetch(payment_id)).status.value for payment_id, _ in shown]
    assert statuses == ["authorized", *["requires_action"] * 7], "each address moves its own payment alone"
