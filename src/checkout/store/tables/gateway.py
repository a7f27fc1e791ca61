"""What payment gateways tell the shop unasked, and the money that came in and was not owed."""

from sqlalchemy import CheckConstraint, Index

from checkout.store.tables.base import Moment, Table, money, now, text, time


class GatewayEvent(Table, table=True):
    """A signed event that came in; ``done_at`` once it has had its effect, so that a repeat has none.

    Kept for a month: an event that is repeated later is refused by its signature's time.
    """

    __tablename__ = "gateway_events"
    __table_args__ = (
        Index("ix_gateway_events_received_at", "received_at"),
        Index("ix_gateway_events_payment_id", "payment_id", "created_at"),
        Index("ix_gateway_events_waiting", "received_at", postgresql_where="done_at IS NULL"),
    )

    gateway: str = text(primary_key=True)
    event_id: str = text(primary_key=True)
    type: str = text()
    payment_id: str | None = text(nullable=True)
    created_at: Moment = time(nullable=False)
    received_at: Moment = now()
    done_at: Moment = time(nullable=True)


class UnowedMoney(Table, table=True):
    """Money that a bank sent beyond what was owed, or too late, and that went back: one row for each return.

    ``returned_until``: what of the payment had gone back in all by then, in minor units.
    """

    __tablename__ = "unowed_money"
    __table_args__ = (
        CheckConstraint("amount > 0 AND amount <= returned_until", name="amount"),
        Index("ix_unowed_money_checkout_id", "checkout_id"),
    )

    gateway: str = text(primary_key=True)
    payment_id: str = text(primary_key=True)
    returned_until: int = money(primary_key=True)
    checkout_id: str = text()
    attempt_id: str = text()
    amount: int = money()
    currency: str = text()
    returned_at: Moment = now()
