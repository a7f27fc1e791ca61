"""Orders as their buyers read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.words import OrderStatus, PaymentStatus
from checkout.store.carts import Owner
from checkout.store.checkouts import PricedLine, Totals
from checkout.store.errors import NotFound


@dataclass(frozen=True)
class OrderRecord:
    """An order with the prices of its checkout's snapshot; amounts in minor units."""

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
    created_at: datetime


async def read_order(session: AsyncSession, owner: Owner, reference: str) -> OrderRecord:
    """The order of this reference. Raises NotFound ``order_not_found``, also where it is another's."""
    row = (await session.execute(_ONE, {**_owner(owner), "reference": reference})).mappings().one_or_none()
    if row is None:
        raise NotFound("order_not_found", "there is no such order", {"reference": reference[:64]})
    return _record(dict(row))


async def list_orders(session: AsyncSession, owner: Owner) -> list[OrderRecord]:
    """All orders of a session and of its customer, the newest first."""
    found = (await session.execute(_ALL, _owner(owner))).mappings()
    return [_record(dict(row)) for row in found]


def _owner(owner: Owner) -> dict[str, Any]:
    return {"session_id": owner.session_id, "customer_id": owner.customer_id}


def _record(row: dict[str, Any]) -> OrderRecord:
    lines = row.pop("lines") or ()
    totals = Totals(**{name: row.pop(name) for name in Totals.__dataclass_fields__})
    row["status"] = OrderStatus(row["status"])
    row["payment_status"] = PaymentStatus(row["payment_status"])
    return OrderRecord(**row, totals=totals, lines=tuple(PricedLine(**line) for line in lines))


_QUERY = """
SELECT o.reference, o.checkout_id, o.status, o.currency, o.sub_total, o.discount_total, o.shipping_total, o.tax_total,
    o.total, o.email, o.shipping_address, o.billing_address, o.created_at, k.payment_method, k.payment_status,
    (SELECT jsonb_agg(jsonb_build_object('sku', l.sku, 'name', l.name, 'quantity', l.quantity,
            'unit_price', l.unit_price, 'sub_total', l.sub_total, 'discount_total', l.discount_total,
            'tax_total', l.tax_total, 'total', l.total) ORDER BY l.position, l.variant_id)
        FROM order_lines l WHERE l.order_reference = o.reference) AS lines
FROM orders o JOIN checkouts k ON k.id = o.checkout_id
WHERE (o.session_id = :session_id OR o.customer_id = CAST(:customer_id AS text))
"""
_ONE = text(_QUERY + " AND o.reference = :reference")
_ALL = text(_QUERY + " ORDER BY o.created_at DESC, o.reference")
