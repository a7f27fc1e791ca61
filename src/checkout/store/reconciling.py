"""What the shop knows of payments at a gateway, for the comparison of the two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.words import State
from checkout.store import payments
from checkout.store.tables.checkouts import CLOSED

#: No checkout takes a payment up later than this after it was stored: a day is the most that MAX_TTL_MINUTES allows,
#: and an hour is for clocks.
LONGEST_LIFE = timedelta(hours=25)


@dataclass(frozen=True)
class Known:
    """What the shop knows of one payment object. Amounts in minor units.

    ``attempt_id`` is None for an object that no attempt has, ``state`` is None where the shop has no such checkout.
    ``pays``: it is the one that the checkout is paid by. ``by_hand``: people say that they have settled it.
    ``refunded`` has gone back to the buyer after the sale, ``refunding`` is about to.
    """

    checkout_id: str | None
    attempt_id: str | None
    state: State | None
    pays: bool
    by_hand: bool
    total: int
    currency: str | None
    refunded: int
    refunding: int


async def known_payments(session: AsyncSession, gateway: str, wanted: Sequence[tuple[str, str]]) -> Mapping[str, Known]:
    """What is known of each payment object, by its id; wanted: (payment id, the checkout that the gateway says)."""
    rows = await session.execute(
        _KNOWN,
        {
            "gateway": gateway,
            "payments": [payment_id for payment_id, _ in wanted],
            "checkouts": [checkout_id for _, checkout_id in wanted],
        },
    )
    return {
        row.payment_id: Known(
            row.checkout_id,
            row.attempt_id,
            None if row.state is None else State(row.state),
            bool(row.pays),
            bool(row.by_hand),
            row.total or 0,
            row.currency,
            row.refunded or 0,
            row.refunding,
        )
        for row in rows
    }


async def ended_transfers(session: AsyncSession, gateway: str, *, since: datetime, until: datetime) -> list[str]:
    """Payment objects of bank transfers that were begun in that time and that nobody waits for any more.

    A bank asks no one before it sends: money may come to them long after.
    """
    return list(await session.scalars(_TRANSFERS, {"gateway": gateway, "since": since, "until": until}))


async def record_settled(session: AsyncSession, checkout_id: str, attempt_id: str, **columns: Any) -> None:
    """Write what an attempt of an ended checkout came to, under the lock of its checkout's row."""
    await session.execute(_LOCK, {"checkout_id": checkout_id})
    await payments.record(session, attempt_id, **columns)


async def erase_stale_tokens(session: AsyncSession) -> int:
    """Erase every payment token that no checkout can use any more; how many those were.

    Whoever stored it may have died, or have lost Temporal, before a workflow could know of it: the checkout is closed;
    or it has not begun, and a later one of its cart has, or LONGEST_LIFE has passed.
    """
    erased = await session.execute(_ERASE_STALE, {"longest": LONGEST_LIFE})
    return len(erased.all())


_ERASE_STALE = text(f"""
UPDATE payment_attempts a SET {payments.ERASED}
WHERE a.token IS NOT NULL AND CASE
    WHEN EXISTS (SELECT FROM checkouts k WHERE k.id = a.checkout_id) THEN EXISTS (SELECT FROM checkouts k
        WHERE k.id = a.checkout_id AND k.{CLOSED})
    ELSE a.created_at < now() - CAST(:longest AS interval) OR EXISTS (SELECT FROM checkouts k
        WHERE k.cart_id = a.cart_id AND k.created_at > a.created_at)
    END
RETURNING a.id
""")  # noqa: S608 - our words

_KNOWN = text("""
SELECT w.payment_id, k.id AS checkout_id, a.id AS attempt_id, k.state, k.attempt_id = a.id AS pays,
    a.status = 'resolved' AS by_hand, k.total, k.currency,
    a.refunded, COALESCE((SELECT sum(f.amount) FROM refunds f
        WHERE f.order_reference = k.order_reference AND f.status = 'pending'), 0)::bigint AS refunding
FROM unnest(CAST(:payments AS text[]), CAST(:checkouts AS text[])) AS w (payment_id, checkout_id)
LEFT JOIN payment_attempts a ON a.gateway = :gateway AND a.gateway_payment_id = w.payment_id
LEFT JOIN checkouts k ON k.id = COALESCE(a.checkout_id, w.checkout_id)
""")

_TRANSFERS = text(f"""
SELECT a.gateway_payment_id FROM payment_attempts a JOIN checkouts k ON k.id = a.checkout_id
WHERE a.method = 'bank_transfer' AND a.created_at >= :since AND a.created_at < :until
    AND a.gateway = :gateway AND a.gateway_payment_id IS NOT NULL
    AND k.{CLOSED}
ORDER BY a.created_at
""")  # noqa: S608 - our words

_LOCK = text("SELECT FROM checkouts WHERE id = :checkout_id FOR NO KEY UPDATE")
