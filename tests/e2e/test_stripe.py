"""The shop with PAYMENT_GATEWAY=stripe, as real processes; Stripe is the extended localstripe, reached over HTTP."""

import asyncio
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from checkout.runtime.embedded.ports import is_free
from tests.e2e.conftest import open_for_business
from tests.e2e.stack import StripeStack
from tests.e2e.storefront import Buyer, card
from tests.support.stripe.server import SECRET_KEY, WEBHOOK_SECRET, StripeServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("stripe")
Buyers = Callable[[], Buyer]
GOOD, APPROVAL = card("pm_card_visa"), card("pm_card_authenticationRequired")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, stripe_server: StripeServer) -> Iterator[StripeStack]:
    """In the place of the shared stack: every test here ends with its guarantees checked against Stripe's books."""
    directory = tmp_path_factory.mktemp("stripe-stack")
    stripe_server.clear()
    with open_for_business(StripeStack(directory, stripe_server), directory) as stack:
        yield stack


async def test_no_simulator_runs(stack: StripeStack, buyer: Buyers, sku: str) -> None:
    assert stack.described()["gateway"] is None
    assert is_free(int(stack.environment["CHECKOUT_GATEWAY_PORT"]))
    ada = await buyer().fill({sku: 1})
    refused = await ada.start(payment=card("tok_visa"))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "payment.token")


async def test_declined_then_approved_and_the_tab_closed(stack: StripeStack, buyer: Buyers, sku: str) -> None:
    """The order is completed by Stripe's event alone."""
    ada = await buyer().fill({sku: 2})
    assert (await ada.start(payment=card("pm_card_visa_chargeDeclined"))).status_code == 402
    asked = await ada.expect(200, "POST", f"{ada.path}/payment", APPROVAL)
    assert asked["state"] == "requires_action"
    async with httpx.AsyncClient() as bank:
        assert (await bank.post(asked["next_action"]["url"], json={"outcome": "approve"})).status_code == 200
    done = await ada.until_closed()
    assert done["state"] == "completed"
    [entry] = await stack.ledger_of(ada.checkout_id)
    assert entry["captured"] == done["totals"]["total"]


async def test_the_worker_dies_while_stripe_authorizes(stack: StripeStack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    await ada.started()
    stack.stripe.faulty("/confirm", "slow")
    paying = asyncio.create_task(ada.call("POST", f"{ada.path}/payment", GOOD))

    async def on_its_way() -> bool:
        async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
            query = "SELECT count(*) FROM payment_attempts WHERE checkout_id = %s AND gateway_payment_id IS NOT NULL"
            row = await (await connection.execute(query, [ada.checkout_id])).fetchone()
        return row is not None and bool(row[0])

    await eventually(on_its_way, "the payment is being confirmed")
    await stack.kill("worker")
    await asyncio.wait([paying])
    done = await ada.until_closed()
    assert done["state"] == "completed"
    assert len(await stack.ledger_of(ada.checkout_id)) == 1


async def test_a_capture_that_fails_gives_all_back(stack: StripeStack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 3})
    await ada.start(payment=card("pm_card_authorizationLapses"))
    done = await ada.until_closed()
    assert (done["state"], done["failure"]["code"]) == ("failed", "capture_refused")
    assert not (await ada.cart())["locked"]


async def test_no_key_and_no_payment_method_is_logged(stack: StripeStack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    assert (await ada.start(payment=GOOD)).json()["state"] == "completed"
    for log in (stack.data / "logs").iterdir():
        said = log.read_text(errors="replace")
        for secret in (SECRET_KEY, WEBHOOK_SECRET, "pm_card_"):
            assert secret not in said, log.name
