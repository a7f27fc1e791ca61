"""What was bought: orders with their lines, made from the price snapshot. Money in minor units."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, document, money, now, text, time


class Order(Table, table=True):
    """An order. A checkout makes at most one, and a cart has at most one that is not cancelled (G3)."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'paid', 'cancelled', 'partially_refunded', 'refunded')", name="status"),
        CheckConstraint("total = sub_total - discount_total + shipping_total + tax_total", name="total"),
        Index("uq_orders_one_for_a_cart", "cart_id", unique=True, postgresql_where="status <> 'cancelled'"),
        Index("ix_orders_session_id", "session_id", "created_at"),
        Index("ix_orders_customer_id", "customer_id", "created_at", postgresql_where="customer_id IS NOT NULL"),
    )

    reference: str = text(primary_key=True)
    checkout_id: str = text(foreign_key="checkouts.id", unique=True)
    cart_id: str = text(foreign_key="carts.id")
    session_id: str = text()
    customer_id: str | None = text(nullable=True)
    status: str = text(default="pending")
    currency: str = text()
    sub_total: int = money()
    discount_total: int = money()
    shipping_total: int = money()
    tax_total: int = money()
    total: int = money()
    coupon_code: str | None = text(nullable=True)
    shipping_option: str | None = text(nullable=True)
    email: str = text()
    shipping_address: dict[str, Any] = document(empty="{}")
    billing_address: dict[str, Any] | None = document()
    created_at: Moment = now()
    updated_at: Moment = now()
    paid_at: Moment = time(nullable=True)
    cancelled_at: Moment = time(nullable=True)


class OrderLine(Table, table=True):
    """One line of an order, with the prices of its snapshot; a record that points to nothing in the catalogue."""

    __tablename__ = "order_lines"

    order_reference: str = text(foreign_key="orders.reference", ondelete="CASCADE", primary_key=True)
    variant_id: int = Field(primary_key=True, sa_type=BigInteger)
    position: int
    sku: str = text()
    name: str = text()
    quantity: int
    unit_price: int = money()
    sub_total: int = money()
    discount_total: int = money()
    tax_total: int = money()
    total: int = money()
