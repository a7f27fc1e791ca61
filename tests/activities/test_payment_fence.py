"""Phase 4 when attempts wake up late: what is fenced by the row, and what by the payment object's own tombstone."""

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from checkout.payments.port import GatewayStatus, Payment, Refused
from tests.activities.paying import TOTAL, Pause, Paying, lose
from tests.support.gateway import once

# -- one attempt after the other -------------------------------------------------------------------------------------


async def test_an_attempt_is_settled_before_the_next_begins_and_its_late_confirm_is_refused(paying: Paying) -> None:
    """The model's NO_VOID_ON_RETRY: the first card's confirm comes through when the second has been paid with."""
    first = await paying.attempt("tok_gatewayDown")
    for _ in range(2):
        with pytest.raises(ApplicationError):
            await paying.authorize(first)
    second = await paying.attempt()
    assert (await paying.authorize(second)).authorized
    with pytest.raises(Refused):  # the gateway is up again: without the settling this would authorize
        await paying.gateway.real.confirm(paying.row(first)["gateway_payment_id"], key="late")
    assert await paying.money() == [(TOTAL, 0, 0, 0)]
    assert paying.row(first)["status"] == "voided"


async def test_a_declined_attempt_is_settled_before_the_next_begins(paying: Paying) -> None:
    declined = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(declined)
    assert (await paying.payment(declined)).status == GatewayStatus.DECLINED
    seen: list[GatewayStatus] = []

    async def look(_: Payment | None) -> None:
        seen.append((await paying.payment(declined)).status)

    paying.gateway.before["create"] = look
    await paying.authorize(await paying.attempt())
    assert seen == [GatewayStatus.VOIDED]


@pytest.mark.parametrize("place", ["after create", "before confirm", "after confirm"])
async def test_a_replaced_attempt_that_wakes_up_late_holds_nothing(paying: Paying, place: str) -> None:
    first, second = await paying.attempt(), await paying.attempt()
    when, operation = place.split()
    pause = Pause()
    getattr(paying.gateway, when)[operation] = pause
    late = asyncio.create_task(paying.authorize(first))
    await pause.reached.wait()
    assert (await paying.authorize(second)).authorized
    pause.go()
    with pytest.raises(ApplicationError) as replaced:
        await late
    assert replaced.value.non_retryable
    assert replaced.value.type in {"attempt_replaced", "out_of_order"}
    held = [item for item in await paying.ledger() if item["authorized"] > item["voided"]]
    assert [item["payment_id"] for item in held] == [paying.row(second)["gateway_payment_id"]]
    with pytest.raises(ApplicationError) as replaced:
        await paying.authorize(first)
    assert replaced.value.non_retryable
    assert paying.checkout()["attempt_id"] == second


@pytest.mark.parametrize("place", ["before create", "after create", "before confirm", "after confirm"])
async def test_a_replaced_attempt_that_wakes_up_after_its_successor_was_declined_pays_nothing(
    paying: Paying, place: str
) -> None:
    """The checkout waits for a payment again, so its state admits the phase; but this attempt no longer counts."""
    first, second = await paying.attempt(), await paying.attempt("tok_chargeDeclined")
    when, operation = place.split()
    pause = Pause()
    getattr(paying.gateway, when)[operation] = pause
    late = asyncio.create_task(paying.authorize(first))
    await pause.reached.wait()
    assert not (await paying.authorize(second)).authorized
    pause.go()
    with pytest.raises(ApplicationError) as replaced:
        await late
    assert (replaced.value.type, replaced.value.non_retryable) == ("attempt_replaced", True)
    assert (paying.checkout()["state"], paying.checkout()["attempt_id"]) == ("awaiting_payment", second)
    assert all(item["authorized"] == item["voided"] for item in await paying.ledger())


async def test_a_replaced_attempt_never_takes_its_place_back(paying: Paying) -> None:
    first, second = await paying.attempt("tok_gatewayDown"), await paying.attempt("tok_chargeDeclined")
    with pytest.raises(ApplicationError):
        await paying.authorize(first)
    await paying.authorize(second)
    calls = list(paying.gateway.calls)
    with pytest.raises(ApplicationError) as replaced:
        await paying.authorize(first)
    assert (replaced.value.type, replaced.value.non_retryable) == ("attempt_replaced", True)
    assert paying.gateway.calls == calls
    assert (paying.checkout()["attempt_id"], paying.checkout()["state"]) == (second, "awaiting_payment")


async def test_a_discarded_attempt_is_not_taken_up(paying: Paying) -> None:
    attempt = await paying.attempt()
    await paying.discard(attempt)
    with pytest.raises(ApplicationError) as replaced:
        await paying.authorize(attempt)
    assert (replaced.value.type, replaced.value.non_retryable) == ("attempt_replaced", True)
    assert (paying.row(attempt)["status"], paying.row(attempt)["token"]) == ("discarded", None)
    assert (paying.checkout()["attempt_id"], paying.gateway.calls) == (None, [])


@pytest.mark.parametrize("place", ["before create", "after create", "before confirm"])
async def test_an_attempt_that_was_taken_up_cannot_be_discarded(paying: Paying, place: str) -> None:
    """An API that gave up too early must not take a payment's id or token from it."""
    attempt = await paying.attempt()

    async def discard() -> None:
        await paying.discard(attempt)

    when, operation = place.split()
    getattr(paying.gateway, when)[operation] = once(discard)
    assert (await paying.authorize(attempt)).authorized
    assert paying.row(attempt)["status"] == "authorized"
    assert paying.row(attempt)["gateway_payment_id"] == (await paying.payment(attempt)).payment_id


async def test_an_object_whose_id_could_not_be_stored_is_not_confirmed(paying: Paying) -> None:
    attempt = await paying.attempt()

    async def close() -> None:
        paying.execute("UPDATE payment_attempts SET status = 'discarded', token = NULL WHERE id = %s", attempt)

    paying.gateway.after["create"] = once(close)
    with pytest.raises(ApplicationError) as replaced:
        await paying.authorize(attempt)
    assert replaced.value.non_retryable
    assert paying.gateway.calls == ["create"]
    assert await paying.money() == []


async def test_a_settling_that_fails_keeps_the_next_attempt_waiting(paying: Paying) -> None:
    declined = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(declined)
    good = await paying.attempt()
    paying.gateway.before["cancel"] = once(lose)
    with pytest.raises(ApplicationError) as away:
        await paying.authorize(good)
    assert away.value.type == "gateway_unavailable"
    assert paying.row(good)["gateway_payment_id"] is None
    assert (await paying.authorize(good)).authorized
    assert (await paying.payment(declined)).status == GatewayStatus.VOIDED


async def test_an_attempt_of_another_checkout_is_not_taken(paying: Paying) -> None:
    other = Paying(paying.database_url, paying.sessions, paying.server, paying.gateway)
    await other.await_payment()
    for attempt in (await other.attempt(), "pay_unknown"):
        with pytest.raises(ApplicationError) as unknown:
            await paying.authorize(attempt)
        assert unknown.value.type == "attempt_unknown"
    assert paying.gateway.calls == []


# -- the fence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["compensating", "failed", "expired", "cancelled"])
async def test_nothing_is_asked_for_a_checkout_that_is_undone(paying: Paying, state: str) -> None:
    attempt = await paying.attempt()
    paying.state(state)
    with pytest.raises(ApplicationError) as fenced:
        await paying.authorize(attempt)
    assert (fenced.value.type, fenced.value.non_retryable) == ("checkout_closed", True)
    assert paying.gateway.calls == []


@pytest.mark.parametrize("place", ["before create", "after create", "before confirm", "after confirm"])
async def test_an_attempt_that_wakes_up_after_the_compensation_leaves_nothing(paying: Paying, place: str) -> None:
    """The model's NO_ROW_CHECK_AFTER (and the tombstone at the gateway, when it was past the check)."""
    attempt = await paying.attempt()
    when, operation = place.split()
    pause = Pause()
    getattr(paying.gateway, when)[operation] = pause
    late = asyncio.create_task(paying.authorize(attempt))
    await pause.reached.wait()
    await paying.void()
    pause.go()
    with pytest.raises(ApplicationError) as fenced:
        await late
    assert (fenced.value.type, fenced.value.non_retryable) == ("checkout_closed", True)
    assert await paying.money() == ([(TOTAL, 0, 0, TOTAL)] if place == "after confirm" else [])
    if operation == "create":
        assert "confirm" not in paying.gateway.calls
    assert paying.checkout()["state"] == "compensating"
    assert paying.row(attempt)["token"] is None


async def test_a_compensation_that_comes_before_the_checkout_was_written_keeps_its_payment_out(paying: Paying) -> None:
    """The tombstone: an express attempt is stored before the row exists; nothing may authorize it any more."""
    unwritten = Paying(paying.database_url, paying.sessions, paying.server, paying.gateway, cart_id=paying.cart_id)
    attempt = await unwritten.attempt()
    assert (await unwritten.void()).count == 0
    assert unwritten.checkout()["state"] == "compensating"
    assert (unwritten.row(attempt)["status"], unwritten.row(attempt)["token"]) == ("discarded", None)
    with pytest.raises(ApplicationError) as fenced:
        await unwritten.authorize(attempt)
    assert fenced.value.type == "checkout_closed"
    assert paying.gateway.calls == []
