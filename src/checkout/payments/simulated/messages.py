"""What the gateway takes and answers over HTTP, in its own words. Amounts are integers in minor units."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from checkout.payments.port import GatewayStatus
from checkout.payments.simulated.rules import Record

Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
#: More than any shop sells for, and far from the end of a 64-bit integer.
Amount = Annotated[int, Field(ge=1, le=10**15)]
#: Where a buyer comes back to: nothing but a page, since it stands in a page of ours.
ReturnUrl = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s\x00-\x20\"'<>\\]+$")]


class Body(BaseModel):
    """A request's body: strict types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class CreateBody(Body):
    """``POST /payments``."""

    checkout_id: Identifier
    attempt_id: Identifier
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    amount: Amount
    method: Literal["card", "paypal", "bank_transfer"]
    token: Identifier | None = None


class ConfirmBody(Body):
    """``POST /payments/{id}/confirm``."""

    return_url: ReturnUrl | None = None


class EmptyBody(Body):
    """``POST /payments/{id}/cancel``."""


class AmountBody(Body):
    """``POST /payments/{id}/capture``, ``…/refund`` and ``…/return``."""

    amount: Amount


class OutcomeBody(Body):
    """``POST {next_action.url}``: what the buyer decided, or a transfer that arrived (by default, the missing)."""

    outcome: Literal["approve", "deny", "funds_received"]
    amount: Amount | None = None

    @model_validator(mode="after")
    def _amount_of_funds(self) -> Self:
        if self.amount is not None and self.outcome != "funds_received":
            raise ValueError("an amount belongs to funds_received alone")
        return self


def payment_json(record: Record, base_url: str) -> dict[str, Any]:
    """A payment as the API shows it: never its token. ``base_url``: where buyers reach the gateway."""
    return {
        "id": record.payment_id,
        "checkout_id": record.checkout_id,
        "attempt_id": record.attempt_id,
        "method": record.method,
        "status": record.status.value,
        "currency": record.currency,
        "amount": record.amount,
        "authorized": record.authorized,
        "captured": record.captured,
        "refunded": record.refunded,
        "voided": record.voided,
        "unowed": record.unowed,
        "returned": record.returned,
        "decline_code": record.decline_code,
        "next_action": _next_action(record, base_url),
    }


def _next_action(record: Record, base_url: str) -> dict[str, Any] | None:
    url = f"{base_url}/actions/{record.action}"
    if record.status is GatewayStatus.REQUIRES_ACTION:
        return {"type": "redirect", "url": url, "return_url": record.return_url}
    if record.status is GatewayStatus.PENDING:
        return {"type": "bank_details", "url": url, **bank_details(record)}
    return None


def bank_details(record: Record) -> dict[str, Any]:
    """Where the money is to be sent, and how much of it is still missing (minor units)."""
    return {
        "iban": "DE89370400440532013000",  # the example of the IBAN registry: nobody's account
        "bic": "COBADEFFXXX",
        "holder": "Simulated Gateway",
        "reference": record.payment_id.removeprefix("gw_")[:12].upper(),
        "amount": record.missing,
        "currency": record.currency,
    }


def error_json(kind: str, code: str, message: str, payment: dict[str, Any] | None = None) -> dict[str, Any]:
    """An error: ``type`` is card_error, invalid_request or api_error; a card error carries its payment."""
    error: dict[str, Any] = {"type": kind, "code": code, "message": message}
    if payment is not None:
        error["payment"] = payment
    return {"error": error}


def ledger_json(record: Record) -> dict[str, Any]:
    """An item of ``GET /ledger``: all the money of a payment.

    What nobody owed was never asked for and cannot be voided: it counts as authorized and captured when it comes, and
    as refunded when it goes back. So ``authorized = captured + voided`` holds at rest whatever a bank sends, and
    ``captured - refunded`` is all that the shop has of the payment.
    """
    return {
        "payment_id": record.payment_id,
        "checkout_id": record.checkout_id,
        "currency": record.currency,
        "authorized": record.authorized + record.unowed,
        "captured": record.captured + record.unowed,
        "refunded": record.refunded + record.returned,
        "voided": record.voided,
        "status": record.status.value,
    }


def outcome_json(record: Record) -> dict[str, Any]:
    """What a buyer's outcome led to: nothing that only the shop may know."""
    return {
        "status": record.status.value,
        "currency": record.currency,
        "amount": record.amount,
        "missing": record.missing,
        "unowed": record.unowed,
        "return_url": record.return_url,
    }
