"""Reconciliation with the gateway: what may be out of place, and the messages of its workflow and activities."""

from dataclasses import dataclass, field
from enum import StrEnum

#: How many findings one run carries; its history holds them. More are counted, and come up in the next run.
LISTED = 200


class FindingKind(StrEnum):
    """What is out of place about a payment at the gateway."""

    #: Money of a checkout that the shop has no row of.
    UNKNOWN_CHECKOUT = "unknown_checkout"
    #: Money that a failed, expired or cancelled checkout still holds.
    ENDED_CHECKOUT = "ended_checkout"
    #: Money of an ended checkout that people have settled by hand, as they said; the gateway's books still hold it.
    RESOLVED_BY_HAND = "resolved_by_hand"
    #: Money of a completed checkout that its order is not paid by.
    BESIDE_THE_ORDER = "beside_the_order"
    #: What a bank sent and nobody owed, and that was not sent back.
    UNOWED = "unowed"
    #: An order is paid by another amount than its total.
    CAPTURED_DIFFERS = "captured_differs"
    #: More went back to the buyer than the shop knows of: by somebody on the gateway's own pages.
    REFUNDED_ELSEWHERE = "refunded_elsewhere"
    #: Less went back to the buyer than the shop believes.
    REFUND_MISSING = "refund_missing"


#: Belongs to nothing, so it can be settled to zero: void what is authorized, refund what is captured.
SETTLED_TO_ZERO = frozenset({FindingKind.UNKNOWN_CHECKOUT, FindingKind.ENDED_CHECKOUT, FindingKind.BESIDE_THE_ORDER})


@dataclass(frozen=True)
class ReconciliationInput:
    """Looks at all payments made at the gateway in the last hours; ``fix`` gives back what belongs to nothing."""

    hours: int = 24
    fix: bool = False


@dataclass(frozen=True)
class Finding:
    """A payment at the gateway that does not agree with the shop: what, how much (minor units), and what to do."""

    kind: FindingKind
    payment_id: str
    checkout_id: str
    attempt_id: str
    currency: str
    amount: int
    detail: str
    remedy: str
    #: Whether this run has mended it: given the money back, has it sent back, or written it down.
    fixed: bool = False


@dataclass(frozen=True)
class Unexplained:
    """What a look at the gateway found: how many payments were read, all findings counted, and the first of them."""

    payments: int
    count: int
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Settled:
    """What settling a finding gave back, or wrote down, in minor units; 0 where it was no finding any more."""

    amount: int


@dataclass(frozen=True)
class Reconciled:
    """What a reconciliation came to; ``left``: findings that it did not mend."""

    payments: int
    left: int
    findings: list[Finding] = field(default_factory=list)
