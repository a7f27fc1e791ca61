"""The only ways to change stock outside of checkouts: receive units, set what was counted, take an import's figure.

Each change is a movement beside the row, in the caller's transaction. The rows are locked in the order in which
checkouts lock them (variant, warehouse), so nothing here can deadlock with a checkout or break G1.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

#: The most units of one stock row: far below PostgreSQL's integer, so that sums of movements fit too.
MAX_UNITS = 1_000_000_000


class How(StrEnum):
    """What a figure means: units that arrived, units that were counted, or the figure of a product import."""

    RECEIVE = "receive"
    SET = "set"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class StockChange:
    """A figure for a variant in a warehouse. IMPORT counts only where it differs from the last import's figure."""

    variant_id: int
    warehouse_id: int
    quantity: int
    how: How

    @property
    def key(self) -> tuple[int, int]:
        """The row it is about, sorted as rows are locked."""
        return self.variant_id, self.warehouse_id


@dataclass(frozen=True, slots=True)
class HeldBy:
    """Units that a checkout holds."""

    checkout_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A change that was not made: ``on_hand`` would have gone below what checkouts hold, or beyond MAX_UNITS."""

    change: StockChange
    on_hand: int
    reserved: int
    held_by: tuple[HeldBy, ...] = ()

    @property
    def reason(self) -> str:
        """Why, and what to do, for people."""
        if self.change.how is How.RECEIVE:  # which can only be refused for this
            return f"{self.on_hand} on hand and {self.change.quantity} more would pass {MAX_UNITS} units"
        shown = ", ".join(f"{held.checkout_id} ({held.quantity})" for held in self.held_by[:20])
        more = f" and {len(self.held_by) - 20} more" if len(self.held_by) > 20 else ""
        return (
            f"{self.reserved} units are held by checkouts, so on_hand cannot be {self.change.quantity}: {shown}{more}. "
            "They end by themselves at their deadline, or cancel them"
        )


@dataclass(frozen=True, slots=True)
class StockLevel:
    """A stock row after a change."""

    variant_id: int
    warehouse_id: int
    on_hand: int
    reserved: int


@dataclass(slots=True)
class StockChanges:
    """What came of a list of changes; a row that was as the figure says is neither created nor updated."""

    levels: list[StockLevel] = field(default_factory=list)
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[Refused] = field(default_factory=list)


@dataclass(slots=True)
class _Row:
    on_hand: int
    reserved: int
    imported_quantity: int | None
    recorded: int
    created: bool


_CREATE = text("""
    INSERT INTO stock (variant_id, warehouse_id)
    SELECT variant_id, warehouse_id FROM unnest(CAST(:variants AS bigint[]), CAST(:warehouses AS bigint[]))
        AS wanted (variant_id, warehouse_id)
    ORDER BY variant_id, warehouse_id
    ON CONFLICT DO NOTHING
    RETURNING variant_id, warehouse_id
""")

_LOCK = text("""
    SELECT stock.variant_id, stock.warehouse_id, on_hand, reserved, imported_quantity
    FROM stock JOIN unnest(CAST(:variants AS bigint[]), CAST(:warehouses AS bigint[]))
        AS wanted (variant_id, warehouse_id) USING (variant_id, warehouse_id)
    ORDER BY stock.variant_id, stock.warehouse_id
    FOR NO KEY UPDATE OF stock
""")

_RECORDED = text("""
    SELECT variant_id, warehouse_id, CAST(coalesce(sum(on_hand_delta), 0) AS bigint) AS recorded
    FROM stock_movements JOIN unnest(CAST(:variants AS bigint[]), CAST(:warehouses AS bigint[]))
        AS wanted (variant_id, warehouse_id) USING (variant_id, warehouse_id)
    GROUP BY variant_id, warehouse_id
""")

_UPDATE = text("""
    UPDATE stock SET on_hand = changed.on_hand, imported_quantity = changed.imported_quantity, updated_at = now()
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS changed (variant_id bigint, warehouse_id bigint, on_hand int, imported_quantity int)
    WHERE stock.variant_id = changed.variant_id AND stock.warehouse_id = changed.warehouse_id
""")

_MOVE = text("""
    INSERT INTO stock_movements (variant_id, warehouse_id, kind, on_hand_delta, reason)
    SELECT variant_id, warehouse_id, kind, on_hand_delta, :reason
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS moved (variant_id bigint, warehouse_id bigint, kind text, on_hand_delta int)
""")

_HELD = text("""
    SELECT variant_id, warehouse_id, checkout_id, quantity
    FROM reservations JOIN unnest(CAST(:variants AS bigint[]), CAST(:warehouses AS bigint[]))
        AS wanted (variant_id, warehouse_id) USING (variant_id, warehouse_id)
    WHERE status = 'held'
    ORDER BY variant_id, warehouse_id, checkout_id
""")


async def change_stock(session: AsyncSession, changes: Sequence[StockChange], *, reason: str) -> StockChanges:
    """Apply ``changes`` and record each as a movement with ``reason``; at most one change for a variant and warehouse.

    A row that does not exist yet is made. What would lower on_hand below reserved is left as it is and comes back in
    ``refused`` with the checkouts that hold it. A SET that follows a difference between row and ledger (see
    ``store/verification.py``) mends it: the movement leads from what the ledger has to what was counted.

    Bounded in statements, whatever the number of changes. Raises ValueError for a quantity outside its range (RECEIVE
    from 1, else from 0, to MAX_UNITS) and for two changes of one row.
    """
    ordered = sorted(changes, key=lambda change: change.key)
    _check(ordered)
    if not ordered:
        return StockChanges()
    rows = await _lock(session, ordered)
    outcome = StockChanges()
    updates: list[dict[str, Any]] = []
    movements: list[dict[str, Any]] = []
    for change in ordered:
        row = rows[change.key]
        target = _target(change, row)
        if not row.reserved <= target <= MAX_UNITS:
            outcome.refused.append(Refused(change, row.on_hand, row.reserved))
            continue
        updates += _update(change, row, target)
        movements += _movement(change, row, target)
        outcome.created += row.created
        outcome.updated += not row.created and target != row.on_hand
        outcome.unchanged += not row.created and target == row.on_hand
        outcome.levels.append(StockLevel(change.variant_id, change.warehouse_id, target, row.reserved))
    if updates:
        await session.execute(_UPDATE, {"rows": json.dumps(updates)})
    if movements:
        await session.execute(_MOVE, {"rows": json.dumps(movements), "reason": reason})
    outcome.refused = await _with_holders(session, outcome.refused)
    return outcome


def _check(ordered: Sequence[StockChange]) -> None:
    for change in ordered:
        least = 1 if change.how is How.RECEIVE else 0
        if not least <= change.quantity <= MAX_UNITS:
            raise ValueError(f"quantity must be from {least} to {MAX_UNITS}, not {change.quantity}")
    if len({change.key for change in ordered}) < len(ordered):
        raise ValueError("two changes of one stock row")


def _target(change: StockChange, row: _Row) -> int:
    """What on_hand is to be."""
    match change.how:
        case How.RECEIVE:
            return row.on_hand + change.quantity
        case How.SET:
            return change.quantity
        case How.IMPORT:
            return row.on_hand if change.quantity == row.imported_quantity else change.quantity


def _update(change: StockChange, row: _Row, target: int) -> list[dict[str, Any]]:
    imported = change.quantity if change.how is How.IMPORT else row.imported_quantity
    if (target, imported) == (row.on_hand, row.imported_quantity):
        return []
    return [{**_key(change), "on_hand": target, "imported_quantity": imported}]


def _movement(change: StockChange, row: _Row, target: int) -> list[dict[str, Any]]:
    if target == row.recorded:
        return []
    kind = "received" if change.how is How.RECEIVE or row.created else "adjusted"
    return [{**_key(change), "kind": kind, "on_hand_delta": target - row.recorded}]


def _key(change: StockChange) -> dict[str, int]:
    return {"variant_id": change.variant_id, "warehouse_id": change.warehouse_id}


async def _lock(session: AsyncSession, ordered: Sequence[StockChange]) -> Mapping[tuple[int, int], _Row]:
    keys = _arrays(ordered)
    created = {tuple(key) for key in await session.execute(_CREATE, keys)}
    rows = {
        (row.variant_id, row.warehouse_id): _Row(
            row.on_hand,
            row.reserved,
            row.imported_quantity,
            recorded=row.on_hand,
            created=(row.variant_id, row.warehouse_id) in created,
        )
        for row in await session.execute(_LOCK, keys)
    }
    counted = [change for change in ordered if change.how is How.SET]
    if counted:
        for change in counted:
            rows[change.key].recorded = 0
        for variant_id, warehouse_id, recorded in await session.execute(_RECORDED, _arrays(counted)):
            rows[variant_id, warehouse_id].recorded = recorded
    return rows


async def _with_holders(session: AsyncSession, refused: Sequence[Refused]) -> list[Refused]:
    if not refused:
        return []
    held: dict[tuple[int, int], list[HeldBy]] = {}
    for row in await session.execute(_HELD, _arrays([refusal.change for refusal in refused])):
        held.setdefault((row.variant_id, row.warehouse_id), []).append(HeldBy(row.checkout_id, row.quantity))
    return [
        Refused(refusal.change, refusal.on_hand, refusal.reserved, tuple(held.get(refusal.change.key, ())))
        for refusal in refused
    ]


def _arrays(changes: Sequence[StockChange]) -> dict[str, list[int]]:
    return {
        "variants": [change.variant_id for change in changes],
        "warehouses": [change.warehouse_id for change in changes],
    }
