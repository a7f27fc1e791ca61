"""The compensation of payments, and how a cancellation reaches a payment phase."""

import asyncio
import contextlib
import dataclasses
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from checkout.activities.cart_validation import CartValidation
from checkout.activities.payment_authorization import PaymentAuthorization
from checkout.domain.messages import AuthorizationInput
from checkout.payments.port import Payment, Refused
from tests.activities.paying import TOTAL, Paying, lose
from tests.support.gateway import once

# -- void ------------------------------------------------------------------------------------------------------------


async def test_void_settles_every_attempt_and_repeated_changes_nothing(paying: Paying) -> None:
    first = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(first)
    second, unused = await paying.attempt(), await paying.attempt()
    await paying.authorize(second)
    done = await paying.void()
    # The first was settled when the second was taken up.
    assert done.count == 1
    assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]
    assert [paying.row(one)["status"] for one in (first, second, unused)] == ["voided", "voided", "discarded"]
    checkout = paying.checkout()
    assert (checkout["state"], checkout["payment_status"]) == ("compensating", "voided")
    assert done.version == checkout["version"]
    again = await paying.void()
    assert (again.count, again.version, paying.checkout()["version"]) == (0, checkout["version"], checkout["version"])


@pytest.mark.parametrize(("token", "method"), [("tok_3ds", "card"), (None, "paypal"), (None, "bank_transfer")])
async def test_what_nobody_approved_or_transferred_is_void(paying: Paying, token: str | None, method: str) -> None:
    await paying.authorize(await paying.attempt(token, method))
    assert paying.checkout()["payment_status"] in {"requires_action", "pending"}
    assert (await paying.void()).count == 1
    assert paying.checkout()["payment_status"] == "voided"
    version = paying.checkout()["version"]
    assert (await paying.void()).version == version


@pytest.mark.parametrize("state", ["failed", "expired", "cancelled"])
async def test_void_of_a_checkout_that_is_undone_changes_nothing(paying: Paying, state: str) -> None:
    attempt = await paying.attempt()
    paying.state(state)
    before = paying.checkout(), paying.row(attempt)
    done = await paying.void()
    assert (done.count, done.version) == (0, before[0]["version"])
    assert (paying.checkout(), paying.row(attempt)) == before


async def test_void_of_a_completed_checkout_is_refused(paying: Paying) -> None:
    """The model's NOT_ABSORBING."""
    await paying.authorize(await paying.attempt())
    paying.state("capturing")
    await paying.capture()
    paying.state("completed")
    for compensation in (paying.void, paying.refund):
        with pytest.raises(ApplicationError) as completed:
            await compensation()
        assert (completed.value.type, completed.value.non_retryable) == ("checkout_completed", True)
    assert await paying.money() == [(TOTAL, TOTAL, 0, 0)]


async def test_a_payment_whose_phase_was_never_reached_leaves_no_token(paying: Paying) -> None:
    """An express checkout that fails before: void does not run, the unlocking of the cart does."""
    attempt = await paying.attempt()
    await paying.run(CartValidation(paying.sessions).unlock, paying.compensation())
    assert (paying.row(attempt)["status"], paying.row(attempt)["token"]) == ("discarded", None)
    assert paying.checkout()["state"] == "expired"


async def test_void_is_tried_again_until_the_gateway_answers(paying: Paying) -> None:
    attempt = await paying.attempt()
    await paying.authorize(attempt)
    paying.gateway.before["fetch"] = once(lose)
    with pytest.raises(ApplicationError) as away:
        await paying.refund()
    assert (away.value.type, away.value.non_retryable) == ("gateway_unavailable", False)
    assert paying.checkout()["state"] == "compensating", "the fence stands while the gateway is away"
    assert (await paying.refund()).count == 1
    assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]


async def test_what_the_gateway_refuses_is_kept_open_and_the_rest_is_given_back(paying: Paying) -> None:
    """Two objects hold money (a gateway that erred); one cannot be voided: people see it, the other is free."""
    stuck = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(stuck)
    paying.execute("UPDATE payment_attempts SET gateway_payment_id = 'gw_lost' WHERE id = %s", stuck)
    paying.execute("UPDATE payment_attempts SET status = 'voided' WHERE id = %s", stuck)
    good = await paying.attempt()
    await paying.authorize(good)
    paying.execute("UPDATE payment_attempts SET status = 'declined' WHERE id = %s", stuck)
    for _ in range(2):
        with pytest.raises(ApplicationError) as refused:
            await paying.refund()
        assert (refused.value.type, refused.value.non_retryable) == ("gateway_refused", True)
        assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]
        # The gateway's own sentence may repeat what was sent: it is in the row, and no history keeps it (G7).
        row = paying.row(stuck)
        assert row["gateway_detail"] not in {None, row["gateway_code"]}
        assert row["gateway_detail"] not in refused.value.message
        assert refused.value.message.endswith(f": {row['gateway_code']}")
    assert paying.row(good)["status"] == "voided"


# -- heartbeats ------------------------------------------------------------------------------------------------------


async def test_it_beats_while_the_gateway_is_slow_and_a_cancel_reaches_it(paying: Paying) -> None:
    attempt = await paying.attempt("tok_slow")
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, heartbeat_timeout=timedelta(seconds=0.3))
    beaten = asyncio.Event()
    environment.on_heartbeat = lambda *_: beaten.set()
    authorized = asyncio.Event()

    async def watch(_: Payment | None) -> None:
        authorized.set()

    paying.gateway.before["confirm"] = watch
    activities = PaymentAuthorization(paying.sessions, paying.gateway)
    given = AuthorizationInput(paying.checkout_id, paying.cart_id, attempt)
    running = asyncio.ensure_future(environment.run(activities.authorize, given))
    await authorized.wait()
    await beaten.wait()
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # Whether the confirm had left or not: what is undone now stays undone.
    await paying.void()
    with contextlib.suppress(Refused):
        await paying.gateway.real.confirm(paying.row(attempt)["gateway_payment_id"], key="late")
    assert all(item["authorized"] == item["voided"] for item in await paying.ledger())
