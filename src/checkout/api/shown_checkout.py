"""From a checkout as the database or its workflow has it to what the API answers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from checkout.api.engine import Run
from checkout.api.models import checkouts as models
from checkout.api.models.base import Failure
from checkout.api.models.carts import PricedLine
from checkout.domain import errors
from checkout.domain.messages import CheckoutView
from checkout.domain.words import CANCELLABLE, EXTENDABLE, FENCED, OrderStatus, PaymentStatus, State
from checkout.store.checkouts import CheckoutRecord


def record_answer(record: CheckoutRecord, max_ttl: int) -> models.LiveCheckout:
    """The checkout by its row. ``max_ttl``: seconds from the start after which no extension helps."""
    return models.LiveCheckout(
        id=record.id,
        cart_id=record.cart_id,
        version=record.version,
        phase=record.phase,
        **_standing(record.state, record.locked_at, record.expires_at, max_ttl),
        created_at=record.created_at,
        locked_at=record.locked_at,
        expires_at=record.expires_at,
        completed_at=record.completed_at,
        failed_at=record.failed_at,
        currency=record.currency,
        totals=None if record.totals is None else models.Totals.model_validate(record.totals, from_attributes=True),
        lines=[PricedLine.model_validate(line, from_attributes=True) for line in record.lines],
        adjustments=[models.Adjustment(**adjustment) for adjustment in record.adjustments],
        payment=models.PaymentState(
            method=record.payment_method,
            status=record.payment_status,
            amount=record.total,
            attempts_left=record.attempts_left,
        ),
        next_action=None if record.next_action is None else dict(record.next_action),
        last_error=_failure(record.last_error),
        failure=_failure(record.failure),
        order=_order(record.order_reference, record.order_status),
    )


def view_answer(view: CheckoutView, run: Run, max_ttl: int) -> models.LiveCheckout:
    """The checkout by its workflow, where no row tells more: without lines and totals."""
    return _merged(unknown_answer(run, view.state, max_ttl), view, max_ttl)


def unknown_answer(run: Run, state: State, max_ttl: int, failure: Failure | None = None) -> models.LiveCheckout:
    """A checkout of which only its run is known."""
    return models.LiveCheckout(
        id=run.checkout_id,
        cart_id=run.cart_id,
        version=0,
        phase=state.phase,
        **_standing(state, run.started_at, None, max_ttl),
        created_at=run.started_at,
        locked_at=run.started_at,
        expires_at=None,
        completed_at=None,
        failed_at=run.ended_at,
        currency=None,
        totals=None,
        lines=[],
        adjustments=[],
        payment=models.PaymentState(method=None, status=PaymentStatus.NONE, amount=None, attempts_left=0),
        next_action=None,
        last_error=None,
        failure=failure,
        order=None,
    )


def live_answer(
    answer: models.LiveCheckout, view: CheckoutView | None, trouble: str | None, max_ttl: int
) -> models.LiveCheckout:
    """The row's answer with what the workflow waits for; where the workflow is ahead, with what it knows.

    ``trouble``: the kind of failure of what is tried again, of which the workflow itself hears only at its end.
    """
    if view is None:
        return answer
    shown = _merged(answer, view, max_ttl) if view.version > answer.version else answer
    waiting = _waiting(view)
    if waiting is not None and waiting.last_error is None:
        waiting = waiting.model_copy(update={"last_error": trouble})
    return shown.model_copy(update={"waiting_for": waiting})


def as_answered(answer: models.LiveCheckout, view: CheckoutView) -> models.LiveCheckout:
    """What the workflow answered some time ago, where the payment was declined and the checkout has gone on since."""
    if view.version >= answer.version or view.last_error is None or view.state is not State.AWAITING_PAYMENT:
        return answer
    return _merged(answer, view, 0)


def _merged(answer: models.LiveCheckout, view: CheckoutView, max_ttl: int) -> models.LiveCheckout:
    locked_at = answer.locked_at if view.locked_at is None else datetime.fromisoformat(view.locked_at)
    expires_at = answer.expires_at if view.expires_at is None else datetime.fromisoformat(view.expires_at)
    payment = {"attempts_left": view.attempts_left, "amount": view.total}
    return answer.model_copy(
        update={
            "version": max(view.version, answer.version),
            "phase": view.state.phase,
            **_standing(view.state, locked_at, expires_at, max_ttl),
            "locked_at": locked_at,
            "expires_at": expires_at,
            "currency": view.currency,
            "payment": answer.payment.model_copy(update=payment),
            "last_error": _failure_of(view.last_error),
            "failure": _failure_of(view.failure),
            "order": answer.order or _order(view.order_reference, None),
            "waiting_for": _waiting(view),
        }
    )


def _standing(state: State, locked_at: datetime, expires_at: datetime | None, max_ttl: int) -> Mapping[str, Any]:
    """What follows from the state and the time."""
    now = datetime.now(UTC)
    latest = locked_at + timedelta(seconds=max_ttl)
    return {
        "state": state,
        "state_name": state.label,
        "locked": not state.closed,
        "can_resume": state not in FENCED,
        "can_cancel": state in CANCELLABLE,
        "can_extend": state in EXTENDABLE and expires_at is not None and now < expires_at < latest,
        "server_time": now,
    }


def _waiting(view: CheckoutView) -> models.Waiting | None:
    waiting = view.waiting_for
    return None if waiting is None else models.Waiting.model_validate(waiting, from_attributes=True)


def _order(reference: str | None, status: OrderStatus | None) -> models.OrderState | None:
    return None if reference is None else models.OrderState(reference=reference, status=status or OrderStatus.PENDING)


def _failure(document: Mapping[str, Any] | None) -> Failure | None:
    return None if document is None else Failure(**{name: document[name] for name in Failure.model_fields})


def _failure_of(failure: errors.Failure | None) -> Failure | None:
    return None if failure is None else Failure.model_validate(failure, from_attributes=True)
