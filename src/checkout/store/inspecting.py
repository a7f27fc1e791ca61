"""One checkout in full, for ops: all that the rows say of it, long after Temporal has forgotten its workflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.words import State
from checkout.store.actions import ActionRecord, list_actions

#: The newest acts of admins that are shown with a checkout.
ACTIONS = 50

Record = TypeVar("Record")


@dataclass(frozen=True)
class EnteredState:
    """When the checkout entered a state."""

    state: State
    at: datetime


@dataclass(frozen=True)
class StepRecord:
    """What a step left behind, see ``tables.CheckoutStep``."""

    activity: str
    attempts: int
    last_error: str | None
    last_error_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True)
class AttemptRecord:
    """A payment attempt without its token. Amounts in minor units; ``code`` and ``message`` are ours, the
    other two the gateway's."""

    id: str
    number: int | None
    method: str
    gateway: str
    gateway_payment_id: str | None
    status: str
    amount: int | None
    currency: str | None
    authorized: int
    captured: int
    refunded: int
    code: str | None
    message: str | None
    by_hand: Mapping[str, Any] | None
    gateway_code: str | None
    gateway_detail: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ReservationRecord:
    """Units of a SKU in a warehouse that the checkout holds or held."""

    sku: str
    warehouse: str
    quantity: int
    status: str
    updated_at: datetime


@dataclass(frozen=True)
class MovementRecord:
    """A change of stock that the checkout made."""

    sku: str
    warehouse: str
    kind: str
    on_hand_delta: int
    reserved_delta: int
    created_at: datetime


@dataclass(frozen=True)
class UnowedRecord:
    """Money that came in and was not owed, and went back; in minor units."""

    payment_id: str
    amount: int
    currency: str
    returned_at: datetime


@dataclass(frozen=True)
class RefundRecord:
    """A refund of the checkout's order; ``amount`` in minor units, None until it is decided."""

    id: str
    status: str
    amount: int | None
    currency: str | None
    restock: bool
    reason: str
    requested_by: str
    failure_code: str | None
    gateway_code: str | None
    gateway_detail: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Inspected:
    """What the rows say beside the checkout itself."""

    entered: Sequence[EnteredState]
    updated_at: datetime | None
    steps: Sequence[StepRecord]
    attempts: Sequence[AttemptRecord]
    reservations: Sequence[ReservationRecord]
    movements: Sequence[MovementRecord]
    unowed: Sequence[UnowedRecord]
    refunds: Sequence[RefundRecord]
    actions: Sequence[ActionRecord]


async def inspect_checkout(session: AsyncSession, checkout_id: str) -> Inspected:
    """All of it; what there are no rows of is empty."""
    entered = (await session.execute(_ENTERED, {"id": checkout_id})).one_or_none()
    return Inspected(
        entered=[
            EnteredState(State(one["state"]), datetime.fromisoformat(one["at"]))
            for one in (() if entered is None else entered.timeline)
        ],
        updated_at=None if entered is None else entered.updated_at,
        steps=await _all(session, _STEPS, checkout_id, StepRecord),
        attempts=await _all(session, _ATTEMPTS, checkout_id, AttemptRecord),
        reservations=await _all(session, _RESERVATIONS, checkout_id, ReservationRecord),
        movements=await _all(session, _MOVEMENTS, checkout_id, MovementRecord),
        unowed=await _all(session, _UNOWED, checkout_id, UnowedRecord),
        refunds=await _all(session, _REFUNDS, checkout_id, RefundRecord),
        actions=await list_actions(session, target=checkout_id, before=None, limit=ACTIONS),
    )


async def _all(session: AsyncSession, statement: Any, checkout_id: str, kind: type[Record]) -> list[Record]:
    rows = (await session.execute(statement, {"id": checkout_id})).mappings()
    return [kind(**_by_name(row)) for row in rows]


def _by_name(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


_ENTERED = text("SELECT timeline, updated_at FROM checkouts WHERE id = :id")
_STEPS = text("""
SELECT activity, attempts, last_error, last_error_at, done_at FROM checkout_steps WHERE checkout_id = :id
ORDER BY COALESCE(done_at, last_error_at), activity
""")
_ATTEMPTS = text("""
SELECT id, number, method, gateway, gateway_payment_id, status, amount, currency, authorized, captured, refunded, code,
    message, gateway_code, gateway_detail, by_hand, created_at, updated_at
FROM payment_attempts WHERE checkout_id = :id ORDER BY number NULLS LAST, created_at
""")
_RESERVATIONS = text("""
SELECT v.sku, w.code AS warehouse, r.quantity, r.status, r.updated_at
FROM reservations r JOIN variants v ON v.id = r.variant_id JOIN warehouses w ON w.id = r.warehouse_id
WHERE r.checkout_id = :id ORDER BY v.sku, w.priority, w.code
""")
_MOVEMENTS = text("""
SELECT v.sku, w.code AS warehouse, m.kind, m.on_hand_delta, m.reserved_delta, m.created_at
FROM stock_movements m JOIN variants v ON v.id = m.variant_id JOIN warehouses w ON w.id = m.warehouse_id
WHERE m.checkout_id = :id ORDER BY m.id
""")
_UNOWED = text("""
SELECT payment_id, amount, currency, returned_at FROM unowed_money WHERE checkout_id = :id ORDER BY returned_at
""")
_REFUNDS = text("""
SELECT r.id, r.status, r.amount, r.currency, r.restock, r.reason, r.requested_by, r.failure ->> 'code' AS failure_code,
    r.gateway_code, r.gateway_detail, r.created_at, r.finished_at
FROM refunds r JOIN orders o ON o.reference = r.order_reference WHERE o.checkout_id = :id ORDER BY r.created_at
""")
