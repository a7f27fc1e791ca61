"""Phase 6 on real rows and a real gateway: captured once, or refunded, whatever lands when."""

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from checkout.payments.port import Payment, Refused
from tests.activities.paying import TOTAL, Pause, Paying, changed, lose
from tests.support.gateway import once


async def authorized(paying: Paying, token: str = "tok_visa") -> str:  # noqa: S107
    """The checkout as it stands when its order was made."""
    attempt = await paying.attempt(token)
    await paying.authorize(attempt)
    paying.state("capturing")
    paying.gateway.calls.clear()
    return attempt


async def test_it_captures_the_total_once(paying: Paying) -> None:
    attempt = await authorized(paying)
    result = await paying.capture()
    checkout, row = paying.checkout(), paying.row(attempt)
    assert (result.amount, result.version) == (TOTAL, checkout["version"])
    assert (row["status"], row["authorized"], row["captured"], row["refunded"]) == ("captured", TOTAL, TOTAL, 0)
    assert (checkout["state"], checkout["payment_status"]) == ("committing", "captured")
    assert await paying.capture() == result
    assert paying.gateway.calls == ["capture"], "repeated, it answers what it has stored"
    assert await paying.money() == [(TOTAL, TOTAL, 0, 0)]


async def test_payments_that_nobody_used_leave_no_token(paying: Paying) -> None:
    """Stored by an API that died before the workflow heard of it."""
    unused = await paying.attempt("tok_visa")
    used = await authorized(paying)
    await paying.capture()
    assert (paying.row(unused)["status"], paying.row(unused)["token"]) == ("discarded", None)
    assert paying.row(used)["status"] == "captured"


async def test_ten_runs_at_once_capture_once(paying: Paying) -> None:
    await authorized(paying)
    results = await asyncio.gather(*(paying.capture() for _ in range(10)))
    assert all(result == results[0] for result in results)
    assert await paying.money() == [(TOTAL, TOTAL, 0, 0)]


async def test_a_lost_answer_is_found_by_the_next_run(paying: Paying) -> None:
    await authorized(paying)

    paying.gateway.after["capture"] = once(lose)
    with pytest.raises(ApplicationError) as away:
        await paying.capture()
    assert (away.value.type, away.value.non_retryable) == ("gateway_unavailable", False)
    assert (await paying.capture()).amount == TOTAL
    assert await paying.money() == [(TOTAL, TOTAL, 0, 0)]


async def test_a_gateway_that_forgot_the_key_and_refuses_is_asked_what_it_did(paying: Paying) -> None:
    attempt = await authorized(paying)
    await paying.gateway.real.capture(paying.row(attempt)["gateway_payment_id"], amount=TOTAL, key="forgotten")

    async def refuse() -> None:
        raise Refused("payment_captured", "it is captured already")

    paying.gateway.before["capture"] = once(refuse)
    assert (await paying.capture()).amount == TOTAL
    assert await paying.money() == [(TOTAL, TOTAL, 0, 0)]


async def test_a_refused_capture_is_definite_and_its_authorization_is_voided(paying: Paying) -> None:
    attempt = await authorized(paying, "tok_captureFails")
    with pytest.raises(ApplicationError) as refused:
        await paying.capture()
    assert (refused.value.type, refused.value.non_retryable) == ("capture_refused", True)
    assert (refused.value.message, refused.value.details[0]) == ("the payment cannot be captured", {})
    assert refused.value.details[1] == {"gateway_code": "capture_refused"}
    row = paying.row(attempt)
    assert (row["code"], row["message"]) == ("capture_refused", refused.value.message)
    assert (row["gateway_code"], row["gateway_detail"]) == ("capture_refused", "the card's bank refuses the capture")
    assert (await paying.refund()).count == 1
    assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]
    assert paying.row(attempt)["status"] == "voided"
    assert paying.checkout()["payment_status"] == "voided"


async def test_another_amount_is_refused_and_given_back(paying: Paying) -> None:
    attempt = await authorized(paying)
    paying.gateway.after["capture"] = changed(captured=TOTAL - 1)
    with pytest.raises(ApplicationError) as difference:
        await paying.capture()
    assert (difference.value.type, difference.value.non_retryable) == ("captured_amount_differs", True)
    assert difference.value.details[0] == {"currency": "EUR", "expected": TOTAL, "captured": TOTAL - 1}
    assert await paying.money() == [(TOTAL, TOTAL, TOTAL, 0)]
    assert paying.row(attempt)["status"] == "refunded"


async def test_nothing_is_captured_that_was_not_authorized(paying: Paying) -> None:
    attempt = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(attempt)
    paying.state("capturing")
    with pytest.raises(ApplicationError) as refused:
        await paying.capture()
    assert refused.value.type == "not_authorized"
    assert "capture" not in paying.gateway.calls


@pytest.mark.parametrize("place", ["before capture", "after capture"])
async def test_a_capture_that_wakes_up_after_the_compensation_keeps_nothing(paying: Paying, place: str) -> None:
    await authorized(paying)
    when, operation = place.split()
    pause = Pause()
    getattr(paying.gateway, when)[operation] = pause
    late = asyncio.create_task(paying.capture())
    await pause.reached.wait()
    await paying.void()
    pause.go()
    with pytest.raises(ApplicationError) as ended:
        await late
    assert ended.value.non_retryable
    expected = (TOTAL, 0, 0, TOTAL) if when == "before" else (TOTAL, TOTAL, TOTAL, 0)
    assert await paying.money() == [expected]
    assert paying.checkout()["state"] == "compensating"


async def test_a_capture_that_lands_while_it_is_undone_is_refunded(paying: Paying) -> None:
    """The model's SETTLE_ONCE: fetch says authorized, the late capture lands, the cancel is refused."""
    await authorized(paying)
    pause = paying.gateway.before["capture"] = Pause()
    late = asyncio.create_task(paying.capture())
    await pause.reached.wait()

    async def land() -> None:
        pause.go()
        await asyncio.wait([late])

    paying.gateway.after["fetch"] = once(land)
    assert (await paying.refund()).count == 1
    with pytest.raises(ApplicationError) as fenced:
        await late
    assert fenced.value.type == "checkout_closed"
    assert await paying.money() == [(TOTAL, TOTAL, TOTAL, 0)]
    assert paying.checkout()["payment_status"] == "refunded"


async def test_refund_gives_back_what_was_captured_and_repeated_nothing_more(paying: Paying) -> None:
    attempt = await authorized(paying)
    await paying.capture()
    done = await paying.refund()
    checkout, row = paying.checkout(), paying.row(attempt)
    assert (done.count, done.version) == (1, checkout["version"])
    assert (row["status"], row["captured"], row["refunded"]) == ("refunded", TOTAL, TOTAL)
    assert (checkout["state"], checkout["payment_status"]) == ("compensating", "refunded")
    assert (await paying.refund()).count == (await paying.void()).count == 0
    assert await paying.money() == [(TOTAL, TOTAL, TOTAL, 0)]
    assert paying.checkout()["version"] == checkout["version"]


async def test_compensations_at_once_give_back_once(paying: Paying) -> None:
    await authorized(paying)
    await paying.capture()
    await asyncio.gather(*(compensation() for compensation in (paying.refund, paying.void) * 4))
    assert await paying.money() == [(TOTAL, TOTAL, TOTAL, 0)]


async def test_a_forgotten_object_is_settled_before_the_capture(paying: Paying) -> None:
    """Completion looks at all attempts: one that still holds money is given back before the order's is taken."""
    kept = await authorized(paying)
    other = await paying.attempt()
    second = await paying.gateway.real.create(
        checkout_id=paying.checkout_id,
        attempt_id=other,
        currency="EUR",
        amount=TOTAL,
        method="card",
        token="tok_visa",
        key=f"{other} by hand",
    )
    await paying.gateway.real.confirm(second.payment_id, key=f"{other} confirmed by hand")
    paying.execute(
        "UPDATE payment_attempts SET status = 'declined', gateway_payment_id = %s WHERE id = %s",
        second.payment_id,
        other,
    )
    seen: list[Payment] = []

    async def look(_: Payment | None) -> None:
        seen.append(await paying.payment(other))

    paying.gateway.before["capture"] = look
    await paying.capture()
    assert seen[0].settled
    assert sorted(await paying.money()) == [(TOTAL, 0, 0, TOTAL), (TOTAL, TOTAL, 0, 0)]
    assert (paying.row(other)["status"], paying.row(kept)["status"]) == ("voided", "captured")
