"""What is sold: products with their variants, and the prices that the shop set for them."""

from sqlalchemy import BigInteger, CheckConstraint, Identity
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, money, now, text


class Product(Table, table=True):
    """A product: what its variants have in common. ``handle`` is its stable name, unique in the shop."""

    __tablename__ = "products"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])
    handle: str = text(unique=True)
    title: str = text()
    description: str = text(default="")
    vendor: str = text(default="")
    #: What promotions select by.
    category: str = text(default="", index=True)
    image_url: str | None = text(nullable=True)
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    created_at: Moment = now()
    updated_at: Moment = now()


class Variant(Table, table=True):
    """What is put into a cart: a product in one choice of its options, known by its SKU.

    ``title`` names the choice ("Red / L") and is empty where there is none; ``tax_class`` is a class of the tax rates.
    """

    __tablename__ = "variants"
    __table_args__ = (CheckConstraint("weight_grams >= 0", name="weight_grams"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])
    product_id: int = Field(foreign_key="products.id", ondelete="CASCADE", index=True, sa_type=BigInteger)
    sku: str = text(unique=True)
    title: str = text(default="")
    option1: str | None = text(nullable=True)
    option2: str | None = text(nullable=True)
    option3: str | None = text(nullable=True)
    image_url: str | None = text(nullable=True)
    weight_grams: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    tax_class: str = text(default="standard")
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    created_at: Moment = now()
    updated_at: Moment = now()


class Price(Table, table=True):
    """The price of a variant in one currency, in minor units; whether tax is in it is a setting of the shop."""

    __tablename__ = "prices"
    __table_args__ = (CheckConstraint("amount >= 0", name="amount"),)

    variant_id: int = Field(foreign_key="variants.id", ondelete="CASCADE", primary_key=True, sa_type=BigInteger)
    currency: str = text(primary_key=True)
    amount: int = money()
    updated_at: Moment = now()
