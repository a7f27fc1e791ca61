"""The beginning and the end of a checkout's hold on its cart, and its deadline in between."""

import json
from datetime import datetime

from checkout.domain.errors import NotYet
from checkout.domain.messages import CompensationInput
from checkout.runtime.statements import Change, Row, Session, Statement
from checkout.store.fence import failure_document
from checkout.store.held import Held
from checkout.store.payments import ERASABLE, ERASED
from checkout.store.webhooks import WANTED


class NotYetUndone(NotYet):
    """Something of the checkout is still held, so it cannot be closed; to be tried again."""


def hold_cart(held: Held) -> Change:
    """Has the checkout hold its cart, which the transaction has locked and found free."""
    return Change(_HOLD, {"cart_id": held.cart.id, "checkout_id": held.id})


async def close_undone(session: Session, given: CompensationInput) -> tuple[int, int]:
    """Close a checkout of which nothing is held any more, unlock its cart, and erase payment tokens that nobody used.

    Gives the row's version and 1 where the cart was unlocked. Raises NotYetUndone: units, order, snapshot and payment
    must be given back before, since nothing looks at a closed checkout again.
    """
    parameters = {
        "checkout_id": given.checkout_id,
        "cart_id": given.cart_id,
        "state": given.outcome.state.value,
        "failure": None if given.failure is None else json.dumps(failure_document(given.failure)),
    }
    row = await _CLOSE.row(session, parameters)
    if row is None:
        raise NotYetUndone(f"{given.checkout_id} still holds units, an order, prices or a payment")
    return int(row["version"]), int(row["unlocked"])


async def read_ending(session: Session, checkout_id: str) -> Row | None:
    """How a checkout ended that is closed without an order, and what it had come to; None for any other."""
    return await _ENDING.row(session, {"checkout_id": checkout_id})


async def move_deadline(session: Session, held: Held, expires_at: datetime) -> tuple[int, datetime]:
    """Move the deadline to a later time; gives the row's version and the deadline that holds."""
    [row] = await _MOVE_DEADLINE.rows(session, {"checkout_id": held.id, "expires_at": expires_at})
    return int(row["version"]), row["expires_at"]


_HOLD = "UPDATE carts SET locked_by = :checkout_id, checkout_id = :checkout_id WHERE id = :cart_id"

_ENDING = Statement(f"""
SELECT cart_id, customer_id, state, failure, failed_at, currency, total, order_reference, {WANTED} AS wanted
FROM checkouts
WHERE id = :checkout_id AND state IN ('failed', 'expired', 'cancelled')
""")  # noqa: S608 - fixed words

_MOVE_DEADLINE = Statement("""
UPDATE checkouts SET expires_at = GREATEST(expires_at, :expires_at) WHERE id = :checkout_id
RETURNING version, expires_at
""")

_CLOSE = Statement(f"""
WITH closed AS (
    UPDATE checkouts k SET state = :state, failure = CAST(:failure AS jsonb), failed_at = now(), next_action = NULL
    WHERE k.id = :checkout_id
        AND NOT EXISTS (SELECT FROM reservations r WHERE r.checkout_id = k.id AND r.status <> 'released')
        AND NOT EXISTS (SELECT FROM price_snapshots s WHERE s.checkout_id = k.id AND s.discarded_at IS NULL)
        AND NOT EXISTS (SELECT FROM coupon_redemptions c WHERE c.checkout_id = k.id AND c.given_back_at IS NULL)
        AND NOT EXISTS (SELECT FROM orders o WHERE o.checkout_id = k.id AND o.status <> 'cancelled')
        AND NOT EXISTS (SELECT FROM payment_attempts a WHERE a.checkout_id = k.id
            AND a.gateway_payment_id IS NOT NULL AND a.status NOT IN ('voided', 'refunded', 'resolved'))
    RETURNING k.version
), unlocked AS (
    UPDATE carts c SET locked_by = NULL, checkout_id = :checkout_id FROM closed
    WHERE c.id = :cart_id AND c.order_reference IS NULL AND (c.locked_by IS NULL OR c.locked_by = :checkout_id)
    RETURNING 1
), discarded AS (
    UPDATE payment_attempts SET {ERASED} FROM closed WHERE checkout_id = :checkout_id AND {ERASABLE}
)
SELECT version, (SELECT count(*) FROM unlocked) AS unlocked FROM closed
""")  # noqa: S608 - our words
