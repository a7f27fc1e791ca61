"""What every adapter promises, said to the port alone. A new adapter is one more parameter of ``harness``."""

import asyncio

import pytest

from checkout.payments.port import DeclineCode, Declined, Gateway, GatewayStatus, Payment, Refused, Unavailable
from tests.payments.harness import KEYS, Case, Harness


def amounts(payment: Payment) -> tuple[int, int, int, int]:
    return payment.authorized, payment.captured, payment.refunded, payment.voided


async def test_create_moves_no_money(gateway: Gateway, harness: Harness) -> None:
    payment = await harness.create()
    assert payment == await gateway.fetch(payment.payment_id)
    assert (payment.checkout_id, payment.attempt_id) == ("chk_1", "pay_1")
    assert (payment.status, payment.currency, payment.amount) == (GatewayStatus.CREATED, "EUR", 5938)
    assert amounts(payment) == (0, 0, 0, 0)


async def test_confirm_authorizes_and_capture_takes_the_money(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    authorized = await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert authorized.status == GatewayStatus.AUTHORIZED
    assert amounts(authorized) == (5938, 0, 0, 0)
    captured = await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture())
    assert captured.status == GatewayStatus.CAPTURED
    assert amounts(captured) == (5938, 5938, 0, 0)
    assert captured == await gateway.fetch(created.payment_id)
    assert not captured.settled


async def test_capturing_less_voids_the_rest(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert amounts(await gateway.capture(created.payment_id, amount=5000, key=KEYS.capture())) == (5938, 5000, 0, 938)


async def test_nothing_is_captured_without_an_authorization(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    with pytest.raises(Refused):
        await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture())
    assert await gateway.fetch(created.payment_id) == created


async def test_no_more_is_captured_than_was_authorized(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    authorized = await gateway.confirm(created.payment_id, key=KEYS.confirm())
    with pytest.raises(Refused):
        await gateway.capture(created.payment_id, amount=5939, key=KEYS.capture())
    assert await gateway.fetch(created.payment_id) == authorized


async def test_a_second_capture_under_another_key_takes_nothing_more(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    first = await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture())
    assert await gateway.capture(created.payment_id, amount=5938, key="another") == first
    with pytest.raises(Refused):
        await gateway.capture(created.payment_id, amount=1, key="yet another")
    assert await gateway.fetch(created.payment_id) == first


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (Case.DECLINED, DeclineCode.CARD_DECLINED),
        (Case.INSUFFICIENT_FUNDS, DeclineCode.INSUFFICIENT_FUNDS),
        (Case.EXPIRED, DeclineCode.EXPIRED_CARD),
        (Case.UNPROCESSED, DeclineCode.NOT_PROCESSED),
    ],
)
async def test_a_declined_card_says_why_and_holds_nothing(
    gateway: Gateway, harness: Harness, case: Case, code: DeclineCode
) -> None:
    created = await harness.create(case)
    for _ in range(2):
        with pytest.raises(Declined) as declined:
            await gateway.confirm(created.payment_id, key=KEYS.confirm())
        assert declined.value.code == code
    payment = await gateway.fetch(created.payment_id)
    assert (payment.status, payment.decline_code, amounts(payment)) == (GatewayStatus.DECLINED, code, (0, 0, 0, 0))
    assert not payment.settled, "a declined object can be confirmed again until it is cancelled"


async def test_a_token_that_the_gateway_does_not_know_is_a_decline(gateway: Gateway, harness: Harness) -> None:
    with pytest.raises(Declined) as declined:
        await gateway.confirm((await harness.create(Case.UNKNOWN_TOKEN)).payment_id, key=KEYS.confirm())
    assert declined.value.code == DeclineCode.INVALID_TOKEN


async def test_a_cancelled_object_refuses_its_confirm(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    voided = await gateway.cancel(created.payment_id, key=KEYS.cancel())
    assert voided.status == GatewayStatus.VOIDED
    assert voided.settled
    with pytest.raises(Refused):
        await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert await gateway.fetch(created.payment_id) == voided


async def test_a_cancelled_declined_object_refuses_its_confirm(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create(Case.DECLINED)
    with pytest.raises(Declined):
        await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert (await gateway.cancel(created.payment_id, key=KEYS.cancel())).settled
    with pytest.raises(Refused):
        await gateway.confirm(created.payment_id, key="a late confirm")


async def test_cancelling_an_authorization_voids_it_and_its_capture_is_refused(
    gateway: Gateway, harness: Harness
) -> None:
    created = await harness.create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    voided = await gateway.cancel(created.payment_id, key=KEYS.cancel())
    assert amounts(voided) == (5938, 0, 0, 5938)
    assert voided == await gateway.cancel(created.payment_id, key="again")
    with pytest.raises(Refused):
        await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture())
    assert await gateway.fetch(created.payment_id) == voided


async def test_what_is_captured_cannot_be_cancelled(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    captured = await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture())
    with pytest.raises(Refused):
        await gateway.cancel(created.payment_id, key=KEYS.cancel())
    assert await gateway.fetch(created.payment_id) == captured


async def test_refunds_add_up_to_what_was_captured_and_no_more(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture())
    part = await gateway.refund(created.payment_id, amount=938, key="1")
    assert (part.status, amounts(part)) == (GatewayStatus.CAPTURED, (5938, 5938, 938, 0))
    with pytest.raises(Refused):
        await gateway.refund(created.payment_id, amount=5001, key="2")
    whole = await gateway.refund(created.payment_id, amount=5000, key="3")
    assert (whole.status, amounts(whole)) == (GatewayStatus.REFUNDED, (5938, 5938, 5938, 0))
    assert whole.settled
    with pytest.raises(Refused):
        await gateway.refund(created.payment_id, amount=1, key="4")


async def test_nothing_is_refunded_that_was_not_captured(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    with pytest.raises(Refused):
        await gateway.refund(created.payment_id, amount=1, key="1")


async def test_a_capture_that_is_refused_leaves_an_authorization_that_can_be_voided(
    gateway: Gateway, harness: Harness
) -> None:
    created = await harness.create(Case.CAPTURE_REFUSED)
    authorized = await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert amounts(authorized) == (5938, 0, 0, 0)
    with pytest.raises(Refused):
        await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture())
    assert amounts(await gateway.cancel(created.payment_id, key=KEYS.cancel())) == (5938, 0, 0, 5938)


async def test_an_outage_is_no_decline_and_the_third_try_counts(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create(Case.OUTAGE)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await gateway.confirm(created.payment_id, key=KEYS.confirm())
        assert await gateway.fetch(created.payment_id) == created
    assert amounts(await gateway.confirm(created.payment_id, key=KEYS.confirm())) == (5938, 0, 0, 0)


async def test_a_card_that_covers_less_says_so(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create(Case.PARTIAL)
    payment = await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert (payment.amount, payment.authorized) == (5938, 2969)


async def test_an_unknown_payment_is_refused(gateway: Gateway) -> None:
    with pytest.raises(Refused):
        await gateway.fetch("gw_unknown")
    with pytest.raises(Refused):
        await gateway.confirm("gw_unknown", key="1")


async def test_repeats_answer_as_the_first_did(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    assert await harness.create() == created
    authorized = await gateway.confirm(created.payment_id, key=KEYS.confirm())
    captured = await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture())
    assert await gateway.confirm(created.payment_id, key=KEYS.confirm()) == authorized, "the answer of then"
    assert await gateway.capture(created.payment_id, amount=5938, key=KEYS.capture()) == captured
    refunded = await gateway.refund(created.payment_id, amount=938, key="1")
    assert await gateway.refund(created.payment_id, amount=938, key="1") == refunded
    assert (await gateway.fetch(created.payment_id)).refunded == 938


async def test_a_key_is_good_for_one_request(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    with pytest.raises(Refused):
        await harness.create(amount=5939)
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    with pytest.raises(Refused):
        await gateway.cancel(created.payment_id, key=KEYS.confirm())
    assert (await gateway.fetch(created.payment_id)).status == GatewayStatus.AUTHORIZED


async def test_twenty_repeats_at_once_have_one_effect(gateway: Gateway, harness: Harness) -> None:
    assert len({payment.payment_id for payment in await asyncio.gather(*(harness.create() for _ in range(20)))}) == 1
    payment_id = (await harness.create()).payment_id
    confirmed = await asyncio.gather(*(gateway.confirm(payment_id, key=KEYS.confirm()) for _ in range(20)))
    assert len(set(confirmed)) == 1
    captured = await asyncio.gather(*(gateway.capture(payment_id, amount=5938, key=KEYS.capture()) for _ in range(20)))
    assert len(set(captured)) == 1
    refunded = await asyncio.gather(*(gateway.refund(payment_id, amount=100, key="refund") for _ in range(20)))
    assert len(set(refunded)) == 1
    assert amounts(await gateway.fetch(payment_id)) == (5938, 5938, 100, 0)


async def test_of_capture_and_cancel_at_once_one_wins_and_the_books_balance(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create()
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    outcomes = await asyncio.gather(
        gateway.capture(created.payment_id, amount=5938, key=KEYS.capture()),
        gateway.cancel(created.payment_id, key=KEYS.cancel()),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Payment", "Refused"]
    payment = await gateway.fetch(created.payment_id)
    assert payment in outcomes
    assert payment.authorized == payment.captured + payment.voided == 5938


async def test_refunds_at_once_never_give_back_more_than_was_captured(gateway: Gateway, harness: Harness) -> None:
    created = await harness.create(amount=1000)
    await gateway.confirm(created.payment_id, key=KEYS.confirm())
    await gateway.capture(created.payment_id, amount=1000, key=KEYS.capture())
    outcomes = await asyncio.gather(
        *(gateway.refund(created.payment_id, amount=300, key=f"refund {n}") for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Payment) for outcome in outcomes) == 3
    assert all(isinstance(outcome, Payment | Refused) for outcome in outcomes)
    assert (await gateway.fetch(created.payment_id)).refunded == 900
