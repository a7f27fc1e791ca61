"""Events of payment gateways as they come in: each has its effect once, whatever is repeated."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.words import FENCED, State
from checkout.runtime.statements import Session, Statement


@dataclass(frozen=True)
class Received:
    """An event that is to have its effect, and the payment attempt that it is about, when the shop knows one.

    ``current``: the attempt is the one that counts in its checkout. ``state`` is the checkout's, None without a row.
    """

    attempt_id: str | None
    checkout_id: str | None
    cart_id: str | None
    method: str | None
    status: str | None
    current: bool
    state: State | None

    @property
    def awaited(self) -> bool:
        """Whether a checkout waits for news of this attempt."""
        waits = self.status in {"requires_action", "pending"}
        return waits and self.current and self.state is not None and self.state not in FENCED

    @property
    def late_money(self) -> bool:
        """Whether the event may tell of money that nobody owes: a bank asks no one before it sends."""
        return self.method == "bank_transfer" and not self.awaited


async def receive(
    session: AsyncSession, *, gateway: str, event_id: str, kind: str, payment_id: str | None, created: datetime
) -> Received | None:
    """Keep an event; None when it has had its effect already. A few events older than a month are forgotten."""
    parameters = {
        "gateway": gateway,
        "event_id": event_id,
        "type": kind,
        "payment_id": payment_id,
        "created_at": created,
    }
    row = (await session.execute(_RECEIVE, parameters)).one()
    if row.done_at is not None:
        return None
    return Received(
        row.attempt_id,
        row.checkout_id,
        row.cart_id,
        row.method,
        row.status,
        row.attempt_id is not None and row.attempt_id == row.current_id,
        None if row.state is None else State(row.state),
    )


async def done(session: AsyncSession, *, gateway: str, event_id: str) -> None:
    """The event has had its effect."""
    await session.execute(_DONE, {"gateway": gateway, "event_id": event_id})


async def note_unowed(session: Session, **columns: Any) -> None:
    """Keep that money which nobody owed goes back (columns of ``UnowedMoney``); a repeat changes nothing."""
    await _UNOWED.run(session, columns)


_UNOWED = Statement("""
INSERT INTO unowed_money (gateway, payment_id, checkout_id, attempt_id, amount, returned_until, currency)
VALUES (:gateway, :payment_id, :checkout_id, :attempt_id, :amount, :returned_until, :currency)
ON CONFLICT (gateway, payment_id, returned_until) DO NOTHING
""")

_RECEIVE = text("""
WITH old AS (
    SELECT gateway, event_id FROM gateway_events WHERE received_at < now() - interval '30 days'
    ORDER BY received_at LIMIT 10 FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM gateway_events e USING old
    WHERE (e.gateway, e.event_id) = (old.gateway, old.event_id) AND e.event_id <> :event_id
), kept AS (
    INSERT INTO gateway_events (gateway, event_id, type, payment_id, created_at)
    VALUES (:gateway, :event_id, :type, :payment_id, :created_at)
    ON CONFLICT (gateway, event_id) DO UPDATE SET type = gateway_events.type
    RETURNING done_at
)
SELECT kept.done_at, a.id AS attempt_id, a.checkout_id, a.cart_id, a.method, a.status, k.attempt_id AS current_id,
    k.state
FROM kept
LEFT JOIN payment_attempts a ON a.gateway = :gateway AND a.gateway_payment_id = :payment_id
LEFT JOIN checkouts k ON k.id = a.checkout_id
""")

_DONE = text("UPDATE gateway_events SET done_at = now() WHERE gateway = :gateway AND event_id = :event_id")
