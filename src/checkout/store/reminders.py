"""Reminders of abandoned carts: one for a cart, and none that has become pointless."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checkout.runtime.statements import Session, Statement
from checkout.store.rows import variant_name


@dataclass(frozen=True)
class Abandoned:
    """A cart to be reminded of; ``lines``: ``{name, quantity}``."""

    email: str
    country: str | None
    lines: Sequence[dict[str, Any]]


async def claim(session: Session, cart_id: str, delivery_id: str) -> Abandoned | None:
    """The cart, for the one delivery that reminds of it, however often that is tried.

    None where another has reminded, and where the cart is ordered, being checked out, empty or without an e-mail now.
    """
    rows = await _CART.rows(session, {"cart_id": cart_id})
    if not rows or await _CLAIM.row(session, {"cart_id": cart_id, "delivery_id": delivery_id}) is None:
        return None
    lines = [{"name": variant_name(row["product"], row["variant"]), "quantity": row["quantity"]} for row in rows]
    return Abandoned(rows[0]["email"], rows[0]["country"], lines)


_CART = Statement("""
SELECT c.email, a.country, l.quantity, p.title AS product, v.title AS variant
FROM carts c JOIN cart_lines l ON l.cart_id = c.id
JOIN variants v ON v.id = l.variant_id JOIN products p ON p.id = v.product_id
LEFT JOIN cart_addresses a ON a.cart_id = c.id AND a.kind = 'shipping'
WHERE c.id = :cart_id AND c.email <> '' AND c.locked_by IS NULL AND c.order_reference IS NULL
ORDER BY l.position, l.variant_id
""")
_CLAIM = Statement("""
INSERT INTO cart_reminders AS r (cart_id, delivery_id) VALUES (:cart_id, :delivery_id)
ON CONFLICT (cart_id) DO UPDATE SET delivery_id = r.delivery_id WHERE r.delivery_id = excluded.delivery_id
RETURNING cart_id
""")
