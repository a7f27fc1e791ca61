"""What a checkout tells the world: its events, and who wants to hear of them.

An event carries ids and amounts (minor units), never addresses or e-mails (G7): a listener loads those from the
database. A fact that is added gets a default, so that what was announced before is still understood.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from checkout.domain.ids import event_id
from checkout.domain.words import Outcome


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a checkout, once: ``id`` is the same however often it is told.

    ``at`` is when it happened (RFC 3339, UTC).
    """

    #: What the event is called outside of Python.
    NAME: ClassVar[str]

    checkout_id: str
    cart_id: str
    at: str
    customer_id: str | None = None

    @property
    def id(self) -> str:
        """A checkout has each event at most once."""
        return event_id(self.NAME, self.checkout_id)


@dataclass(frozen=True, kw_only=True)
class CheckoutStarted(Event):
    """A cart is locked and valid: so many lines and units of it are to be bought."""

    NAME = "checkout.started"

    currency: str
    lines: int
    units: int
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class OrderPlaced(Event):
    """The order exists. It is not paid yet; ``awaits_funds``: the money is to come by a bank transfer."""

    NAME = "order.placed"

    order_reference: str
    currency: str
    total: int
    awaits_funds: bool = False


@dataclass(frozen=True, kw_only=True)
class CheckoutCompleted(Event):
    """The order is paid, and its units have left the stock."""

    NAME = "checkout.completed"

    order_reference: str
    currency: str
    total: int


@dataclass(frozen=True, kw_only=True)
class CheckoutFailed(Event):
    """A checkout ended without an order, and all it held is given back: it failed, expired or was cancelled.

    ``code``, ``phase`` and ``detail`` say why a failed one did; ``refused``: that was the buyer's doing, not the
    shop's. Currency, total and order (cancelled now) are those it had come to.
    """

    NAME = "checkout.failed"

    outcome: Outcome
    code: str | None = None
    phase: str | None = None
    detail: str | None = None
    refused: bool = False
    currency: str | None = None
    total: int | None = None
    order_reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class WebhookDisabled(Event):
    """Nothing is sent to an endpoint any more, and why; the checkout is that of the last event it did not take.

    For the shop itself: no endpoint is told.
    """

    NAME = "webhook.disabled"

    endpoint_id: str
    reason: str

    @property
    def id(self) -> str:
        """An endpoint may be disabled again, for another checkout."""
        return event_id(self.NAME, f"{self.endpoint_id} {self.checkout_id}")


#: Every event of a checkout by its name: what endpoints may be told.
EVENTS: Mapping[str, type[Event]] = MappingProxyType(
    {kind.NAME: kind for kind in (CheckoutStarted, OrderPlaced, CheckoutCompleted, CheckoutFailed)}
)

_ALL: Mapping[str, type[Event]] = MappingProxyType({**EVENTS, WebhookDisabled.NAME: WebhookDisabled})


@dataclass(frozen=True)
class Call:
    """A listener that is to hear of an event, so many seconds after it happened."""

    listener: str
    after: int = 0


@dataclass(frozen=True)
class Announcement:
    """An event, and who wanted to hear of it when it happened: that is decided once, and recorded."""

    event: str
    facts: dict[str, Any]
    calls: list[Call]

    @property
    def workflow_id(self) -> str:
        """The workflow that tells the listeners: one for each event of a checkout, or of an endpoint and a checkout."""
        endpoint = f"{self.facts['endpoint_id']}-" if "endpoint_id" in self.facts else ""
        return f"notify-{self.event}-{endpoint}{self.facts['checkout_id']}"


@dataclass(frozen=True)
class Telling:
    """One listener is told of one event."""

    listener: str
    event: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """How many listeners have heard."""

    listeners: int


def announcement(event: Event, calls: list[Call]) -> Announcement | None:
    """The event for those who want to hear of it, None where nobody does."""
    return Announcement(event.NAME, dataclasses.asdict(event), calls) if calls else None


def event_of(name: str, facts: Mapping[str, Any]) -> Event:
    """The event as it was. Facts that this version does not know are left out.

    Raises LookupError where it does not know the event.
    """
    kind = _ALL[name]
    known = {field.name for field in dataclasses.fields(kind)}
    given = {fact: value for fact, value in facts.items() if fact in known}
    if "outcome" in given:
        given["outcome"] = Outcome(given["outcome"])
    return kind(**given)
