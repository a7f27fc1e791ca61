"""The checkout's row: what is true of a checkout, and what fences its late activities (G5)."""

from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, document, money, now, text, time

_CLOSED = "'completed', 'failed', 'expired', 'cancelled'"
#: Not closed: someone has yet to finish it.
OPEN = f"state NOT IN ({_CLOSED})"
#: May still complete: at most one checkout of a cart is in such a state.
RUNNING = f"state NOT IN ('compensating', {_CLOSED})"


class Checkout(Table, table=True):
    """One attempt to turn a cart into an order.

    A trigger gives every change the next ``version`` and notifies ``checkout_changed`` with ``{"id", "version"}``.
    ``results`` keeps what each finished phase answered, so that a repeat answers the same; ``attempt_id`` is the
    payment attempt that counts. ``total`` is null until prices are locked.
    """

    __tablename__ = "checkouts"
    __table_args__ = (
        CheckConstraint(
            "state IN ('pending', 'validating', 'reserving', 'locking_prices', 'awaiting_payment', 'authorizing', "
            "'requires_action', 'creating_order', 'awaiting_funds', 'capturing', 'committing', 'completed', "
            "'compensating', 'failed', 'expired', 'cancelled')",
            name="state",
        ),
        CheckConstraint("on_shortage IN ('fail', 'reduce')", name="on_shortage"),
        CheckConstraint(
            "payment_status IN ('none', 'requires_action', 'pending', 'authorized', 'captured', 'voided', 'refunded')",
            name="payment_status",
        ),
        Index("ix_checkouts_cart_id_created_at", "cart_id", "created_at"),
        Index("ix_checkouts_created_at_id", "created_at", "id"),
        Index("ix_checkouts_customer_id", "customer_id", "created_at", postgresql_where="customer_id IS NOT NULL"),
        Index("ix_checkouts_session_id", "session_id", "created_at"),
        Index("ix_checkouts_open", "expires_at", postgresql_where=OPEN),
        Index("uq_checkouts_running", "cart_id", unique=True, postgresql_where=RUNNING),
    )

    id: str = text(primary_key=True)
    cart_id: str = text(foreign_key="carts.id")
    session_id: str = text()
    customer_id: str | None = text(nullable=True)
    workflow_id: str = text()
    run_id: str = text()
    state: str = text()
    phase: str | None = text(nullable=True)
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    locked_at: Moment = time(nullable=False)
    expires_at: Moment = time(nullable=True)
    created_at: Moment = now()
    updated_at: Moment = now()
    completed_at: Moment = time(nullable=True)
    failed_at: Moment = time(nullable=True)
    currency: str | None = text(nullable=True)
    total: int | None = money(nullable=True)
    on_shortage: str = text(default="fail")
    adjustments: list[Any] = document(empty="[]")
    results: dict[str, Any] = document(empty="{}")
    attempts_left: int = Field(default=3, sa_column_kwargs={"server_default": "3"})
    attempt_id: str | None = text(nullable=True)
    payment_method: str | None = text(nullable=True)
    payment_status: str = text(default="none")
    next_action: dict[str, Any] | None = document()
    last_error: dict[str, Any] | None = document()
    failure: dict[str, Any] | None = document()
    order_reference: str | None = text(nullable=True)
