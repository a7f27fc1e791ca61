"""What each phase takes and gives, and what the looks at the gateway between them do."""

from dataclasses import dataclass, field

from checkout.domain.errors import Failure
from checkout.domain.events import Announcement
from checkout.domain.words import OnShortage, PaymentStatus


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
    announcement: Announcement | None = None


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
    announcement: Announcement | None = None


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
    announcement: Announcement | None = None


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
