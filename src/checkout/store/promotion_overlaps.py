"""Promotions that say different things about the same goods at the same time."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.checks import InvalidValue

_OTHER = text("""
    SELECT code, starts_at, ends_at FROM promotions
    WHERE active AND id IS DISTINCT FROM CAST(:id AS bigint) AND kind = :kind
        AND coalesce(product_handle, '') = coalesce(CAST(:product_handle AS text), '')
        AND coalesce(category, '') = coalesce(CAST(:category AS text), '')
        AND coalesce(minimum_amount, 0) = coalesce(CAST(:minimum_amount AS bigint), 0)
        AND (currency IS NULL OR CAST(:currency AS text) IS NULL OR currency = :currency)
        AND (ends_at IS NULL OR ends_at > now())
        AND (CAST(:ends_at AS timestamptz) IS NULL OR :ends_at > now())
        AND (ends_at IS NULL OR CAST(:starts_at AS timestamptz) IS NULL OR ends_at > :starts_at)
        AND (starts_at IS NULL OR CAST(:ends_at AS timestamptz) IS NULL OR starts_at < :ends_at)
    ORDER BY code LIMIT 1
""")

#: The field by which a kind says what it is about.
_FIELD = {"product_percentage": "product_handle", "category_percentage": "category", "buy_x_get_y": "product_handle"}


async def refuse_overlap(session: AsyncSession, promotion: Mapping[str, Any], own_id: int | None) -> None:
    """Refuse a promotion beside an active one of its kind for the same goods, whose window overlaps from now on.

    Of two such promotions a buyer would get both, which no shop means: 10 % and 15 % off the same product are a slip.
    Raises InvalidValue naming the field by which they meet, and the other promotion.
    """
    if not promotion["active"]:
        return
    named = ("kind", "product_handle", "category", "minimum_amount", "currency", "starts_at", "ends_at")
    wanted = {name: promotion.get(name) for name in named}
    other = (await session.execute(_OTHER, {**wanted, "id": own_id})).first()
    if other is not None:
        kind = promotion["kind"]
        field = _FIELD.get(kind, "kind")
        if kind == "buy_x_get_y" and promotion.get("category"):
            field = "category"
        raise InvalidValue(
            field, f"contradicts the promotion {other.code!r}: make their windows apart, or one of them inactive"
        )
