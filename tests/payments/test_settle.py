"""Settle to zero, against the real gateway, with what can land between asking and doing."""

import asyncio

import pytest

from checkout.payments.port import Declined, Gateway, GatewayStatus, Payment, Refused, Unavailable
from checkout.payments.settle import ROUNDS, settle_to_zero
from tests.payments.conftest import Create
from tests.payments.harness import KEYS, Case
from tests.support.gateway import Interposed, once


@pytest.fixture
def interposed(gateway: Gateway) -> Interposed:
    return Interposed(gateway)


async def test_whatever_state_it_is_in_nothing_is_left(gateway: Gateway, create: Create) -> None:
    created = await create(key="created")
    authorized = await create(key="authorized")
    await gateway.confirm(authorized.payment_id, key="authorized-confirm")
    captured = await create(key="captured")
    await gateway.confirm(captured.payment_id, key="captured-confirm")
    await gateway.capture(captured.payment_id, amount=5938, key="captured-capture")
    partly = await create(key="partly")
    await gateway.confirm(partly.payment_id, key="partly-confirm")
    await gateway.capture(partly.payment_id, amount=4000, key="partly-capture")
    await gateway.refund(partly.payment_id, amount=1500, key="partly-refund")
    declined = await create(Case.DECLINED, key="declined")
    with pytest.raises(Declined):
        await gateway.confirm(declined.payment_id, key="declined-confirm")

    expected = {
        created.payment_id: (GatewayStatus.VOIDED, 0, 0, 0, 0),
        authorized.payment_id: (GatewayStatus.VOIDED, 5938, 0, 0, 5938),
        captured.payment_id: (GatewayStatus.REFUNDED, 5938, 5938, 5938, 0),
        partly.payment_id: (GatewayStatus.REFUNDED, 5938, 4000, 4000, 1938),
        declined.payment_id: (GatewayStatus.VOIDED, 0, 0, 0, 0),
    }
    for number, (payment_id, state) in enumerate(expected.items()):
        keys = type(KEYS)("chk_1", f"pay_{number}")
        for _ in range(2):  # settling what is settled changes nothing
            settled = await settle_to_zero(gateway, payment_id, keys)
            found = (settled.status, settled.authorized, settled.captured, settled.refunded, settled.voided)
            assert found == state
            assert settled.settled
        with pytest.raises(Refused):
            await gateway.confirm(payment_id, key=f"late confirm of {number}")


async def test_a_capture_that_lands_between_fetch_and_cancel_is_refunded(
    interposed: Interposed, create: Create
) -> None:
    """The model's SETTLE_ONCE: a single round would take the refused cancel for the end."""
    created = await create()
    payment_id = created.payment_id
    await interposed.real.confirm(payment_id, key=KEYS.confirm())

    async def late_capture() -> Payment:
        return await interposed.real.capture(payment_id, amount=5938, key=KEYS.capture())

    interposed.after["fetch"] = once(late_capture)
    settled = await settle_to_zero(interposed, payment_id, KEYS)
    assert (settled.status, settled.captured, settled.refunded) == (GatewayStatus.REFUNDED, 5938, 5938)
    assert "refund" in interposed.calls


async def test_a_confirm_that_lands_between_fetch_and_cancel_is_voided(interposed: Interposed, create: Create) -> None:
    created = await create()

    async def late_confirm() -> Payment:
        return await interposed.real.confirm(created.payment_id, key=KEYS.confirm())

    interposed.after["fetch"] = once(late_confirm)
    settled = await settle_to_zero(interposed, created.payment_id, KEYS)
    assert (settled.status, settled.authorized, settled.voided) == (GatewayStatus.VOIDED, 5938, 5938)


async def test_a_confirm_after_the_settling_is_refused(gateway: Gateway, create: Create) -> None:
    created = await create()
    settled = await settle_to_zero(gateway, created.payment_id, KEYS)
    with pytest.raises(Refused):
        await gateway.confirm(created.payment_id, key=KEYS.confirm())
    assert await gateway.fetch(created.payment_id) == settled


async def test_another_refund_in_between_is_not_given_twice(interposed: Interposed, create: Create) -> None:
    created = await create()
    payment_id = created.payment_id
    await interposed.real.confirm(payment_id, key=KEYS.confirm())
    await interposed.real.capture(payment_id, amount=5938, key=KEYS.capture())

    async def partial_refund() -> Payment:
        return await interposed.real.refund(payment_id, amount=938, key="by hand")

    interposed.after["fetch"] = once(partial_refund)
    settled = await settle_to_zero(interposed, payment_id, KEYS)
    assert (settled.captured, settled.refunded) == (5938, 5938)


async def test_a_lost_answer_is_settled_by_the_next_try(interposed: Interposed, create: Create) -> None:
    created = await create()
    payment_id = created.payment_id
    await interposed.real.confirm(payment_id, key=KEYS.confirm())
    await interposed.real.capture(payment_id, amount=5938, key=KEYS.capture())

    async def lose() -> None:
        raise Unavailable("the answer is lost")

    interposed.after["refund"] = once(lose)
    with pytest.raises(Unavailable):
        await settle_to_zero(interposed, payment_id, KEYS)
    settled = await settle_to_zero(interposed, payment_id, KEYS)
    assert (settled.captured, settled.refunded) == (5938, 5938)


async def test_what_the_gateway_refuses_for_good_is_said(interposed: Interposed, create: Create) -> None:
    created = await create()

    async def refuse(_: Payment | None) -> None:
        raise Refused("account_closed")

    interposed.before["cancel"] = refuse
    with pytest.raises(Refused, match="account_closed"):
        await settle_to_zero(interposed, created.payment_id, KEYS)
    assert interposed.calls == ["fetch", "fetch"], "asked once more, in case something had changed"


async def test_a_payment_that_never_rests_is_left_to_a_later_try(interposed: Interposed, create: Create) -> None:
    """Ends even where each round finds something new: here captures arrive one after the other, as answers say."""
    created = await create()
    fetched = 0

    async def grow(payment: Payment | None) -> Payment:
        nonlocal fetched
        fetched += 1
        assert payment is not None
        return type(payment)(
            **{name: getattr(payment, name) for name in payment.__slots__}
            | {"status": GatewayStatus.AUTHORIZED, "authorized": fetched}
        )

    interposed.after["fetch"] = grow
    with pytest.raises(Unavailable):
        await settle_to_zero(interposed, created.payment_id, KEYS)
    assert fetched == ROUNDS


async def test_many_settlings_at_once_beside_a_capture_agree(gateway: Gateway, create: Create) -> None:
    created = await create()
    payment_id = created.payment_id
    await gateway.confirm(payment_id, key=KEYS.confirm())
    outcomes = await asyncio.gather(
        *(settle_to_zero(gateway, payment_id, KEYS) for _ in range(5)),
        gateway.capture(payment_id, amount=5938, key=KEYS.capture()),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, Payment) for outcome in outcomes[:5])
    assert isinstance(outcomes[5], Payment | Refused)
    payment = await gateway.fetch(payment_id)
    assert payment.settled
    assert payment.authorized == payment.captured + payment.voided == 5938
    assert payment.captured == payment.refunded
