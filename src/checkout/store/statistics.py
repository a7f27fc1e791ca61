"""Figures over many checkouts, each by an index alone: what ended lately, what runs now, what is stuck."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.words import Phase, State
from checkout.store import stuck
from checkout.store.tables.checkouts import OPEN


@dataclass(frozen=True)
class Ended:
    """The checkouts that ended within so many hours.

    ``refused`` are those that failed by the buyer's doing; they are none of ``failed``. Durations are in seconds, from
    the start to the completion, None where none was completed.
    """

    completed: int
    failed: int
    refused: int
    expired: int
    cancelled: int
    failures_by_phase: Mapping[Phase, int]
    average: float | None
    p95: float | None


@dataclass(frozen=True)
class StuckCounts:
    """How many open checkouts have not gone on as they should have."""

    overdue: int
    stuck: int


async def read_ended(session: AsyncSession, hours: int) -> Ended:
    """What ended within the last hours."""
    rows = (await session.execute(ENDED, {"hours": hours})).all()
    counts: dict[tuple[State, bool], int] = {}
    failures = dict.fromkeys(Phase, 0)
    for row in rows:
        key = (State(row.state), bool(row.refused))
        counts[key] = counts.get(key, 0) + row.number
        if key == (State.FAILED, False) and row.phase is not None:
            failures[Phase(row.phase)] += row.number
    duration = (await session.execute(DURATION, {"hours": hours})).one()

    def count(state: State) -> int:
        return sum(number for (of, _), number in counts.items() if of is state)

    return Ended(
        completed=count(State.COMPLETED),
        failed=counts.get((State.FAILED, False), 0),
        refused=counts.get((State.FAILED, True), 0),
        expired=count(State.EXPIRED),
        cancelled=count(State.CANCELLED),
        failures_by_phase=failures,
        average=None if duration.average is None else float(duration.average),
        p95=None if duration.p95 is None else float(duration.p95),
    )


async def read_active(session: AsyncSession) -> dict[State, int]:
    """How many checkouts stand at each state that is not closed; 0 where none does."""
    rows = (await session.execute(ACTIVE)).all()
    found = {State(row.state): int(row.number) for row in rows}
    return {state: found.get(state, 0) for state in State if not state.closed}


async def count_stuck(session: AsyncSession, patience: stuck.Patience) -> StuckCounts:
    """How many are overdue, and how many stuck otherwise."""
    row = (await session.execute(STUCK, patience.parameters)).one()
    return StuckCounts(overdue=row.overdue, stuck=row.stuck)


ENDED = text("""
SELECT state, refused, phase, count(*) AS number FROM checkouts
WHERE closed_at >= now() - make_interval(hours => :hours)
GROUP BY state, refused, phase
""")
DURATION = text("""
SELECT avg(seconds) AS average, percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95
FROM (
    SELECT CAST(EXTRACT(epoch FROM closed_at - locked_at) AS double precision) AS seconds FROM checkouts
    WHERE closed_at >= now() - make_interval(hours => :hours) AND state = 'completed'
) AS completed
""")
ACTIVE = text(f"SELECT state, count(*) AS number FROM checkouts WHERE {OPEN} GROUP BY state")  # noqa: S608 - our words
STUCK = text(
    f"""
SELECT count(*) FILTER (WHERE reason = '{stuck.OVERDUE}') AS overdue,
    count(*) FILTER (WHERE reason <> '{stuck.OVERDUE}') AS stuck
FROM (SELECT {stuck.REASON} AS reason FROM checkouts WHERE {OPEN}) AS open
"""  # noqa: S608 - our words
).bindparams(*stuck.PARAMETERS)
