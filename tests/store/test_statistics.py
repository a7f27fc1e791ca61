"""Figures over many checkouts: what is counted, within which time, and by indexes alone."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.domain.words import Phase, State
from checkout.runtime.database import Sessions
from checkout.store.statistics import (
    ACTIVE,
    DURATION,
    ENDED,
    STUCK,
    Ended,
    StuckCounts,
    count_stuck,
    read_active,
    read_ended,
)
from checkout.store.stuck import PARAMETERS, Patience
from tests.store.many import fill

PATIENCE = Patience(overdue_after=60, stuck_after=1800)
CLOSED = ["completed", "failed", "failed", "expired", "cancelled"]


async def test_nothing_ended_and_nothing_runs(sessions: Sessions) -> None:
    async with sessions() as session:
        ended = await read_ended(session, 24)
        assert ended == Ended(0, 0, 0, 0, 0, dict.fromkeys(Phase, 0), None, None)
        assert await read_active(session) == {state: 0 for state in State if not state.closed}
        assert await count_stuck(session, PATIENCE) == StuckCounts(0, 0)


async def test_what_ended_within_the_hours(sessions: Sessions) -> None:
    await fill(sessions, 100, CLOSED, 30)  # one each half hour: 2 days and 2 hours, 20 of each five
    async with sessions() as session, session.begin():
        # It took as many seconds as its number says.
        await session.execute(text("UPDATE checkouts SET locked_at = closed_at - make_interval(secs => total)"))
    async with sessions() as session:
        found = {hours: await read_ended(session, hours) for hours in (1, 24, 168)}
        rows = (
            await session.execute(
                text(
                    "SELECT phase, count(*) FROM checkouts "
                    "WHERE state = 'failed' AND NOT (failure ->> 'benign')::boolean GROUP BY phase"
                )
            )
        ).all()
    week, day = found[168], found[24]
    assert (week.completed, week.failed + week.refused, week.expired, week.cancelled) == (20, 40, 20, 20)
    assert week.failed == 20
    assert {phase: count for phase, count in week.failures_by_phase.items() if count} == {
        Phase(row[0]): row[1] for row in rows
    }
    assert sum(week.failures_by_phase.values()) == week.failed
    durations = [5 * number for number in range(1, 21)]
    assert week.average == sum(durations) / 20
    assert week.p95 == 95.25  # between the 19th and the 20th: 95 and 100
    assert day.completed + day.failed + day.refused + day.expired + day.cancelled in {47, 48}
    assert day.completed == 9
    assert found[1].average is None


async def test_ten_thousand_that_run(sessions: Sessions) -> None:
    await fill(sessions, 10_000, ["awaiting_payment", "awaiting_payment", "capturing", "compensating"], 0)
    async with sessions() as session:
        active = await read_active(session)
        assert {state: count for state, count in active.items() if count} == {
            State.AWAITING_PAYMENT: 5000,
            State.CAPTURING: 2500,
            State.COMPENSATING: 2500,
        }
        assert await count_stuck(session, PATIENCE) == StuckCounts(0, 0)
        assert await count_stuck(session, Patience(overdue_after=60, stuck_after=0)) == StuckCounts(0, 5000)


async def test_none_of_them_reads_the_whole_table(engine: AsyncEngine, sessions: Sessions) -> None:
    await fill(sessions, 20_000, ["completed"] * 60 + ["expired"] * 35 + ["failed"] * 4 + ["awaiting_payment"], 3)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE checkouts"))
        for statement, parameters, covered in (
            (ENDED, {"hours": 24}, True),
            (DURATION, {"hours": 24}, True),
            (ACTIVE, {}, False),
            (STUCK, PATIENCE.parameters, False),
        ):
            explained = text(f"EXPLAIN (FORMAT JSON) {statement.text}")
            if parameters == PATIENCE.parameters:
                explained = explained.bindparams(*PARAMETERS)
            [plan] = (await connection.execute(explained, parameters)).scalar_one()
            kinds = set(node_types(plan["Plan"]))
            assert "Seq Scan" not in kinds, plan
            assert not covered or "Index Only Scan" in kinds, plan


def node_types(node: dict[str, Any]) -> list[str]:
    """What a plan does."""
    return [node["Node Type"], *(kind for child in node.get("Plans", ()) for kind in node_types(child))]
