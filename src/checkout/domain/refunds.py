"""Refunds after the sale: where one stands, and the messages of its workflow. Money in minor units."""

from dataclasses import dataclass
from enum import StrEnum


class RefundStatus(StrEnum):
    """Where a refund stands."""

    #: Asked for; nothing is decided.
    REQUESTED = "requested"
    #: Its amount is kept free for it, the gateway is asked.
    PENDING = "pending"
    #: The money went back.
    REFUNDED = "refunded"
    #: It cannot be done; its amount is free again.
    REFUSED = "refused"


@dataclass(frozen=True)
class RefundInput:
    """A refund that the store has, with who wants it and why: histories carry its id alone (G7)."""

    refund_id: str
    order_reference: str


@dataclass(frozen=True)
class RefundReserved:
    """So much goes back, and no other refund can have it."""

    amount: int
    currency: str


@dataclass(frozen=True)
class Refunded:
    """The money went back; ``units`` were put back into stock, ``order_status`` is what the order is now."""

    amount: int
    currency: str
    units: int
    order_status: str
