"""Outgoing webhooks: who wants to hear of events, what was sent, and what came back."""

from sqlalchemy import CheckConstraint, Index
from sqlalchemy import Text as TextType
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, now, text, time


class WebhookEndpoint(Table, table=True):
    """Where events are sent. ``events``: names of those that are wanted, none for all.

    ``secret`` signs; ``previous_secret`` signs as well until ``previous_until``, so that a receiver can change over.
    ``failing_since``: nothing has been taken since; null while it goes well.
    """

    __tablename__ = "webhook_endpoints"

    id: str = text(primary_key=True)
    url: str = text()
    description: str = text(default="")
    events: list[str] = Field(
        default_factory=list, sa_type=ARRAY(TextType), nullable=False, sa_column_kwargs={"server_default": "{}"}
    )
    secret: str = text()
    previous_secret: str | None = text(nullable=True)
    previous_until: Moment = time(nullable=True)
    enabled: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    disabled_reason: str | None = text(nullable=True)
    failing_since: Moment = time(nullable=True)
    created_at: Moment = now()
    updated_at: Moment = now()


class WebhookDelivery(Table, table=True):
    """One event for one endpoint: ``body`` is what is sent, byte for byte, at every attempt.

    ``failing_since``: its first attempt that failed, of the series that runs or has ended; a resend begins a new one.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
        Index("uq_webhook_deliveries_once", "event_id", "endpoint_id", unique=True),
        Index("ix_webhook_deliveries_endpoint_id", "endpoint_id", "created_at", "id"),
        Index("ix_webhook_deliveries_created_at", "created_at", "id"),
        Index("ix_webhook_deliveries_status", "status", "created_at", "id"),
        Index("ix_webhook_deliveries_ended_at", "ended_at", postgresql_where="ended_at IS NOT NULL"),
        Index("ix_webhook_deliveries_pending", "failing_since", postgresql_where="status = 'pending'"),
    )

    id: str = text(primary_key=True)
    endpoint_id: str = text(foreign_key="webhook_endpoints.id", ondelete="CASCADE")
    event_id: str = text()
    event: str = text()
    checkout_id: str = text()
    body: str = text()
    status: str = text(default="pending")
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    failing_since: Moment = time(nullable=True)
    next_try_at: Moment = time(nullable=True)
    created_at: Moment = now()
    ended_at: Moment = time(nullable=True)


class WebhookAttempt(Table, table=True):
    """One attempt at a delivery: what the receiver answered (``status``, the beginning of ``response``) or what went
    wrong (``error``), after so many milliseconds.
    """

    __tablename__ = "webhook_attempts"

    delivery_id: str = text(foreign_key="webhook_deliveries.id", ondelete="CASCADE", primary_key=True)
    number: int = Field(primary_key=True)
    at: Moment = now()
    status: int | None = Field(default=None, nullable=True)
    milliseconds: int | None = Field(default=None, nullable=True)
    response: str | None = text(nullable=True)
    error: str | None = text(nullable=True)


class ListenerTrouble(Table, table=True):
    """A listener that has not heard of an event yet, because it fails; gone once it has heard, or gives up."""

    __tablename__ = "listener_troubles"
    __table_args__ = (Index("ix_listener_troubles_failing_since", "failing_since"),)

    delivery_id: str = text(primary_key=True)
    listener: str = text()
    event: str = text()
    checkout_id: str = text()
    attempts: int
    error: str = text()
    failing_since: Moment = now()
