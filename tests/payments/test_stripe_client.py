"""What is Stripe's own, beyond the promises of every adapter: kept faults, tokens, other users of the account."""

import json
import logging
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe import WebhookSignature

from checkout.payments.events import BadSignature
from checkout.payments.keys import AttemptKeys
from checkout.payments.methods import BadPayment, check_payment
from checkout.payments.port import DeclineCode, Declined, GatewayStatus, Payment, Refused, Unavailable
from checkout.payments.stripe import client
from checkout.payments.stripe.client import StripeGateway
from checkout.payments.stripe.objects import payment_of
from tests.payments.harness import KEYS
from tests.support.stripe.server import SECRET_KEY, WEBHOOK_SECRET, StripeServer, act

RETURN_URL = "https://shop.example/done"


@pytest.fixture
async def gateway(empty_stripe: StripeServer) -> AsyncIterator[StripeGateway]:
    async with empty_stripe.adapter() as adapter:
        yield adapter


async def create(gateway: StripeGateway, token: str = "pm_card_visa", **changes: Any) -> Payment:  # noqa: S107
    given: dict[str, Any] = {"currency": "EUR", "amount": 5938, "method": "card", "key": KEYS.create(), **changes}
    return await gateway.create(checkout_id="chk_1", attempt_id="pay_1", token=token, **given)


async def authorized(gateway: StripeGateway) -> Payment:
    return await gateway.confirm((await create(gateway)).payment_id, key=KEYS.confirm())


async def captured(gateway: StripeGateway) -> Payment:
    payment = await authorized(gateway)
    return await gateway.capture(payment.payment_id, amount=5938, key=KEYS.capture())


# -- faults ----------------------------------------------------------------------------------------------------------


async def test_the_version_is_the_one_of_the_library_that_is_pinned() -> None:
    """A newer library brings another version: read what it changes, then raise both."""
    assert stripe.api_version == client.API_VERSION


@pytest.mark.parametrize("fault", ["error", "error_after", "lost"])
async def test_a_fault_that_stripe_keeps_does_not_stop_a_payment(
    empty_stripe: StripeServer, gateway: StripeGateway, fault: str
) -> None:
    """Whether it was done all the same or not: each step is done once in the end, with the keys of always."""

    async def persist(path: str, step: Any) -> Payment:
        empty_stripe.faulty(path, fault)
        with pytest.raises(Unavailable):
            await step()
        result: Payment = await step()
        return result

    payment_id = (await persist("/payment_intents", lambda: create(gateway))).payment_id
    await persist("/confirm", lambda: gateway.confirm(payment_id, key=KEYS.confirm()))
    await persist("/capture", lambda: gateway.capture(payment_id, amount=5938, key=KEYS.capture()))
    refunded = await persist(
        "/refunds", lambda: gateway.refund(payment_id, amount=5938, key=KEYS.refund(refunded=0, until=5938))
    )

    assert (refunded.authorized, refunded.captured, refunded.refunded) == (5938, 5938, 5938)
    listed = [payment async for payment in gateway.list_payments(since=datetime.now(UTC) - timedelta(minutes=5))]
    assert [payment.authorized for payment in listed if payment.authorized] == [5938]


async def test_a_part_is_not_refunded_twice_for_a_kept_fault(
    empty_stripe: StripeServer, gateway: StripeGateway
) -> None:
    payment = await captured(gateway)
    empty_stripe.faulty("/refunds", "error_after")
    with pytest.raises(Unavailable):
        await gateway.refund(payment.payment_id, amount=100, key="part")
    for _ in range(2):
        assert (await gateway.refund(payment.payment_id, amount=100, key="part")).refunded == 100
    with pytest.raises(Refused):
        await gateway.refund(payment.payment_id, amount=200, key="part")


async def test_a_part_that_may_still_come_is_not_asked_for_under_another_key(
    empty_stripe: StripeServer, gateway: StripeGateway
) -> None:
    payment = await captured(gateway)
    empty_stripe.faulty("/refunds", "error")
    for _ in range(3):
        with pytest.raises(Unavailable):
            await gateway.refund(payment.payment_id, amount=100, key="part")
    assert (await gateway.refund(payment.payment_id, amount=5938, key="all")).settled


async def test_an_authorization_is_never_let_go_by_a_refund(empty_stripe: StripeServer, gateway: StripeGateway) -> None:
    """Stripe is not even asked: what it makes of it is not for sure."""
    payment = await authorized(gateway)
    empty_stripe.faulty("/refunds", "error")
    with pytest.raises(Refused) as refused:
        await gateway.refund(payment.payment_id, amount=100, key="1")
    assert refused.value.code == "not_captured"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("limited", "Stripe answered 429"),
        ("unknown_key", "CHECKOUT_STRIPE_SECRET_KEY"),
        ("forbidden", "CHECKOUT_STRIPE_SECRET_KEY may not do this"),
        ("slow", "Stripe was not reached: TimeoutError"),
    ],
)
async def test_what_says_nothing_about_the_payment_is_no_decline(
    empty_stripe: StripeServer, fault: str, says: str
) -> None:
    async with empty_stripe.adapter(timeout=0.5) as gateway:
        created = await create(gateway)
        empty_stripe.faulty("/confirm", fault)
        with pytest.raises(Unavailable, match=says) as unavailable:
            await gateway.confirm(created.payment_id, key=KEYS.confirm())
        assert SECRET_KEY not in str(unavailable.value)
        assert (await gateway.confirm(created.payment_id, key=KEYS.confirm())).status is GatewayStatus.AUTHORIZED


async def test_a_payment_that_another_request_holds_is_waited_for(
    empty_stripe: StripeServer, gateway: StripeGateway
) -> None:
    created = await create(gateway)
    empty_stripe.faulty("/confirm", "locked", count=2)
    assert (await gateway.confirm(created.payment_id, key=KEYS.confirm())).status is GatewayStatus.AUTHORIZED


async def test_a_stripe_that_is_not_there_is_unavailable() -> None:
    async with StripeGateway(SECRET_KEY, api_base="http://127.0.0.1:9") as gateway:
        with pytest.raises(Unavailable, match="Stripe was not reached"):
            await create(gateway)


async def test_the_library_logs_no_payment_method(gateway: StripeGateway, caplog: pytest.LogCaptureFixture) -> None:
    from checkout.runtime.logs import _QUIETER

    caplog.set_level(logging.DEBUG)
    caplog.set_level(_QUIETER["stripe"], logger="stripe")
    await authorized(gateway)
    assert "pm_card_visa" not in caplog.text


async def test_the_library_writes_no_file_and_names_no_machine(
    gateway: StripeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("stripe._telemetry_id._loaded", False)
    await authorized(gateway)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


# -- what pays -------------------------------------------------------------------------------------------------------


async def test_a_token_becomes_a_payment_method_once(empty_stripe: StripeServer, gateway: StripeGateway) -> None:
    card = {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2040", "card[cvc]": "123"}
    token = str(empty_stripe.post("/tokens", **card)["id"])
    check_payment(gateway.methods, "card", token)
    created = await create(gateway, token)
    assert await create(gateway, token) == created
    assert (await gateway.confirm(created.payment_id, key=KEYS.confirm())).authorized == 5938
    with pytest.raises(Declined) as declined:
        await create(gateway, token, key=AttemptKeys("chk_1", "pay_2").create())
    assert declined.value.code is DeclineCode.INVALID_TOKEN


async def test_a_card_that_is_sent_again_after_its_decline_is_a_decline(
    empty_stripe: StripeServer, gateway: StripeGateway
) -> None:
    """A storefront's slip: Stripe takes a PaymentMethod once. The buyer has another try, and the checkout goes on."""
    card = {"number": "4000000000009995", "exp_month": "12", "exp_year": "2040", "cvc": "123"}
    given = {"type": "card", **{f"card[{name}]": value for name, value in card.items()}}
    token = str(empty_stripe.post("/payment_methods", **given)["id"])
    first, beside = await create(gateway, token), await create(gateway, token, key="beside")
    with pytest.raises(Declined) as declined:
        await gateway.confirm(first.payment_id, key="1")
    assert declined.value.code is DeclineCode.INSUFFICIENT_FUNDS
    with pytest.raises(Declined) as declined:
        await gateway.confirm(beside.payment_id, key="2")
    assert declined.value.code is DeclineCode.INVALID_TOKEN
    with pytest.raises(Declined) as declined:
        await create(gateway, token, key="again")
    assert declined.value.code is DeclineCode.INVALID_TOKEN
    with pytest.raises(Refused):
        await gateway.confirm((await gateway.cancel(beside.payment_id, key="3")).payment_id, key="4")


@pytest.mark.parametrize(
    "token",
    [
        "tok_visa",
        "tok_3ds",
        "tok_chargeDeclinedInsufficientFunds",
        "tok_3dsInsufficientFunds",
        "pm_4242424242424242",
        "pm_",
        "src_1",
    ],
)
def test_a_token_of_another_gateway_is_known_without_asking(token: str) -> None:
    with pytest.raises(BadPayment, match="such as pm_card_visa"):
        check_payment(StripeGateway.methods, "card", token)


async def test_only_cards_are_taken(gateway: StripeGateway) -> None:
    for method, token in (("bank_transfer", None), ("card", None)):
        with pytest.raises(Refused) as refused:
            await gateway.create(
                checkout_id="chk_1",
                attempt_id="pay_1",
                currency="EUR",
                amount=1,
                method=method,
                token=token,
                key="k",
            )
        assert refused.value.code == "method_not_supported"


async def test_approved_by_the_buyer_and_declined_by_his_bank(gateway: StripeGateway) -> None:
    created = await create(gateway, "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    asked = await gateway.confirm(created.payment_id, key=KEYS.confirm(), return_url=RETURN_URL)
    await act(asked, "approve")
    declined = await gateway.fetch(asked.payment_id)
    assert (declined.status, declined.decline_code) == (GatewayStatus.DECLINED, DeclineCode.INSUFFICIENT_FUNDS)


@pytest.mark.parametrize("card", ["pm_card_chargeDeclinedProcessingError", "pm_card_issuerNotAvailable"])
async def test_a_bank_that_was_not_reached_has_declined_nothing(gateway: StripeGateway, card: str) -> None:
    """Stripe keeps that answer under the key and takes the PaymentMethod no second time, so nothing is tried again."""
    created = await create(gateway, card)
    for key in (KEYS.confirm(), KEYS.confirm(), "another"):
        with pytest.raises(Declined) as failed:
            await gateway.confirm(created.payment_id, key=key)
        assert failed.value.code is DeclineCode.NOT_PROCESSED
    assert not failed.value.code.costs_an_attempt
    assert (await gateway.cancel(created.payment_id, key=KEYS.cancel())).settled


async def test_a_bank_that_was_not_reached_after_the_buyer_had_approved(gateway: StripeGateway) -> None:
    created = await create(gateway, "pm_card_authenticationRequiredIssuerNotAvailable")
    asked = await gateway.confirm(created.payment_id, key=KEYS.confirm(), return_url=RETURN_URL)
    await act(asked, "approve")
    failed = await gateway.fetch(asked.payment_id)
    assert (failed.decline_code, failed.gateway_code) == (DeclineCode.NOT_PROCESSED, "issuer_not_available")


async def test_what_the_bank_has_not_answered_yet_is_asked_again(gateway: StripeGateway) -> None:
    """Stripe repeats under the key that it is being processed; what has become of it the payment itself says."""
    created = await create(gateway, "pm_card_slowBank")
    with pytest.raises(Unavailable, match="still processing"):
        await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert (await gateway.confirm(created.payment_id, key=KEYS.confirm())).status is GatewayStatus.AUTHORIZED


async def test_without_an_address_to_come_back_to_nobody_is_sent_away(gateway: StripeGateway) -> None:
    created = await create(gateway, "pm_card_authenticationRequired")
    asked = await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert (asked.status, asked.next_action) == (GatewayStatus.REQUIRES_ACTION, None)


@pytest.mark.parametrize("answer", [{}, {"id": "pi_1"}, {"id": "pi_1", "status": "new", "currency": "eur"}])
def test_an_answer_that_is_no_payment_says_nothing_about_one(answer: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        payment_of(answer)


async def test_an_amount_that_stripe_cannot_say_makes_no_object(gateway: StripeGateway) -> None:
    with pytest.raises(Refused) as refused:
        await create(gateway, currency="KWD", amount=5124)
    assert refused.value.code == "amount_not_representable"
    created = await create(gateway, currency="ISK", amount=5)
    assert (created.currency, created.amount) == ("ISK", 5)
    confirmed = await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert (await gateway.capture(confirmed.payment_id, amount=5, key=KEYS.capture())).captured == 5


async def test_what_people_refund_in_the_dashboard_counts(empty_stripe: StripeServer, gateway: StripeGateway) -> None:
    payment = await captured(gateway)
    empty_stripe.post("/refunds", payment_intent=payment.payment_id, amount=938)
    assert (await gateway.fetch(payment.payment_id)).refunded == 938


# -- lists -----------------------------------------------------------------------------------------------------------


async def test_pages_and_windows_are_put_together_and_other_users_of_the_account_are_left_alone(
    empty_stripe: StripeServer, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE", 2)
    created = []
    for number in range(5):
        empty_stripe.post("/payment_intents", amount=1000, currency="eur", payment_method="pm_card_visa")
        created.append(await create(gateway, key=str(number)))
    for window in (3600, 2):
        monkeypatch.setattr(client, "WINDOW", window)
        since = datetime.now(UTC) - timedelta(seconds=window * 3 + 10)
        assert [payment async for payment in gateway.list_payments(since=since)] == created


# -- events ----------------------------------------------------------------------------------------------------------


def signed(secret: str = WEBHOOK_SECRET, at: int | None = None, **changes: Any) -> tuple[dict[str, str], bytes]:
    event = {"id": "evt_1", "object": "event", "type": "x", "created": 1_700_000_000, "livemode": False} | changes
    body = json.dumps(event)
    return {"stripe-signature": WebhookSignature.generate_signature_header(body, secret, at)}, body.encode()


@pytest.mark.parametrize(
    ("kind", "about", "payment_id"),
    [
        ("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_1"}, "pi_1"),
        ("charge.refunded", {"object": "charge", "id": "ch_1", "payment_intent": "pi_1"}, "pi_1"),
        ("charge.dispute.created", {"object": "dispute", "id": "dp_1", "payment_intent": "pi_1"}, "pi_1"),
        ("charge.succeeded", {"object": "charge", "id": "ch_1", "payment_intent": None}, None),
        ("customer.created", {"object": "customer", "id": "cus_1"}, None),
        ("something.nobody.knows", {}, None),
    ],
)
def test_an_event_is_about_a_payment_or_about_none(kind: str, about: dict[str, Any], payment_id: str | None) -> None:
    gateway = StripeGateway(SECRET_KEY, webhook_secret=WEBHOOK_SECRET)
    event = gateway.parse_event(*signed(type=kind, data={"object": about}))
    assert (event.type, event.payment_id) == (kind, payment_id)


@pytest.mark.parametrize(
    "wrong",
    [
        signed(data={"object": {}}, livemode=True),
        signed(data={"object": {}}, at=1_700_000_000),
        signed("whsec_another", data={"object": {}}),
        signed(data=None),
        signed(data={"object": {}}, created="soon"),
        signed(data={"object": {}}, created=10**20),
    ],
    ids=["live", "stale", "secret", "no data", "no time", "no such time"],
)
def test_what_is_no_event_of_this_account_is_refused(wrong: tuple[dict[str, str], bytes]) -> None:
    with pytest.raises(BadSignature):
        StripeGateway(SECRET_KEY, webhook_secret=WEBHOOK_SECRET).parse_event(*wrong)


def test_a_json_text_that_is_no_event_is_refused() -> None:
    for body in ("[]", "1", "null", '"x"', "{}"):
        headers = {"Stripe-Signature": WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET)}
        with pytest.raises(BadSignature):
            StripeGateway(SECRET_KEY, webhook_secret=WEBHOOK_SECRET).parse_event(headers, body.encode())
