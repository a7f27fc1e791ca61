"""How a payment moves from state to state: pure functions over one record, called under that record's row lock.

The identities they keep, whatever the order of calls: ``0 <= refunded <= captured``, ``captured + voided <=
authorized <= amount``, and in every final state ``authorized = captured + voided``.
"""

from dataclasses import dataclass, replace

from checkout.payments.port import GatewayStatus as Status
from checkout.payments.simulated.tokens import card


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A payment as the gateway keeps it. Amounts are integers in minor units of ``currency``."""

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
    decline_code: str | None = None
    confirm_tries: int = 0


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


def confirm(record: Record) -> Record:
    """Authorize. A payment beyond that is answered as it is; a cancelled one refuses. Raises ``Outage``, ``Refusal``.

    A declined card gives a record in ``declined``, which may be confirmed again until it is cancelled.
    """
    if record.status in {Status.AUTHORIZED, Status.CAPTURED}:
        return record
    if record.status not in {Status.CREATED, Status.DECLINED}:
        raise Refusal(f"payment_{record.status}", f"the payment is {record.status} and cannot be confirmed")
    behaviour = card(record.token)
    tried = replace(record, confirm_tries=record.confirm_tries + 1)
    if tried.confirm_tries <= behaviour.outages:
        raise Outage(tried)
    if behaviour.decline:
        return replace(tried, status=Status.DECLINED, decline_code=behaviour.decline)
    authorized = max(1, record.amount * behaviour.percent // 100)
    return replace(tried, status=Status.AUTHORIZED, authorized=authorized, decline_code=None)


def capture(record: Record, amount: int) -> Record:
    """Take ``amount``, once, and void the rest of the authorization."""
    if record.status == Status.CAPTURED and record.captured == amount:
        return record
    if record.status != Status.AUTHORIZED:
        raise Refusal(f"payment_{record.status}", f"the payment is {record.status} and cannot be captured")
    if amount > record.authorized:
        raise Refusal("amount_too_large", f"{amount} is more than the {record.authorized} authorized")
    if not card(record.token).captures:
        raise Refusal("capture_refused", "the card's bank refuses the capture")
    return replace(record, status=Status.CAPTURED, captured=amount, voided=record.authorized - amount)


def cancel(record: Record) -> Record:
    """Void the whole authorization, or close an object that holds none."""
    if record.status == Status.VOIDED:
        return record
    if record.status in {Status.CAPTURED, Status.REFUNDED}:
        raise Refusal(f"payment_{record.status}", f"the payment is {record.status} and cannot be cancelled")
    return replace(record, status=Status.VOIDED, voided=record.authorized)


def refund(record: Record, amount: int) -> Record:
    """Give ``amount`` back; the status becomes ``refunded`` once nothing captured is left."""
    left = record.captured - record.refunded
    if amount > left:
        raise Refusal("amount_too_large", f"{amount} is more than the {left} captured and not yet refunded")
    refunded = record.refunded + amount
    return replace(record, refunded=refunded, status=Status.REFUNDED if refunded == record.captured else record.status)
