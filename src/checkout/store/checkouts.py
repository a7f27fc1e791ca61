"""Checkouts as they are read: the row with all that an answer needs, in one statement."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from checkout.domain.words import OrderStatus, PaymentStatus, Phase, State
from checkout.runtime.statements import Session, Statement
from checkout.store.owner import Owner
from checkout.store.tables.checkouts import OPEN


@dataclass(frozen=True)
class PricedLine:
    """A line as it was frozen; amounts are net, in minor units: total = sub_total - discount_total + tax_total."""

    sku: str
    name: str
    quantity: int
    unit_price: int
    sub_total: int
    discount_total: int
    tax_total: int
    total: int


@dataclass(frozen=True)
class Totals:
    """What was frozen: total = sub_total - discount_total + shipping_total + tax_total, in minor units."""

    sub_total: int
    discount_total: int
    shipping_total: int
    tax_total: int
    total: int


@dataclass(frozen=True)
class CheckoutRecord:
    """A checkout as the database has it. ``totals`` is None and ``lines`` empty until prices are locked.

    ``owner_session`` and ``owner_customer`` are those of its cart now.
    """

    id: str
    cart_id: str
    owner_session: str
    owner_customer: str | None
    workflow_id: str
    run_id: str
    version: int
    state: State
    phase: Phase | None
    created_at: datetime
    locked_at: datetime
    expires_at: datetime | None
    completed_at: datetime | None
    failed_at: datetime | None
    currency: str | None
    total: int | None
    totals: Totals | None
    lines: tuple[PricedLine, ...]
    on_shortage: str
    adjustments: tuple[Mapping[str, Any], ...]
    attempts_left: int
    payment_method: str | None
    payment_status: PaymentStatus
    next_action: Mapping[str, Any] | None
    last_error: Mapping[str, Any] | None
    failure: Mapping[str, Any] | None
    order_reference: str | None
    order_status: OrderStatus | None

    def owned_by(self, owner: Owner) -> bool:
        """Whether the one who asks owns its cart."""
        return owner.owns(self.owner_session, self.owner_customer)


async def read_checkout(session: Session, checkout_id: str) -> CheckoutRecord | None:
    """The checkout of this id, None when no phase and no compensation has written it (yet)."""
    return await _read(session, _BY_ID, {"id": checkout_id})


async def read_running_checkout(session: Session, cart_id: str) -> CheckoutRecord | None:
    """The checkout of a cart that is not closed, the one that holds the cart first; None when there is none."""
    return await _read(session, _RUNNING, {"cart_id": cart_id})


async def _read(session: Session, statement: Statement, parameters: Mapping[str, Any]) -> CheckoutRecord | None:
    row = await statement.row(session, parameters)
    return None if row is None else _record(dict(row))


def _record(row: dict[str, Any]) -> CheckoutRecord:
    totals, lines = row.pop("totals"), row.pop("lines")
    for name, kind in _WORDS.items():
        row[name] = None if row[name] is None else kind(row[name])
    return CheckoutRecord(
        **{**row, "adjustments": tuple(row["adjustments"])},
        totals=None if totals is None else Totals(**totals),
        lines=tuple(PricedLine(**line) for line in lines or ()),
    )


_WORDS: dict[str, Any] = {
    "state": State,
    "phase": Phase,
    "payment_status": PaymentStatus,
    "order_status": OrderStatus,
}

_LINE = ", ".join(f"'{one.name}', l.{one.name}" for one in fields(PricedLine))
#: The lines ``l`` of a snapshot or an order as one document, in their order.
PRICED_LINES = f"jsonb_agg(jsonb_build_object({_LINE}) ORDER BY l.position, l.variant_id)"

_QUERY = f"""
SELECT k.id, k.cart_id, c.session_id AS owner_session, c.customer_id AS owner_customer, k.workflow_id, k.run_id,
    k.version, k.state, k.phase, k.created_at, k.locked_at, k.expires_at, k.completed_at, k.failed_at, k.currency,
    k.total, k.on_shortage, k.adjustments, k.attempts_left, k.payment_method, k.payment_status, k.next_action,
    k.last_error, k.failure, k.order_reference, o.status AS order_status,
    (SELECT jsonb_build_object('sub_total', s.sub_total, 'discount_total', s.discount_total,
            'shipping_total', s.shipping_total, 'tax_total', s.tax_total, 'total', s.total)
        FROM price_snapshots s WHERE s.checkout_id = k.id) AS totals,
    (SELECT {PRICED_LINES} FROM price_snapshot_lines l WHERE l.checkout_id = k.id) AS lines
FROM checkouts k JOIN carts c ON c.id = k.cart_id LEFT JOIN orders o ON o.checkout_id = k.id
"""  # noqa: S608 - fixed words

_BY_ID = Statement(_QUERY + " WHERE k.id = :id")
_RUNNING = Statement(f"""{_QUERY}
WHERE k.cart_id = :cart_id AND k.{OPEN}
ORDER BY k.id = c.locked_by DESC NULLS LAST, k.created_at DESC
LIMIT 1
""")
