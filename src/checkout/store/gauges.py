"""What stands now, for monitoring: each figure by an index over what is open, so that it costs little however often."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.words import State
from checkout.store import stuck
from checkout.store.tables.checkouts import OPEN
from checkout.store.webhooks import count_behind

#: Seconds that an event of the gateway's may take until it has had its effect, before it counts as left behind.
EVENT_PATIENCE = 60


@dataclass(frozen=True)
class Standing:
    """How things stand: open checkouts by state, and of these the stuck ones by reason (``store.stuck``).

    ``reserved`` are units that checkouts hold, ``events`` those of the gateway's that came in and had no effect yet;
    ``listeners`` and ``webhooks`` have failed for too long, ``disabled`` are endpoints that get no more.
    """

    active: Mapping[State, int]
    stuck: Mapping[str, int]
    reserved: int
    events: int
    listeners: int
    webhooks: int
    disabled: int


async def read_standing(session: AsyncSession, patience: stuck.Patience, behind_after: int) -> Standing:
    """How things stand now. ``behind_after``: seconds for which a listener or a webhook may fail."""
    active = {state: 0 for state in State if not state.closed}
    reasons = dict.fromkeys((stuck.OVERDUE, stuck.COMPENSATING, stuck.NOT_MOVING), 0)
    for row in (await session.execute(OPEN_BY_REASON, patience.parameters)).all():
        active[State(row.state)] += row.number
        if row.reason is not None:
            reasons[row.reason] += row.number
    listeners, webhooks, disabled = await count_behind(session, behind_after)
    return Standing(
        active=active,
        stuck=reasons,
        reserved=int((await session.execute(RESERVED)).scalar_one()),
        events=int((await session.execute(EVENTS, {"patience": EVENT_PATIENCE})).scalar_one()),
        listeners=listeners,
        webhooks=webhooks,
        disabled=disabled,
    )


OPEN_BY_REASON = text(
    f"""
SELECT state, reason, count(*) AS number
FROM (SELECT state, {stuck.REASON} AS reason FROM checkouts WHERE {OPEN}) AS open
GROUP BY state, reason
"""  # noqa: S608 - our words
).bindparams(*stuck.PARAMETERS)
RESERVED = text("SELECT COALESCE(sum(quantity), 0) FROM reservations WHERE status = 'held'")
EVENTS = text("""
SELECT count(*) FROM gateway_events WHERE done_at IS NULL AND received_at < now() - make_interval(secs => :patience)
""")
