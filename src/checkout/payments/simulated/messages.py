"""What the gateway takes and answers over HTTP, in its own words. Amounts are integers in minor units."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from checkout.payments.port import GatewayStatus
from checkout.payments.simulated.rules import Record

Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
#: More than any shop sells for, and far from the end of a 64-bit integer.
Amount = Annotated[int, Field(ge=1, le=10**15)]


class Body(BaseModel):
    """A request's body: strict types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class CreateBody(Body):
    """``POST /payments``."""

    checkout_id: Identifier
    attempt_id: Identifier
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    amount: Amount
    method: Annotated[str, Field(pattern="^card$")]
    token: Identifier | None = None


class EmptyBody(Body):
    """``POST /payments/{id}/confirm`` and ``…/cancel``."""


class AmountBody(Body):
    """``POST /payments/{id}/capture`` and ``…/refund``."""

    amount: Amount


def payment_json(record: Record) -> dict[str, Any]:
    """A payment as the API shows it: never its token."""
    return {
        "id": record.payment_id,
        "checkout_id": record.checkout_id,
        "attempt_id": record.attempt_id,
        "status": record.status.value,
        "currency": record.currency,
        "amount": record.amount,
        "authorized": record.authorized,
        "captured": record.captured,
        "refunded": record.refunded,
        "voided": record.voided,
        "unowed": 0,
        "returned": 0,
        "decline_code": record.decline_code,
        "next_action": None,
    }


def error_json(kind: str, code: str, message: str, record: Record | None = None) -> dict[str, Any]:
    """An error: ``type`` is card_error, invalid_request or api_error; a card error carries its payment."""
    error: dict[str, Any] = {"type": kind, "code": code, "message": message}
    if record is not None:
        error["payment"] = payment_json(record)
    return {"error": error}


def ledger_json(record: Record) -> dict[str, Any]:
    """An item of ``GET /ledger``."""
    status = GatewayStatus(record.status).value
    amounts = {name: getattr(record, name) for name in ("authorized", "captured", "refunded", "voided")}
    return {
        "payment_id": record.payment_id,
        "checkout_id": record.checkout_id,
        "currency": record.currency,
        **amounts,
        "status": status,
    }
