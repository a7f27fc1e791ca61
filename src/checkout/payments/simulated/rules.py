"""How a payment moves from state to state: pure functions over one record, called under that record's row lock.

The identities they keep, for every method and whatever the order of calls:

- ``0 <= refunded <= captured``, ``captured + voided <= authorized <= amount``, ``0 <= returned <= unowed``;
- in every final state ``authorized = captured + voided``;
- all that a bank ever sent is ``authorized + unowed``.

What a bank transfer brings is authorized as it arrives, up to the amount. Cancelling sends back what has come by then
(``voided``), so a transfer that stays incomplete ends as a card's authorization does. What comes beyond the amount, or
to a payment that takes nothing any more, is in the shop's account with nothing to pay for: ``unowed``.
"""

from dataclasses import dataclass, field, replace
from secrets import token_urlsafe

from checkout.payments.port import GatewayStatus as Status
from checkout.payments.simulated.tokens import Card, behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A payment as the gateway keeps it. Amounts are integers in minor units of ``currency``.

    ``action`` is the secret part of the address where the buyer, or who stands for the bank, acts.
    """

    payment_id: str
    checkout_id: str
    attempt_id: str
    method: str
    token: str | None
    currency: str
    amount: int
    status: Status = Status.CREATED
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    voided: int = 0
    unowed: int = 0
    returned: int = 0
    decline_code: str | None = None
    confirm_tries: int = 0
    return_url: str | None = None
    action: str = field(default_factory=lambda: token_urlsafe(24))

    @property
    def behaviour(self) -> Card:
        """What pays it."""
        return behaviour(self.method, self.token)

    @property
    def missing(self) -> int:
        """What has not been authorized of the amount."""
        return self.amount - self.authorized


class Refusal(Exception):
    """The request cannot be done for good; ``code`` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Outage(Exception):
    """The gateway plays dead for this request; ``record`` counts the try and must be kept."""

    def __init__(self, record: Record) -> None:
        super().__init__("simulated outage")
        self.record = record


# -- what the shop asks for ------------------------------------------------------------------------------------------


def confirm(record: Record, return_url: str | None = None) -> Record:
    """Authorize, or begin to wait for the buyer or the bank. Raises ``Outage``, ``Refusal``.

    A payment beyond that is answered as it is; a cancelled one refuses. A declined card gives a record in
    ``declined``, which may be confirmed again until it is cancelled.
    """
    if record.status in {Status.AUTHORIZED, Status.CAPTURED, Status.REQUIRES_ACTION, Status.PENDING}:
        return record
    if record.status not in {Status.CREATED, Status.DECLINED}:
        raise _not(record, "confirmed")
    tried = replace(record, confirm_tries=record.confirm_tries + 1)
    if tried.confirm_tries <= record.behaviour.outages:
        raise Outage(tried)
    tried = replace(tried, return_url=return_url, decline_code=None)
    if record.method == "bank_transfer":
        return replace(tried, status=Status.PENDING)
    if record.behaviour.approval:
        return replace(tried, status=Status.REQUIRES_ACTION)
    return _authorize(tried)


def capture(record: Record, amount: int) -> Record:
    """Take ``amount``, once, and void the rest of the authorization."""
    if record.status == Status.CAPTURED and record.captured == amount:
        return record
    if record.status != Status.AUTHORIZED:
        raise _not(record, "captured")
    if amount > record.authorized:
        raise Refusal("amount_too_large", f"{amount} is more than the {record.authorized} authorized")
    if not record.behaviour.captures:
        raise Refusal("capture_refused", "the card's bank refuses the capture")
    return replace(record, status=Status.CAPTURED, captured=amount, voided=record.authorized - amount)


def cancel(record: Record) -> Record:
    """Void the whole authorization, send back what a transfer has brought, or close an object that holds nothing."""
    if record.status == Status.VOIDED:
        return record
    if record.status in {Status.CAPTURED, Status.REFUNDED}:
        raise _not(record, "cancelled")
    return replace(record, status=Status.VOIDED, voided=record.authorized)


def refund(record: Record, amount: int) -> Record:
    """Give ``amount`` back; the status becomes ``refunded`` once nothing captured is left."""
    left = record.captured - record.refunded
    if amount > left:
        raise Refusal("amount_too_large", f"{amount} is more than the {left} captured and not yet refunded")
    refunded = record.refunded + amount
    return replace(record, refunded=refunded, status=Status.REFUNDED if refunded == record.captured else record.status)


def return_unowed(record: Record, amount: int) -> Record:
    """Send back ``amount`` of what nobody owed; the payment's status stays what it is."""
    left = record.unowed - record.returned
    if amount > left:
        raise Refusal("amount_too_large", f"{amount} is more than the {left} unowed and not yet returned")
    return replace(record, returned=record.returned + amount)


def short(before: Record, after: Record) -> Record:
    """What comes of a confirm or a capture where one minor unit is missing in the end, if more than that was moved."""
    if after.captured - before.captured > 1:
        return replace(after, captured=after.captured - 1, voided=after.voided + 1)
    if after.authorized - before.authorized > 1:
        return replace(after, authorized=after.authorized - 1)
    return after


# -- what the buyer and his bank do ----------------------------------------------------------------------------------


def approve(record: Record) -> Record:
    """The buyer approves: what pays it decides the rest. Repeated, it changes nothing."""
    if record.status == Status.REQUIRES_ACTION:
        return _authorize(record)
    if record.status in {Status.AUTHORIZED, Status.CAPTURED} and record.behaviour.approval:
        return record
    raise _not(record, "approved")


def deny(record: Record) -> Record:
    """The buyer does not approve. Repeated, it changes nothing."""
    if record.status == Status.REQUIRES_ACTION:
        return replace(record, status=Status.DECLINED, decline_code="not_approved")
    if record.status == Status.DECLINED and record.decline_code == "not_approved":
        return record
    raise _not(record, "denied")


def receive_funds(record: Record, amount: int | None = None) -> Record:
    """A transfer of ``amount`` arrives, by default of what is missing. A bank asks nobody: it comes in any state."""
    if record.method != "bank_transfer":
        raise Refusal("not_a_bank_transfer", f"a payment by {record.method} takes no transfers")
    arrived = record.missing if amount is None else amount
    if arrived < 1:
        raise Refusal("nothing_missing", "nothing is missing any more; a transfer beyond that needs its amount")
    if record.status is not Status.PENDING:
        return replace(record, unowed=record.unowed + arrived)
    taken = min(arrived, record.missing)
    record = replace(record, authorized=record.authorized + taken, unowed=record.unowed + arrived - taken)
    return record if record.missing else replace(record, status=Status.AUTHORIZED)


def _authorize(record: Record) -> Record:
    paying = record.behaviour
    if paying.decline:
        return replace(record, status=Status.DECLINED, decline_code=paying.decline)
    return replace(record, status=Status.AUTHORIZED, authorized=max(1, record.amount * paying.percent // 100))


def _not(record: Record, done: str) -> Refusal:
    return Refusal(f"payment_{record.status}", f"the payment is {record.status} and cannot be {done}")
