"""What a gateway tells the shop unasked: signed events, of which nothing is believed but that it is time to look.

An event may be repeated, late, out of order or lost, so the shop never takes an amount or a state from one. It fetches
the payment that the event names.
"""

from dataclasses import dataclass
from datetime import datetime

#: Seconds that an event's signature may be away from now, by delay or by a wrong clock; what Stripe's libraries take.
TOLERANCE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event whose signature was right. ``id`` is the gateway's own: a repeat has the same one.

    ``type`` is in the gateway's words. ``payment_id`` is None for what concerns no payment. ``created`` is aware.
    """

    id: str
    type: str
    payment_id: str | None
    created: datetime


class BadSignature(ValueError):
    """Not an event of the gateway: the signature is missing, wrong or stale, or what it signs is no event."""
