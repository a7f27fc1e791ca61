"""The frozen prices of a checkout, and the coupons and promotions that it redeems with them."""

import json
from collections.abc import Collection
from typing import Any

from checkout.domain.discounts import Discount
from checkout.domain.pricing import Pricing
from checkout.runtime.statements import Session, Statement
from checkout.store.pricing import LoadedCart


async def freeze(session: Session, checkout_id: str, loaded: LoadedCart, pricing: Pricing) -> None:
    """Write the snapshot of the cart and of each line. ``pricing`` is that of ``loaded``."""
    breakdowns = pricing.breakdowns()
    coupon = pricing.coupon_codes[0] if pricing.coupon_codes else None
    common = {
        "currency": pricing.currency,
        "compare_currency": pricing.compare_currency,
        "exchange_rate": pricing.exchange_rate,
        "coupon_code": coupon,
    }
    lines = [
        {
            "variant_id": line.variant_id,
            "position": line.position,
            "name": line.name,
            "sku": priced.sku,
            "quantity": priced.quantity,
            "unit_price": priced.unit_price,
            "sub_total": priced.sub_total,
            "discount_total": priced.discount_total,
            "tax_total": priced.tax_total,
            "total": priced.total,
            **_of_line(priced.sku, breakdowns),
            "tax_breakdown": [{"rate": priced.tax_rate, "tax_class": priced.tax_class, "tax": priced.tax_total}],
        }
        for line, priced in zip(loaded.lines, pricing.lines, strict=True)
    ]
    await _FREEZE.run(
        session,
        {
            "checkout_id": checkout_id,
            "cart_id": loaded.cart["id"],
            **common,
            "sub_total": pricing.sub_total,
            "discount_total": pricing.discount_total,
            "shipping_total": pricing.shipping_total,
            "shipping_tax_total": pricing.shipping_tax,
            "tax_total": pricing.tax_total,
            "total": pricing.total,
            "shipping_option": pricing.shipping_option,
            **{name: json.dumps(value) for name, value in breakdowns.items()},
            "lines": json.dumps(lines),
        },
    )


async def redeem(session: Session, checkout_id: str, loaded: LoadedCart, pricing: Pricing) -> bool:
    """Count the redemption of every coupon and limited promotion that ``pricing`` used.

    False where one of them has been used up since ``loaded`` was read: roll back, read and price again.
    """
    used = {(applied.kind, applied.code) for applied in pricing.applied_discounts}
    for automatic, statements in ((False, _COUPON), (True, _PROMOTION)):
        counted = [
            discount
            for discount in loaded.pricing.discounts
            if discount.automatic is automatic and (discount.kind, discount.code) in used and _is_counted(discount)
        ]
        if counted and not await _count(session, statements, checkout_id, loaded, counted):
            return False
    return True


async def discard(session: Session, checkout_id: str) -> int:
    """Mark the snapshot as discarded (it is kept for audit) and give its redemptions back; 1 where there was one."""
    for statements in (_COUPON, _PROMOTION):
        await statements["give_back"].run(session, {"checkout_id": checkout_id})
    return len(await _DISCARD.rows(session, {"checkout_id": checkout_id}))


def _of_line(sku: str, breakdowns: dict[str, Any]) -> dict[str, Any]:
    """What of the cart's discounts concerns one line."""
    parts = [part for part in breakdowns["discount_breakdown"] if part["sku"] == sku]
    used = {(part["kind"], part["code"]) for part in parts}
    return {
        "discount_breakdown": parts,
        "applied_discounts": [{"kind": part["kind"], "code": part["code"], "amount": part["amount"]} for part in parts],
        "promotion_details": [
            detail for detail in breakdowns["promotion_details"] if (detail["kind"], detail["code"]) in used
        ],
    }


def _is_counted(discount: Discount) -> bool:
    """Coupons always; promotions apply to everybody, so only those that have a limit: counting makes them wait."""
    return not discount.automatic or discount.limit is not None or discount.limit_per_customer is not None


async def _count(
    session: Session,
    statements: dict[str, Statement],
    checkout_id: str,
    loaded: LoadedCart,
    discounts: Collection[Discount],
) -> bool:
    ids = [loaded.discount_ids[discount.automatic, discount.code] for discount in discounts]
    counted = await statements["redeem"].value(
        session, {"checkout_id": checkout_id, "redeemer": loaded.redeemer, "ids": ids}
    )
    if int(counted) != len(ids):
        return False
    if all(discount.limit_per_customer is None for discount in discounts):
        return True
    # The locks on the discounts are held by now, so no other redemption of theirs can come in between.
    beyond = await statements["beyond"].value(session, {"redeemer": loaded.redeemer, "ids": ids})
    return int(beyond) == 0


_FREEZE = Statement("""
WITH snapshot AS (
    INSERT INTO price_snapshots (checkout_id, cart_id, currency, compare_currency, exchange_rate, sub_total,
        discount_total, shipping_total, shipping_tax_total, tax_total, total, discount_breakdown, applied_discounts,
        tax_breakdown, coupon_code, promotion_details, shipping_option)
    VALUES (:checkout_id, :cart_id, :currency, :compare_currency, CAST(:exchange_rate AS numeric), :sub_total,
        :discount_total, :shipping_total, :shipping_tax_total, :tax_total, :total, CAST(:discount_breakdown AS jsonb),
        CAST(:applied_discounts AS jsonb), CAST(:tax_breakdown AS jsonb), :coupon_code,
        CAST(:promotion_details AS jsonb), :shipping_option)
    RETURNING checkout_id, currency, compare_currency, exchange_rate, coupon_code
)
INSERT INTO price_snapshot_lines (checkout_id, currency, compare_currency, exchange_rate, coupon_code, variant_id,
    position, sku, name, quantity, unit_price, sub_total, discount_total, tax_total, total, discount_breakdown,
    applied_discounts, tax_breakdown, promotion_details)
SELECT s.*, l.* FROM snapshot s, jsonb_to_recordset(CAST(:lines AS jsonb)) AS l (
    variant_id bigint, position integer, sku text, name text, quantity integer, unit_price bigint, sub_total bigint,
    discount_total bigint, tax_total bigint, total bigint, discount_breakdown jsonb, applied_discounts jsonb,
    tax_breakdown jsonb, promotion_details jsonb)
""")

_DISCARD = Statement("""
UPDATE price_snapshots SET discarded_at = now() WHERE checkout_id = :checkout_id AND discarded_at IS NULL
RETURNING checkout_id
""")

_REDEEM = """
WITH locked AS MATERIALIZED (
    SELECT id FROM {discounts}
    WHERE id = ANY (CAST(:ids AS bigint[])) AND (limit_total IS NULL OR redeemed < limit_total)
    ORDER BY id
    FOR NO KEY UPDATE
), counted AS (
    UPDATE {discounts} d SET redeemed = d.redeemed + 1 FROM locked WHERE d.id = locked.id
    RETURNING d.id
), kept AS (
    INSERT INTO {redemptions} (checkout_id, {key}, redeemer) SELECT :checkout_id, id, :redeemer FROM counted
)
SELECT count(*) FROM counted
"""

_BEYOND = """
SELECT count(*) FROM {discounts} d
WHERE d.id = ANY (CAST(:ids AS bigint[])) AND d.limit_per_customer < (
    SELECT count(*) FROM {redemptions} r
    WHERE r.{key} = d.id AND r.redeemer = :redeemer AND r.given_back_at IS NULL)
"""

_GIVE_BACK = """
WITH given AS (
    UPDATE {redemptions} SET given_back_at = now() WHERE checkout_id = :checkout_id AND given_back_at IS NULL
    RETURNING {key} AS id
), locked AS MATERIALIZED (
    SELECT d.id FROM {discounts} d JOIN given ON given.id = d.id ORDER BY d.id FOR NO KEY UPDATE OF d
)
UPDATE {discounts} d SET redeemed = d.redeemed - 1 FROM locked WHERE d.id = locked.id
"""


def _statements(discounts: str, redemptions: str, key: str) -> dict[str, Statement]:
    names = {"discounts": discounts, "redemptions": redemptions, "key": key}
    templates = {"redeem": _REDEEM, "beyond": _BEYOND, "give_back": _GIVE_BACK}
    return {name: Statement(template.format(**names)) for name, template in templates.items()}


_COUPON = _statements("coupons", "coupon_redemptions", "coupon_id")
_PROMOTION = _statements("promotions", "promotion_redemptions", "promotion_id")
