"""How far a checkout has come: its state, what may be asked of it now, and how it is shown.

Plain values and pure rules, without engine, clock or database: the workflow feeds it results and times, and reads from
it what to answer. All times are aware and in UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from checkout.domain.errors import Failure
from checkout.domain.messages import (
    Authorization,
    CheckoutInput,
    CheckoutView,
    ExtendRequest,
    OrderCreated,
    PayRequest,
    PricesLocked,
    StartRequest,
    Waiting,
)
from checkout.domain.times import rfc3339
from checkout.domain.words import (
    AT_GATEWAY,
    AT_REST,
    CANCELLABLE,
    EXTENDABLE,
    FENCED,
    PAYABLE,
    UNPRICED,
    Outcome,
    PaymentStatus,
    Phase,
    State,
)

_WAITS_FOR = {
    State.AWAITING_PAYMENT: "payment",
    State.REQUIRES_ACTION: "the buyer's approval",
    State.AWAITING_FUNDS: "the bank transfer",
}

CHECKOUT_IN_PROGRESS = "checkout_in_progress"
CHECKOUT_CLOSING = "checkout_closing"
PAYMENT_IN_PROGRESS = "payment_in_progress"
NOT_PAYABLE = "not_payable"
TOTAL_MISMATCH = "total_mismatch"
CHECKOUT_EXPIRED = "checkout_expired"
NOT_EXTENDABLE = "not_extendable"
TOO_LATE = "too_late"
NOT_REFUSED = "not_refused"

#: Who asks to cancel when it is the storefront.
BUYER = "buyer"


#: The last failure by the error's type, as buyers are told of it.
_TROUBLES = {
    "gateway_unavailable": "the payment gateway does not answer",
    "gateway_refused": "the payment gateway refuses",
    "database_error": "the database does not answer",
}


def _in_our_words(trouble: str) -> str:
    """A failure for buyers, who are told nothing of what is inside; ops read it as it is in the workflow's details."""
    kinds = (kind for kind in trouble.split(": ")[:2] if kind in _TROUBLES)
    return f"{_TROUBLES.get(next(kinds, ''), 'something failed')}: it is tried again"


class Versioned(Protocol):
    """A result that carries the version of the checkout's row."""

    @property
    def version(self) -> int:
        """The row's version after the change."""


@dataclass(frozen=True)
class Refusal:
    """Why something asked for is not done: a code for programs and a sentence for people."""

    code: str
    detail: str


@dataclass
class Progress:
    """A checkout as its workflow knows it."""

    checkout: CheckoutInput
    locked_at: datetime
    deadline: datetime = field(init=False)
    state: State = State.PENDING
    #: When the state was entered.
    since: datetime = field(init=False)
    version: int = 0
    currency: str | None = None
    total: int | None = None
    attempts_left: int = field(init=False)
    order_reference: str | None = None
    last_error: Failure | None = None
    failure: Failure | None = None
    outcome: Outcome | None = None
    #: Whether the start has no answer yet: prices are being locked, then perhaps paid at once, or nothing is to pay.
    opening: bool = True
    #: The payment that was taken and is not answered yet.
    payment: PayRequest | None = None
    #: The attempt that counts, from its authorization on, and what it waits for at the gateway.
    attempt_id: str | None = None
    gateway_reference: str | None = None
    waits_for: PaymentStatus | None = None
    #: How often it was said that the attempt may have changed, and how many of these are answered by having looked.
    asked: int = 0
    looked: int = 0
    #: The compensations that run now, and the last failure of what is waited for.
    running: list[str] = field(default_factory=list)
    trouble: str | None = None
    #: Until when a call of the gateway is tried.
    tried_until: datetime | None = None
    #: What ops should know beyond the state, oldest first.
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The deadline is the start plus the ttl that was asked for, within the longest life."""
        limits = self.checkout.limits
        self.deadline = self.locked_at + timedelta(seconds=min(limits.ttl, limits.max_ttl))
        self.since = self.locked_at
        self.attempts_left = limits.payment_attempts

    # -- what happens to it --------------------------------------------------------------------------------------

    def enter(self, state: State, now: datetime) -> None:
        """The checkout stands at ``state`` from ``now`` on."""
        self.state = state
        self.since = now
        self.trouble = self.tried_until = None
        self.opening = self.opening and not self.at_rest

    def saw(self, result: Versioned) -> None:
        """A result was recorded; its row version counts when it is the highest so far."""
        self.version = max(self.version, result.version)

    def priced(self, result: PricesLocked) -> None:
        """The prices are frozen. Total in minor units."""
        self.saw(result)
        self.currency = result.currency
        self.total = result.total

    def attempted(self, result: Authorization) -> None:
        """A payment attempt was authorized or declined, or waits for the buyer or his bank."""
        self.saw(result)
        self.attempts_left = result.attempts_left
        self.last_error = result.declined
        self.waits_for = result.waits_for
        self.gateway_reference = result.gateway_reference

    def ordered(self, result: OrderCreated) -> None:
        """The order exists."""
        self.saw(result)
        self.order_reference = result.order_reference

    def changed(self, attempt_id: str | None = None) -> None:
        """The attempt that counts may have changed at the gateway; news of another one says nothing."""
        if self.attempt_id is not None and attempt_id in {None, self.attempt_id}:
            self.asked += 1

    def ending(self, outcome: Outcome, failure: Failure | None, now: datetime) -> None:
        """From here on everything is given back."""
        self.outcome = outcome
        self.failure = failure
        self.enter(State.COMPENSATING, now)

    def closed(self, outcome: Outcome, now: datetime) -> None:
        """Nothing can happen any more."""
        self.outcome = outcome
        self.payment = None
        self.enter(outcome.state, now)

    def extension(self, request: ExtendRequest, now: datetime) -> datetime:
        """The deadline that the request leads to: now + ttl, within the longest life, never earlier than it was."""
        latest = self.locked_at + timedelta(seconds=self.checkout.limits.max_ttl)
        return max(self.deadline, min(now + timedelta(seconds=request.ttl_seconds), latest))

    def expires_with(self, state: State, now: datetime) -> bool:
        """Whether a phase that found no more time leaves an expired checkout, not a failed one.

        Up to the price lock the time is the checkout's own (and trying stops where the next try would come too late);
        an authorization has a time of its own, and the checkout's may be over with it.
        """
        paying = state in {State.AUTHORIZING, State.REQUIRES_ACTION, State.AWAITING_FUNDS}
        return state in UNPRICED or (paying and now >= self.deadline)

    # -- what may be asked of it ---------------------------------------------------------------------------------

    @property
    def at_rest(self) -> bool:
        """Whether a caller who waits has his answer: the next move is the buyer's, or it is over."""
        if self.state in AT_GATEWAY and self.looking:
            return False
        return self.state.closed or (self.state in AT_REST and self.payment is None)

    @property
    def looking(self) -> bool:
        """Whether it is still to be seen at the gateway what became of the attempt."""
        return self.asked > self.looked

    @property
    def awaits_funds(self) -> bool:
        """Whether the money comes by a bank transfer and is not there yet: the order is made before."""
        return self.waits_for is PaymentStatus.PENDING

    @property
    def cancellable(self) -> bool:
        """Whether ops may cancel: until order creation begins, and as long as a bank transfer is to come."""
        return self.state in CANCELLABLE or (
            self.awaits_funds and self.state in {State.CREATING_ORDER, State.AWAITING_FUNDS}
        )

    @property
    def free(self) -> bool:
        """Whether the prices are locked and there is nothing to pay."""
        return self.total == 0

    def refuses_start(self, request: StartRequest) -> Refusal | None:
        """Why a start does not get this checkout, or None."""
        if request.session_id != self.checkout.session_id:
            return Refusal(CHECKOUT_IN_PROGRESS, "another session is checking this cart out")
        if self.state in FENCED:
            return Refusal(CHECKOUT_CLOSING, "the last checkout of this cart is being closed")
        return None

    def refuses_pay(self, request: PayRequest, now: datetime) -> Refusal | None:
        """Why a payment is not taken, or None."""
        if self.payment is not None or self.state is State.AUTHORIZING:
            return Refusal(PAYMENT_IN_PROGRESS, "a payment of this checkout is being made")
        if self.outcome is Outcome.EXPIRED or (self.state in PAYABLE and now >= self.deadline):
            return Refusal(CHECKOUT_EXPIRED, "the checkout has expired")
        if self.state not in PAYABLE:
            return Refusal(NOT_PAYABLE, f"a checkout that is {self.state.label.lower()} takes no payment")
        if request.expected_total is not None and request.expected_total != self.total:
            return Refusal(
                TOTAL_MISMATCH, f"the total is {self.total}, not {request.expected_total} (minor units of the currency)"
            )
        return None

    def refuses_extend(self, now: datetime) -> Refusal | None:
        """Why the deadline is not moved, or None."""
        if self.outcome is Outcome.EXPIRED or (self.state in EXTENDABLE and now >= self.deadline):
            return Refusal(CHECKOUT_EXPIRED, "the checkout has expired")
        if self.state not in EXTENDABLE or self.payment is not None:
            return Refusal(NOT_EXTENDABLE, f"a checkout that is {self.state.label.lower()} cannot be extended")
        return None

    def refuses_cancel(self, by: str = BUYER) -> Refusal | None:
        """Why it is not cancelled, or None; one that is being undone anyway is not refused.

        Waiting for a bank transfer it is ops' to cancel: the buyer has ordered.
        """
        if self.state in CANCELLABLE or self.state is State.COMPENSATING:
            return None
        if self.cancellable and by != BUYER:
            return None
        if self.state.closed and self.outcome is not Outcome.COMPLETED:
            return None
        return Refusal(TOO_LATE, "the order is being made: the checkout can no longer be cancelled")

    # -- how it is shown -----------------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase | None:
        """The phase that runs or is waited for; of a failed checkout the one that failed."""
        if self.failure is not None and self.failure.phase is not None:
            return Phase(self.failure.phase)
        return self.state.phase

    def waiting_for(self) -> Waiting | None:
        """What a running checkout waits for, since when, and the last failure of it."""
        if self.state.closed:
            return None
        what = _WAITS_FOR.get(self.state) or ", ".join(self.running) or (self.state.phase or self.state)
        return Waiting(str(what), rfc3339(self.since), None if self.trouble is None else _in_our_words(self.trouble))

    def view(self) -> CheckoutView:
        """The checkout for those who ask."""
        return CheckoutView(
            checkout_id=self.checkout.checkout_id,
            cart_id=self.checkout.cart_id,
            session_id=self.checkout.session_id,
            state=self.state,
            version=self.version,
            locked_at=rfc3339(self.locked_at),
            expires_at=rfc3339(self.deadline),
            currency=self.currency,
            total=self.total,
            attempts_left=self.attempts_left,
            last_error=self.last_error,
            failure=self.failure,
            order_reference=self.order_reference,
            waiting_for=self.waiting_for(),
        )
