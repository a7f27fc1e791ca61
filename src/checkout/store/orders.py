"""Orders as their buyers read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checkout.domain.words import OrderStatus, PaymentStatus
from checkout.runtime.statements import Session, Statement
from checkout.store.checkouts import PRICED_LINES, PricedLine, Totals
from checkout.store.errors import NotFound
from checkout.store.owner import Owner
from checkout.store.payments import ERASABLE, ERASED


@dataclass(frozen=True)
class OrderRecord:
    """An order with the prices of its checkout's snapshot; amounts in minor units.

    ``refunded`` went back to the buyer, ``refund_pending`` is about to.
    """

    reference: str
    checkout_id: str
    status: OrderStatus
    currency: str
    totals: Totals
    lines: tuple[PricedLine, ...]
    email: str
    shipping_address: Mapping[str, Any]
    billing_address: Mapping[str, Any] | None
    payment_method: str | None
    payment_status: PaymentStatus
    refunded: int
    refund_pending: int
    created_at: datetime


async def read_order(session: Session, owner: Owner, reference: str) -> OrderRecord:
    """The order of this reference. Raises NotFound ``order_not_found``, also where it is another's."""
    row = await _ONE.row(session, {**owner.parameters, "reference": reference})
    if row is None:
        raise _not_found(reference)
    return _record(dict(row))


async def read_any_order(session: Session, reference: str) -> OrderRecord:
    """The order of this reference, whosever it is. Raises NotFound ``order_not_found``."""
    row = await _ANY.row(session, {"reference": reference})
    if row is None:
        raise _not_found(reference)
    return _record(dict(row))


async def list_orders(
    session: Session, owner: Owner, *, after: tuple[datetime, str] | None = None, limit: int
) -> list[OrderRecord]:
    """At most ``limit`` orders of a session and of its customer, the newest first.

    ``after``: creation and reference of the last one of the page before.
    """
    at, reference = after or (None, None)
    parameters = {**owner.parameters, "after_at": at, "after_reference": reference, "limit": limit}
    return [_record(dict(row)) for row in await _LISTED.rows(session, parameters)]


async def read_next_action(session: Session, reference: str) -> Mapping[str, Any] | None:
    """What the buyer of an order still has to do: the bank's details while a transfer is to come; None for nothing."""
    row = await _NEXT_ACTION.row(session, {"reference": reference})
    return None if row is None else row["next_action"]


@dataclass(frozen=True)
class Made:
    """An order was made; ``drifted``: whether today's prices may be others than the frozen ones."""

    drifted: bool


async def create_order(session: Session, checkout_id: str, reference: str) -> Made | None:
    """Make the order and its lines from the checkout's snapshot.

    None, and nothing made, where the snapshot is gone or the checkout does not hold exactly the units of its lines.
    """
    row = await _CREATE.row(session, {"checkout_id": checkout_id, "reference": reference})
    return None if row is None else Made(row["drifted"])


async def cancel_order(session: Session, checkout_id: str) -> int:
    """Cancel the order of a checkout; 1 where there was one to cancel."""
    return len(await _CANCEL.rows(session, {"checkout_id": checkout_id}))


@dataclass(frozen=True)
class Paid:
    """An order is paid; ``units`` are those of its lines."""

    reference: str
    units: int


async def pay_order(session: Session, checkout_id: str) -> Paid | None:
    """Mark the order as paid, close its cart, erase payment tokens that nobody used.

    None, and nothing changed, unless the order is pending and what the checkout's attempt captured is its total (a
    total of zero needs no attempt).
    """
    row = await _PAY.row(session, {"checkout_id": checkout_id})
    return None if row is None else Paid(row["reference"], int(row["units"]))


def _not_found(reference: str) -> NotFound:
    return NotFound("order_not_found", "there is no such order", {"reference": reference[:64]})


def _record(row: dict[str, Any]) -> OrderRecord:
    lines = row.pop("lines") or ()
    totals = Totals(**{name: row.pop(name) for name in Totals.__dataclass_fields__})
    row["status"] = OrderStatus(row["status"])
    row["payment_status"] = PaymentStatus(row["payment_status"])
    return OrderRecord(**row, totals=totals, lines=tuple(PricedLine(**line) for line in lines))


_QUERY = f"""
SELECT o.reference, o.checkout_id, o.status, o.currency, o.sub_total, o.discount_total, o.shipping_total, o.tax_total,
    o.total, o.email, o.shipping_address, o.billing_address, o.created_at, k.payment_method, k.payment_status,
    COALESCE(a.refunded, 0) AS refunded,
    COALESCE((SELECT sum(f.amount) FROM refunds f WHERE f.order_reference = o.reference AND f.status = 'pending'),
        0)::bigint AS refund_pending,
    (SELECT {PRICED_LINES} FROM order_lines l WHERE l.order_reference = o.reference) AS lines
FROM orders o JOIN checkouts k ON k.id = o.checkout_id LEFT JOIN payment_attempts a ON a.id = k.attempt_id
"""  # noqa: S608 - fixed words
_OWNED = _QUERY + " WHERE (o.session_id = :session_id OR o.customer_id = CAST(:customer_id AS text))"
_ONE = Statement(_OWNED + " AND o.reference = :reference")
_LISTED = Statement(f"""{_OWNED}
    AND (CAST(:after_at AS timestamptz) IS NULL
        OR (o.created_at, o.reference) < (:after_at, CAST(:after_reference AS text)))
ORDER BY o.created_at DESC, o.reference DESC LIMIT :limit
""")
_ANY = Statement(_QUERY + " WHERE o.reference = :reference")

_NEXT_ACTION = Statement("""
SELECT k.next_action FROM orders o JOIN checkouts k ON k.id = o.checkout_id WHERE o.reference = :reference
""")

_CREATE = Statement("""
WITH snapshot AS (
    SELECT s.* FROM price_snapshots s
    WHERE s.checkout_id = :checkout_id AND s.discarded_at IS NULL
        AND NOT EXISTS (
            SELECT FROM (SELECT variant_id, quantity FROM price_snapshot_lines WHERE checkout_id = :checkout_id) l
            FULL JOIN (SELECT variant_id, sum(quantity) AS quantity FROM reservations
                WHERE checkout_id = :checkout_id AND status = 'held' GROUP BY variant_id) r USING (variant_id)
            WHERE l.quantity IS DISTINCT FROM r.quantity)
), made AS (
    INSERT INTO orders (reference, checkout_id, cart_id, session_id, customer_id, currency, sub_total, discount_total,
        shipping_total, tax_total, total, coupon_code, shipping_option, email, shipping_address, billing_address)
    SELECT :reference, s.checkout_id, c.id, c.session_id, c.customer_id, s.currency, s.sub_total, s.discount_total,
        s.shipping_total, s.tax_total, s.total, s.coupon_code, s.shipping_option, c.email,
        to_jsonb(ship) - 'cart_id' - 'kind', to_jsonb(bill) - 'cart_id' - 'kind'
    FROM snapshot s JOIN carts c ON c.id = s.cart_id
    JOIN cart_addresses ship ON ship.cart_id = c.id AND ship.kind = 'shipping'
    LEFT JOIN cart_addresses bill ON bill.cart_id = c.id AND bill.kind = 'billing'
    RETURNING reference
), lines AS (
    INSERT INTO order_lines (order_reference, variant_id, position, sku, name, quantity, unit_price, sub_total,
        discount_total, tax_total, total)
    SELECT made.reference, l.variant_id, l.position, l.sku, l.name, l.quantity, l.unit_price, l.sub_total,
        l.discount_total, l.tax_total, l.total
    FROM made, price_snapshot_lines l WHERE l.checkout_id = :checkout_id
)
SELECT COALESCE((
        SELECT true FROM price_changes WHERE kind <> 'price' AND changed_at > since ORDER BY changed_at DESC LIMIT 1
    ), false) OR EXISTS (
        SELECT FROM price_snapshot_lines l JOIN price_changes c ON c.kind = 'price' AND c.rule = l.variant_id::text
        WHERE l.checkout_id = :checkout_id AND c.changed_at > since
    ) OR EXISTS (
        SELECT FROM promotions p
        WHERE p.active AND (p.starts_at BETWEEN since AND now() OR p.ends_at BETWEEN since AND now())
    ) OR EXISTS (
        SELECT FROM coupons k
        WHERE k.code = snapshot.coupon_code
            AND (k.starts_at BETWEEN since AND now() OR k.ends_at BETWEEN since AND now())
    ) AS drifted
-- A change that was under way when the prices were frozen has an earlier time, and was not seen.
FROM made, snapshot, LATERAL (SELECT snapshot.created_at - interval '10 seconds' AS since) before
""")

_CANCEL = Statement("""
UPDATE orders SET status = 'cancelled', cancelled_at = now(), updated_at = now()
WHERE checkout_id = :checkout_id AND status <> 'cancelled'
RETURNING reference
""")

_PAY = Statement(f"""
WITH paid AS (
    UPDATE orders o SET status = 'paid', paid_at = now(), updated_at = now()
    FROM checkouts k LEFT JOIN payment_attempts a ON a.id = k.attempt_id
    WHERE k.id = :checkout_id AND o.checkout_id = k.id AND o.status = 'pending' AND o.total = k.total
        AND (o.total = 0 OR (a.status = 'captured' AND a.captured = o.total AND a.currency = o.currency))
    RETURNING o.reference, o.cart_id
), closed AS (
    UPDATE carts c SET locked_by = NULL, order_reference = paid.reference FROM paid WHERE c.id = paid.cart_id
), discarded AS (
    UPDATE payment_attempts SET {ERASED} FROM paid WHERE checkout_id = :checkout_id AND {ERASABLE}
)
SELECT paid.reference, (SELECT sum(l.quantity) FROM order_lines l WHERE l.order_reference = paid.reference) AS units
FROM paid
""")  # noqa: S608 - our words
