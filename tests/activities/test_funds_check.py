"""The look at a bank transfer: the whole total or not yet, too much, too little, and who may still say so."""

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from checkout.domain.words import PaymentStatus
from checkout.payments.port import GatewayStatus
from tests.activities.paying import TOTAL, Pause, Paying, changed, lose
from tests.support.gateway import once


async def awaited(paying: Paying) -> str:
    """A checkout whose order is made, and whose money is to come by a bank."""
    attempt = await paying.attempt(None, "bank_transfer")
    assert (await paying.authorize(attempt)).waits_for is PaymentStatus.PENDING
    paying.state("awaiting_funds")
    paying.gateway.calls.clear()
    return attempt


async def refused(paying: Paying, attempt: str) -> ApplicationError:
    """The definite failure with which a look ends."""
    with pytest.raises(ApplicationError) as ended:
        await paying.funds(attempt)
    assert ended.value.non_retryable
    return ended.value


async def test_the_whole_total_is_stored_once(paying: Paying) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received")
    seen = await paying.funds(attempt)
    checkout, row = paying.checkout(), paying.row(attempt)
    assert (seen.arrived, seen.missing, seen.unowed, seen.version) == (True, 0, 0, checkout["version"])
    assert (row["status"], row["authorized"]) == ("authorized", TOTAL)
    assert (checkout["state"], checkout["payment_status"], checkout["next_action"]) == (
        *("capturing", "authorized"),
        None,
    )
    assert await paying.funds(attempt) == seen
    assert paying.gateway.calls == ["fetch"], "repeated, it answers what it has stored"
    assert (await paying.capture()).amount == TOTAL
    assert await paying.funds(attempt) == seen, "an attempt that comes much later too"


async def test_as_long_as_nothing_comes_nothing_is_written(paying: Paying) -> None:
    attempt = await awaited(paying)
    before = paying.checkout(), paying.row(attempt)
    seen = await paying.funds(attempt)
    assert (seen.arrived, seen.missing, seen.version) == (False, TOTAL, before[0]["version"])
    assert (paying.checkout(), paying.row(attempt)) == before


async def test_too_little_is_shown_with_what_is_missing_and_the_rest_completes_it(paying: Paying) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received", 2000)
    seen = await paying.funds(attempt)
    checkout = paying.checkout()
    assert (seen.arrived, seen.missing, seen.version) == (False, TOTAL - 2000, checkout["version"])
    assert (checkout["state"], checkout["next_action"]["amount"]) == ("awaiting_funds", TOTAL - 2000)
    assert checkout["last_error"]["code"] == "funds_missing"
    assert checkout["last_error"]["context"] == {"currency": "EUR", "received": 2000, "missing": TOTAL - 2000}
    assert paying.row(attempt)["authorized"] == 2000
    assert await paying.funds(attempt) == seen
    assert paying.checkout() == checkout, "what is known already is not written again"
    await paying.act(attempt, "funds_received", 1000)
    assert (await paying.funds(attempt)).missing == TOTAL - 3000
    assert paying.checkout()["last_error"]["context"]["received"] == 3000
    await paying.act(attempt, "funds_received")
    assert (await paying.funds(attempt)).arrived
    assert (paying.checkout()["last_error"], paying.row(attempt)["authorized"]) == (None, TOTAL)


async def test_an_excess_is_told_and_only_what_of_it_is_still_here(paying: Paying) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received", TOTAL + 62)
    payment = await paying.payment(attempt)
    await paying.gateway.real.return_unowed(payment.payment_id, amount=20, key=f"{attempt} by hand")
    assert (await paying.funds(attempt)).unowed == 42
    assert paying.row(attempt)["authorized"] == TOTAL


async def test_a_gateway_that_does_not_answer_is_asked_again(paying: Paying) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received")
    before = paying.checkout(), paying.row(attempt)
    for when in (paying.gateway.before, paying.gateway.after):
        when["fetch"] = once(lose)
        with pytest.raises(ApplicationError) as away:
            await paying.funds(attempt)
        assert (away.value.type, away.value.non_retryable) == ("gateway_unavailable", False)
        assert (paying.checkout(), paying.row(attempt)) == before
    assert (await paying.funds(attempt)).arrived


async def test_ten_looks_at_once_count_once(paying: Paying) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received", 2000)
    version = paying.checkout()["version"]
    await asyncio.gather(*(paying.funds(attempt) for _ in range(10)))
    assert paying.checkout()["version"] == version + 1
    await paying.act(attempt, "funds_received")
    seen = await asyncio.gather(*(paying.funds(attempt) for _ in range(10)))
    assert all(one == seen[0] for one in seen)
    assert paying.checkout()["version"] == version + 2


# -- G2, and a gateway that errs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        {"amount": TOTAL + 1},
        {"amount": TOTAL - 1},
        {"currency": "USD"},
        {"authorized": TOTAL - 1},
        {"authorized": TOTAL + 1},
        {"status": GatewayStatus.VOIDED},
        {"status": GatewayStatus.DECLINED},
    ],
)
async def test_another_amount_than_the_total_pays_nothing(paying: Paying, answer: dict[str, Any]) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received")
    paying.gateway.after["fetch"] = changed(**answer)
    failure = await refused(paying, attempt)
    assert failure.type == "funds_refused"
    assert failure.details[0]["authorized"] == answer.get("authorized", TOTAL)
    assert failure.details[1]["gateway_code"] == paying.row(attempt)["gateway_code"]
    assert failure.details[1]["gateway_code"] == answer.get("status", GatewayStatus.AUTHORIZED)
    assert (paying.checkout()["state"], paying.row(attempt)["status"]) == ("awaiting_funds", "pending")
    await paying.void()
    assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]


async def test_a_payment_that_the_gateway_does_not_know_is_definite(paying: Paying) -> None:
    attempt = await awaited(paying)
    paying.execute("UPDATE payment_attempts SET gateway_payment_id = %s WHERE id = %s", f"gw_{attempt}", attempt)
    assert (await refused(paying, attempt)).type == "gateway_refused"


# -- the fence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["compensating", "failed", "expired", "cancelled"])
async def test_nothing_is_asked_for_a_checkout_that_is_undone(paying: Paying, state: str) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received")
    paying.state(state)
    assert (await refused(paying, attempt)).type == "checkout_closed"
    assert paying.gateway.calls == []


@pytest.mark.parametrize("amount", [TOTAL, 2000])
@pytest.mark.parametrize("place", ["before", "after"])
async def test_a_look_that_wakes_up_after_the_compensation_changes_nothing(
    paying: Paying, place: str, amount: int
) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received", amount)
    pause = Pause()
    getattr(paying.gateway, place)["fetch"] = pause
    late = asyncio.create_task(paying.funds(attempt))
    await pause.reached.wait()
    await paying.void()
    before = paying.checkout(), paying.row(attempt)
    pause.go()
    with pytest.raises(ApplicationError) as ended:
        await late
    # What it saw before or after the money was sent back: neither is a reason to write.
    assert (ended.value.non_retryable, ended.value.type) == (True, "checkout_closed")
    assert (paying.checkout(), paying.row(attempt)) == before
    assert await paying.money() == [(amount, 0, 0, amount)]


@pytest.mark.parametrize("amount", [TOTAL, 2000])
async def test_a_look_that_wakes_up_when_another_attempt_counts_says_nothing_of_it(paying: Paying, amount: int) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received", amount)
    pause = paying.gateway.after["fetch"] = Pause()
    late = asyncio.create_task(paying.funds(attempt))
    await pause.reached.wait()
    other = await paying.attempt()
    paying.execute("UPDATE checkouts SET attempt_id = %s WHERE id = %s", other, paying.checkout_id)
    before = paying.checkout()
    pause.go()
    with pytest.raises(ApplicationError) as ended:
        await late
    assert (ended.value.type, ended.value.non_retryable) == ("attempt_replaced", True)
    assert paying.checkout() == before
    paying.gateway.calls.clear()
    assert (await refused(paying, attempt)).type == "attempt_replaced"
    assert paying.gateway.calls == []


async def test_a_look_that_saw_too_little_and_comes_last_takes_nothing_back(paying: Paying) -> None:
    attempt = await awaited(paying)
    await paying.act(attempt, "funds_received", 2000)
    pause = paying.gateway.after["fetch"] = Pause()
    late = asyncio.create_task(paying.funds(attempt))
    await pause.reached.wait()
    await paying.act(attempt, "funds_received")
    seen = await paying.funds(attempt)
    pause.go()
    assert await late == seen
    assert (paying.checkout()["state"], paying.row(attempt)["authorized"]) == ("capturing", TOTAL)
    assert await paying.money() == [(TOTAL, 0, 0, 0)]
