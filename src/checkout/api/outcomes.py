"""What came of a start or a payment, as the contract answers it: a status for the checkout, or a problem."""

from checkout.api.models.base import Failure
from checkout.api.models.checkouts import LiveCheckout
from checkout.api.problems import Problem
from checkout.domain import errors
from checkout.domain.money import format_amount
from checkout.domain.words import UNPRICED, Phase, State
from checkout.payments.port import DeclineCode

#: States in which the phases run on, and the answer is yet to come.
RUNNING = UNPRICED | {State.AUTHORIZING, State.CREATING_ORDER, State.CAPTURING, State.COMMITTING, State.COMPENSATING}

_DECLINES = frozenset(DeclineCode) | {"payment_declined"}


def ended_badly(checkout: LiveCheckout) -> Problem | None:
    """The problem of a checkout that was declined, failed, expired or cancelled, else None."""
    match checkout.state:
        case State.AWAITING_PAYMENT if checkout.last_error is not None:
            return _declined(checkout, checkout.last_error)
        case State.FAILED:
            return _failed(checkout)
        case State.EXPIRED:
            return expired(checkout.id)
        case State.CANCELLED:
            return Problem(
                "checkout_cancelled", "The checkout was cancelled; the cart is open again.", checkout_id=checkout.id
            )
        case _:
            return None


def _failed(checkout: LiveCheckout) -> Problem:
    failure = checkout.failure
    if failure is None:
        return Problem("checkout_failed", "The checkout has failed; all is given back.", checkout_id=checkout.id)
    if _is_decline(failure):
        return _declined(checkout, failure)
    return Problem.of_failure(_domain(failure), checkout.id)


def expired(checkout_id: str) -> Problem:
    """410: the deadline has passed, all is given back."""
    return Problem(
        "checkout_expired",
        "The checkout has expired and gave back what it held. Start another one.",
        checkout_id=checkout_id,
    )


def closing(checkout_id: str | None = None) -> Problem:
    """409: a checkout of the cart is being closed; what it holds is not given back yet."""
    problem = Problem("checkout_closing", "The cart's last checkout is being closed.", retry_after=1)
    if checkout_id is not None:
        problem.members["checkout_id"] = checkout_id
    return problem


def total_mismatch(checkout: LiveCheckout, expected_total: int | None) -> Problem | None:
    """409 where the buyer was shown another total (minor units) than the running checkout's."""
    totals, currency = checkout.totals, checkout.currency
    if expected_total is None or totals is None or currency is None or totals.total == expected_total:
        return None
    now, then = (format_amount(total, currency) for total in (totals.total, expected_total))
    return Problem(
        "total_mismatch",
        f"The running checkout's total is {now} {currency}, not {then}.",
        context={"total": totals.total, "expected_total": expected_total, "currency": currency},
        checkout_id=checkout.id,
    )


def _declined(checkout: LiveCheckout, failure: Failure) -> Problem:
    return Problem(
        "payment_not_processed" if failure.code == DeclineCode.NOT_PROCESSED else "payment_declined",
        failure.detail,
        phase=failure.phase,
        context={**failure.context, "reason": failure.code},
        checkout_id=checkout.id,
        attempts_left=checkout.payment.attempts_left,
    )


def _is_decline(failure: Failure) -> bool:
    return failure.phase == Phase.PAYMENT_AUTHORIZATION and failure.code in _DECLINES


def _domain(failure: Failure) -> errors.Failure:
    return errors.Failure(failure.code, failure.phase, failure.detail, failure.context, failure.at)
