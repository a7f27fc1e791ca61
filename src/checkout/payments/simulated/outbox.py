"""Events: what changed, kept in the transaction of the change, until the shop has taken it in.

An event is due from the moment of its change (where there is somebody to send it to). Whoever delivers takes a lease on
it first, so several couriers share the work, and what a dead one held becomes due again.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from checkout.payments.simulated.records import SCHEMA, metadata
from checkout.payments.simulated.rules import Record
from checkout.runtime.statements import Change

events = sa.Table(
    "events",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("payment_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    #: When it is to be sent (again); null once it was taken in, was given up, or where there is nobody to send it to.
    sa.Column("due_at", sa.DateTime(timezone=True)),
    sa.Column("delivered_at", sa.DateTime(timezone=True)),
    #: What became of the last try: a status, or why there was none.
    sa.Column("answer", sa.Text),
    sa.Index("events_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
    sa.Index("events_of_payment", "payment_id", "created_at"),
)


@dataclass(frozen=True, slots=True)
class Parcel:
    """An event that is to be sent: exactly these bytes, for the ``tries``-th time (from 1)."""

    event_id: str
    type: str
    body: bytes
    tries: int


def event_type(before: Record, after: Record) -> str:
    """What a change is called: by the state it led to, else by the money that moved."""
    if after.status != before.status:
        return f"payment.{after.status}"
    if after.returned != before.returned:
        return "payment.funds_returned"
    if (after.authorized, after.unowed) != (before.authorized, before.unowed):
        return "payment.funds_received"
    # Refunded in part, or declined once more.
    return "payment.refunded" if after.refunded != before.refunded else f"payment.{after.status}"


def insertion(kind: str, payment: dict[str, Any], *, send: bool) -> Change:
    """An event of a payment (as the API shows it); ``send``: whether it becomes due."""
    event_id, now = f"evt_{secrets.token_hex(12)}", datetime.now(UTC)
    body = {"id": event_id, "type": kind, "created": now.isoformat(), "payment": payment}
    return Change(
        _INSERTION,
        {
            "event_id": event_id,
            "event_payment_id": payment["id"],
            "event_type": kind,
            "event_created_at": now,
            "event_body": json.dumps(body, separators=(",", ":")),
            "send": send,
        },
    )


_INSERTION = f"""
INSERT INTO {SCHEMA}.events (event_id, payment_id, type, created_at, body, due_at)
VALUES (:event_id, :event_payment_id, :event_type, :event_created_at, :event_body,
    CASE WHEN CAST(:send AS boolean) THEN clock_timestamp() END)
"""  # noqa: S608 - fixed words


async def claim(connection: AsyncConnection, limit: int, lease: timedelta) -> list[Parcel]:
    """Take up to ``limit`` due events, oldest first; they are due again after the lease unless something is noted."""
    due = (
        sa.select(events.c.event_id)
        .where(events.c.due_at <= sa.func.clock_timestamp())
        .order_by(events.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        sa.update(events)
        .where(events.c.event_id == due.c.event_id)
        .values(due_at=sa.func.clock_timestamp() + lease, tries=events.c.tries + 1)
        .returning(events.c.event_id, events.c.type, events.c.body, events.c.tries, events.c.created_at)
    )
    rows = sorted((await connection.execute(statement)).all(), key=lambda row: row.created_at)
    return [Parcel(row.event_id, row.type, row.body.encode(), row.tries) for row in rows]


async def next_due(connection: AsyncConnection) -> timedelta | None:
    """How long until an event is due (negative: it is already); None where none will be."""
    query = sa.select(sa.func.min(events.c.due_at) - sa.func.clock_timestamp())
    until: timedelta | None = (await connection.execute(query)).scalar_one()
    return until


async def note_delivered(connection: AsyncConnection, event_id: str, answer: str) -> None:
    """The shop has it."""
    await connection.execute(
        sa.update(events)
        .where(events.c.event_id == event_id)
        .values(due_at=None, delivered_at=sa.func.clock_timestamp(), answer=answer)
    )


async def note_failed(connection: AsyncConnection, event_id: str, answer: str, again_in: timedelta | None) -> None:
    """The shop has not taken it in; ``again_in`` None gives it up. One that was taken in meanwhile stays so."""
    due = None if again_in is None else sa.func.clock_timestamp() + again_in
    await connection.execute(
        sa.update(events)
        .where(events.c.event_id == event_id, events.c.delivered_at.is_(None))
        .values(due_at=due, answer=answer)
    )


async def listing(connection: AsyncConnection, payment_id: str | None, limit: int = 200) -> list[dict[str, Any]]:
    """``GET /events``: the latest events, newest first; of one payment when it is given."""
    query = sa.select(events).order_by(events.c.created_at.desc()).limit(limit)
    if payment_id is not None:
        query = query.where(events.c.payment_id == payment_id)
    return [_shown(row) for row in (await connection.execute(query)).mappings()]


def _shown(row: sa.RowMapping) -> dict[str, Any]:
    return {
        "id": row["event_id"],
        "type": row["type"],
        "payment_id": row["payment_id"],
        "created": row["created_at"].isoformat(),
        "tries": row["tries"],
        "answer": row["answer"],
        "delivered_at": row["delivered_at"] and row["delivered_at"].isoformat(),
        "next_try_at": row["due_at"] and row["due_at"].isoformat(),
    }
