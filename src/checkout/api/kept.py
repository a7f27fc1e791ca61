"""A checkout's answer as it is kept: rendered once, so that reading it again costs little more than the request."""

from dataclasses import dataclass
from datetime import UTC, datetime

from checkout.api.models.checkouts import LiveCheckout
from checkout.domain.times import rfc3339
from checkout.store.checkouts import CheckoutRecord
from checkout.store.owner import Owner

_NOW = b'"server_time":"'


@dataclass(frozen=True, slots=True)
class Kept:
    """The JSON around ``server_time``, which is always now, and whose it is."""

    owner_session: str
    owner_customer: str | None
    head: bytes
    tail: bytes

    @classmethod
    def of(cls, record: CheckoutRecord, answer: LiveCheckout) -> "Kept":
        """The answer that was made of a row."""
        body = answer.model_dump_json().encode()
        start = body.index(_NOW) + len(_NOW)  # before it stands no text of anybody else's
        return cls(record.owner_session, record.owner_customer, body[:start], body[body.index(b'"', start) :])

    def owned_by(self, owner: Owner) -> bool:
        """Whether the one who asks owns its cart."""
        return owner.owns(self.owner_session, self.owner_customer)

    def body(self) -> bytes:
        """The answer now."""
        return self.head + rfc3339(datetime.now(UTC)).encode() + self.tail


def holds_for(answer: LiveCheckout, longest: float) -> float:
    """Seconds for which the answer holds though nothing changes: past the deadline it cannot be extended any more."""
    if not answer.can_extend or answer.expires_at is None:
        return longest
    return min(longest, (answer.expires_at - answer.server_time).total_seconds())
