"""What the activities are given, made from what the workflow knows."""

from temporalio import workflow

from checkout.domain import messages as m
from checkout.domain.progress import Progress
from checkout.domain.times import rfc3339
from checkout.workflows.failures import Stop


def cart_validation(progress: Progress) -> m.CartValidationInput:
    """All that the checkout's row begins with."""
    checkout, info = progress.checkout, workflow.info()
    return m.CartValidationInput(
        checkout_id=checkout.checkout_id,
        cart_id=checkout.cart_id,
        session_id=checkout.session_id,
        customer_id=checkout.customer_id,
        workflow_id=info.workflow_id,
        run_id=info.run_id,
        locked_at=rfc3339(progress.locked_at),
        expires_at=rfc3339(progress.deadline),
        on_shortage=checkout.on_shortage,
        payment_attempts=checkout.limits.payment_attempts,
    )


def which(progress: Progress) -> m.PhaseInput:
    """Which checkout, and no more."""
    return m.PhaseInput(progress.checkout.checkout_id, progress.checkout.cart_id)


def price_lock(progress: Progress) -> m.PriceLockInput:
    """With the total that the caller was shown, when he said so."""
    return m.PriceLockInput(progress.checkout.checkout_id, progress.checkout.cart_id, progress.checkout.expected_total)


def authorization(progress: Progress, payment: m.PayRequest) -> m.AuthorizationInput:
    """With the attempt by which the buyer pays, and where he comes back to from a page of the gateway."""
    checkout = progress.checkout
    return m.AuthorizationInput(
        checkout.checkout_id, checkout.cart_id, payment.attempt_id, return_url=checkout.return_url
    )


def payment_check(progress: Progress, attempt_id: str) -> m.PaymentCheckInput:
    """With the attempt to look at."""
    return m.PaymentCheckInput(progress.checkout.checkout_id, progress.checkout.cart_id, attempt_id)


def order_creation(progress: Progress) -> m.OrderCreationInput:
    """With the drift of prices that is not worth a log line, and until when a bank transfer may come."""
    checkout = progress.checkout
    until = rfc3339(progress.deadline) if progress.awaits_funds else None
    return m.OrderCreationInput(
        checkout.checkout_id, checkout.cart_id, checkout.limits.price_drift_tolerance, funds_until=until
    )


def extension(progress: Progress) -> m.ExtensionInput:
    """With the deadline as it is now."""
    return m.ExtensionInput(progress.checkout.checkout_id, progress.checkout.cart_id, rfc3339(progress.deadline))


def compensation(progress: Progress, stop: Stop) -> m.CompensationInput:
    """With how the checkout ends, and all that a tombstone needs where no phase has written the row."""
    checkout, info = progress.checkout, workflow.info()
    return m.CompensationInput(
        checkout_id=checkout.checkout_id,
        cart_id=checkout.cart_id,
        session_id=checkout.session_id,
        customer_id=checkout.customer_id,
        workflow_id=info.workflow_id,
        run_id=info.run_id,
        locked_at=rfc3339(progress.locked_at),
        outcome=stop.outcome,
        failure=stop.failure,
    )
