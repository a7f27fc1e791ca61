"""What the rows of one checkout say against each other: none of it should ever be (G1 to G4), so ops are told."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.store.tables.checkouts import CLOSED, RUNNING, UNDONE


@dataclass(frozen=True)
class Contradiction:
    """A rule that rows break: its code, and what they say."""

    code: str
    detail: str


@dataclass(frozen=True)
class OtherCheckout:
    """Another attempt of the same cart."""

    id: str
    state: str


async def contradictions(session: AsyncSession, checkout_id: str) -> Sequence[Contradiction]:
    """Every rule that the rows of a checkout break; none of one without a row."""
    return [Contradiction(row.code, row.detail) for row in await session.execute(_BROKEN, {"id": checkout_id})]


async def others_of_cart(session: AsyncSession, checkout_id: str) -> Sequence[OtherCheckout]:
    """The other checkouts of its cart, the newest first, twenty at most."""
    return [OtherCheckout(row.id, row.state) for row in await session.execute(_OTHERS, {"id": checkout_id})]


async def checkout_of_order(session: AsyncSession, reference: str) -> str | None:
    """The checkout that made an order; None where there is no such order."""
    found: str | None = await session.scalar(_OF_ORDER, {"reference": reference})
    return found


async def latest_of_cart(session: AsyncSession, cart_id: str) -> str | None:
    """The newest checkout of a cart that has a row."""
    found: str | None = await session.scalar(_LATEST, {"cart_id": cart_id})
    return found


#: By code: a query that gives what the rows of the one ``known`` checkout say, for people, where they break the rule.
_RULES = {
    "cart_still_locked": """
        SELECT 'the cart is still locked by it' FROM known k JOIN carts c ON c.id = k.cart_id
        WHERE k.closed AND c.locked_by = k.id""",
    "cart_not_locked": """
        SELECT 'it runs, and the cart is locked by ' || COALESCE(c.locked_by, 'nobody')
        FROM known k JOIN carts c ON c.id = k.cart_id
        WHERE k.running AND c.locked_by IS DISTINCT FROM k.id""",
    "units_still_held": """
        SELECT r.quantity || ' of ' || v.sku || ' are ' || r.status || ', and nothing was sold'
        FROM known k JOIN reservations r ON r.checkout_id = k.id JOIN variants v ON v.id = r.variant_id
        WHERE k.undone AND r.status <> 'released'""",
    "units_not_committed": """
        SELECT r.quantity || ' of ' || v.sku || ' are ' || r.status || ', and were sold'
        FROM known k JOIN reservations r ON r.checkout_id = k.id JOIN variants v ON v.id = r.variant_id
        WHERE k.state = 'completed' AND r.status <> 'committed'""",
    "order_not_cancelled": """
        SELECT 'order ' || o.reference || ' is ' || o.status FROM known k JOIN orders o ON o.checkout_id = k.id
        WHERE k.undone AND o.status <> 'cancelled'""",
    "order_missing": """
        SELECT COALESCE('its order ' || o.reference || ' is ' || o.status, 'it has no order')
        FROM known k LEFT JOIN orders o ON o.checkout_id = k.id
        WHERE k.state = 'completed'
            AND COALESCE(o.status, '') NOT IN ('paid', 'partially_refunded', 'refunded')""",
    "payment_not_settled": """
        SELECT 'payment ' || a.id || ' is ' || a.status
        FROM known k JOIN payment_attempts a ON a.checkout_id = k.id
        WHERE k.undone AND COALESCE(a.gateway_payment_id, '') <> '' AND a.status <> 'resolved'
            AND (a.status NOT IN ('voided', 'refunded') OR a.captured <> a.refunded)""",
    "captured_differs": """
        SELECT COALESCE(a.captured, 0) || ' were captured of ' || k.total || ' (minor units)'
        FROM known k LEFT JOIN payment_attempts a ON a.id = k.attempt_id
        WHERE k.state = 'completed' AND COALESCE(a.captured, 0) <> k.total""",
    "coupon_not_given_back": """
        SELECT 'it still counts as a redemption of its coupon'
        FROM known k JOIN coupon_redemptions r ON r.checkout_id = k.id
        WHERE k.undone AND r.given_back_at IS NULL""",
}
#: All codes.
CODES = frozenset(_RULES)

_KNOWN = f"""
WITH known AS NOT MATERIALIZED (
    SELECT *, {CLOSED} AS closed, {UNDONE} AS undone, {RUNNING} AS running FROM checkouts WHERE id = :id)
"""  # noqa: S608 - our words
_BROKEN = text(
    _KNOWN
    + " UNION ALL ".join(
        f"SELECT '{code}' AS code, broken.detail FROM ({query}) AS broken (detail)"  # noqa: S608 - our words
        for code, query in _RULES.items()
    )
)
_OTHERS = text("""
SELECT o.id, o.state FROM checkouts k JOIN checkouts o ON o.cart_id = k.cart_id AND o.id <> k.id
WHERE k.id = :id ORDER BY o.created_at DESC LIMIT 20
""")
_OF_ORDER = text("SELECT checkout_id FROM orders WHERE reference = :reference")
_LATEST = text("SELECT id FROM checkouts WHERE cart_id = :cart_id ORDER BY created_at DESC LIMIT 1")
