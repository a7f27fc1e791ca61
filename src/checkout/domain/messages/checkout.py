"""The checkout workflow as its clients know it: how it is started, what it is asked, and how it is seen."""

from dataclasses import dataclass, field

from checkout.domain.errors import Failure
from checkout.domain.words import OnShortage, Outcome, State


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
    #: What was in the cart when it was started, for people, such as ``2 MUG, 1 LAMP``.
    items: str = ""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class CheckoutResult:
    """What a checkout workflow returns: completed, expired or cancelled (failed is raised as a typed error)."""

    checkout_id: str
    outcome: Outcome
    order_reference: str | None = None


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
    """The ``cancel`` update: who asks, ``buyer`` or ``ops``, and of ops by what name.

    Why, stands in the log of what admins did: what people write there may be about a buyer (G7).
    """

    by: str = "buyer"
    who: str = ""


@dataclass(frozen=True)
class ConfirmRequest:
    """The ``confirm`` update: the buyer is back from the gateway's page, so it is time to look."""


@dataclass(frozen=True)
class ResolveRequest:
    """The ``resolve`` update: people did by hand what the gateway refused; who.

    What they did and why stands in the log of what admins did, in the row ``action_id`` (G7).
    """

    compensation: str
    who: str
    action_id: int = 0


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
