"""What every adapter promises of payments that go on without the shop: approvals, bank transfers, and their events."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from checkout.payments.events import TOLERANCE, BadSignature
from checkout.payments.methods import BadPayment, check_payment
from checkout.payments.port import (
    BankDetails,
    DeclineCode,
    Declined,
    Gateway,
    GatewayStatus,
    Payment,
    Redirect,
    Refused,
    next_action_document,
)
from checkout.payments.settle import settle_to_zero
from tests.payments.harness import KEYS, Case, Harness

RETURN_URL = "https://shop.example/done?checkout=chk_1&x=%20"
APPROVALS = [Case.APPROVAL, Case.REDIRECT]


def amounts(payment: Payment) -> tuple[int, int, int, int]:
    return payment.authorized, payment.captured, payment.refunded, payment.voided


@pytest.fixture(params=APPROVALS, ids=lambda case: case.name.lower())
async def asked(request: pytest.FixtureRequest, gateway: Gateway, harness: Harness) -> Payment:
    """A payment that waits for its buyer."""
    created = await harness.create(request.param)
    return await gateway.confirm(created.payment_id, key=KEYS.confirm(), return_url=RETURN_URL)


@pytest.fixture
async def awaited(gateway: Gateway, harness: Harness) -> Payment:
    """A bank transfer of 59.38 EUR that is awaited."""
    created = await harness.create(Case.TRANSFER)
    return await gateway.confirm(created.payment_id, key=KEYS.confirm())


# -- approvals -------------------------------------------------------------------------------------------------------


async def test_a_payment_that_needs_approval_says_where(gateway: Gateway, asked: Payment) -> None:
    assert (asked.status, amounts(asked)) == (GatewayStatus.REQUIRES_ACTION, (0, 0, 0, 0))
    assert isinstance(asked.next_action, Redirect)
    assert asked.next_action.url.startswith("http")
    assert asked.next_action.return_url == RETURN_URL
    assert next_action_document(asked.next_action) == {
        "type": "redirect",
        "url": asked.next_action.url,
        "return_url": RETURN_URL,
    }
    assert await gateway.fetch(asked.payment_id) == asked
    assert not asked.settled


async def test_approved_it_is_authorized_and_can_be_captured(
    gateway: Gateway, harness: Harness, asked: Payment
) -> None:
    await harness.act(asked, "approve", None)
    approved = await gateway.fetch(asked.payment_id)
    assert (approved.status, amounts(approved)) == (GatewayStatus.AUTHORIZED, (5938, 0, 0, 0))
    assert approved.next_action is None
    captured = await gateway.capture(asked.payment_id, amount=5938, key=KEYS.capture())
    assert amounts(captured) == (5938, 5938, 0, 0)


async def test_a_repeat_of_the_confirm_answers_and_begins_nothing_anew(
    gateway: Gateway, harness: Harness, asked: Payment
) -> None:
    assert await gateway.confirm(asked.payment_id, key=KEYS.confirm(), return_url=RETURN_URL) == asked
    assert await gateway.confirm(asked.payment_id, key="another", return_url=RETURN_URL) == asked
    await harness.act(asked, "approve", None)
    approved = await gateway.fetch(asked.payment_id)
    await gateway.confirm(asked.payment_id, key=KEYS.confirm(), return_url=RETURN_URL)
    assert await gateway.fetch(asked.payment_id) == approved


async def test_denied_it_is_declined_and_holds_nothing(gateway: Gateway, harness: Harness, asked: Payment) -> None:
    await harness.act(asked, "deny", None)
    denied = await gateway.fetch(asked.payment_id)
    assert (denied.status, denied.decline_code) == (GatewayStatus.DECLINED, DeclineCode.NOT_APPROVED)
    assert (amounts(denied), denied.next_action) == ((0, 0, 0, 0), None)
    with pytest.raises(Refused):
        await gateway.capture(asked.payment_id, amount=5938, key=KEYS.capture())
    assert (await settle_to_zero(gateway, asked.payment_id, KEYS)).settled


async def test_nothing_is_captured_before_the_approval(gateway: Gateway, asked: Payment) -> None:
    with pytest.raises(Refused):
        await gateway.capture(asked.payment_id, amount=5938, key=KEYS.capture())
    assert await gateway.fetch(asked.payment_id) == asked


async def test_an_approval_after_the_cancel_comes_to_nothing(
    gateway: Gateway, harness: Harness, asked: Payment
) -> None:
    """The deadline has passed and the checkout is undone; only then the buyer presses the button."""
    voided = await gateway.cancel(asked.payment_id, key=KEYS.cancel())
    assert (voided.settled, voided.next_action) == (True, None)
    with pytest.raises(AssertionError):
        await harness.act(asked, "approve", None)
    assert await gateway.fetch(asked.payment_id) == voided


async def test_of_approval_and_cancel_at_once_nothing_is_left_held(
    gateway: Gateway, harness: Harness, asked: Payment
) -> None:
    await asyncio.gather(
        harness.act(asked, "approve", None), settle_to_zero(gateway, asked.payment_id, KEYS), return_exceptions=True
    )
    payment = await settle_to_zero(gateway, asked.payment_id, KEYS)
    assert payment.settled
    assert payment.voided == payment.authorized


async def test_of_approval_and_denial_at_once_one_counts(gateway: Gateway, harness: Harness, asked: Payment) -> None:
    outcomes = await asyncio.gather(
        *(harness.act(asked, outcome, None) for outcome in ("approve", "deny")), return_exceptions=True
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    payment = await gateway.fetch(asked.payment_id)
    assert payment.status is (GatewayStatus.AUTHORIZED if outcomes[0] is None else GatewayStatus.DECLINED)


# -- bank transfers --------------------------------------------------------------------------------------------------


async def test_a_transfer_says_where_the_money_is_to_go(gateway: Gateway, awaited: Payment) -> None:
    assert (awaited.status, amounts(awaited), awaited.missing) == (GatewayStatus.PENDING, (0, 0, 0, 0), 5938)
    details = awaited.next_action
    assert isinstance(details, BankDetails)
    assert (details.amount, details.currency) == (5938, "EUR")
    assert all([details.iban, details.bic, details.holder, details.reference, details.url.startswith("http")])
    assert next_action_document(details)["type"] == "bank_details"
    assert await gateway.fetch(awaited.payment_id) == awaited


async def test_all_of_the_money_authorizes_it(gateway: Gateway, harness: Harness, awaited: Payment) -> None:
    await harness.act(awaited, "funds_received", None)
    arrived = await gateway.fetch(awaited.payment_id)
    assert (arrived.status, amounts(arrived), arrived.unowed) == (GatewayStatus.AUTHORIZED, (5938, 0, 0, 0), 0)
    assert (arrived.missing, arrived.next_action) == (0, None)
    captured = await gateway.capture(awaited.payment_id, amount=5938, key=KEYS.capture())
    assert amounts(captured) == (5938, 5938, 0, 0)


async def test_parts_add_up_and_each_time_it_says_what_is_missing(
    gateway: Gateway, harness: Harness, awaited: Payment
) -> None:
    for amount, missing in ((900, 5038), (38, 5000)):
        await harness.act(awaited, "funds_received", amount)
        payment = await gateway.fetch(awaited.payment_id)
        assert (payment.status, payment.missing) == (GatewayStatus.PENDING, missing)
        assert isinstance(payment.next_action, BankDetails)
        assert payment.next_action.amount == missing
        with pytest.raises(Refused):
            await gateway.capture(awaited.payment_id, amount=payment.authorized, key=f"too early {missing}")
    await harness.act(awaited, "funds_received", None)
    payment = await gateway.fetch(awaited.payment_id)
    assert (payment.status, amounts(payment)) == (GatewayStatus.AUTHORIZED, (5938, 0, 0, 0))


async def test_what_has_come_of_an_incomplete_transfer_goes_back_with_the_cancel(
    gateway: Gateway, harness: Harness, awaited: Payment
) -> None:
    await harness.act(awaited, "funds_received", 2000)
    settled = await settle_to_zero(gateway, awaited.payment_id, KEYS)
    assert (settled.status, amounts(settled), settled.unowed) == (GatewayStatus.VOIDED, (2000, 0, 0, 2000), 0)


async def test_an_excess_is_unowed_and_is_returned_without_touching_the_sale(
    gateway: Gateway, harness: Harness, awaited: Payment
) -> None:
    await harness.act(awaited, "funds_received", 6000)
    arrived = await gateway.fetch(awaited.payment_id)
    assert (arrived.status, amounts(arrived)) == (GatewayStatus.AUTHORIZED, (5938, 0, 0, 0))
    assert (arrived.unowed, arrived.returned) == (62, 0)
    captured = await gateway.capture(awaited.payment_id, amount=5938, key=KEYS.capture())
    assert (amounts(captured), captured.unowed) == ((5938, 5938, 0, 0), 62)
    with pytest.raises(Refused):
        await gateway.return_unowed(awaited.payment_id, amount=63, key="too much")
    returned = await gateway.return_unowed(awaited.payment_id, amount=62, key="1")
    assert (amounts(returned), returned.returned) == ((5938, 5938, 0, 0), 62)
    assert await gateway.return_unowed(awaited.payment_id, amount=62, key="1") == returned
    with pytest.raises(Refused):
        await gateway.return_unowed(awaited.payment_id, amount=1, key="2")
    refunded = await gateway.refund(awaited.payment_id, amount=5938, key="3")
    assert refunded.settled


async def test_money_that_comes_too_late_is_unowed_and_settling_returns_it(
    gateway: Gateway, harness: Harness, awaited: Payment
) -> None:
    voided = await settle_to_zero(gateway, awaited.payment_id, KEYS)
    assert voided.settled
    await harness.act(awaited, "funds_received", None)
    late = await gateway.fetch(awaited.payment_id)
    assert (late.status, amounts(late), late.unowed) == (GatewayStatus.VOIDED, (0, 0, 0, 0), 5938)
    assert not late.settled
    settled = await settle_to_zero(gateway, awaited.payment_id, KEYS)
    assert (settled.settled, settled.unowed, settled.returned) == (True, 5938, 5938)
    await harness.act(awaited, "funds_received", 100)
    assert (await settle_to_zero(gateway, awaited.payment_id, KEYS)).returned == 6038


async def test_settling_with_an_excess_gives_everything_back(
    gateway: Gateway, harness: Harness, awaited: Payment
) -> None:
    await harness.act(awaited, "funds_received", 7000)
    await gateway.capture(awaited.payment_id, amount=5938, key=KEYS.capture())
    settled = await settle_to_zero(gateway, awaited.payment_id, KEYS)
    assert (settled.status, amounts(settled)) == (GatewayStatus.REFUNDED, (5938, 5938, 5938, 0))
    assert (settled.unowed, settled.returned) == (1062, 1062)


async def test_transfers_at_once_all_count(gateway: Gateway, harness: Harness, awaited: Payment) -> None:
    await asyncio.gather(*(harness.act(awaited, "funds_received", 1000) for _ in range(8)))
    payment = await gateway.fetch(awaited.payment_id)
    assert (payment.authorized, payment.unowed) == (5938, 8000 - 5938)


async def test_money_beside_a_cancel_goes_back_or_is_unowed(
    gateway: Gateway, harness: Harness, awaited: Payment
) -> None:
    await asyncio.gather(
        harness.act(awaited, "funds_received", 3000), gateway.cancel(awaited.payment_id, key=KEYS.cancel())
    )
    payment = await gateway.fetch(awaited.payment_id)
    assert payment.status is GatewayStatus.VOIDED
    assert payment.voided + payment.unowed == 3000
    assert (await settle_to_zero(gateway, awaited.payment_id, KEYS)).settled


async def test_nothing_unowed_is_returned_of_a_card(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture())
    with pytest.raises(Refused):
        await gateway.return_unowed(created.payment_id, amount=1, key="1")


# -- what an adapter says of itself ----------------------------------------------------------------------------------


async def test_each_case_of_the_harness_is_one_that_the_adapter_takes(gateway: Gateway, harness: Harness) -> None:
    for case, (method, token) in harness.cases.items():
        if case is not Case.UNKNOWN_TOKEN:
            check_payment(gateway.methods, method, token)


@pytest.mark.parametrize(
    ("method", "token", "field"),
    [
        ("cash", None, "method"),
        ("", None, "method"),
        ("Card", "tok_visa", "method"),
        ("card", None, "token"),
        ("card", "", "token"),
        ("card", "whatever", "token"),
        ("card", "xyz_1NirD82eZvKYlo2CIvbtLWuY", "token"),
        ("card", "4242424242424242", "token"),
    ],
)
async def test_what_no_payment_can_be_made_with_is_known_without_asking(
    gateway: Gateway, method: str, token: str | None, field: str
) -> None:
    with pytest.raises(BadPayment) as bad:
        check_payment(gateway.methods, method, token)
    assert bad.value.field == field


async def test_every_payment_is_listed_once_and_in_order(gateway: Gateway, harness: Harness) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=30)
    first = await harness.create(key="first")
    declined = await harness.create(Case.DECLINED, key="second")
    with pytest.raises(Declined):
        await gateway.confirm(declined.payment_id, key=KEYS.confirm())
    listed = [payment async for payment in gateway.list_payments(since=begun)]
    assert [payment.payment_id for payment in listed] == [first.payment_id, declined.payment_id]
    assert listed[1].status is GatewayStatus.DECLINED
    assert [p async for p in gateway.list_payments(since=datetime.now(UTC) + timedelta(minutes=5))] == []


# -- events ----------------------------------------------------------------------------------------------------------


async def test_an_event_names_its_payment(gateway: Gateway, harness: Harness) -> None:
    payment = await harness.create()
    headers, body = harness.webhook(payment)
    event = gateway.parse_event({name.lower(): value for name, value in headers.items()}, body)
    assert event.payment_id == payment.payment_id
    assert event.id
    assert event.type
    assert abs(event.created - datetime.now(UTC)) < timedelta(seconds=TOLERANCE)


async def test_an_event_that_was_not_signed_so_is_none(gateway: Gateway, harness: Harness) -> None:
    headers, body = harness.webhook(await harness.create())
    signature = next(value for value in headers.values())
    name = next(iter(headers))
    wrong = [
        ({}, body),
        ({name: ""}, body),
        ({name: "t=,v1="}, body),
        ({name: "t=1,v1=00"}, body),
        ({name: signature.partition(",")[0]}, body),
        ({name: signature.replace("t=", "t=9")}, body),
        ({name: signature[:-1] + ("0" if signature[-1] != "0" else "1")}, body),
        ({name: "v1=é,t=١"}, body),
        (headers, body + b" "),
        (headers, b""),
        (headers, b"x" * 1_000_000),
    ]
    for given, sent in wrong:
        with pytest.raises(BadSignature):
            gateway.parse_event(given, sent)
