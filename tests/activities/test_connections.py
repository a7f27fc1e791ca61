"""No connection to the database is held while the payment gateway is called: it may take as long as it likes.

The worker of ``tests/workflows/stage.py`` is watched in the same way, in whatever test it runs.
"""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from checkout.activities.payment_authorization import PaymentAuthorization
from checkout.activities.reconciliation import Reconciling
from checkout.domain.reconciliation import ReconciliationInput
from checkout.payments.port import Payment
from tests.activities.paying import TOTAL, Paying, changed, first
from tests.support.connections import Connections


@pytest.fixture
def watch(paying: Paying) -> Connections:
    """What the activities' tasks hold when the hooked gateway is called."""
    engine = paying.sessions.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    connections = Connections(engine)
    paying.gateway.real = connections.watching(paying.gateway.real)
    return connections


async def test_one_that_is_held_is_noticed(paying: Paying, watch: Connections) -> None:
    attempt = await paying.attempt()
    await paying.authorize(attempt)
    assert not watch.offences
    async with paying.sessions() as session:
        await session.connection()
        await paying.payment(attempt)
    assert len(watch.offences) == 1


async def test_none_is_held_while_the_gateway_is_called(paying: Paying, watch: Connections) -> None:
    """A decline, a denial, an amount that differs, an approval, a capture; and all of it is given back."""
    await paying.authorize(await paying.attempt("tok_chargeDeclined"))
    denied = await paying.attempt("tok_3ds")
    await paying.authorize(denied)  # settles the declined one
    await paying.approval(denied)
    await paying.act(denied, "deny")
    await paying.approval(denied)
    approved = await paying.attempt("tok_3ds")
    await paying.authorize(approved)
    await paying.act(approved, "approve")
    await paying.approval(approved)
    paying.state("capturing")
    await paying.capture()
    await paying.refund()
    assert await paying.money() == [(TOTAL, TOTAL, TOTAL, 0)]
    assert watch.calls.keys() == {"create", "confirm", "capture", "cancel", "refund", "fetch"}
    assert not watch.offences


async def test_none_is_held_while_a_transfer_is_looked_for_and_returned(paying: Paying, watch: Connections) -> None:
    attempt = await paying.attempt(None, "bank_transfer")
    await paying.authorize(attempt)
    paying.state("awaiting_funds")
    await paying.funds(attempt)
    await paying.act(attempt, "funds_received", 2000)
    await paying.funds(attempt)
    await paying.act(attempt, "funds_received", TOTAL)
    await paying.funds(attempt)
    await paying.give_back_unowed(paying.row(attempt)["gateway_payment_id"], attempt)
    await paying.run(PaymentAuthorization(paying.sessions, paying.gateway).void, paying.compensation())
    assert await paying.money() == [(TOTAL + 2000, 2000, 2000, TOTAL)]
    assert watch.calls.keys() == {"create", "confirm", "cancel", "return_unowed", "fetch"}
    assert not watch.offences


@pytest.mark.parametrize("operation", ["confirm", "capture"])
async def test_none_is_held_while_another_amount_is_given_back(
    paying: Paying, watch: Connections, operation: str
) -> None:
    attempt = await paying.attempt()
    if operation == "capture":
        await paying.authorize(attempt)
        paying.state("capturing")
        paying.gateway.after["capture"] = first(changed(captured=TOTAL - 1))
    else:
        paying.gateway.after["confirm"] = first(changed(authorized=TOTAL - 1))
    with pytest.raises(ApplicationError, match="another amount"):
        await (paying.capture() if operation == "capture" else paying.authorize(attempt))
    assert {"fetch", "cancel" if operation == "confirm" else "refund"} <= watch.calls.keys()
    assert not watch.offences


async def test_none_is_held_while_the_books_are_compared(
    paying: Paying, watch: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await paying.attempt()
    await paying.authorize(held)
    paying.state("expired")
    books, listed = paying.gateway.list_payments, set[int]()

    async def listing(*, since: datetime) -> AsyncIterator[Payment]:
        async for payment in books(since=since):
            listed.add(watch.held)
            if payment.checkout_id == paying.checkout_id:
                yield payment

    monkeypatch.setattr(paying.gateway, "list_payments", listing)
    activities = Reconciling(paying.sessions, paying.gateway)
    found = await paying.run(activities.find, ReconciliationInput())
    [finding] = [one for one in found.findings if one.checkout_id == paying.checkout_id]
    assert (await paying.run(activities.settle, finding)).amount == TOTAL
    assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]
    assert listed == {0}
    assert watch.calls.keys() == {"create", "confirm", "cancel", "fetch"}
    assert not watch.offences
