"""Refunds after the sale: who wanted what back and why, and what came of it. Money in minor units."""

from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, document, money, now, text, time


class Refund(Table, table=True):
    """A refund of an order, kept whatever comes of it.

    What was asked for: ``wanted_amount``, ``wanted_lines`` (``[{sku, quantity}]``) or neither (all that is left),
    ``restock``, ``reason``, ``requested_by``. What it gives back, once that is decided: ``amount``, ``lines``
    (``[{variant_id, sku, quantity, amount}]``), from which payment. ``failure`` (``{code, detail, context}``) says why
    it was refused, ``gateway_code`` and ``gateway_detail`` what the gateway said, for ops alone.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("status IN ('requested', 'pending', 'refunded', 'refused')", name="status"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("amount IS NOT NULL OR status IN ('requested', 'refused')", name="decided"),
        Index("ix_refunds_order_reference", "order_reference", "created_at"),
    )

    id: str = text(primary_key=True)
    order_reference: str = text(foreign_key="orders.reference")
    wanted_amount: int | None = money(nullable=True)
    wanted_lines: list[dict[str, Any]] | None = document()
    restock: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    reason: str = text()
    requested_by: str = text()
    status: str = text(default="requested")
    amount: int | None = money(nullable=True)
    currency: str | None = text(nullable=True)
    lines: list[dict[str, Any]] | None = document()
    checkout_id: str | None = text(nullable=True)
    attempt_id: str | None = text(nullable=True)
    gateway: str | None = text(nullable=True)
    gateway_payment_id: str | None = text(nullable=True)
    restocked: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    failure: dict[str, Any] | None = document()
    gateway_code: str | None = text(nullable=True)
    gateway_detail: str | None = text(nullable=True)
    created_at: Moment = now()
    reserved_at: Moment = time(nullable=True)
    finished_at: Moment = time(nullable=True)
