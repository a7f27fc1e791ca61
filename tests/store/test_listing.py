"""The list of checkouts for ops: every filter gives what a look at each row would, and none reads the whole table."""

import itertools
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.domain.words import Phase, State
from checkout.runtime.database import Sessions
from checkout.store.listing import Filter, ListedCheckout, list_checkouts, listing
from checkout.store.stuck import COMPENSATING, NOT_MOVING, OVERDUE, PARAMETERS, Patience
from checkout.store.stuck import reason as stuck_reason
from tests.store.many import fill

NOW = datetime.now(UTC)
PATIENCE = Patience(overdue_after=60, stuck_after=1800)


async def every(sessions: Sessions, wanted: Filter, limit: int) -> list[ListedCheckout]:
    """All pages, one after the other."""
    found: list[ListedCheckout] = []
    async with sessions() as session:
        while True:
            after = (found[-1].created_at, found[-1].id) if found else None
            page = await list_checkouts(session, wanted, PATIENCE, after=after, limit=limit)
            found += page
            if len(page) < limit:
                return found


def fits(one: ListedCheckout, wanted: Filter) -> bool:
    """A look at one row."""
    return (
        (wanted.state is None or one.state is wanted.state)
        and (wanted.phase is None or one.phase is wanted.phase)
        and (wanted.customer_id is None or one.customer_id == wanted.customer_id)
        and (wanted.date_from is None or one.created_at >= wanted.date_from)
        and (wanted.date_to is None or one.created_at < wanted.date_to)
        and (not wanted.stuck or one.stuck is not None)
    )


async def test_every_combination_of_filters_gives_what_fits(sessions: Sessions) -> None:
    await fill(sessions, 120, [str(one) for one in State], 7)
    everything = await every(sessions, Filter(), 50)
    assert len(everything) == 120
    assert everything == sorted(everything, key=lambda one: (one.created_at, one.id), reverse=True)
    moments = [None, NOW - timedelta(minutes=500), NOW - timedelta(minutes=100)]
    combinations = itertools.product(
        [None, State.FAILED, State.COMPLETED, State.CAPTURING, State.AWAITING_PAYMENT, State.COMPENSATING],
        [None, Phase.STOCK_COMMIT, Phase.PAYMENT_AUTHORIZATION],
        [None, "u3"],
        [(None, None), (moments[1], moments[2]), (moments[2], None)],
        [False, True],
    )
    seen = 0
    for state, phase, customer, (since, until), stuck in combinations:
        wanted = Filter(state, phase, customer, since, until, stuck)
        expected = [one.id for one in everything if fits(one, wanted)]
        assert [one.id for one in await every(sessions, wanted, 3)] == expected, wanted
        seen += bool(expected)
    assert seen > 60


@pytest.mark.parametrize(
    ("state", "age", "late", "reason"),
    [
        ("awaiting_payment", 60, 120, OVERDUE),
        ("requires_action", 60, 120, OVERDUE),
        ("awaiting_funds", 60, 120, OVERDUE),
        ("awaiting_payment", 60, 30, None),
        ("awaiting_payment", 999_999, -60, None),
        ("authorizing", 60, 120, None),
        ("capturing", 1801, 120, NOT_MOVING),
        ("capturing", 1700, 120, None),
        ("compensating", 1801, 120, COMPENSATING),
        ("compensating", 1700, 120, None),
        ("completed", 999_999, 120, None),
        ("failed", 999_999, 120, None),
    ],
)
async def test_what_is_stuck(sessions: Sessions, state: str, age: int, late: int, reason: str | None) -> None:
    await fill(sessions, 1, [state], 1)
    async with sessions() as session, session.begin():
        await session.execute(text("ALTER TABLE checkouts DISABLE TRIGGER next_version"))
        await session.execute(
            text(
                "UPDATE checkouts SET updated_at = now() - make_interval(secs => CAST(:age AS integer)), "
                "expires_at = now() - make_interval(secs => CAST(:late AS integer))"
            ),
            {"age": age, "late": late},
        )
    [one] = await every(sessions, Filter(), 10)
    assert one.stuck == reason
    assert stuck_reason(one.state, one.expires_at, one.updated_at, PATIENCE, datetime.now(UTC)) == reason
    assert len(await every(sessions, Filter(stuck=True), 10)) == (reason is not None)


async def test_no_filter_reads_the_whole_table(engine: AsyncEngine, sessions: Sessions) -> None:
    closed = ["completed"] * 60 + ["expired"] * 30 + ["failed"] * 5 + ["cancelled"] * 4
    await fill(sessions, 20_000, [*closed, "awaiting_payment"], 3)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE checkouts"))
        for wanted in (
            Filter(),
            *(Filter(state=state) for state in State),
            *(Filter(phase=phase) for phase in Phase),
            *(Filter(state=State.FAILED, phase=phase) for phase in Phase),
            Filter(state=State.COMPLETED, phase=Phase.PRICE_LOCK),
            Filter(stuck=True),
            Filter(customer_id="u3"),
            Filter(date_from=NOW - timedelta(days=2), date_to=NOW - timedelta(days=1)),
            Filter(State.FAILED, Phase.PRICE_LOCK, None, NOW - timedelta(days=9), NOW - timedelta(days=1)),
        ):
            after = (NOW - timedelta(days=5), "k2400")
            statement, parameters = listing(wanted, PATIENCE, after=after, limit=51)
            explained = text(f"EXPLAIN (FORMAT JSON) {statement.text}").bindparams(*PARAMETERS)
            [plan] = (await connection.execute(explained, parameters)).scalar_one()
            assert not scans(plan["Plan"]), (asdict(wanted), plan)


def scans(node: dict[str, Any]) -> bool:
    """Whether a plan reads the table from one end to the other."""
    return node["Node Type"] == "Seq Scan" or any(scans(child) for child in node.get("Plans", ()))
