"""The payment attempts of a checkout, as the shop knows them; the gateway keeps its own books. Money in minor units."""

from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, document, money, now, text


class PaymentAttempt(Table, table=True):
    """One try to pay, stored before the workflow hears of it, so that no token enters a history (G7).

    ``token`` is erased after use, or once it can no longer be used. ``number`` counts the attempts of a checkout from
    1, null until one is taken up.
    ``status``: ``new`` (stored), ``created`` (the gateway's object exists, no money moved), ``requires_action``,
    ``pending``, ``authorized``, ``declined``, ``refused`` (by the gateway, whoever asks), ``captured``, ``voided``,
    ``refunded``, ``discarded`` (never taken up), ``resolved`` (the gateway refused to give back, people did it:
    ``by_hand`` says who, what and why).
    """

    __tablename__ = "payment_attempts"
    __table_args__ = (
        CheckConstraint(
            "status IN ('new', 'created', 'requires_action', 'pending', 'authorized', 'declined', 'refused', "
            "'captured', 'voided', 'refunded', 'resolved', 'discarded')",
            name="status",
        ),
        CheckConstraint("authorized >= 0 AND captured >= 0 AND refunded >= 0 AND refunded <= captured", name="amounts"),
        Index("ix_payment_attempts_checkout_id", "checkout_id", "number"),
        # The few that still have one: what is left over is looked for among them.
        Index("ix_payment_attempts_token", "created_at", postgresql_where="token IS NOT NULL"),
        Index("ix_payment_attempts_transfers", "created_at", postgresql_where="method = 'bank_transfer'"),
        Index(
            "uq_payment_attempts_gateway_payment_id",
            "gateway_payment_id",
            "gateway",
            unique=True,
            postgresql_where="gateway_payment_id IS NOT NULL",
        ),
    )

    id: str = text(primary_key=True)
    #: No foreign key: an express checkout stores its attempt before the checkout's row exists.
    checkout_id: str = text()
    cart_id: str = text(index=True)
    number: int | None = Field(default=None)
    method: str = text()
    token: str | None = text(nullable=True)
    gateway: str = text()
    gateway_payment_id: str | None = text(nullable=True)
    status: str = text(default="new")
    amount: int | None = money(nullable=True)
    currency: str | None = text(nullable=True)
    authorized: int = money(default=0, sa_column_kwargs={"server_default": "0"})
    captured: int = money(default=0, sa_column_kwargs={"server_default": "0"})
    refunded: int = money(default=0, sa_column_kwargs={"server_default": "0"})
    #: Why it was declined or refused, in our words: buyers read them in the checkout.
    code: str | None = text(nullable=True)
    message: str | None = text(nullable=True)
    #: The same in the gateway's words, for ops alone.
    gateway_code: str | None = text(nullable=True)
    gateway_detail: str | None = text(nullable=True)
    created_at: Moment = now()
    updated_at: Moment = now()
    by_hand: dict[str, Any] | None = document()
