"""The rows that a batch of an import reads and writes: one statement for each table and direction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.store.importing.matching import Match, Stored, StoredProduct, StoredVariant, skus_of
from checkout.store.importing.shopify import ProductRecord

_PRODUCT_COLUMNS = ("title", "description", "vendor", "category", "image_url", "active")
_VARIANT_COLUMNS = ("title", "option1", "option2", "option3", "image_url", "weight_grams", "tax_class")

_PRODUCTS = text("""
    SELECT id, handle, title, description, vendor, category, image_url, active
    FROM products WHERE handle = ANY(CAST(:handles AS text[]))
""")

_VARIANTS = text("""
    SELECT variants.id, product_id, handle, sku, variants.title, option1, option2, option3, variants.image_url,
        weight_grams, tax_class
    FROM variants JOIN products ON products.id = product_id
    WHERE variants.id IN (
        SELECT id FROM variants WHERE sku = ANY(CAST(:skus AS text[]))
        UNION SELECT id FROM variants WHERE product_id = ANY(CAST(:products AS bigint[]))
    )
""")

_CREATE_PRODUCTS = text("""
    INSERT INTO products (handle, title, description, vendor, category, image_url, active)
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (
        handle text, title text, description text, vendor text, category text, image_url text, active boolean)
    RETURNING id, handle
""")

_UPDATE_PRODUCTS = text("""
    UPDATE products SET title = given.title, description = given.description, vendor = given.vendor,
        category = given.category, image_url = given.image_url, active = given.active, updated_at = now()
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (
        id bigint, title text, description text, vendor text, category text, image_url text, active boolean)
    WHERE products.id = given.id
""")

_CREATE_VARIANTS = text("""
    INSERT INTO variants (product_id, sku, title, option1, option2, option3, image_url, weight_grams, tax_class)
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (
        product_id bigint, sku text, title text, option1 text, option2 text, option3 text, image_url text,
        weight_grams int, tax_class text)
    RETURNING id, sku
""")

_UPDATE_VARIANTS = text("""
    UPDATE variants SET sku = given.sku, title = given.title, option1 = given.option1, option2 = given.option2,
        option3 = given.option3, image_url = given.image_url, weight_grams = given.weight_grams,
        tax_class = given.tax_class, updated_at = now()
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (
        id bigint, sku text, title text, option1 text, option2 text, option3 text, image_url text, weight_grams int,
        tax_class text)
    WHERE variants.id = given.id
""")

_SET_PRICES = text("""
    INSERT INTO prices (variant_id, currency, amount)
    SELECT variant_id, :currency, amount
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (variant_id bigint, amount bigint)
    ORDER BY variant_id
    ON CONFLICT (variant_id, currency) DO UPDATE SET amount = excluded.amount, updated_at = now()
        WHERE prices.amount <> excluded.amount
    RETURNING variant_id
""")


@dataclass(frozen=True, slots=True)
class Saved:
    """The ids of a batch's variants by SKU, and the SKUs whose price is new or another."""

    variants: Mapping[str, int]
    repriced: frozenset[str]


async def load(session: AsyncSession, batch: Sequence[ProductRecord]) -> Stored:
    """The batch's products, and every variant that is theirs or has a SKU of the batch."""
    handles = [record.handle for record in batch if record.handle]
    products = {
        row["handle"]: StoredProduct(row["id"], row["handle"], {column: row[column] for column in _PRODUCT_COLUMNS})
        for row in (await session.execute(_PRODUCTS, {"handles": handles})).mappings()
    }
    found = await session.execute(
        _VARIANTS, {"skus": skus_of(batch), "products": [product.id for product in products.values()]}
    )
    return Stored(
        products,
        [
            StoredVariant(
                row["id"],
                row["product_id"],
                row["handle"],
                row["sku"],
                (row["option1"], row["option2"], row["option3"]),
                {column: row[column] for column in _VARIANT_COLUMNS},
            )
            for row in found.mappings()
        ],
    )


async def save(session: AsyncSession, match: Match, currency: str) -> Saved:
    """Write what is new or changed of a batch."""
    products = {product.handle: product.id for product in match.products if product.id is not None}
    created = [{"handle": p.handle, **p.values} for p in match.products if p.id is None]
    if created:
        for row in await session.execute(_CREATE_PRODUCTS, {"rows": json.dumps(created)}):
            products[row.handle] = row.id
    changed = [{"id": p.id, **p.values} for p in match.products if p.id is not None and p.changed]
    if changed:
        await session.execute(_UPDATE_PRODUCTS, {"rows": json.dumps(changed)})

    variants = {variant.sku: variant.id for variant in match.variants if variant.id is not None}
    renamed = [{"id": v.id, **v.values} for v in match.variants if v.id is not None and v.changed]
    if renamed:
        await session.execute(_UPDATE_VARIANTS, {"rows": json.dumps(renamed)})
    new = [{"product_id": products[v.handle], **v.values} for v in match.variants if v.id is None]
    if new:
        for row in await session.execute(_CREATE_VARIANTS, {"rows": json.dumps(new)}):
            variants[row.sku] = row.id

    prices = [{"variant_id": variants[v.sku], "amount": v.record.price} for v in match.variants]
    repriced: set[int] = set()
    if prices:
        rows = await session.execute(_SET_PRICES, {"currency": currency, "rows": json.dumps(prices)})
        repriced = set(rows.scalars())
    return Saved(variants, frozenset(sku for sku, identity in variants.items() if identity in repriced))
