"""The look at a payment that the buyer was to approve: what he did counts once, for the attempt that counts alone."""

import asyncio
from collections.abc import Awaitable

import pytest
from temporalio.exceptions import ApplicationError

from checkout.domain.messages import Authorization
from checkout.domain.words import PaymentStatus
from checkout.payments.port import GatewayStatus, Payment
from tests.activities.paying import TOTAL, Pause, Paying, changed, first, lose
from tests.support.gateway import Hook, once


async def to_approve(paying: Paying, token: str = "tok_3ds") -> str:  # noqa: S107
    """A checkout whose buyer has a page to approve on."""
    attempt = await paying.attempt(token)
    waits = await paying.authorize(attempt)
    assert waits.waits_for is PaymentStatus.REQUIRES_ACTION
    paying.gateway.calls.clear()
    return attempt


async def refused(looking: Awaitable[Authorization]) -> str | None:
    """The code of the definite failure with which a look ends."""
    with pytest.raises(ApplicationError) as ended:
        await looking
    assert ended.value.non_retryable
    return ended.value.type


async def test_approved_is_stored_once(paying: Paying) -> None:
    attempt = await to_approve(paying)
    await paying.act(attempt, "approve")
    seen = await paying.approval(attempt)
    checkout, row = paying.checkout(), paying.row(attempt)
    assert (seen.authorized, seen.waits_for, seen.declined, seen.attempts_left) == (True, None, None, 3)
    assert (seen.version, seen.gateway_reference) == (checkout["version"], row["gateway_payment_id"])
    assert (row["status"], row["authorized"]) == ("authorized", TOTAL)
    assert (checkout["state"], checkout["payment_status"], checkout["next_action"]) == (
        *("creating_order", "authorized"),
        None,
    )
    assert await paying.approval(attempt) == seen
    assert paying.gateway.calls == ["fetch"], "repeated, it answers what it has stored"
    paying.state("capturing")
    assert await paying.approval(attempt) == seen, "an attempt that comes much later too"
    assert await paying.money() == [(TOTAL, 0, 0, 0)]


async def test_as_long_as_the_buyer_does_nothing_nothing_is_written(paying: Paying) -> None:
    attempt = await to_approve(paying)
    before = paying.checkout(), paying.row(attempt)
    seen = await paying.approval(attempt)
    assert (seen.authorized, seen.waits_for, seen.attempts_left) == (False, PaymentStatus.REQUIRES_ACTION, 3)
    assert (seen.version, seen.gateway_reference) == (before[0]["version"], before[1]["gateway_payment_id"])
    assert (paying.checkout(), paying.row(attempt)) == before
    await paying.act(attempt, "approve")
    assert (await paying.approval(attempt)).authorized, "a look that saw nothing is no answer to the next"


async def test_denied_uses_the_attempt_up_once(paying: Paying) -> None:
    attempt = await to_approve(paying)
    await paying.act(attempt, "deny")
    seen = await paying.approval(attempt)
    assert (seen.authorized, seen.waits_for, seen.attempts_left) == (False, None, 2)
    assert seen.declined is not None
    assert (seen.declined.code, seen.declined.benign) == ("not_approved", True)
    assert await paying.approval(attempt) == seen
    checkout, row = paying.checkout(), paying.row(attempt)
    assert (checkout["state"], checkout["attempts_left"], checkout["next_action"]) == ("awaiting_payment", 2, None)
    assert (checkout["payment_status"], checkout["last_error"]["code"]) == ("none", "not_approved")
    assert (row["status"], row["code"]) == ("declined", "not_approved")
    assert await paying.money() == []


async def test_what_the_bank_declines_after_the_approval_says_so(paying: Paying) -> None:
    attempt = await to_approve(paying, "tok_3dsInsufficientFunds")
    await paying.act(attempt, "approve")
    seen = await paying.approval(attempt)
    assert seen.declined is not None
    assert (seen.declined.code, seen.attempts_left) == ("insufficient_funds", 2)


async def test_a_payment_that_was_cancelled_at_the_gateway_is_not_approved(paying: Paying) -> None:
    attempt = await to_approve(paying)
    payment = await paying.payment(attempt)
    await paying.gateway.real.cancel(payment.payment_id, key=f"{attempt} by hand")
    seen = await paying.approval(attempt)
    assert seen.declined is not None
    assert seen.declined.code == "not_approved"


async def test_the_last_denial_asks_nobody_to_pay_again(paying: Paying) -> None:
    paying.execute("UPDATE checkouts SET attempts_left = 1 WHERE id = %s", paying.checkout_id)
    attempt = await to_approve(paying)
    await paying.act(attempt, "deny")
    assert (await paying.approval(attempt)).attempts_left == 0
    assert paying.checkout()["state"] == "authorizing"


async def test_a_gateway_that_does_not_answer_is_no_denial(paying: Paying) -> None:
    attempt = await to_approve(paying)
    await paying.act(attempt, "approve")
    before = paying.checkout(), paying.row(attempt)
    for when in (paying.gateway.before, paying.gateway.after):
        when["fetch"] = once(lose)
        with pytest.raises(ApplicationError) as away:
            await paying.approval(attempt)
        assert (away.value.type, away.value.non_retryable) == ("gateway_unavailable", False)
        assert (paying.checkout(), paying.row(attempt)) == before
    assert (await paying.approval(attempt)).authorized


@pytest.mark.parametrize("outcome", ["approve", "deny"])
async def test_ten_looks_at_once_count_once(paying: Paying, outcome: str) -> None:
    attempt = await to_approve(paying)
    version = paying.checkout()["version"]
    await paying.act(attempt, outcome)
    seen = await asyncio.gather(*(paying.approval(attempt) for _ in range(10)))
    assert all(one == seen[0] for one in seen)
    assert paying.checkout()["version"] == version + 1
    assert paying.checkout()["attempts_left"] == (3 if outcome == "approve" else 2)


async def test_a_payment_that_the_gateway_does_not_know_is_definite(paying: Paying) -> None:
    attempt = await to_approve(paying)
    paying.execute("UPDATE payment_attempts SET gateway_payment_id = %s WHERE id = %s", f"gw_{attempt}", attempt)
    assert await refused(paying.approval(attempt)) == "gateway_refused"
    assert paying.checkout()["attempts_left"] == 3


# -- G2 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "figures"),
    [
        ({"authorized": TOTAL - 1}, {"authorized": TOTAL - 1}),
        ({"authorized": TOTAL + 1}, {"authorized": TOTAL + 1}),
        ({"currency": "USD"}, {"authorized": TOTAL, "authorized_currency": "USD"}),
    ],
)
async def test_another_amount_than_the_total_is_given_back(
    paying: Paying, answer: dict[str, object], figures: dict[str, object]
) -> None:
    attempt = await to_approve(paying)
    await paying.act(attempt, "approve")
    paying.gateway.after["fetch"] = first(changed(**answer))
    with pytest.raises(ApplicationError) as difference:
        await paying.approval(attempt)
    assert (difference.value.type, difference.value.non_retryable) == ("authorized_amount_differs", True)
    assert difference.value.details[0] == {"currency": "EUR", "expected": TOTAL, **figures}
    assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]
    assert (paying.row(attempt)["status"], paying.row(attempt)["code"]) == ("voided", "authorized_amount_differs")
    assert paying.checkout()["state"] == "requires_action", "what becomes of the checkout is the workflow's to say"


# -- the fence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["compensating", "failed", "expired", "cancelled"])
async def test_nothing_is_asked_for_a_checkout_that_is_undone(paying: Paying, state: str) -> None:
    attempt = await to_approve(paying)
    await paying.act(attempt, "approve")
    paying.state(state)
    assert await refused(paying.approval(attempt)) == "checkout_closed"
    assert paying.gateway.calls == []


async def test_a_look_that_was_never_answered_is_none_of_a_later_phase(paying: Paying) -> None:
    attempt = await to_approve(paying)
    paying.state("capturing")
    assert await refused(paying.approval(attempt)) == "out_of_order"
    assert paying.gateway.calls == []


@pytest.mark.parametrize("outcome", ["approve", "deny"])
@pytest.mark.parametrize("place", ["before", "after"])
async def test_a_look_that_wakes_up_after_the_compensation_changes_nothing(
    paying: Paying, place: str, outcome: str
) -> None:
    attempt = await to_approve(paying)
    await paying.act(attempt, outcome)
    pause = Pause()
    getattr(paying.gateway, place)["fetch"] = pause
    late = asyncio.create_task(paying.approval(attempt))
    await pause.reached.wait()
    await paying.void()
    before = paying.checkout(), paying.row(attempt)
    pause.go()
    assert await refused(late) == "checkout_closed"
    assert (paying.checkout(), paying.row(attempt)) == before
    assert await paying.money() == ([(TOTAL, 0, 0, TOTAL)] if outcome == "approve" else [])


@pytest.mark.parametrize("outcome", ["approve", "deny"])
async def test_a_look_that_wakes_up_when_another_attempt_counts_says_nothing_of_it(
    paying: Paying, outcome: str
) -> None:
    """The other was declined, so the checkout waits for a payment again and its state admits the phase."""
    attempt = await to_approve(paying)
    await paying.act(attempt, outcome)
    pause = paying.gateway.after["fetch"] = Pause()
    late = asyncio.create_task(paying.approval(attempt))
    await pause.reached.wait()
    other = await paying.attempt("tok_chargeDeclined")
    assert (await paying.authorize(other)).attempts_left == 2
    before = paying.checkout()
    pause.go()
    assert await refused(late) == "attempt_replaced"
    assert paying.checkout() == before
    assert (before["state"], before["attempt_id"], before["attempts_left"]) == ("awaiting_payment", other, 2)
    assert (await paying.payment(attempt)).status is GatewayStatus.VOIDED
    paying.gateway.calls.clear()
    assert await refused(paying.approval(attempt)) == "attempt_replaced"
    assert paying.gateway.calls == []


async def test_an_attempt_of_another_checkout_is_not_looked_at(paying: Paying) -> None:
    await to_approve(paying)
    other = Paying(paying.database_url, paying.sessions, paying.server, paying.gateway)
    await other.await_payment()
    theirs = await to_approve(other)
    for attempt in (theirs, "pay_unknown"):
        assert await refused(paying.approval(attempt)) == "attempt_replaced"
    assert paying.gateway.calls == []


@pytest.mark.parametrize("hook", [changed(authorized=TOTAL - 1), changed(status=GatewayStatus.DECLINED)])
async def test_what_a_faster_look_has_stored_is_not_stored_anew(paying: Paying, hook: Hook) -> None:
    """Of two looks the slower was told otherwise, by a gateway that errs: what is stored stays."""
    attempt = await to_approve(paying)
    await paying.act(attempt, "approve")
    pause = Pause()

    async def slow(payment: Payment | None) -> Payment | None:
        await pause(None)
        return await hook(payment)

    paying.gateway.after["fetch"] = first(slow)
    late = asyncio.create_task(paying.approval(attempt))
    await pause.reached.wait()
    seen = await paying.approval(attempt)
    pause.go()
    await asyncio.wait([late])
    assert paying.row(attempt)["status"] == "authorized"
    assert (seen.authorized, paying.checkout()["state"], paying.checkout()["attempts_left"]) == (
        *(True, "creating_order"),
        3,
    )
