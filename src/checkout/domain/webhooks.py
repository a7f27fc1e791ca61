"""Outgoing webhooks: events as they are sent to others, by Standard Webhooks (https://www.standardwebhooks.com)."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from checkout.domain.events import Announcement

#: The type of the error by which an attempt says that the receiver is gone for good.
GONE = "webhook_gone"
#: The listener that stands for all endpoints: it is called where one of them wants to hear.
WEBHOOKS = "webhooks"

#: Seconds before each next attempt, the last one for all further ones: soon at first, then seldom, for three days. The
#: schedule that Standard Webhooks proposes.
PAUSES = (5, 300, 1800, 7200, 18_000, 36_000)


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


def pause_after(attempt: int) -> int:
    """Seconds between an attempt (counted from 1) and the next."""
    return PAUSES[min(attempt, len(PAUSES)) - 1]


def delivery_id(endpoint_id: str, event_id: str) -> str:
    """The delivery of an event to an endpoint: the same each time."""
    return f"whd_{hashlib.sha256(f'{endpoint_id} {event_id}'.encode()).hexdigest()[:24]}"


def delivery_workflow_id(delivery: str) -> str:
    """The workflow of a delivery."""
    return f"webhook-{delivery}"


@dataclass(frozen=True)
class Planned:
    """The deliveries of one event, one for each endpoint that wants it."""

    deliveries: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Deliver:
    """A delivery to be made."""

    delivery_id: str


@dataclass(frozen=True)
class Delivered:
    """What came of an attempt: the receiver's status; None where nothing was to be sent any more."""

    status: int | None = None


@dataclass(frozen=True)
class Undelivered:
    """A delivery that is given up, and why; ``gone``: the receiver says that it is there no more."""

    delivery_id: str
    reason: str
    gone: bool = False


@dataclass(frozen=True)
class GivenUp:
    """A delivery is given up; ``disabled``: its endpoint with it, since nothing has reached it for as long."""

    endpoint_id: str
    disabled: bool = False
    announcement: Announcement | None = None
