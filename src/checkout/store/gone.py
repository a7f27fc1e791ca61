"""Open checkouts, as the audit reads them: page by page along an index, each with the run that is to end it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from checkout.domain.words import Phase, State
from checkout.runtime.statements import Session, Statement
from checkout.store.tables.checkouts import CLOSED, OPEN

#: Where a page ended: the last checkout's creation and id.
Place = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class OpenCheckout:
    """A checkout that has not ended; ``overdue``: it should have, long ago."""

    id: str
    cart_id: str
    workflow_id: str
    run_id: str
    created_at: datetime
    overdue: bool


@dataclass(frozen=True, slots=True)
class StrayLock:
    """A cart that is locked by a checkout which has no row, or has ended."""

    cart_id: str
    checkout_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a checkout's row, or for want of one its cart's, says of how to end it. ``total`` in minor units.

    ``state`` is None without a row. ``payment_id`` is the gateway's, of the attempt that counts. ``locks``: it holds
    the lock of its cart.
    """

    cart_id: str
    session_id: str
    customer_id: str | None
    workflow_id: str | None
    run_id: str | None
    locked_at: datetime
    state: State | None
    phase: Phase | None
    total: int | None
    currency: str | None
    payment_id: str | None
    locks: bool


async def open_checkouts(
    session: Session, *, grace: timedelta, after: Place | None, limit: int
) -> Sequence[OpenCheckout]:
    """A page of the checkouts that are open and older than ``grace``, the oldest first."""
    parameters = {"grace": grace, "limit": limit}
    if after is None:
        return [OpenCheckout(**row) for row in await FIRST.rows(session, parameters)]
    parameters |= {"after_at": after[0], "after_id": after[1]}
    return [OpenCheckout(**row) for row in await NEXT.rows(session, parameters)]


async def still_open(session: Session, checkout_ids: Collection[str]) -> set[str]:
    """Those of them that are open now."""
    return {row["id"] for row in await _STILL_OPEN.rows(session, {"ids": list(checkout_ids)})}


async def ended_before(session: Session, checkout_ids: Collection[str], age: timedelta) -> set[str]:
    """Those of them that ended so long ago."""
    return {row["id"] for row in await _ENDED.rows(session, {"ids": list(checkout_ids), "age": age})}


async def stray_locks(session: Session, limit: int) -> Sequence[StrayLock]:
    """Carts that nobody will unlock. A lock is written and removed with its checkout's row: this takes lost rows."""
    return [StrayLock(**row) for row in await _STRAYS.rows(session, {"limit": limit})]


async def standing_of(session: Session, checkout_id: str, cart_id: str) -> Standing | None:
    """How a checkout stands; None where there is neither a row of it nor a cart that it locks."""
    row = await _STANDING.row(session, {"checkout_id": checkout_id, "cart_id": cart_id})
    if row is None or (row["state"] is None and not row["locks"]):
        return None
    words = {name: kind(row[name]) for name, kind in (("state", State), ("phase", Phase)) if row[name] is not None}
    return Standing(**{**row, **words})


async def unlock_stray(session: Session, checkout_id: str, cart_id: str) -> int:
    """Unlock a cart that a checkout which has ended still locks; 1 where it did."""
    return len(await _UNLOCK.rows(session, {"checkout_id": checkout_id, "cart_id": cart_id}))


_COLUMNS = """id, cart_id, workflow_id, run_id, created_at,
    COALESCE(expires_at < now() - interval '1 minute', true) AS overdue"""
_PAGE = "ORDER BY created_at, id LIMIT :limit"
#: The first page of what is open, and the one after a place.
FIRST = Statement(f"""
SELECT {_COLUMNS} FROM checkouts WHERE {OPEN} AND created_at < now() - CAST(:grace AS interval) {_PAGE}
""")  # noqa: S608 - our words
NEXT = Statement(f"""
SELECT {_COLUMNS} FROM checkouts
WHERE {OPEN} AND created_at < now() - CAST(:grace AS interval)
    AND (created_at, id) > (CAST(:after_at AS timestamptz), :after_id) {_PAGE}
""")  # noqa: S608 - our words

_STILL_OPEN = Statement(f"SELECT id FROM checkouts WHERE id = ANY(:ids) AND {OPEN}")  # noqa: S608 - our words
_ENDED = Statement(f"""
SELECT id FROM checkouts WHERE id = ANY(:ids) AND {CLOSED} AND closed_at < now() - CAST(:age AS interval)
""")  # noqa: S608 - our words

_STRAYS = Statement(f"""
SELECT c.id AS cart_id, c.locked_by AS checkout_id
FROM carts c LEFT JOIN checkouts k ON k.id = c.locked_by
WHERE c.locked_by IS NOT NULL AND (k.id IS NULL OR k.{CLOSED})
ORDER BY c.id LIMIT :limit
""")  # noqa: S608 - our words

_STANDING = Statement("""
SELECT c.id AS cart_id, COALESCE(k.session_id, c.session_id) AS session_id,
    CASE WHEN k.id IS NULL THEN c.customer_id ELSE k.customer_id END AS customer_id, k.workflow_id, k.run_id,
    COALESCE(k.locked_at, c.updated_at) AS locked_at, k.state, k.phase, k.total, k.currency,
    a.gateway_payment_id AS payment_id, c.locked_by IS NOT DISTINCT FROM :checkout_id AS locks
FROM carts c
LEFT JOIN checkouts k ON k.id = :checkout_id AND k.cart_id = c.id
LEFT JOIN payment_attempts a ON a.id = k.attempt_id
WHERE c.id = :cart_id
""")

_UNLOCK = Statement(f"""
WITH ended AS (SELECT id FROM checkouts k WHERE id = :checkout_id AND k.{CLOSED} FOR NO KEY UPDATE)
UPDATE carts c SET locked_by = NULL FROM ended WHERE c.id = :cart_id AND c.locked_by = ended.id
RETURNING c.id
""")  # noqa: S608 - our words
