"""What is for sale: variants with their net price in a currency and how many are available."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.exchange import Exchange
from checkout.domain.tax import NO_TAX, TaxBasis
from checkout.store import rows
from checkout.store.errors import SkuNotFound
from checkout.store.pricing import PriceRules, reckoning


@dataclass(frozen=True)
class ProductView:
    """A variant that can be put into a cart; ``unit_price`` is net, in minor units of ``currency``."""

    sku: str
    name: str
    description: str
    image_url: str | None
    unit_price: int
    currency: str
    available: int


async def list_products(
    session: AsyncSession, currency: str, rules: PriceRules, limit: int | None = None
) -> list[ProductView]:
    """What is sold in a currency, by name: two statements. What has no price in it, nor one to convert, is left out.

    Raises DefiniteFailure ``pricing_impossible``.
    """
    with reckoning():
        return await _load(session, currency, rules, limit=limit)


async def get_product(session: AsyncSession, sku: str, currency: str, rules: PriceRules) -> ProductView:
    """One of them. Raises as :func:`list_products`, and SkuNotFound, also where it is not sold in this currency."""
    with reckoning():
        found = await _load(session, currency, rules, sku=sku)
    if not found:
        raise SkuNotFound(sku)
    return found[0]


async def _load(
    session: AsyncSession, currency: str, rules: PriceRules, *, sku: str | None = None, limit: int | None = None
) -> list[ProductView]:
    home = rules.home.country if rules.home else ""
    shop = (
        (await session.execute(_SHOP, {"currency": currency, "base": rules.base_currency, "home": home}))
        .mappings()
        .one()
    )
    rate = rows.exchange_rate(shop["rates"] or (), rules.base_currency, currency)
    exchange = Exchange(currency, rules.base_currency, rate)
    taxes = rules.taxes(shop["taxes"] or ())
    statement = _ONE if sku is not None else _ALL
    own: dict[str, Any] = {"sku": sku} if sku is not None else {"rows": limit}
    parameters = {**own, "currency": currency, "base": rules.base_currency, "convertible": rate is not None}
    found = []
    for row in (await session.execute(statement, parameters)).mappings():
        variant = dict(row)
        entered = exchange.price(variant["prices"])
        if entered is not None:
            rate_of = taxes.rate(rules.home, variant["tax_class"]) if rules.home else NO_TAX
            included = rate_of.percent if rules.prices_include_tax else NO_TAX.percent
            found.append(_view(variant, TaxBasis(included, included).net(entered), currency))
    return found


def _view(variant: Mapping[str, Any], unit_price: int, currency: str) -> ProductView:
    return ProductView(
        sku=variant["sku"],
        name=rows.variant_name(variant["product_title"], variant["variant_title"]),
        description=variant["description"],
        image_url=variant["image_url"],
        unit_price=unit_price,
        currency=currency,
        available=variant["available"],
    )


_SHOP = text("""
SELECT
    (SELECT jsonb_agg(to_jsonb(t) || jsonb_build_object('percent', t.percent::text))
        FROM tax_rates t WHERE t.country = :home) AS taxes,
    (SELECT jsonb_agg(jsonb_build_object('base', p.base, 'currency', p.currency, 'rate', newest.rate::text))
        FROM (VALUES (CAST(:base AS text), CAST(:currency AS text)), ('EUR', :currency), ('EUR', :base))
            p (base, currency)
        CROSS JOIN LATERAL (SELECT e.rate FROM exchange_rates e
            WHERE e.base = p.base AND e.currency = p.currency AND e.date <= CURRENT_DATE
            ORDER BY e.date DESC LIMIT 1) newest
        WHERE CAST(:currency AS text) <> :base) AS rates
""")

_VARIANTS = """
SELECT v.sku, p.title AS product_title, v.title AS variant_title, p.description,
    COALESCE(v.image_url, p.image_url) AS image_url, v.tax_class, prices.amounts AS prices,
    (SELECT COALESCE(sum(s.on_hand - s.reserved), 0) FROM stock s JOIN warehouses w ON w.id = s.warehouse_id
        WHERE s.variant_id = v.id AND w.active) AS available
FROM variants v JOIN products p ON p.id = v.product_id
JOIN LATERAL (SELECT jsonb_object_agg(currency, amount) AS amounts FROM prices
    WHERE variant_id = v.id AND (currency = :currency OR (currency = :base AND CAST(:convertible AS boolean)))) prices
    ON prices.amounts IS NOT NULL
WHERE v.active AND p.active
"""
_ONE = text(_VARIANTS + " AND v.sku = :sku")
_ALL = text(_VARIANTS + " ORDER BY p.title, p.id, v.id LIMIT CAST(:rows AS integer)")
