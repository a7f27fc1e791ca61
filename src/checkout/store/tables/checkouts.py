"""The checkout's row: what is true of a checkout, and what fences its late activities (G5)."""

from typing import Any

from sqlalchemy import CheckConstraint, Computed, Index
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, document, money, now, text, time

_CLOSED = "'completed', 'failed', 'expired', 'cancelled'"
#: Nothing can happen any more.
CLOSED = f"state IN ({_CLOSED})"
#: Closed without an order.
UNDONE = "state IN ('failed', 'expired', 'cancelled')"
#: Not closed: someone has yet to finish it.
OPEN = f"state NOT IN ({_CLOSED})"
#: May still complete: at most one checkout of a cart is in such a state.
RUNNING = f"state NOT IN ('compensating', {_CLOSED})"


class Checkout(Table, table=True):
    """One attempt to turn a cart into an order.

    A trigger gives every change the next ``version`` and notifies ``checkout_changed`` with ``{"id", "version"}``.
    ``results`` keeps what each finished phase answered, so that a repeat answers the same; ``attempt_id`` is the
    payment attempt that counts. ``total`` is null until prices are locked. The database itself derives ``closed_at``,
    and ``refused``: whether a failure was the buyer's doing, so that it does not count as one of ours; a trigger keeps
    the ``timeline``, ``[{"state", "at"}]``.
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
        Index("ix_checkouts_open", "created_at", "id", postgresql_where=OPEN),
        # For ops (store/listing.py, store/statistics.py): written once for each checkout, when it is closed.
        Index("ix_checkouts_closed", "state", "created_at", "id", postgresql_where=CLOSED),
        Index("ix_checkouts_undone", "state", "phase", "created_at", "id", postgresql_where=UNDONE),
        Index(
            "ix_checkouts_closed_at",
            "closed_at",
            postgresql_include=["state", "phase", "refused", "locked_at"],
            postgresql_where="closed_at IS NOT NULL",
        ),
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
    closed_at: Moment = time(
        nullable=True, sa_column_args=[Computed("COALESCE(completed_at, failed_at)", persisted=True)]
    )
    refused: bool | None = Field(
        default=None,
        nullable=True,
        sa_column_args=[Computed("(failure ->> 'benign')::boolean", persisted=True)],
    )
    timeline: list[Any] = document(empty="[]")


class CheckoutStep(Table, table=True):
    """An activity of a checkout that needed more than one attempt, and each compensation.

    ``attempts``: the most that one run of it took. ``last_error`` is that of its last attempt that failed and could say
    so; ``done_at`` when it succeeded, null until then. No foreign key: the first phase fails before there is a row.
    """

    __tablename__ = "checkout_steps"
    __table_args__ = (CheckConstraint("attempts > 0", name="attempts"),)

    checkout_id: str = text(primary_key=True)
    activity: str = text(primary_key=True)
    attempts: int
    last_error: str | None = text(nullable=True)
    last_error_at: Moment = time(nullable=True)
    done_at: Moment = time(nullable=True)
