"""What a buyer wants: a cart with its lines and addresses.

Triggers of the database refuse every change of their content while a checkout holds the cart (SQLSTATE ``CK423``) and
once it is an order (``CK409``), see the first migration; and a line beyond the last that it may have (``CK422``).
"""

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, now, text


class Cart(Table, table=True):
    """A cart. ``locked_by`` is the checkout that holds it, ``checkout_id`` the latest one, running or ended."""

    __tablename__ = "carts"
    __table_args__ = (
        Index("ix_carts_customer_id", "customer_id", postgresql_where="customer_id IS NOT NULL"),
        Index("ix_carts_locked_by", "locked_by", postgresql_where="locked_by IS NOT NULL"),
    )

    id: str = text(primary_key=True)
    session_id: str = text(index=True)
    customer_id: str | None = text(nullable=True)
    currency: str = text()
    email: str | None = text(nullable=True)
    coupon_code: str | None = text(nullable=True)
    #: The code of the chosen shipping option; the cheapest applies while there is none.
    shipping_option: str | None = text(nullable=True)
    locked_by: str | None = text(nullable=True)
    checkout_id: str | None = text(nullable=True)
    order_reference: str | None = text(nullable=True)
    created_at: Moment = now()
    updated_at: Moment = now()


class CartLine(Table, table=True):
    """A variant and how many of it; lines are shown in the order of ``position``."""

    __tablename__ = "cart_lines"
    __table_args__ = (CheckConstraint("quantity BETWEEN 1 AND 999", name="quantity"),)

    cart_id: str = text(foreign_key="carts.id", ondelete="CASCADE", primary_key=True)
    variant_id: int = Field(foreign_key="variants.id", primary_key=True, index=True, sa_type=BigInteger)
    quantity: int
    position: int
    updated_at: Moment = now()


class CartReminder(Table, table=True):
    """A cart whose buyer was reminded of it, by which delivery: once for each cart."""

    __tablename__ = "cart_reminders"

    cart_id: str = text(foreign_key="carts.id", ondelete="CASCADE", primary_key=True)
    delivery_id: str = text()
    reminded_at: Moment = now()


class CartAddress(Table, table=True):
    """Where the goods go (``shipping``) and who is billed (``billing``)."""

    __tablename__ = "cart_addresses"
    __table_args__ = (CheckConstraint("kind IN ('shipping', 'billing')", name="kind"),)

    cart_id: str = text(foreign_key="carts.id", ondelete="CASCADE", primary_key=True)
    kind: str = text(primary_key=True)
    name: str = text()
    line1: str = text()
    line2: str | None = text(nullable=True)
    city: str = text()
    region: str | None = text(nullable=True)
    postal_code: str = text()
    #: ISO 3166-1 alpha-2.
    country: str = text()
