"""The frozen prices of a checkout: one snapshot for the cart and one for each line (G2). Money in minor units.

Beside them, when what prices come from changed last.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index, Numeric
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, document, money, now, text, time


class PriceSnapshot(Table, table=True):
    """The cart's prices as they were when they were locked; kept for audit when discarded.

    ``tax_total`` includes ``shipping_tax_total``. ``exchange_rate`` says how many units of ``currency`` one of
    ``compare_currency`` (the shop's base) made, where a price was converted.
    """

    __tablename__ = "price_snapshots"

    checkout_id: str = text(foreign_key="checkouts.id", primary_key=True)
    cart_id: str = text(index=True)
    currency: str = text()
    compare_currency: str | None = text(nullable=True)
    exchange_rate: Decimal | None = Field(default=None, sa_type=Numeric)
    sub_total: int = money()
    discount_total: int = money()
    shipping_total: int = money()
    shipping_tax_total: int = money()
    tax_total: int = money()
    total: int = money()
    discount_breakdown: list[Any] = document(empty="[]")
    applied_discounts: list[Any] = document(empty="[]")
    tax_breakdown: list[Any] = document(empty="[]")
    coupon_code: str | None = text(nullable=True)
    promotion_details: list[Any] = document(empty="[]")
    shipping_option: str | None = text(nullable=True)
    created_at: Moment = now()
    discarded_at: Moment = time(nullable=True)


class PriceSnapshotLine(Table, table=True):
    """The frozen prices of one line, with the name and quantity that they were shown for.

    A record: it points to nothing in the catalogue, which may change.
    """

    __tablename__ = "price_snapshot_lines"

    checkout_id: str = text(foreign_key="price_snapshots.checkout_id", ondelete="CASCADE", primary_key=True)
    variant_id: int = Field(primary_key=True, sa_type=BigInteger)
    position: int
    sku: str = text()
    name: str = text()
    quantity: int
    currency: str = text()
    compare_currency: str | None = text(nullable=True)
    exchange_rate: Decimal | None = Field(default=None, sa_type=Numeric)
    unit_price: int = money()
    sub_total: int = money()
    discount_total: int = money()
    shipping_total: int = money(default=0, sa_column_kwargs={"server_default": "0"})
    tax_total: int = money()
    total: int = money()
    discount_breakdown: list[Any] = document(empty="[]")
    applied_discounts: list[Any] = document(empty="[]")
    tax_breakdown: list[Any] = document(empty="[]")
    coupon_code: str | None = text(nullable=True)
    promotion_details: list[Any] = document(empty="[]")


class PriceChange(Table, table=True):
    """When a price, or a rule that prices come from, changed last: written by triggers, whoever changes it.

    ``kind`` is ``price``, ``rate``, ``promotion``, ``coupon``, ``tax`` or ``shipping``, ``rule`` what the row is known
    by, ``about`` what it concerns, such as country, region and class of a tax rate; nothing for the variant ``rule``.
    """

    __tablename__ = "price_changes"
    __table_args__ = (Index("ix_price_changes_rules", "changed_at", postgresql_where="kind <> 'price'"),)

    kind: str = text(primary_key=True)
    rule: str = text(primary_key=True)
    about: list[Any] = Field(sa_type=JSONB, primary_key=True)
    changed_at: Moment = now()
