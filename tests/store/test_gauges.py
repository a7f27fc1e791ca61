"""How things stand: open checkouts by state and reason, each figure by an index alone."""

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.domain.words import State
from checkout.runtime.database import Sessions
from checkout.store.gauges import EVENTS, OPEN_BY_REASON, RESERVED, read_standing
from checkout.store.stuck import Patience
from tests.store.many import fill

PATIENCE = Patience(overdue_after=60, stuck_after=1800)


async def test_an_empty_shop_has_zeros(sessions: Sessions) -> None:
    async with sessions() as session:
        standing = await read_standing(session, PATIENCE, 900)
    assert standing.active == {state: 0 for state in State if not state.closed}
    assert standing.stuck == {"overdue": 0, "compensating": 0, "not_moving": 0}
    assert (standing.reserved, standing.events, standing.webhooks) == (0, 0, 0)


async def test_open_checkouts_by_state_and_reason(sessions: Sessions) -> None:
    states = ["awaiting_payment", "compensating", "capturing", "completed"]
    await fill(sessions, 40, states, 10)  # one each ten minutes
    async with sessions() as session:
        standing = await read_standing(session, PATIENCE, 900)
    active = {state: number for state, number in standing.active.items() if number}
    assert active == {State.AWAITING_PAYMENT: 10, State.COMPENSATING: 10, State.CAPTURING: 10}
    # All whose deadline, a quarter of an hour after their start, is a minute past; what stood still for half an hour.
    assert standing.stuck == {"overdue": 10, "compensating": 9, "not_moving": 10 - 1}


@pytest.mark.parametrize("statement", [OPEN_BY_REASON, RESERVED, EVENTS], ids=["open", "reserved", "events"])
async def test_it_is_read_by_an_index(engine: AsyncEngine, statement: TextClause) -> None:
    given = {**PATIENCE.parameters, "patience": 60}
    wanted = {name: value for name, value in given.items() if f":{name}" in statement.text}
    async with engine.connect() as connection:
        await connection.execute(text("SET enable_seqscan = off"))
        explained = text(f"EXPLAIN (FORMAT JSON) {statement.text}").bindparams(**wanted)
        plan = str((await connection.execute(explained)).scalar_one())
    assert "Index" in plan
    assert "Seq Scan" not in plan
