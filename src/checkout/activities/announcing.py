"""What the phases announce, made from what they hold; announced by the workflow, once the phase has done its part."""

from datetime import UTC, datetime
from typing import TypedDict

from checkout.domain.events import Announcement, CheckoutFailed
from checkout.domain.times import rfc3339
from checkout.domain.words import Outcome
from checkout.listeners.registry import Listeners
from checkout.runtime.statements import Session
from checkout.store.closing import read_ending
from checkout.store.held import Held


class Identity(TypedDict):
    """Which checkout an event is about."""

    checkout_id: str
    cart_id: str
    customer_id: str | None


def identity(held: Held) -> Identity:
    """Which checkout a phase holds."""
    return Identity(checkout_id=held.id, cart_id=held.cart.id, customer_id=held.cart.customer_id)


def now() -> str:
    """When it happens, as events carry it."""
    return rfc3339(datetime.now(UTC))


async def announce_failure(session: Session, listeners: Listeners, checkout_id: str) -> Announcement | None:
    """CheckoutFailed of a checkout that is closed without an order, the same each time; None where nobody listens.

    Of one that never had a row there is nothing to tell.
    """
    if not listeners.listens(CheckoutFailed):
        return None
    ended = await read_ending(session, checkout_id)
    if ended is None:
        return None
    failure = ended["failure"] or {}
    return listeners.announce(
        CheckoutFailed(
            checkout_id=checkout_id,
            cart_id=ended["cart_id"],
            customer_id=ended["customer_id"],
            at=rfc3339(ended["failed_at"]),
            outcome=Outcome(ended["state"]),
            code=failure.get("code"),
            phase=failure.get("phase"),
            detail=failure.get("detail"),
            refused=bool(failure.get("benign")),
            currency=ended["currency"],
            total=ended["total"],
            order_reference=ended["order_reference"],
        ),
        ended["wanted"],
    )
