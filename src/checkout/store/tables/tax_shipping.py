"""What is added to prices: tax rates, shipping options, and the exchange rates that convert between currencies."""

import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Identity, Numeric
from sqlmodel import Field, UniqueConstraint

from checkout.store.tables.base import Moment, Table, money, now, text


class TaxRate(Table, table=True):
    """The tax on one class of goods in a country, or in a region of it (``region`` is empty for the whole country).

    ``percent`` keeps four decimals: 19 is 19 %, 6.625 is 6.625 %.
    """

    __tablename__ = "tax_rates"
    __table_args__ = (
        UniqueConstraint("country", "region", "tax_class"),
        CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])
    country: str = text()
    region: str = text(default="")
    tax_class: str = text(default="standard")
    name: str = text(default="")
    percent: Decimal = Field(sa_type=Numeric(7, 4))
    updated_at: Moment = now()


class ShippingOption(Table, table=True):
    """A way to ship to a country for a price, within a band of weight (grams) and of the goods' total (minor units).

    An empty ``country`` means everywhere.

    A band includes its minimum and excludes its maximum; no maximum is no limit. One code may have several bands.
    """

    __tablename__ = "shipping_options"
    __table_args__ = (
        UniqueConstraint(
            "country",
            "currency",
            "code",
            "minimum_weight_grams",
            "minimum_total",
            name="uq_shipping_options_band",
        ),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("minimum_weight_grams >= 0 AND minimum_total >= 0", name="minimums"),
        CheckConstraint(
            "(maximum_weight_grams IS NULL OR maximum_weight_grams > minimum_weight_grams) AND "
            "(maximum_total IS NULL OR maximum_total > minimum_total)",
            name="bands",
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])
    country: str = text(default="")
    currency: str = text()
    code: str = text()
    name: str = text()
    tax_class: str = text(default="standard")
    amount: int = money()
    minimum_weight_grams: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    maximum_weight_grams: int | None = None
    minimum_total: int = money(default=0, sa_column_kwargs={"server_default": "0"})
    maximum_total: int | None = money(nullable=True)
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    updated_at: Moment = now()


class ExchangeRate(Table, table=True):
    """How many units of ``currency`` one unit of ``base`` made on a day."""

    __tablename__ = "exchange_rates"
    __table_args__ = (CheckConstraint("rate > 0", name="rate"),)

    base: str = text(primary_key=True)
    currency: str = text(primary_key=True)
    date: datetime.date = Field(primary_key=True)
    rate: Decimal = Field(sa_type=Numeric)
    updated_at: Moment = now()
