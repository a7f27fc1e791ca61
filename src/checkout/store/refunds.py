"""Refunds after the sale, in the store: asked for, decided under the order's lock, and what came of them.

Locks are taken as by the phases (``store/fence.py``): the checkout's row, then its order, stock rows last.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from checkout.domain import ids
from checkout.domain.errors import DefiniteFailure
from checkout.domain.refund_plan import Plan, Sold, SoldLine
from checkout.domain.words import OrderStatus
from checkout.store.errors import NotFound
from checkout.store.tables import Refund


@dataclass(frozen=True)
class Asked:
    """What somebody wants back; an amount, lines (``{sku, quantity}``), or neither: all that is left."""

    refund_id: str
    order_reference: str
    amount: int | None
    lines: list[dict[str, Any]] | None
    restock: bool
    reason: str
    requested_by: str


async def ask(session: AsyncSession, asked: Asked) -> bool:
    """Keep a refund that is asked for; False where one of this id is there which asks for something else.

    Raises NotFound ``order_not_found``.
    """
    await session.execute(_ASK, asdict(asked))
    kept = await session.get(Refund, asked.refund_id)
    if kept is None:
        raise NotFound("order_not_found", "there is no such order", {"reference": asked.order_reference[:64]})
    same = (kept.order_reference, kept.wanted_amount, kept.wanted_lines, kept.restock, kept.reason)
    return same == (asked.order_reference, asked.amount, asked.lines, asked.restock, asked.reason)


async def refunds_of(session: AsyncSession, order_reference: str) -> Sequence[Refund]:
    """All refunds of an order, the oldest first."""
    statement = (
        select(Refund)
        .where(col(Refund.order_reference) == order_reference)
        .order_by(col(Refund.created_at), col(Refund.id))
    )
    return (await session.scalars(statement)).all()


async def get(session: AsyncSession, refund_id: str) -> Refund:
    """The refund as it is now."""
    statement = select(Refund).where(col(Refund.id) == refund_id).execution_options(populate_existing=True)
    return (await session.scalars(statement)).one()


async def lock(session: AsyncSession, refund_id: str, order_reference: str) -> Refund:
    """The refund as it is now, with its checkout and order locked: nothing else is decided of the order meanwhile."""
    await session.execute(_LOCK, {"reference": order_reference})
    return await get(session, refund_id)


async def sold(session: AsyncSession, order_reference: str) -> Sold:
    """The order that is locked, with what may still go back of it."""
    row = (await session.execute(_SOLD, {"reference": order_reference})).mappings().one()
    lines = tuple(SoldLine(**line) for line in row["lines"] or ())
    return Sold(OrderStatus(row["status"]), row["currency"], row["captured"], row["given_back"], lines)


async def reserve(session: AsyncSession, refund: Refund, plan: Plan, currency: str) -> None:
    """Have the refund give back so much of the payment that its order is paid by."""
    lines = [asdict(line) for line in plan.lines] or None
    await session.execute(
        _RESERVE, {"refund_id": refund.id, "amount": plan.amount, "lines": lines, "currency": currency}
    )


async def refuse(
    session: AsyncSession,
    refund_id: str,
    failure: DefiniteFailure,
    *,
    gateway_code: str | None = None,
    gateway_detail: str | None = None,
) -> None:
    """The refund cannot be done; what it had kept free is free again."""
    document = {"code": failure.code, "detail": failure.detail, "context": failure.context, "benign": failure.benign}
    await session.execute(
        _REFUSE,
        {
            "refund_id": refund_id,
            "failure": document,
            "gateway_code": gateway_code,
            "gateway_detail": gateway_detail,
        },
    )


async def finish(session: AsyncSession, refund: Refund) -> tuple[OrderStatus, int]:
    """The money went back: write it to refund, attempt, order and checkout, and put units back into stock.

    Gives what the order is now, and how many units came back.
    """
    status = (await session.execute(_FINISH, {"refund_id": refund.id})).scalar_one()
    units = await _restock(session, refund) if refund.restock and refund.lines else 0
    return OrderStatus(status), units


async def order_status(session: AsyncSession, order_reference: str) -> OrderStatus:
    """What the order is now."""
    query = text("SELECT status FROM orders WHERE reference = :reference")
    return OrderStatus((await session.execute(query, {"reference": order_reference})).scalar_one())


async def note_elsewhere(session: AsyncSession, *, gateway: str, payment_id: str, refunded: int) -> int:
    """Have the order that a payment pays say what went back of it past the shop; gives the amount, 0 where it does.

    ``refunded``: what the gateway gave back in all. What the shop's own refunds are about to give back counts as
    theirs: a gateway that has done one of them already must not have it counted twice.
    """
    paid = {"gateway": gateway, "payment_id": payment_id}
    reference = (await session.execute(_PAID_BY, paid)).scalar_one_or_none()
    if reference is None:
        return 0
    await session.execute(_LOCK, {"reference": reference})
    refund_id = ids.refund_id(reference, f"{payment_id} {refunded}")
    parameters = {**paid, "refund_id": refund_id, "reference": reference, "refunded": refunded}
    amount = (await session.execute(_NOTE, parameters)).scalar_one_or_none()
    if amount is None:
        return 0
    await session.execute(_FINISH, {"refund_id": refund_id})
    return int(amount)


async def _restock(session: AsyncSession, refund: Refund) -> int:
    assert refund.lines is not None  # noqa: S101 - asked for by whoever calls
    parameters = {
        "refund_id": refund.id,
        "reference": refund.order_reference,
        "checkout_id": refund.checkout_id,
        "variants": [line["variant_id"] for line in refund.lines],
        "quantities": [line["quantity"] for line in refund.lines],
    }
    return int((await session.execute(_RESTOCK, parameters)).scalar_one())


_ASK = text("""
INSERT INTO refunds (id, order_reference, wanted_amount, wanted_lines, restock, reason, requested_by)
SELECT :refund_id, o.reference, CAST(:amount AS bigint), :lines, :restock, :reason, :requested_by
FROM orders o WHERE o.reference = :order_reference
ON CONFLICT (id) DO NOTHING
""").bindparams(bindparam("lines", type_=JSONB(none_as_null=True)))

_LOCK = text("""
SELECT FROM checkouts k JOIN orders o ON o.checkout_id = k.id
WHERE o.reference = :reference
FOR NO KEY UPDATE OF k, o
""")

# A statement of its own after the lock: it sees what those did that held the lock before.
_SOLD = text("""
SELECT o.status, o.currency, COALESCE(a.captured, 0) AS captured,
    COALESCE((SELECT sum(f.amount) FROM refunds f
        WHERE f.order_reference = o.reference AND f.status IN ('pending', 'refunded')), 0)::bigint AS given_back,
    (SELECT jsonb_agg(jsonb_build_object('variant_id', l.variant_id, 'sku', l.sku, 'quantity', l.quantity,
            'total', l.total, 'refunded', COALESCE(r.units, 0)) ORDER BY l.position, l.variant_id)
        FROM order_lines l
        LEFT JOIN (
            SELECT (line ->> 'variant_id')::bigint AS variant_id, sum((line ->> 'quantity')::integer) AS units
            FROM refunds f, jsonb_array_elements(f.lines) AS line
            WHERE f.order_reference = :reference AND f.status IN ('pending', 'refunded')
            GROUP BY 1
        ) r USING (variant_id)
        WHERE l.order_reference = o.reference) AS lines
FROM orders o JOIN checkouts k ON k.id = o.checkout_id LEFT JOIN payment_attempts a ON a.id = k.attempt_id
WHERE o.reference = :reference
""")

_RESERVE = text("""
UPDATE refunds f SET status = 'pending', amount = :amount, currency = :currency, lines = :lines, reserved_at = now(),
    checkout_id = k.id, attempt_id = a.id, gateway = a.gateway, gateway_payment_id = a.gateway_payment_id
FROM orders o JOIN checkouts k ON k.id = o.checkout_id JOIN payment_attempts a ON a.id = k.attempt_id
WHERE f.id = :refund_id AND o.reference = f.order_reference
""").bindparams(bindparam("lines", type_=JSONB(none_as_null=True)))

_PAID_BY = text("""
SELECT o.reference FROM payment_attempts a JOIN checkouts k ON k.attempt_id = a.id
JOIN orders o ON o.checkout_id = k.id
WHERE a.gateway = :gateway AND a.gateway_payment_id = :payment_id AND k.state = 'completed'
""")

_NOTE = text("""
INSERT INTO refunds (id, order_reference, reason, requested_by, status, amount, currency, checkout_id, attempt_id,
    gateway, gateway_payment_id, reserved_at)
SELECT :refund_id, :reference, 'refunded at the gateway', 'gateway', 'pending', noted.amount, a.currency,
    a.checkout_id, a.id, a.gateway, a.gateway_payment_id, now()
FROM payment_attempts a, LATERAL (
    SELECT :refunded - a.refunded - COALESCE(sum(f.amount), 0)::bigint AS amount
    FROM refunds f WHERE f.order_reference = :reference AND f.status = 'pending'
) noted
WHERE a.gateway = :gateway AND a.gateway_payment_id = :payment_id AND noted.amount > 0
ON CONFLICT (id) DO NOTHING
RETURNING amount
""")

_REFUSE = text("""
UPDATE refunds SET status = 'refused', failure = :failure, gateway_code = :gateway_code,
    gateway_detail = :gateway_detail, finished_at = now()
WHERE id = :refund_id
""").bindparams(bindparam("failure", type_=JSONB))

# The checkout's row is written in any case: its next version tells who watches that the order has changed.
_FINISH = text("""
WITH done AS (
    UPDATE refunds SET status = 'refunded', finished_at = now() WHERE id = :refund_id AND status = 'pending'
    RETURNING order_reference, attempt_id, amount
), given AS (
    UPDATE payment_attempts a SET refunded = a.refunded + done.amount, updated_at = now(),
        status = CASE WHEN a.refunded + done.amount = a.captured THEN 'refunded' ELSE a.status END
    FROM done WHERE a.id = done.attempt_id
    RETURNING a.refunded
), ordered AS (
    UPDATE orders o SET updated_at = now(),
        status = CASE WHEN given.refunded = o.total THEN 'refunded' ELSE 'partially_refunded' END
    FROM done, given WHERE o.reference = done.order_reference
    RETURNING o.checkout_id, o.status
)
UPDATE checkouts k SET payment_status = CASE ordered.status WHEN 'refunded' THEN 'refunded' ELSE k.payment_status END
FROM ordered WHERE k.id = ordered.checkout_id
RETURNING ordered.status
""")

# Each unit goes to a warehouse that it left, the first by its id that has not got all of its own back.
_RESTOCK = text("""
WITH wanted AS (
    SELECT * FROM unnest(CAST(:variants AS bigint[]), CAST(:quantities AS integer[])) AS w (variant_id, quantity)
), back AS (
    SELECT m.variant_id, m.warehouse_id, sum(m.on_hand_delta) AS quantity
    FROM refunds f JOIN stock_movements m ON m.refund_id = f.id
    WHERE f.order_reference = :reference
    GROUP BY m.variant_id, m.warehouse_id
), away AS (
    SELECT r.variant_id, r.warehouse_id, r.quantity - COALESCE(b.quantity, 0) AS quantity
    FROM reservations r LEFT JOIN back b USING (variant_id, warehouse_id)
    WHERE r.checkout_id = :checkout_id AND r.status = 'committed'
), spread AS (
    SELECT a.variant_id, a.warehouse_id, LEAST(a.quantity, GREATEST(0, w.quantity + a.quantity
        - sum(a.quantity) OVER (PARTITION BY a.variant_id ORDER BY a.warehouse_id)))::integer AS quantity
    FROM away a JOIN wanted w USING (variant_id)
), locked AS MATERIALIZED (
    SELECT p.* FROM spread p JOIN stock s USING (variant_id, warehouse_id)
    WHERE p.quantity > 0
    ORDER BY s.variant_id, s.warehouse_id
    FOR NO KEY UPDATE OF s
), changed AS (
    UPDATE stock s SET on_hand = s.on_hand + l.quantity, updated_at = now()
    FROM locked l WHERE s.variant_id = l.variant_id AND s.warehouse_id = l.warehouse_id
    RETURNING s.variant_id, s.warehouse_id, l.quantity
), moved AS (
    INSERT INTO stock_movements (checkout_id, refund_id, variant_id, warehouse_id, kind, on_hand_delta, reason)
    SELECT :checkout_id, :refund_id, variant_id, warehouse_id, 'restocked', quantity, 'refund ' || :refund_id
    FROM changed
), counted AS (
    SELECT COALESCE(sum(quantity), 0) AS units FROM changed
)
UPDATE refunds SET restocked = counted.units FROM counted WHERE id = :refund_id RETURNING restocked
""")
