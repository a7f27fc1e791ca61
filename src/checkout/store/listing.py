"""Checkouts as ops list them: the newest first, page by page, every filter by an index.

Closed checkouts are found by indexes that they enter once, when they are closed; of those that run there are so few
that one index over all of them does. So a filter that spans both is a union of branches, each cut to the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.words import CLOSED, Outcome, Phase, State
from checkout.store import stuck
from checkout.store.tables.checkouts import CLOSED as IS_CLOSED
from checkout.store.tables.checkouts import OPEN as IS_OPEN
from checkout.store.tables.checkouts import UNDONE as IS_UNDONE


@dataclass(frozen=True)
class ListedCheckout:
    """A checkout in a list. ``total`` in minor units; ``stuck``: a reason of ``store.stuck``, None where it is not."""

    id: str
    cart_id: str
    state: State
    phase: Phase | None
    customer_id: str | None
    order_reference: str | None
    total: int | None
    currency: str | None
    failure_code: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    workflow_id: str
    run_id: str
    stuck: str | None


@dataclass(frozen=True)
class Filter:
    """Which checkouts: each that is given has to fit. Created from ``date_from`` on, before ``date_to``."""

    state: State | None = None
    phase: Phase | None = None
    customer_id: str | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None
    stuck: bool = False


#: Where a page ended: the last checkout's creation and id.
Place = tuple[datetime, str]


async def list_checkouts(
    session: AsyncSession, wanted: Filter, patience: stuck.Patience, *, after: Place | None, limit: int
) -> list[ListedCheckout]:
    """A page of at most ``limit``, the newest first, beginning after where the last one ended."""
    statement, parameters = listing(wanted, patience, after=after, limit=limit)
    return [_listed(row) for row in (await session.execute(statement, parameters)).mappings()]


def listing(wanted: Filter, patience: stuck.Patience, *, after: Place | None, limit: int) -> tuple[Any, dict[str, Any]]:
    """The statement of :func:`list_checkouts` and its parameters."""
    parameters: dict[str, Any] = {
        **patience.parameters,
        "customer_id": wanted.customer_id,
        "date_from": wanted.date_from,
        "date_to": wanted.date_to,
        "after_at": after[0] if after else None,
        "after_id": after[1] if after else None,
        "limit": limit,
    }
    common = [condition for name, condition in _CONDITIONS.items() if parameters[name] is not None]
    if wanted.stuck:
        common.append(f"({stuck.REASON}) IS NOT NULL")
    # Only words of ours are put into the text: names of states and phases, and conditions.
    pages = [
        f"(SELECT {_COLUMNS} FROM checkouts WHERE {' AND '.join([*branch, *common]) or 'true'} {_PAGE})"  # noqa: S608
        for branch in _branches(wanted)
    ]
    whole = pages[0] if len(pages) == 1 else f"SELECT * FROM ({' UNION ALL '.join(pages)}) AS pages {_PAGE}"  # noqa: S608
    return text(whole).bindparams(*stuck.PARAMETERS), parameters


def _branches(wanted: Filter) -> Sequence[list[str]]:
    """The conditions of each branch, written so that the planner sees which index has them."""
    states = [State(wanted.state)] if wanted.state else list(State)
    phase = f"phase = '{wanted.phase}'" if wanted.phase else None
    if wanted.customer_id is not None:  # few enough to look at each
        return [[*([f"state = '{wanted.state}'"] if wanted.state else []), *([phase] if phase else [])]]
    if not wanted.state and not phase and not wanted.stuck:
        return [[]]
    branches: list[list[str]] = []
    if wanted.stuck or any(not state.closed for state in states):
        branches.append(
            [IS_OPEN, *([f"state = '{wanted.state}'"] if wanted.state else []), *([phase] if phase else [])]
        )
    if not wanted.stuck:
        branches += [_closed(state, wanted.phase, phase) for state in states if state in CLOSED]
    return branches


def _closed(state: State, phase: Phase | None, condition: str | None) -> list[str]:
    if condition is None:
        return [IS_CLOSED, f"state = '{state}'"]
    if state is Outcome.COMPLETED.state:
        # Every completed checkout shows the last phase.
        return [IS_CLOSED, f"state = '{state}'", *([] if phase is Phase.STOCK_COMMIT else ["false"])]
    return [IS_UNDONE, f"state = '{state}'", condition]


def _listed(row: Mapping[Any, Any]) -> ListedCheckout:
    values = {**row, "state": State(row["state"]), "phase": None if row["phase"] is None else Phase(row["phase"])}
    return ListedCheckout(**values)


_COLUMNS = f"""id, cart_id, state, phase, customer_id, order_reference, total, currency,
    failure ->> 'code' AS failure_code, created_at, updated_at, expires_at, workflow_id, run_id,
    ({stuck.REASON}) AS stuck"""
_PAGE = "ORDER BY created_at DESC, id DESC LIMIT :limit"
_CONDITIONS = {
    "customer_id": "customer_id = :customer_id",
    "date_from": "created_at >= :date_from",
    "date_to": "created_at < :date_to",
    "after_at": "(created_at, id) < (:after_at, :after_id)",
}
