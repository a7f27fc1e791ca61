"""What crosses a process boundary: one dataclass for each message of the workflow and its activities.

Histories keep these, so they carry ids, amounts (integers in minor units) and references, never addresses, e-mails,
card data or tokens (G7). Times are RFC 3339 in UTC. A field that is added gets a default, so that old histories replay.
"""

from dataclasses import dataclass, field

from checkout.domain.errors import Failure
from checkout.domain.words import OnShortage, Outcome, PaymentStatus, State


@dataclass(frozen=True)
class Limits:
    """The settings that a checkout lives by; fixed when it starts. Seconds, but for what says otherwise."""

    ttl: int = 900
    max_ttl: int = 3600
    payment_auth_timeout: int = 300
    payment_capture_timeout: int = 3600
    payment_attempts: int = 3
    #: How long a bank transfer may take, and how often the gateway is asked for it though it sent no event.
    funds_timeout: int = 259_200
    funds_poll: int = 3600
    #: How far prices may move between snapshot and order before it is logged, in minor units.
    price_drift_tolerance: int = 1
    #: How long a compensation that was refused as if for good waits, for people to mend the cause, before its next try.
    refused_compensation_pause: int = 300


@dataclass(frozen=True)
class CheckoutInput:
    """The start of a checkout workflow. ``limits.ttl`` holds the ttl that was asked for."""

    checkout_id: str
    cart_id: str
    session_id: str
    customer_id: str | None = None
    expected_total: int | None = None
    on_shortage: OnShortage = OnShortage.FAIL
    #: The stored payment attempt of an express checkout.
    attempt_id: str | None = None
    #: Where the buyer comes back to from a page of the gateway.
    return_url: str | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class CheckoutResult:
    """What a checkout workflow returns: completed, expired or cancelled (failed is raised as a typed error)."""

    checkout_id: str
    outcome: Outcome
    order_reference: str | None = None


# -- updates and queries ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StartRequest:
    """The ``start`` update: the caller's session and the checkout that it would have begun."""

    session_id: str
    checkout_id: str


@dataclass(frozen=True)
class PayRequest:
    """The ``pay`` update: a stored attempt, and the total the buyer was shown (minor units) when the caller says so."""

    attempt_id: str
    expected_total: int | None = None


@dataclass(frozen=True)
class ExtendRequest:
    """The ``extend`` update: deadline = now + ttl (seconds), cut to the maximum, never earlier than it was."""

    ttl_seconds: int


@dataclass(frozen=True)
class CancelRequest:
    """The ``cancel`` update: who asks (``buyer`` or ``ops``) and, for ops, why and by what name."""

    by: str = "buyer"
    reason: str = ""
    who: str = ""


@dataclass(frozen=True)
class ConfirmRequest:
    """The ``confirm`` update: the buyer is back from the gateway's page, so it is time to look."""


@dataclass(frozen=True)
class ResolveRequest:
    """The ``resolve`` update: people did by hand what the gateway refused; who, why, and what they did."""

    compensation: str
    who: str
    reason: str
    done: str


@dataclass(frozen=True)
class PaymentChanged:
    """The ``payment_changed`` signal: the gateway sent an event about an attempt. Nothing of it is believed."""

    attempt_id: str


@dataclass(frozen=True)
class CheckoutView:
    """A checkout as its workflow sees it: the answer of every update and of the ``view`` query.

    ``version`` is the row's version after the last change that the workflow made, 0 before the first.
    """

    checkout_id: str
    cart_id: str
    session_id: str
    state: State
    version: int = 0
    locked_at: str | None = None
    expires_at: str | None = None
    currency: str | None = None
    total: int | None = None
    attempts_left: int = 3
    last_error: Failure | None = None
    failure: Failure | None = None
    order_reference: str | None = None
    waiting_for: "Waiting | None" = None


@dataclass(frozen=True)
class Waiting:
    """What a running checkout waits for, since when, and the last failure of it in words that buyers may read."""

    what: str
    since: str
    last_error: str | None = None


# -- phases ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CartValidationInput:
    """Locks the cart for this checkout and records the checkout."""

    checkout_id: str
    cart_id: str
    session_id: str
    customer_id: str | None
    workflow_id: str
    run_id: str
    locked_at: str
    expires_at: str
    on_shortage: OnShortage
    payment_attempts: int


@dataclass(frozen=True)
class CartValidated:
    """The cart is locked: its currency and how much is in it."""

    version: int
    currency: str
    lines: int
    units: int


@dataclass(frozen=True)
class PhaseInput:
    """A phase of a checkout that needs nothing but to know which."""

    checkout_id: str
    cart_id: str


@dataclass(frozen=True)
class Adjustment:
    """A line of which less was taken than wanted (``on_shortage: reduce``)."""

    sku: str
    requested: int
    taken: int


@dataclass(frozen=True)
class StockReserved:
    """Units are held for all lines."""

    version: int
    units: int
    warehouses: list[str]
    adjustments: list[Adjustment] = field(default_factory=list)


@dataclass(frozen=True)
class PriceLockInput:
    """Freezes the prices; ``expected_total`` (minor units) is compared when the caller gave one."""

    checkout_id: str
    cart_id: str
    expected_total: int | None = None


@dataclass(frozen=True)
class PricesLocked:
    """The frozen total, in minor units."""

    version: int
    currency: str
    total: int


@dataclass(frozen=True)
class AuthorizationInput:
    """Authorizes the frozen total by a stored attempt; ``return_url`` is where the buyer comes back to."""

    checkout_id: str
    cart_id: str
    attempt_id: str
    return_url: str | None = None


@dataclass(frozen=True)
class PaymentCheckInput:
    """Looks at the gateway for what became of an attempt that the buyer was to approve, or that awaits its funds."""

    checkout_id: str
    cart_id: str
    attempt_id: str


@dataclass(frozen=True)
class Authorization:
    """What came of an attempt: authorized, or declined with our code and what may still be tried.

    ``waits_for`` is set where neither has happened yet: ``requires_action`` (the buyer has to approve; where, only the
    checkout's row says, since whoever knows the address may approve) or ``pending`` (a bank transfer is to come).
    """

    version: int
    authorized: bool
    attempts_left: int
    declined: Failure | None = None
    gateway_reference: str | None = None
    waits_for: PaymentStatus | None = None


@dataclass(frozen=True)
class OrderCreationInput:
    """Makes the order from the snapshot; a price drift beyond the tolerance (minor units) is logged.

    ``funds_until``: when the money is still to come, the time until which it may.
    """

    checkout_id: str
    cart_id: str
    price_drift_tolerance: int
    funds_until: str | None = None


@dataclass(frozen=True)
class OrderCreated:
    """The order exists."""

    version: int
    order_reference: str


@dataclass(frozen=True)
class Funds:
    """What a bank transfer has brought: all of it, or what is missing; ``unowed`` came beyond it (minor units)."""

    version: int
    arrived: bool
    missing: int
    unowed: int = 0


@dataclass(frozen=True)
class UnowedInput:
    """Sends back what a bank sent to a payment beyond what was owed, or too late."""

    payment_id: str
    checkout_id: str
    attempt_id: str


@dataclass(frozen=True)
class Returned:
    """What was sent back, in minor units; 0 where nothing was unowed."""

    amount: int


@dataclass(frozen=True)
class Captured:
    """The money is ours: the captured amount in minor units."""

    version: int
    amount: int


@dataclass(frozen=True)
class StockCommitted:
    """The units have left the warehouses and the checkout is completed."""

    version: int
    units: int


@dataclass(frozen=True)
class ExtensionInput:
    """Moves the deadline in the row."""

    checkout_id: str
    cart_id: str
    expires_at: str


@dataclass(frozen=True)
class Extended:
    """The deadline as the row has it now."""

    version: int
    expires_at: str


# -- compensations ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CompensationInput:
    """Undoes a phase. Carries what a tombstone needs when no phase has written the checkout's row yet."""

    checkout_id: str
    cart_id: str
    session_id: str
    customer_id: str | None
    workflow_id: str
    run_id: str
    locked_at: str
    outcome: Outcome
    failure: Failure | None = None


@dataclass(frozen=True)
class Compensated:
    """A phase is undone; how many units, orders or payments that concerned."""

    version: int
    count: int = 0


@dataclass(frozen=True)
class ByHandInput:
    """Takes a compensation at the gateway for done, because people did it by hand."""

    undoing: CompensationInput
    resolved: ResolveRequest

    @property
    def checkout_id(self) -> str:
        """Whose compensation it is."""
        return self.undoing.checkout_id
