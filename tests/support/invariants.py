"""The guarantees G1 to G4, read from the database and the gateway's ledger: what every end-to-end test ends with.

Each query gives the rows that break a rule; the ledger's rules are checked beside them. Amounts in minor units.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_RULES: dict[str, str] = {
    # no oversell
    "G1 more is reserved than there is": "SELECT * FROM stock WHERE reserved < 0 OR reserved > on_hand",
    "G1 what is reserved is not what checkouts hold": """
        SELECT s.variant_id, s.warehouse_id, s.reserved, COALESCE(sum(r.quantity), 0) AS held
        FROM stock s LEFT JOIN reservations r
            ON (r.variant_id, r.warehouse_id, r.status) = (s.variant_id, s.warehouse_id, 'held')
        GROUP BY s.variant_id, s.warehouse_id HAVING s.reserved <> COALESCE(sum(r.quantity), 0)""",
    "G1 stock is not the sum of its movements": """
        SELECT s.variant_id, s.warehouse_id, s.on_hand, s.reserved, sum(m.on_hand_delta), sum(m.reserved_delta)
        FROM stock s LEFT JOIN stock_movements m USING (variant_id, warehouse_id)
        GROUP BY s.variant_id, s.warehouse_id
        HAVING (s.on_hand, s.reserved)
            IS DISTINCT FROM (COALESCE(sum(m.on_hand_delta), 0), COALESCE(sum(m.reserved_delta), 0))""",
    "G1 a coupon is redeemed beyond its limit, or counted wrongly": """
        SELECT c.code, c.limit_total, c.redeemed, count(r.coupon_id) AS redemptions
        FROM coupons c LEFT JOIN coupon_redemptions r ON r.coupon_id = c.id AND r.given_back_at IS NULL
        GROUP BY c.id HAVING c.redeemed > c.limit_total OR c.redeemed <> count(r.coupon_id)""",
    "G1 a customer redeemed a coupon beyond the limit": """
        SELECT c.code, r.redeemer, count(*) FROM coupons c
        JOIN coupon_redemptions r ON r.coupon_id = c.id AND r.given_back_at IS NULL
        GROUP BY c.id, r.redeemer HAVING count(*) > c.limit_per_customer""",
    # no drift
    "G2 an order's figures are not those of its snapshot": """
        SELECT o.reference FROM orders o LEFT JOIN price_snapshots s USING (checkout_id)
        WHERE (o.currency, o.sub_total, o.discount_total, o.shipping_total, o.tax_total, o.total, o.coupon_code,
                o.shipping_option) IS DISTINCT FROM
            (s.currency, s.sub_total, s.discount_total, s.shipping_total, s.tax_total, s.total, s.coupon_code,
                s.shipping_option)""",
    "G2 an order's lines are not those of its snapshot": """
        SELECT o.reference, l.sku, s.sku FROM
            (SELECT o.checkout_id, l.* FROM orders o JOIN order_lines l ON l.order_reference = o.reference) l
            FULL JOIN (SELECT s.* FROM price_snapshot_lines s JOIN orders USING (checkout_id)) s
                USING (checkout_id, variant_id)
            LEFT JOIN orders o USING (checkout_id)
        WHERE (l.sku, l.name, l.quantity, l.unit_price, l.sub_total, l.discount_total, l.tax_total, l.total)
            IS DISTINCT FROM
            (s.sku, s.name, s.quantity, s.unit_price, s.sub_total, s.discount_total, s.tax_total, s.total)""",
    "G2 the lines of a snapshot do not add up": """
        SELECT s.checkout_id FROM price_snapshots s JOIN price_snapshot_lines l USING (checkout_id)
        GROUP BY s.checkout_id
        HAVING (s.sub_total, s.discount_total, s.tax_total, s.total) IS DISTINCT FROM
            (sum(l.sub_total), sum(l.discount_total), sum(l.tax_total) + s.shipping_tax_total,
            sum(l.total) + s.shipping_total + s.shipping_tax_total)
            OR s.total <> s.sub_total - s.discount_total + s.shipping_total + s.tax_total""",
    "G2 the total that was told is not the one that was frozen": """
        SELECT k.id, k.total, s.total FROM checkouts k LEFT JOIN price_snapshots s ON s.checkout_id = k.id
        WHERE k.total IS DISTINCT FROM s.total""",
    "G2 what is priced is not what is held": """
        SELECT checkout_id, variant_id FROM (
            SELECT s.checkout_id, s.variant_id, s.quantity, sum(r.quantity) AS held
            FROM price_snapshot_lines s LEFT JOIN reservations r USING (checkout_id, variant_id)
            GROUP BY s.checkout_id, s.variant_id) x WHERE quantity IS DISTINCT FROM held""",
    "G2 an attempt is for another amount than the total": """
        SELECT a.id FROM payment_attempts a JOIN checkouts k ON k.id = a.checkout_id
        WHERE a.amount IS NOT NULL AND (a.amount, a.currency) IS DISTINCT FROM (k.total, k.currency)""",
    # once, and no more
    "G3 a cart has two running checkouts": """
        SELECT cart_id, count(*) FROM checkouts
        WHERE state NOT IN ('compensating', 'completed', 'failed', 'expired', 'cancelled')
        GROUP BY cart_id HAVING count(*) > 1""",
    "G3 a cart has two orders": """
        SELECT cart_id, count(*) FROM orders WHERE status <> 'cancelled' GROUP BY cart_id HAVING count(*) > 1""",
    "G3 a checkout has two orders": "SELECT checkout_id FROM orders GROUP BY checkout_id HAVING count(*) > 1",
    "G3 a checkout has two captures": """
        SELECT checkout_id FROM payment_attempts WHERE captured > 0 GROUP BY checkout_id HAVING count(*) > 1""",
    "G3 a cart is held by what does not run for it": """
        SELECT c.id, c.locked_by, k.state FROM carts c LEFT JOIN checkouts k ON k.id = c.locked_by
        WHERE c.locked_by IS NOT NULL
            AND (k.cart_id IS DISTINCT FROM c.id OR k.state IN ('completed', 'failed', 'expired', 'cancelled'))""",
    "G3 a running checkout does not hold its cart": """
        SELECT k.id, k.state, c.locked_by FROM checkouts k JOIN carts c ON c.id = k.cart_id
        WHERE k.state NOT IN ('compensating', 'completed', 'failed', 'expired', 'cancelled')
            AND c.locked_by IS DISTINCT FROM k.id""",
    # all of it
    "G4 a completed checkout has no paid order on its cart": """
        SELECT k.id, o.status, c.order_reference FROM checkouts k JOIN carts c ON c.id = k.cart_id
        LEFT JOIN orders o ON o.checkout_id = k.id
        WHERE k.state = 'completed' AND (o.reference IS NULL
            OR o.status NOT IN ('paid', 'partially_refunded', 'refunded')
            OR c.order_reference IS DISTINCT FROM o.reference
            OR k.order_reference IS DISTINCT FROM o.reference
            OR o.total <> k.total OR k.completed_at IS NULL OR c.locked_by IS NOT NULL)""",
    "G4 a completed checkout captured another amount": """
        SELECT k.id, k.total, a.captured FROM checkouts k LEFT JOIN payment_attempts a ON a.id = k.attempt_id
        WHERE k.state = 'completed' AND k.total <> COALESCE(a.captured, 0)""",
    "G4 a completed checkout has not committed the units of its order": """
        SELECT k.id FROM checkouts k
        WHERE k.state = 'completed' AND (
            EXISTS (SELECT FROM reservations r WHERE r.checkout_id = k.id AND r.status <> 'committed')
            OR (SELECT sum(quantity) FROM reservations r WHERE r.checkout_id = k.id) IS DISTINCT FROM
               (SELECT sum(l.quantity) FROM order_lines l WHERE l.order_reference = k.order_reference))""",
    "G4 a completed checkout lost its prices or its redemption": """
        SELECT k.id FROM checkouts k WHERE k.state = 'completed' AND (
            NOT EXISTS (SELECT FROM price_snapshots s WHERE s.checkout_id = k.id AND s.discarded_at IS NULL)
            OR EXISTS (SELECT FROM coupon_redemptions r WHERE r.checkout_id = k.id AND r.given_back_at IS NOT NULL))""",
    # or nothing of it
    "G4 an undone checkout holds units": """
        SELECT k.id, r.status FROM checkouts k JOIN reservations r ON r.checkout_id = k.id
        WHERE k.state IN ('failed', 'expired', 'cancelled') AND r.status <> 'released'""",
    "G4 an undone checkout has an order": """
        SELECT k.id, o.reference, o.status FROM checkouts k JOIN orders o ON o.checkout_id = k.id
        WHERE k.state IN ('failed', 'expired', 'cancelled') AND o.status <> 'cancelled'""",
    "G4 an undone checkout keeps its prices": """
        SELECT k.id FROM checkouts k JOIN price_snapshots s ON s.checkout_id = k.id
        WHERE k.state IN ('failed', 'expired', 'cancelled') AND s.discarded_at IS NULL""",
    "G4 an undone checkout keeps its redemption": """
        SELECT k.id FROM checkouts k JOIN coupon_redemptions r ON r.checkout_id = k.id
        WHERE k.state IN ('failed', 'expired', 'cancelled') AND r.given_back_at IS NULL""",
    "G4 an undone checkout has an attempt that is not settled": """
        SELECT k.id, a.id, a.status FROM checkouts k JOIN payment_attempts a ON a.checkout_id = k.id
        WHERE k.state IN ('failed', 'expired', 'cancelled') AND a.gateway_payment_id IS NOT NULL
            AND CASE WHEN a.status = 'resolved' THEN a.by_hand IS NULL
                ELSE a.status NOT IN ('voided', 'refunded') OR a.captured <> a.refunded END""",
    "G4 an undone checkout says that its payment goes on": """
        SELECT id, payment_status FROM checkouts
        WHERE state IN ('failed', 'expired', 'cancelled') AND payment_status NOT IN ('none', 'voided', 'refunded')""",
    "G4 an undone checkout says not when it ended": """
        SELECT k.id FROM checkouts k WHERE k.state IN ('failed', 'expired', 'cancelled') AND k.failed_at IS NULL""",
    # after the sale
    "G4 refunds give back more than was captured": """
        SELECT o.reference, a.captured, sum(f.amount) FROM refunds f JOIN orders o ON o.reference = f.order_reference
        JOIN checkouts k ON k.id = o.checkout_id LEFT JOIN payment_attempts a ON a.id = k.attempt_id
        WHERE f.status IN ('pending', 'refunded')
        GROUP BY o.reference, a.captured HAVING sum(f.amount) > COALESCE(a.captured, 0)""",
    "G4 an order does not say what its refunds gave back": """
        SELECT o.reference, o.status, o.total, a.status, a.refunded, r.amount, k.payment_status
        FROM orders o JOIN checkouts k ON k.id = o.checkout_id LEFT JOIN payment_attempts a ON a.id = k.attempt_id
        LEFT JOIN (SELECT order_reference, sum(amount) AS amount FROM refunds WHERE status = 'refunded'
            GROUP BY order_reference) r ON r.order_reference = o.reference
        WHERE k.state = 'completed' AND (COALESCE(a.refunded, 0) <> COALESCE(r.amount, 0)
            OR o.status <> CASE WHEN r.amount IS NULL THEN 'paid' WHEN r.amount < o.total THEN 'partially_refunded'
                ELSE 'refunded' END
            OR (k.payment_status = 'refunded') <> (o.status = 'refunded')
            OR (COALESCE(a.status, '') = 'refunded') <> (o.status = 'refunded'))""",
    "G1 a refund put back units that it is not for, or an order more than it sold": """
        SELECT l.order_reference, l.variant_id, l.quantity, r.units, m.units
        FROM order_lines l
        LEFT JOIN (SELECT f.order_reference, (line ->> 'variant_id')::bigint AS variant_id,
                sum((line ->> 'quantity')::integer) AS units
            FROM refunds f, jsonb_array_elements(f.lines) AS line WHERE f.status IN ('pending', 'refunded')
            GROUP BY 1, 2) r USING (order_reference, variant_id)
        LEFT JOIN (SELECT f.order_reference, m.variant_id, sum(m.on_hand_delta) AS units
            FROM refunds f JOIN stock_movements m ON m.refund_id = f.id
            GROUP BY 1, 2) m USING (order_reference, variant_id)
        WHERE r.units > l.quantity OR COALESCE(m.units, 0) > COALESCE(r.units, 0)""",
    "G1 a refund did not put back what it says": """
        SELECT f.id, f.status, f.restock, f.restocked, m.units FROM refunds f
        LEFT JOIN (SELECT refund_id, sum(on_hand_delta) AS units FROM stock_movements GROUP BY refund_id) m
            ON m.refund_id = f.id
        LEFT JOIN (SELECT f.id, sum((line ->> 'quantity')::integer) AS units
            FROM refunds f, jsonb_array_elements(f.lines) AS line GROUP BY f.id) w ON w.id = f.id
        WHERE f.restocked <> COALESCE(m.units, 0) OR f.restocked <> CASE WHEN f.restock AND f.status = 'refunded'
            THEN COALESCE(w.units, 0) ELSE 0 END""",
    # secrets, as far as the database can tell
    "G7 a closed checkout keeps a payment token": """
        SELECT a.id FROM payment_attempts a JOIN checkouts k ON k.id = a.checkout_id
        WHERE (k.state = 'completed' OR k.state IN ('failed', 'expired', 'cancelled')) AND a.token IS NOT NULL""",
}


async def check_invariants(
    engine: AsyncEngine, ledger: Iterable[Mapping[str, Any]] = (), *, at_rest: bool = True, gateway_errs: bool = False
) -> None:
    """Raise AssertionError with everything that breaks G1 to G4.

    ``ledger`` is what the gateway's ``GET /ledger`` lists. ``at_rest``: every checkout has ended; else those that
    still run are held to no more than what is always true. ``gateway_errs``: it may authorize another amount than it
    was asked for, of which nothing is left in the end.
    """
    async with engine.connect() as connection:
        broken: dict[str, list[tuple[Any, ...]]] = {}
        for rule, query in _RULES.items():
            if rule.startswith("G7") and not at_rest:
                continue  # an attempt that came too late is discarded a moment after it was stored
            rows = (await connection.execute(text(query))).all()
            if rows:
                broken[rule] = [tuple(row) for row in rows[:5]]
        checkouts = {row.id: row for row in await connection.execute(text(_CHECKOUTS))}
        transfers = set(await connection.scalars(text(_TRANSFERS)))
    if at_rest:
        running = [(row.id, row.state) for row in checkouts.values() if row.state not in _CLOSED]
        if running:
            broken["G4 a checkout has not ended"] = running
    broken |= _ledger_rules(list(ledger), checkouts, transfers, gateway_errs=gateway_errs)
    assert not broken, "\n".join(f"{rule}: {rows}" for rule, rows in broken.items())


_CLOSED = frozenset({"completed", "failed", "expired", "cancelled"})


#: With what went back after the sale, and what is about to.
_CHECKOUTS = """
SELECT k.id, k.state, k.total, k.currency, COALESCE(sum(f.amount) FILTER (WHERE f.status = 'refunded'), 0) AS refunded,
    COALESCE(sum(f.amount) FILTER (WHERE f.status = 'pending'), 0) AS refunding
FROM checkouts k LEFT JOIN orders o ON o.checkout_id = k.id LEFT JOIN refunds f ON f.order_reference = o.reference
GROUP BY k.id
"""

#: How much comes by them is the bank's to say: what the shop keeps in the end is held to the total all the same.
_TRANSFERS = "SELECT gateway_payment_id FROM payment_attempts WHERE method = 'bank_transfer'"


def _ledger_rules(
    ledger: list[Mapping[str, Any]], checkouts: Mapping[str, Any], transfers: set[str], *, gateway_errs: bool
) -> dict[str, list[tuple[Any, ...]]]:
    broken: dict[str, list[tuple[Any, ...]]] = {}
    kept: dict[str, int] = {}
    for item in ledger:
        checkout = checkouts.get(item["checkout_id"])
        kept[item["checkout_id"]] = kept.get(item["checkout_id"], 0) + item["captured"] - item["refunded"]
        held = item["authorized"] - item["captured"] - item["voided"]
        shown = (item["payment_id"], item["checkout_id"], dict(item))
        closed = checkout is None or checkout.state in _CLOSED
        if closed and held:
            broken.setdefault("G4 the gateway still holds money of a checkout that has ended", []).append(shown)
        asked = None if checkout is None else (checkout.total, checkout.currency)
        if item["payment_id"] in transfers and checkout is not None:
            asked = (item["authorized"], checkout.currency)
        given_back = not held and item["captured"] == item["refunded"]
        if gateway_errs and given_back and checkout is not None and item["currency"] == checkout.currency:
            asked = None
        if asked is not None and (item["authorized"], item["currency"]) != asked:
            broken.setdefault("G2 the gateway authorized another amount than the total", []).append(shown)
        if item["refunded"] > item["captured"] or item["captured"] > item["authorized"]:
            broken.setdefault("G2 the gateway's books do not add up", []).append(shown)
    return broken | _kept_rules(kept, checkouts)


def _kept_rules(kept: Mapping[str, int], checkouts: Mapping[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """Of each checkout the shop keeps what it is owed: the total of an order without what it refunded, else nothing."""
    broken: dict[str, list[tuple[Any, ...]]] = {}
    for checkout_id in kept.keys() | checkouts.keys():
        checkout, amount = checkouts.get(checkout_id), kept.get(checkout_id, 0)
        if checkout is not None and checkout.state == "completed":
            owed = checkout.total - checkout.refunded
            shown = (checkout_id, amount, checkout.total, checkout.refunded)
            if amount > owed:
                broken.setdefault("G4 the shop keeps more than the total without what it refunded", []).append(shown)
            if checkout_id in kept and amount < owed - checkout.refunding:
                broken.setdefault("G4 more went back of a completed checkout than was refunded", []).append(shown)
        elif amount and (checkout is None or checkout.state in _CLOSED):
            broken.setdefault("G4 the shop keeps money without an order", []).append((checkout_id, amount))
    return broken
