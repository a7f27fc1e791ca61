"""The stock that checkouts hold, take and give back. Stock that changes otherwise goes through ``store/ledger.py``.

Each change is one statement that locks its rows in the order of (variant, warehouse), moves the units, and writes
reservations and movements beside them; it is its transaction's last, so that a row that many want is locked for no
longer than the statement and the commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from checkout.domain.allocation import Available, Demand, Hold, Warehouse
from checkout.runtime.statements import Session, Statement


@dataclass(frozen=True)
class CartDemand:
    """What a cart wants, in the order of its lines, where it ships to, and what its variants have in stock."""

    lines: tuple[Demand, ...]
    stock: tuple[Available, ...]
    country: str | None
    #: SKUs of the cart that are not sold any more.
    inactive: tuple[str, ...]


async def read_demand(session: Session, cart_id: str, *, lock: bool = False) -> CartDemand:
    """What the cart wants and what there is, in one statement.

    Nothing is locked: what it says of stock is a proposal that :func:`hold` checks. With ``lock`` all stock rows that
    could serve the cart are locked first, so that it is true until the transaction ends.
    """
    if lock:
        await _LOCK.run(session, {"cart_id": cart_id})
    [row] = await _DEMAND.rows(session, {"cart_id": cart_id})
    warehouses = {
        each["id"]: Warehouse(each["id"], each["code"], each["priority"], frozenset(each["countries"]))
        for each in row["warehouses"] or ()
    }
    lines = row["lines"] or ()
    return CartDemand(
        lines=tuple(Demand(line["variant_id"], line["sku"], line["quantity"]) for line in lines),
        stock=tuple(
            Available(variant_id, warehouses[warehouse_id], quantity)
            for variant_id, warehouse_id, quantity in row["stock"] or ()
        ),
        country=row["country"],
        inactive=tuple(line["sku"] for line in lines if not line["active"]),
    )


async def hold(session: Session, checkout_id: str, holds: Sequence[Hold]) -> bool:
    """Hold units for a checkout; False where less is left of something than was read: roll back then."""
    taken = await _HOLD.value(
        session,
        {
            "checkout_id": checkout_id,
            "variants": [hold.variant_id for hold in holds],
            "warehouses": [hold.warehouse_id for hold in holds],
            "quantities": [hold.quantity for hold in holds],
        },
    )
    return int(taken) == len(holds)


async def release(session: Session, checkout_id: str) -> int:
    """Give back what a checkout holds; how many units that were."""
    return int(await _RELEASE.value(session, {"checkout_id": checkout_id}))


async def commit(session: Session, checkout_id: str) -> int:
    """Have the units that a checkout holds leave its warehouses; how many units that were."""
    return int(await _COMMIT.value(session, {"checkout_id": checkout_id}))


async def restock(session: Session, checkout_id: str) -> int:
    """Put back the units that left the warehouses for a checkout; how many units that were."""
    return int(await _RESTOCK.value(session, {"checkout_id": checkout_id}))


_DEMAND = Statement("""
SELECT a.country,
    (SELECT jsonb_agg(jsonb_build_object('variant_id', l.variant_id, 'sku', v.sku, 'quantity', l.quantity,
            'active', v.active AND p.active) ORDER BY l.position, l.variant_id)
        FROM cart_lines l JOIN variants v ON v.id = l.variant_id JOIN products p ON p.id = v.product_id
        WHERE l.cart_id = c.id) AS lines,
    (SELECT jsonb_agg(jsonb_build_array(s.variant_id, s.warehouse_id, s.on_hand - s.reserved))
        FROM cart_lines l JOIN stock s ON s.variant_id = l.variant_id JOIN warehouses w ON w.id = s.warehouse_id
        WHERE l.cart_id = c.id AND w.active AND s.on_hand > s.reserved) AS stock,
    (SELECT jsonb_agg(to_jsonb(w)) FROM warehouses w WHERE w.active) AS warehouses
FROM carts c LEFT JOIN cart_addresses a ON a.cart_id = c.id AND a.kind = 'shipping'
WHERE c.id = :cart_id
""")

_LOCK = Statement("""
SELECT FROM stock s JOIN cart_lines l ON l.variant_id = s.variant_id
WHERE l.cart_id = :cart_id
ORDER BY s.variant_id, s.warehouse_id
FOR NO KEY UPDATE OF s
""")

# The rows are locked before anything is decided; one that someone else changed meanwhile is looked at again.
_HOLD = Statement("""
WITH wanted AS (
    SELECT * FROM unnest(CAST(:variants AS bigint[]), CAST(:warehouses AS bigint[]), CAST(:quantities AS integer[]))
        AS w (variant_id, warehouse_id, quantity)
), locked AS MATERIALIZED (
    SELECT w.* FROM wanted w JOIN stock s USING (variant_id, warehouse_id)
    WHERE s.on_hand - s.reserved >= w.quantity
    ORDER BY s.variant_id, s.warehouse_id
    FOR NO KEY UPDATE OF s
), taken AS (
    UPDATE stock s SET reserved = s.reserved + l.quantity, updated_at = now()
    FROM locked l
    WHERE s.variant_id = l.variant_id AND s.warehouse_id = l.warehouse_id
    RETURNING s.variant_id, s.warehouse_id, l.quantity
), kept AS (
    INSERT INTO reservations (checkout_id, variant_id, warehouse_id, quantity)
    SELECT :checkout_id, variant_id, warehouse_id, quantity FROM taken
), moved AS (
    INSERT INTO stock_movements (checkout_id, variant_id, warehouse_id, kind, reserved_delta)
    SELECT :checkout_id, variant_id, warehouse_id, 'reserved', quantity FROM taken
)
SELECT count(*) FROM taken
""")

_MOVE = """
WITH locked AS MATERIALIZED (
    SELECT r.variant_id, r.warehouse_id, r.quantity
    FROM reservations r JOIN stock s USING (variant_id, warehouse_id)
    WHERE r.checkout_id = :checkout_id AND r.status = '{before}'
    ORDER BY s.variant_id, s.warehouse_id
    FOR NO KEY UPDATE OF s
), changed AS (
    UPDATE stock s SET on_hand = s.on_hand + {on_hand} * l.quantity, reserved = s.reserved + {reserved} * l.quantity,
        updated_at = now()
    FROM locked l WHERE s.variant_id = l.variant_id AND s.warehouse_id = l.warehouse_id
    RETURNING s.variant_id, s.warehouse_id, l.quantity
), kept AS (
    UPDATE reservations r SET status = '{after}', updated_at = now()
    FROM changed c
    WHERE r.checkout_id = :checkout_id AND r.variant_id = c.variant_id AND r.warehouse_id = c.warehouse_id
), moved AS (
    INSERT INTO stock_movements (checkout_id, variant_id, warehouse_id, kind, on_hand_delta, reserved_delta)
    SELECT :checkout_id, variant_id, warehouse_id, '{kind}', {on_hand} * quantity, {reserved} * quantity FROM changed
)
SELECT COALESCE(sum(quantity), 0) FROM changed
"""


def _move(before: str, after: str, kind: str, on_hand: int, reserved: int) -> Statement:
    return Statement(_MOVE.format(before=before, after=after, kind=kind, on_hand=on_hand, reserved=reserved))


_RELEASE = _move("held", "released", "released", 0, -1)
_COMMIT = _move("held", "committed", "committed", -1, -1)
_RESTOCK = _move("committed", "released", "restocked", 1, 0)
