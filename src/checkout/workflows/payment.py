"""Phase 4 and the wait before phase 6: the buyer pays at once, approves somewhere else, or sends the money by his bank.

What the gateway tells by events, and the storefront by ``confirm``, is only that it is time to look: both may come,
twice, or neither, in any order. What counts is what the gateway says when it is asked, and the checkout's row, which
takes each answer once.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow

from checkout.domain import contract
from checkout.domain import messages as m
from checkout.domain.progress import Progress
from checkout.domain.words import Outcome, PaymentStatus, State
from checkout.workflows import inputs
from checkout.workflows.deadline import wait_until
from checkout.workflows.failures import DeadlineReached, Stop
from checkout.workflows.running import Running
from checkout.workflows.unowed import send_back_apart

Seen = TypeVar("Seen")

#: Why a checkout fails whose last attempt was declined without saying why.
DECLINED = "payment_declined"


async def authorize_payment(running: Running) -> None:
    """Wait for the buyer until the deadline; a declined attempt leaves the next one. Raises Stop."""
    progress, checkout = running.progress, running.checkout
    if checkout.attempt_id is not None:
        progress.payment = m.PayRequest(checkout.attempt_id)
    while True:
        payment = await _next_payment(running)
        result = await _authorize(running, payment)
        if result.waits_for is PaymentStatus.REQUIRES_ACTION:
            progress.payment = None
            approved = await _until_approved(running, payment.attempt_id)
            if approved is None:
                continue  # another payment takes its place
            result = approved
        if result.authorized or result.waits_for is PaymentStatus.PENDING:
            return
        if result.attempts_left <= 0:
            raise Stop(Outcome.FAILED, result.declined or running.failure(DECLINED, "the payment was declined"))
        if progress.payment == payment:
            progress.payment = None


async def await_funds(running: Running) -> None:
    """Wait until a bank transfer has brought the whole total; the gateway is asked now and then even without an event.

    Raises Stop: over time the order is cancelled, as it is by ops.
    """
    progress, limits = running.progress, running.checkout.limits
    attempt_id = progress.attempt_id
    assert attempt_id is not None  # noqa: S101 - funds are awaited for an attempt
    with running.phase(State.AWAITING_FUNDS):
        running.journal.publish()
        while True:
            poll = workflow.now() + timedelta(seconds=limits.funds_poll)
            await wait_until(
                lambda: progress.looking or running.cancel is not None,
                lambda: min(progress.deadline, poll),  # noqa: B023 - awaited before the next round
                "Look for the transfer",
            )
            running.stop_if_cancelled()
            over = poll > progress.deadline and not progress.looking
            seen = await _look(running, lambda: _funds(running, attempt_id), over=over)
            if seen is not None and seen.arrived:
                progress.waits_for = None
                if seen.unowed:
                    await _give_back_excess(running, attempt_id)
                return
            if over:
                raise Stop(Outcome.EXPIRED)


async def _give_back_excess(running: Running, attempt_id: str) -> None:
    reference = running.progress.gateway_reference
    assert reference is not None  # noqa: S101 - what awaits funds has a payment object
    running.journal.note("the transfer brought more than the total: the rest is sent back")
    await send_back_apart(m.UnowedInput(reference, running.checkout.checkout_id, attempt_id))


async def _next_payment(running: Running) -> m.PayRequest:
    progress = running.progress
    if progress.payment is None:
        running.journal.enter(State.AWAITING_PAYMENT)
        running.journal.publish()
        await wait_until(
            lambda: progress.payment is not None or running.cancel is not None,
            lambda: progress.deadline,
            "Deadline of the checkout",
        )
    running.stop_if_cancelled()
    if progress.payment is None:
        raise Stop(Outcome.EXPIRED)
    return progress.payment


async def _authorize(running: Running, payment: m.PayRequest) -> m.Authorization:
    checkout, progress = running.checkout, running.progress
    progress.attempt_id = payment.attempt_id
    progress.looked = progress.asked  # what was said of an earlier attempt
    argument = inputs.authorization(progress, payment)
    with running.phase(State.AUTHORIZING):
        # In flight at the deadline it is let finish, within its own timeout.
        result = await running.at_gateway(
            contract.PAYMENT_AUTHORIZATION, argument, checkout.limits.payment_auth_timeout
        )
    progress.attempted(result)
    return result


async def _until_approved(running: Running, attempt_id: str) -> m.Authorization | None:
    """Wait until the buyer has approved or denied; None when he pays otherwise. Raises Stop at the deadline.

    Once more the gateway is asked when the deadline comes: an approval of that very moment is an order. One that comes
    after the answer is too late: whoever undoes the checkout cancels the payment object, or voids what it holds.
    """
    progress = running.progress
    with running.phase(State.REQUIRES_ACTION):
        running.journal.publish()
        while True:
            in_time = await wait_until(
                lambda: progress.looking or progress.payment is not None or running.cancel is not None,
                lambda: progress.deadline,
                "Deadline of the checkout",
            )
            running.stop_if_cancelled()
            if progress.payment is not None:
                return None
            end = progress.deadline
            seen = await _look(running, lambda: _approval(running, attempt_id), over=not in_time)
            if seen is not None and seen.waits_for is None:
                progress.attempted(seen)
                return seen
            if not in_time and progress.payment is None and progress.deadline <= end:
                raise Stop(Outcome.EXPIRED)


async def _look(running: Running, ask: Callable[[], Awaitable[Seen]], *, over: bool) -> Seen | None:
    """Ask the gateway; what was said meanwhile is looked at again. None where it did not answer in time.

    Raises DeadlineReached where there is no time left to ask again.
    """
    progress: Progress = running.progress
    asked = progress.asked
    try:
        seen = await ask()
    except DeadlineReached as trouble:
        if over or workflow.now() >= progress.deadline:
            raise
        running.journal.in_trouble(str(trouble))
        return None
    progress.looked = max(progress.looked, asked)
    return seen


async def _approval(running: Running, attempt_id: str) -> m.Authorization:
    seen = await running.at_gateway(
        contract.PAYMENT_CHECK,
        inputs.payment_check(running.progress, attempt_id),
        running.checkout.limits.payment_auth_timeout,
    )
    running.progress.saw(seen)
    return seen


async def _funds(running: Running, attempt_id: str) -> m.Funds:
    seen = await running.at_gateway(
        contract.FUNDS_CHECK,
        inputs.payment_check(running.progress, attempt_id),
        running.checkout.limits.payment_auth_timeout,
    )
    running.progress.saw(seen)
    return seen
