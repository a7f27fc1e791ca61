"""A shop that is paid at Stripe, over HTTP: payments, Stripe's own signed events, and what is refused."""

from collections.abc import AsyncIterator

import httpx
import pytest
from stripe import WebhookSignature

from checkout.runtime.settings import Settings, load_settings
from tests.api.buyer import Buyer, card
from tests.api.conftest import ADMIN_TOKEN
from tests.api.problem import problem
from tests.support.invariants import check_invariants
from tests.support.stripe.server import RETURN_URL, SECRET_KEY, WEBHOOK_SECRET, StripeServer
from tests.support.temporal import TemporalEnvironment
from tests.support.waiting import eventually
from tests.workflows.stage import Stage, stage_on

WEBHOOKS = "/payments/webhooks/stripe"
GOOD, APPROVAL = card("pm_card_visa"), card("pm_card_authenticationRequired")


@pytest.fixture
def api_settings(api_settings: Settings, stripe_server: StripeServer) -> Settings:
    """The same shop, paid at Stripe."""
    return load_settings(
        **{name: getattr(api_settings, name) for name in api_settings.model_fields_set}
        | {
            "payment_gateway": "stripe",
            "stripe_secret_key": SECRET_KEY,
            "stripe_webhook_secret": WEBHOOK_SECRET,
            "stripe_api_base": stripe_server.url,
            "return_url": RETURN_URL,
        }
    )


@pytest.fixture
async def stage(
    database_url: str, temporal_env: TemporalEnvironment, stripe_server: StripeServer
) -> AsyncIterator[Stage]:
    stripe_server.clear()
    async with stage_on(
        database_url, temporal_env.client, temporal_env, temporal_env.task_queue, stripe=stripe_server
    ) as stage:
        yield stage


@pytest.fixture
async def at_rest(stage: Stage) -> AsyncIterator[None]:
    """All guarantees hold in the end, in the shop's rows and in Stripe's books as the adapter reads them."""
    yield
    await check_invariants(stage.engine, await stage.ledger())


async def ends(buyer: Buyer, checkout_id: str, state: str) -> None:
    async def there() -> bool:
        return str((await buyer.get(checkout_id))["state"]) == state

    await eventually(there, f"{checkout_id} is {state}")


async def asked(buyer: Buyer) -> dict[str, str]:
    """A checkout whose buyer is asked by his bank: its id and where he is sent."""
    shown = (await buyer.start(payment=APPROVAL)).json()
    assert shown["state"] == "requires_action"
    action = shown["next_action"]
    assert (action["type"], action["return_url"]) == ("redirect", RETURN_URL.replace("{checkout_id}", shown["id"]))
    return {"id": shown["id"], "url": action["url"]}


async def decide(url: str, outcome: str) -> None:
    async with httpx.AsyncClient() as bank:
        assert (await bank.post(url, json={"outcome": outcome})).status_code == 200


@pytest.mark.usefixtures("worker", "at_rest")
async def test_declined_then_paid(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    declined = await buyer.start(payment=card("pm_card_visa_chargeDeclinedInsufficientFunds"))
    assert declined.status_code == 402, declined.text
    assert "generic" not in declined.text
    checkout_id = str((await buyer.cart())["checkout_id"])
    paid = await buyer.pay(checkout_id, "pm_card_visa")
    assert (paid.status_code, paid.json()["state"]) == (200, "completed"), paid.text


@pytest.mark.usefixtures("worker", "at_rest")
async def test_approved_and_the_tab_closed(
    http: httpx.AsyncClient, api_url: str, stage: Stage, stripe_server: StripeServer
) -> None:
    """Stripe's event alone completes the order; its events about everything else change nothing."""
    stripe_server.tell(f"{api_url}{WEBHOOKS}")
    buyer = Buyer(http, await stage.cart())
    shown = await asked(buyer)
    await decide(shown["url"], "approve")
    await ends(buyer, shown["id"], "completed")


@pytest.mark.usefixtures("worker", "at_rest")
async def test_denied_then_approved_with_another_card(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    shown = await asked(buyer)
    await decide(shown["url"], "deny")
    denied = await buyer.call("POST", f"/checkouts/{shown['id']}/payment/confirm")
    problem(denied, 402, "payment_declined")
    again = (await buyer.call("POST", f"/checkouts/{shown['id']}/payment", APPROVAL)).json()
    await decide(again["next_action"]["url"], "approve")
    confirmed = await buyer.call("POST", f"/checkouts/{shown['id']}/payment/confirm")
    assert (confirmed.status_code, confirmed.json()["state"]) == (200, "completed")


@pytest.mark.usefixtures("worker", "at_rest")
async def test_a_capture_that_fails_gives_all_back(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    failed = await buyer.start(payment=card("pm_card_authorizationLapses"))
    assert failed.status_code == 422, failed.text
    assert failed.json()["code"] == "capture_refused"
    assert not (await buyer.cart())["locked"]


async def test_what_stripe_has_not_signed_is_refused(http: httpx.AsyncClient) -> None:
    body = '{"id": "evt_1", "object": "event", "type": "x", "created": 1, "livemode": false, "data": {"object": {}}}'

    async def send(signature: str | None) -> httpx.Response:
        headers = {} if signature is None else {"Stripe-Signature": signature}
        return await http.post(WEBHOOKS, content=body, headers=headers)

    old = WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, 1)
    for signature in (None, "", old, WebhookSignature.generate_signature_header(body, "whsec_other")):
        problem(await send(signature), 400, "signature_invalid")
    assert (await send(WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET))).status_code == 200
    problem(await http.post("/payments/webhooks/simulated", content=body), 404, "gateway_not_found")


async def test_a_payment_that_stripe_does_not_take_is_refused_by_field(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    for payment, field in (
        (card("tok_visa"), "token"),
        (card("tok_3ds"), "token"),
        ({"method": "card"}, "token"),
        ({"method": "paypal"}, "method"),
        ({"method": "bank_transfer"}, "method"),
        ({**GOOD, "amount": 1}, "amount"),
        ({**GOOD, "currency": "USD"}, "currency"),
    ):
        problem(await buyer.start(payment=payment), 422, "validation_failed", f"payment.{field}")
    assert await stage.shop.execute("SELECT count(*) FROM payment_attempts") == 0


@pytest.mark.usefixtures("worker", "at_rest")
async def test_refunded_after_the_sale_in_parts_each_once(
    http: httpx.AsyncClient, stage: Stage, stripe_server: StripeServer
) -> None:
    """The answer to the first refund is a fault, although Stripe has done it."""
    buyer = Buyer(http, await stage.cart())
    sold = (await buyer.start(payment=GOOD)).json()
    stripe_server.faulty("/refunds", "error_after")
    path, total = f"/admin/orders/{sold['order']['reference']}/refund", sold["totals"]["total"]
    for amount, status in ((1000, "partially_refunded"), (total - 1000, "refunded")):
        body = {"reason": "the buyer called", "amount": amount}
        answer = await http.post(path, json=body, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
        assert (answer.status_code, answer.json()["status"]) == (200, status), answer.text
    [item] = await stage.ledger()
    assert (item["captured"], item["refunded"], item["status"]) == (total, total, "refunded")
