"""The gateway port: what a checkout asks of a payment gateway, and what every adapter answers.

A payment object is *created* first, which moves no money; its id is stored; only then is it *confirmed*, which
authorizes. So whoever undoes a checkout always knows every object that could come to hold money, and cancelling an
object is its tombstone: a confirm that wakes up later is refused (G5).

All operations may be repeated. Those that change something take an idempotency key (``payments/keys.py``), and beyond
that an object that is already where an operation leads is answered as it is: confirming what is authorized,
capturing what is captured with the same amount, cancelling what is voided.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class GatewayStatus(StrEnum):
    """Where a payment object stands at the gateway.

    ``created`` moves no money. ``requires_action`` waits for the buyer, ``pending`` for the bank. ``declined`` may
    still be confirmed again until it is cancelled. ``voided`` (cancelled, whether it was authorized or not) and
    ``refunded`` (all that was captured went back) are final.
    """

    CREATED = "created"
    REQUIRES_ACTION = "requires_action"
    PENDING = "pending"
    DECLINED = "declined"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    VOIDED = "voided"
    REFUNDED = "refunded"


class DeclineCode(StrEnum):
    """Why a card was declined, in our words; adapters map their gateway's codes to these."""

    CARD_DECLINED = "card_declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a code, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment object as the gateway has it. All amounts are integers in minor units of ``currency``.

    ``amount`` is what it was created for; at rest ``authorized = captured + voided``, and what the shop keeps is
    ``captured - refunded``.
    """

    payment_id: str
    checkout_id: str
    attempt_id: str
    status: GatewayStatus
    currency: str
    amount: int
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    voided: int = 0
    decline_code: DeclineCode | None = None

    @property
    def settled(self) -> bool:
        """Whether it holds no money and never will: final, and nothing of it captured or authorized is left."""
        final = self.status in {GatewayStatus.VOIDED, GatewayStatus.REFUNDED}
        return final and self.captured == self.refunded and self.authorized == self.captured + self.voided


class GatewayError(Exception):
    """What a gateway answers instead of a payment; one of the three below."""


class Declined(GatewayError):
    """The buyer's card was declined: definite for this attempt, another card may do."""

    def __init__(self, code: DeclineCode, payment: Payment | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.payment = payment


class Refused(GatewayError):
    """The gateway refuses the request for good; ``code`` is the gateway's own, ``detail`` its sentence for people."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail or code


class Unavailable(GatewayError):
    """No answer that counts: a timeout, a lost connection, a 5xx, our credentials refused. It may have been done."""


class Gateway(Protocol):
    """A payment gateway. Every operation raises ``Unavailable`` (try again) or ``Refused`` (do not)."""

    async def create(
        self, *, checkout_id: str, attempt_id: str, currency: str, amount: int, method: str, token: str | None, key: str
    ) -> Payment:
        """Make a payment object that moves no money. ``amount``: minor units, at least 1; ``token`` names the card."""
        ...

    async def confirm(self, payment_id: str, *, key: str) -> Payment:
        """Authorize the payment; raises ``Declined``, and ``Refused`` once it was cancelled."""
        ...

    async def capture(self, payment_id: str, *, amount: int, key: str) -> Payment:
        """Take the money, once; ``amount`` in minor units, at most what is authorized. The rest of it is voided."""
        ...

    async def cancel(self, payment_id: str, *, key: str) -> Payment:
        """Void what is not captured; the object can never be confirmed again. Refused once it is captured."""
        ...

    async def refund(self, payment_id: str, *, amount: int, key: str) -> Payment:
        """Give money back; ``amount`` in minor units, at most what is captured and not yet refunded."""
        ...

    async def fetch(self, payment_id: str) -> Payment:
        """The payment as it is now; ``Refused`` when the gateway does not know it."""
        ...

    async def close(self) -> None:
        """Release the adapter's connections."""
        ...
