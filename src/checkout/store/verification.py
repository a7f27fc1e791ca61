"""``checkout verify``: stock recomputed from the ledger and the reservations, each difference with what to do.

Three records of the same units have to agree for every variant and warehouse: the stock row, the sums of its movements,
and the reservations that checkouts hold (movements and reservations without a stock row the database refuses). Only
someone who changed rows past the functions of the store, or a database restored in part, can make them differ.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.runtime.database import Sessions, in_transaction
from checkout.store.tables.checkouts import CLOSED

REPAIR = "checkout verify --repair"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two records that do not agree: what one has, what it should be by the other (``by``), and what to do."""

    sku: str
    warehouse: str
    what: str
    stored: int
    expected: int
    by: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.sku} in {self.warehouse}: {self.what} is {self.stored}, by {self.by} it is {self.expected}. "
            f"{self.remedy}"
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared, and every difference."""

    rows: int
    movements: int
    held: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair changed: reservations of closed checkouts that were ended, and stock rows set to what is held."""

    reservations: int
    rows: int


_COUNTS = text("""
    SELECT (SELECT count(*) FROM stock) AS rows, (SELECT count(*) FROM stock_movements) AS movements,
        (SELECT count(*) FROM reservations WHERE status = 'held') AS held
""")

_COMPARE = """
    WITH moved AS (
        SELECT variant_id, warehouse_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved
        FROM stock_movements GROUP BY variant_id, warehouse_id
    ), held AS (
        SELECT variant_id, warehouse_id, sum(quantity) AS reserved
        FROM reservations WHERE status = 'held' GROUP BY variant_id, warehouse_id
    ), compared AS (
        SELECT variant_id, warehouse_id,
            stock.on_hand, stock.reserved,
            coalesce(moved.on_hand, 0)::bigint AS moved_on_hand, coalesce(moved.reserved, 0)::bigint AS moved_reserved,
            coalesce(held.reserved, 0)::bigint AS held
        FROM stock LEFT JOIN moved USING (variant_id, warehouse_id) LEFT JOIN held USING (variant_id, warehouse_id)
    )
"""


def _compared(statement: str) -> TextClause:
    return text(_COMPARE + statement)


_DIFFERENT = _compared("""
    SELECT sku, code, on_hand, reserved, moved_on_hand, moved_reserved, held
    FROM compared JOIN variants ON variants.id = variant_id JOIN warehouses ON warehouses.id = warehouse_id
    WHERE on_hand <> moved_on_hand OR reserved <> held OR moved_reserved <> held
    ORDER BY sku, code
""")

_HELD_BY_CLOSED = text(f"""
    SELECT sku, code, quantity, checkouts.id AS checkout_id, state
    FROM reservations JOIN checkouts ON checkouts.id = checkout_id
    JOIN variants ON variants.id = variant_id JOIN warehouses ON warehouses.id = warehouse_id
    WHERE status = 'held' AND {CLOSED}
    ORDER BY sku, code, checkouts.id
""")  # noqa: S608 - fixed words

_LOCK_DIFFERENT = _compared("""
    SELECT stock.variant_id, stock.warehouse_id FROM stock JOIN compared USING (variant_id, warehouse_id)
    WHERE compared.reserved <> held OR moved_reserved <> held
    ORDER BY stock.variant_id, stock.warehouse_id
    FOR NO KEY UPDATE OF stock
""")

_LOCK_HELD_BY_CLOSED = text(f"""
    SELECT stock.variant_id, stock.warehouse_id FROM stock
    WHERE EXISTS (
        SELECT FROM reservations JOIN checkouts ON checkouts.id = checkout_id
        WHERE reservations.variant_id = stock.variant_id AND reservations.warehouse_id = stock.warehouse_id
            AND status = 'held' AND {CLOSED}
    )
    ORDER BY stock.variant_id, stock.warehouse_id
    FOR NO KEY UPDATE OF stock
""")  # noqa: S608 - fixed words

_END_HELD_BY_CLOSED = text(f"""
    UPDATE reservations
    SET status = CASE WHEN state = 'completed' THEN 'committed' ELSE 'released' END, updated_at = now()
    FROM checkouts WHERE checkouts.id = checkout_id AND status = 'held' AND {CLOSED}
    RETURNING reservations.checkout_id
""")  # noqa: S608 - fixed words

_RESERVE_WHAT_IS_HELD = _compared("""
    , mended AS (
        UPDATE stock SET reserved = held, updated_at = now()
        FROM compared
        WHERE stock.variant_id = compared.variant_id AND stock.warehouse_id = compared.warehouse_id
            AND (compared.reserved <> held OR moved_reserved <> held) AND held <= stock.on_hand
        RETURNING stock.variant_id, stock.warehouse_id, held, moved_reserved
    )
    INSERT INTO stock_movements (variant_id, warehouse_id, kind, reserved_delta, reason)
    SELECT variant_id, warehouse_id, 'adjusted', held - moved_reserved, 'repair: reserved is what checkouts hold'
    FROM mended
    RETURNING variant_id
""")


async def verify_stock(sessions: Sessions) -> Verification:
    """Compare all of stock with the ledger and the reservations, in one snapshot of the database."""
    async with sessions() as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        counts = (await session.execute(_COUNTS)).one()
        different = (await session.execute(_DIFFERENT)).all()
        differences = [difference for row in different for difference in _differences(*row)]
        differences += [_held_by_closed(*row) for row in await session.execute(_HELD_BY_CLOSED)]
        return Verification(counts.rows, counts.movements, counts.held, tuple(differences))


async def repair_stock(sessions: Sessions) -> Repaired:
    """End what closed checkouts still hold, and set reserved to what is held where it differs, each with a movement.

    ``on_hand`` is not touched: nobody but who counts the units knows it. Where more is held than is on hand, on_hand
    has to be set first, and the row is left as it is.
    """
    return await in_transaction(sessions, _repair)


async def _repair(session: AsyncSession) -> Repaired:
    await session.execute(_LOCK_HELD_BY_CLOSED)
    ended = (await session.execute(_END_HELD_BY_CLOSED)).all()
    await session.execute(_LOCK_DIFFERENT)
    mended = (await session.execute(_RESERVE_WHAT_IS_HELD)).all()
    return Repaired(len(ended), len(mended))


def _differences(
    sku: str, code: str, on_hand: int, reserved: int, moved_on_hand: int, moved_reserved: int, held: int
) -> Sequence[Difference]:
    found = []
    if on_hand != moved_on_hand:
        remedy = (
            "Count the units, those that checkouts hold included, and say how many there are: "
            f"{_set(sku, code, on_hand)} (if there are {on_hand})"
        )
        found.append(Difference(sku, code, "on_hand", on_hand, moved_on_hand, "the ledger", remedy))
    if reserved != held:
        remedy = f"Set it to what checkouts hold: {REPAIR}"
        if held > on_hand:
            remedy = (
                f"Only {on_hand} are on hand: cancel checkouts that hold it, or say that there are more "
                f"({_set(sku, code, held)}), then: {REPAIR}"
            )
        found.append(Difference(sku, code, "reserved", reserved, held, "the reservations", remedy))
    if moved_reserved != held:
        remedy = f"Record the movement that is missing: {REPAIR}"
        found.append(Difference(sku, code, "the ledger's reserved", moved_reserved, held, "the reservations", remedy))
    return found


def _set(sku: str, code: str, units: int | str) -> str:
    return f"checkout stock set {shlex.quote(sku)} {units} --warehouse {shlex.quote(code)}"


def _held_by_closed(sku: str, code: str, quantity: int, checkout_id: str, state: str) -> Difference:
    remedy = f"End its reservation: {REPAIR}"
    if state == "completed":
        remedy += f", then count the units: {_set(sku, code, 'COUNT')}"
    return Difference(sku, code, f"what {checkout_id} holds", quantity, 0, f"its state, {state},", remedy)
