"""Idempotency keys at the gateway: the same for every repeat of one operation of one payment attempt.

They are derived, never stored, so that an activity that starts again on another machine sends what the first one
sent. A key holds the checkout and the attempt, so no two checkouts can ever meet in one.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AttemptKeys:
    """The keys of one payment attempt of a checkout."""

    checkout_id: str
    attempt_id: str

    def create(self) -> str:
        """Key for making the payment object."""
        return self._key("create")

    def confirm(self) -> str:
        """Key for authorizing it."""
        return self._key("confirm")

    def capture(self) -> str:
        """Key for capturing it."""
        return self._key("capture")

    def cancel(self) -> str:
        """Key for voiding it."""
        return self._key("cancel")

    def refund(self, *, refunded: int, until: int) -> str:
        """Key for the refund that takes ``refunded`` to ``until`` (minor units).

        Both ends are in it: a settling that finds another refund done in between asks for a different step, and must
        not be given the answer to the first.
        """
        return self._key(f"refund:{refunded}:{until}")

    def refund_after_sale(self, refund_id: str) -> str:
        """Key for one refund of the order that this attempt paid: the refund's own, so that it happens once."""
        return self._key(f"refund:{refund_id}")

    def return_unowed(self, *, returned: int, until: int) -> str:
        """Key for sending back what nobody owed, from ``returned`` to ``until`` (minor units)."""
        return self._key(f"return_unowed:{returned}:{until}")

    def _key(self, operation: str) -> str:
        return f"{self.checkout_id}:{self.attempt_id}:{operation}"
