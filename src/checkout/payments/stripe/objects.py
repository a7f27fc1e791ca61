"""A PaymentIntent and an event of Stripe's in the port's words.

Read with the API version that is pinned (``client.API_VERSION``). Before 2025-03-31 an authorization that was let go
counted as refunded, which it is not here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from checkout.payments.events import Event
from checkout.payments.port import GatewayStatus, NextAction, Payment, Redirect, Unavailable
from checkout.payments.stripe.amounts import from_stripe
from checkout.payments.stripe.declines import decline_code

_STATUSES = {
    "requires_payment_method": GatewayStatus.CREATED,  # or declined: ``last_payment_error`` tells
    "requires_confirmation": GatewayStatus.CREATED,
    "requires_action": GatewayStatus.REQUIRES_ACTION,
    "processing": GatewayStatus.PENDING,
    "requires_capture": GatewayStatus.AUTHORIZED,
    "succeeded": GatewayStatus.CAPTURED,
    "canceled": GatewayStatus.VOIDED,
}


def is_ours(intent: Mapping[str, Any]) -> bool:
    """Whether a checkout made this PaymentIntent: a Stripe account may serve others too."""
    metadata = intent.get("metadata") or {}
    return bool(metadata.get("checkout_id") and metadata.get("attempt_id"))


def payment_of(intent: Mapping[str, Any]) -> Payment:
    """The payment that a PaymentIntent is; its ``latest_charge`` has to be expanded.

    Raises Unavailable for an answer that is none: it says nothing about the payment.
    """
    try:
        return _payment(intent)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unavailable("the gateway's answer is not a payment", repr(error)) from error


def _payment(intent: Mapping[str, Any]) -> Payment:
    currency = str(intent["currency"]).upper()
    status = _STATUSES[intent["status"]]
    failure = intent.get("last_payment_error")
    if intent["status"] == "requires_payment_method" and failure:
        status = GatewayStatus.DECLINED
    authorized, captured, refunded = (from_stripe(amount, currency) for amount in _moved(intent))
    if captured and captured == refunded:
        status = GatewayStatus.REFUNDED
    metadata = intent.get("metadata") or {}
    return Payment(
        payment_id=intent["id"],
        checkout_id=metadata.get("checkout_id", ""),
        attempt_id=metadata.get("attempt_id", ""),
        status=status,
        currency=currency,
        amount=from_stripe(intent["amount"], currency),
        authorized=authorized,
        captured=captured,
        refunded=refunded,
        voided=authorized - captured if intent["status"] in {"canceled", "succeeded"} else 0,
        next_action=_next_action(intent.get("next_action")),
        decline_code=decline_code((failure.get("decline_code"), failure.get("code")))
        if status is GatewayStatus.DECLINED and failure
        else None,
        gateway_code=(failure.get("decline_code") or failure.get("code")) if failure else None,
    )


def _moved(intent: Mapping[str, Any]) -> tuple[int, int, int]:
    """What was authorized, captured and refunded, in Stripe's units.

    A PaymentIntent makes a charge for each try and at most one that succeeds, which is then the latest.
    """
    if intent["status"] == "requires_capture":
        return intent["amount_capturable"], 0, 0
    charge = intent.get("latest_charge")
    if charge is None or charge["status"] != "succeeded":
        return 0, 0, 0
    return charge["amount"], charge.get("amount_captured") or 0, charge["amount_refunded"]


def _next_action(action: Mapping[str, Any] | None) -> NextAction | None:
    if action is None or action["type"] != "redirect_to_url":
        return None
    redirect = action["redirect_to_url"]
    return Redirect(url=redirect["url"], return_url=redirect.get("return_url"))


def event_of(event: Mapping[str, Any]) -> Event:
    """An event whose signature was right. Raises KeyError, TypeError, ValueError for what is none.

    It is about the PaymentIntent that it carries, or to which what it carries belongs (a charge, a refund, a dispute).
    """
    about = event["data"]["object"]
    payment_id = about["id"] if about.get("object") == "payment_intent" else about.get("payment_intent")
    return Event(
        id=str(event["id"]),
        type=str(event["type"]),
        payment_id=payment_id if isinstance(payment_id, str) else None,
        created=datetime.fromtimestamp(int(event["created"]), UTC),
    )
