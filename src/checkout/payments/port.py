"""The gateway port: what a checkout asks of a payment gateway, and what every adapter answers.

A payment object is *created* first, which moves no money; its id is stored; only then is it *confirmed*, which
authorizes. So whoever undoes a checkout always knows every object that could come to hold money, and cancelling an
object is its tombstone: a confirm that wakes up later is refused (G5).

Confirming leads to one of four: *authorized*; *declined*; *requires_action*, the buyer has to approve somewhere else
(3-D Secure, PayPal); *pending*, the buyer was told where to send the money (a bank transfer). From the last two a
payment goes on without the shop. The gateway then sends an event, and whoever waits fetches the payment.

All operations may be repeated. Those that change something take an idempotency key (``payments/keys.py``), and beyond
that an object that is already where an operation leads is answered as it is: confirming what is authorized,
capturing what is captured with the same amount, cancelling what is voided. The answer to a repeated key is the answer
of then: where a payment may have gone on since, ``fetch`` tells.
"""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from checkout.payments.events import Event
from checkout.payments.methods import Method


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
    """Why a payment attempt came to nothing, in our words; adapters map their gateway's codes to these."""

    CARD_DECLINED = "card_declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a code, not a secret
    #: The buyer, or the bank that asked him, did not approve it (3-D Secure, PayPal).
    NOT_APPROVED = "not_approved"
    #: Nobody has decided about the card: the bank was not reached, or failed. That is no decline.
    NOT_PROCESSED = "not_processed"

    @property
    def costs_an_attempt(self) -> bool:
        """Whether it was the card, or its holder: an error of the system is not counted against him."""
        return self is not DeclineCode.NOT_PROCESSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """The buyer has to go to ``url`` and approve; from there the gateway leads him back to ``return_url``, if any."""

    url: str
    return_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankDetails:
    """The buyer has to transfer ``amount`` (minor units; what is still missing) with ``reference`` as its purpose.

    ``url`` shows the same to people.
    """

    url: str
    iban: str
    bic: str
    holder: str
    reference: str
    amount: int
    currency: str


NextAction = Redirect | BankDetails


def next_action_document(action: NextAction) -> dict[str, Any]:
    """What the buyer has to do, as storefronts are told: ``type`` redirect or bank_details, and the fields it has."""
    kind = "redirect" if isinstance(action, Redirect) else "bank_details"
    return {"type": kind} | {name: value for name, value in asdict(action).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment object as the gateway has it. All amounts are integers in minor units of ``currency``.

    ``amount`` is what it was created for; at rest ``authorized = captured + voided``, and what the shop keeps of it is
    ``captured - refunded``. ``next_action`` is there as long as the buyer has something to do.

    What a bank transfer brings is authorized as it arrives, up to ``amount``: less leaves the payment pending and
    ``missing`` says how much. What comes beyond it, or once the payment is authorized or final, can pay for nothing:
    it is ``unowed`` (in all, ever) and goes back by ``return_unowed`` (``returned`` of it so far).
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
    unowed: int = 0
    returned: int = 0
    decline_code: DeclineCode | None = None
    #: Why it was declined in the gateway's own word, for ops.
    gateway_code: str | None = None
    next_action: NextAction | None = None

    @property
    def settled(self) -> bool:
        """Whether it holds no money: final, nothing captured, authorized or unowed is left.

        It can hold none again by anything that the shop does; only a bank can still send money to it (``unowed``).
        """
        final = self.status in {GatewayStatus.VOIDED, GatewayStatus.REFUNDED}
        given_back = self.captured == self.refunded and self.unowed == self.returned
        return final and given_back and self.authorized == self.captured + self.voided

    @property
    def missing(self) -> int:
        """What has not been authorized of the amount, in minor units: of a pending transfer, what is still to come."""
        return self.amount - self.authorized


class GatewayError(Exception):
    """What a gateway answers instead of a payment; one of the three below."""


class Declined(GatewayError):
    """The attempt came to nothing: the card was declined, or (``NOT_PROCESSED``) nobody could decide about it.

    Definite for this payment object, which holds nothing; another attempt may do.

    ``gateway_code`` and ``detail`` are the gateway's own words, which ops see and buyers never do.
    """

    def __init__(
        self,
        code: DeclineCode,
        payment: Payment | None = None,
        *,
        gateway_code: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.payment = payment
        self.gateway_code = gateway_code
        self.detail = detail


class Refused(GatewayError):
    """The gateway refuses the request for good; ``code`` and ``detail`` are its own words, for ops alone.

    Histories keep the code, so one that is no word for programs is ``unknown`` and stands in the detail (G7).
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code if _CODE.fullmatch(code) else "unknown"
        self.detail = detail if detail and self.code == code else f"{code}: {detail}" if detail else code


_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class Unavailable(GatewayError):
    """No answer that counts: a timeout, a lost connection, a 5xx, our credentials refused. It may have been done.

    ``str()`` is ours, and histories keep it: which call it was, and how it failed. What the gateway, or a proxy in its
    place, said beside that may repeat what was sent to it: ``said`` is for ops alone (G7).
    """

    def __init__(self, why: str, said: str = "") -> None:
        super().__init__(why)
        self.said = said


class Gateway(Protocol):
    """A payment gateway. Every operation raises ``Unavailable`` (try again) or ``Refused`` (do not)."""

    @property
    def name(self) -> str:
        """By what the shop calls it: the value of its setting, and the last part of its webhooks' address."""
        ...

    @property
    def methods(self) -> tuple[Method, ...]:
        """What buyers may pay with, and what its tokens look like (``payments/methods.py``)."""
        ...

    async def create(
        self, *, checkout_id: str, attempt_id: str, currency: str, amount: int, method: str, token: str | None, key: str
    ) -> Payment:
        """Make a payment object that moves no money. ``amount``: minor units, at least 1; ``token`` names the card.

        Raises ``Declined`` where the token is none that the gateway knows.
        """
        ...

    async def confirm(self, payment_id: str, *, key: str, return_url: str | None = None) -> Payment:
        """Authorize the payment, or ask the buyer for what it needs (``next_action``).

        ``return_url`` is where the buyer comes back to from the gateway's page; the same in every repeat. Raises
        ``Declined``, and ``Refused`` once it was cancelled.
        """
        ...

    async def capture(self, payment_id: str, *, amount: int, key: str) -> Payment:
        """Take the money, once; ``amount`` in minor units, at most what is authorized. The rest of it is voided."""
        ...

    async def cancel(self, payment_id: str, *, key: str) -> Payment:
        """Void what is not captured; the object can never be confirmed again. Refused once it is captured.

        What a bank transfer has brought so far is sent back by the gateway.
        """
        ...

    async def refund(self, payment_id: str, *, amount: int, key: str) -> Payment:
        """Give money back; ``amount`` in minor units, at most what is captured and not yet refunded."""
        ...

    async def return_unowed(self, payment_id: str, *, amount: int, key: str) -> Payment:
        """Send back what nobody owed; ``amount`` in minor units, at most what is unowed and not yet returned.

        Refused by a gateway that takes no bank transfers: nothing is ever unowed there.
        """
        ...

    async def fetch(self, payment_id: str) -> Payment:
        """The payment as it is now; ``Refused`` when the gateway does not know it."""
        ...

    def list_payments(self, *, since: datetime) -> AsyncIterator[Payment]:
        """Every payment that was created at or after an (aware) time, oldest first, page by page as it is asked for."""
        ...

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> Event:
        """The event that a webhook brought; ``headers`` by names in lower case (or whatever their case), the raw body.

        Raises BadSignature where it is missing, wrong, stale (``events.TOLERANCE``), or signs no event.
        """
        ...

    async def close(self) -> None:
        """Release the adapter's connections."""
        ...
