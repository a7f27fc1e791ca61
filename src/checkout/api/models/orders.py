"""Orders as their buyer sees them."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from checkout.api.models.base import Answer, Cursor, Limit, Money, Time
from checkout.api.models.carts import CART, LINE, PricedLine, ShownAddress
from checkout.api.models.checkouts import Totals
from checkout.domain.words import OrderStatus, PaymentStatus

ORDER: dict[str, Any] = {
    "reference": "ORD-7K2M9QXW4T1B",
    "checkout_id": "chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy",
    "status": "paid",
    "currency": "EUR",
    "totals": {"sub_total": 5000, "discount_total": 500, "shipping_total": 490, "tax_total": 948, "total": 5938},
    "lines": [LINE],
    "email": "ada@example.com",
    "addresses": {"shipping": CART["shipping_address"], "billing": None},
    "payment": {"method": "card", "status": "captured", "amount": 5938, "refunded": 0, "refund_pending": 0},
    "created_at": "2026-01-31T12:00:02Z",
}


class OrderPayment(Answer):
    """How an order was paid, and what of it went back (``refunded``), or is about to (``refund_pending``)."""

    method: str | None
    status: PaymentStatus
    amount: Money
    refunded: Money
    refund_pending: Money


class OrderAddresses(Answer):
    """Where the goods go, and who is billed when that differs."""

    shipping: ShownAddress
    billing: ShownAddress | None


class Order(Answer):
    """An order, with the prices that were locked."""

    model_config = ConfigDict(json_schema_extra={"examples": [ORDER]})

    reference: str
    checkout_id: str
    status: OrderStatus
    currency: str
    totals: Totals
    lines: list[PricedLine]
    email: str
    addresses: OrderAddresses
    payment: OrderPayment
    created_at: Time


class OrdersQuery(BaseModel):
    """The query of the list."""

    model_config = ConfigDict(extra="forbid")

    cursor: Cursor | None = None
    limit: Limit = 50


class Orders(Answer):
    """A page of the caller's orders, newest first; ``next_cursor`` is null on the last."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ORDER], "next_cursor": None}]})

    items: list[Order]
    next_cursor: str | None
