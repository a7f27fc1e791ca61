"""Checkouts: what a storefront sends to start, pay and extend one, and what it sees of it."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from checkout.api.card_numbers import looks_like_card_number
from checkout.api.models.base import Amount, Answer, Code, Failure, Money, Request, Time, refused
from checkout.api.models.carts import LINE, PricedLine
from checkout.domain.words import OnShortage, OrderStatus, PaymentStatus, Phase, State


def _token(value: str) -> str:
    if " " in value or looks_like_card_number(value):
        raise refused("must be a token that the payment provider made")
    return value


Ttl = Annotated[int, Field(ge=10, description="Seconds, 10 to the shop's maximum")]


class Payment(Request):
    """How to pay: one of the gateway's methods, and for a card the token that the payment gateway made of it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"method": "card", "token": "tok_visa"}, {"method": "paypal"}]}
    )

    method: Annotated[Code, Field(description="card, paypal or bank_transfer, where the gateway offers it")]
    token: Annotated[Code, AfterValidator(_token)] | None = None


class Pay(Payment):
    """A payment, and the total that the buyer was shown."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"method": "card", "token": "tok_visa", "expected_total": 5938}]}
    )

    expected_total: Amount | None = None


class Start(Request):
    """A checkout to be started."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"cart_id": "cart_4x8pk2mvq0tz9d3h7wca"},
                {
                    "cart_id": "cart_4x8pk2mvq0tz9d3h7wca",
                    "ttl_seconds": 900,
                    "expected_total": 5938,
                    "on_shortage": "reduce",
                    "payment": {"method": "card", "token": "tok_visa"},
                },
            ]
        }
    )

    cart_id: Code
    ttl_seconds: Ttl | None = None
    expected_total: Amount | None = None
    on_shortage: Annotated[OnShortage, Field(strict=False)] = OnShortage.FAIL
    payment: Payment | None = None


class Extend(Request):
    """The deadline to be moved: now + ttl."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ttl_seconds": 900}]})

    ttl_seconds: Ttl


class Nothing(Request):
    """An empty object; the body may as well be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class CheckoutQuery(BaseModel):
    """The query of one checkout."""

    model_config = ConfigDict(extra="forbid")

    live: Annotated[bool, Field(description="Ask the workflow as well")] = False


class Totals(Answer):
    """total = sub_total - discount_total + shipping_total + tax_total, all in minor units."""

    sub_total: Money
    discount_total: Money
    shipping_total: Money
    tax_total: Money
    total: Money


class Adjustment(Answer):
    """A line of which less was taken than was wanted (``on_shortage: reduce``)."""

    sku: str
    requested: int
    taken: int


class PaymentState(Answer):
    """Where the payment stands."""

    method: str | None
    status: PaymentStatus
    amount: Annotated[int | None, Field(description="Minor units; null until prices are locked")]
    attempts_left: int


class OrderState(Answer):
    """The order of a checkout."""

    reference: str
    status: OrderStatus


class Waiting(Answer):
    """What a running checkout waits for, since when, and the last failure of it."""

    what: str
    since: str
    last_error: str | None


def _checkout(**changes: Any) -> dict[str, Any]:
    shown = {
        "id": "chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy",
        "cart_id": "cart_4x8pk2mvq0tz9d3h7wca",
        "version": 3,
        "state": "awaiting_payment",
        "state_name": "Awaiting payment",
        "phase": "payment_authorization",
        "locked": True,
        "can_resume": True,
        "can_cancel": True,
        "can_extend": True,
        "server_time": "2026-01-31T12:00:01Z",
        "created_at": "2026-01-31T12:00:00Z",
        "locked_at": "2026-01-31T12:00:00Z",
        "expires_at": "2026-01-31T12:15:00Z",
        "completed_at": None,
        "failed_at": None,
        "currency": "EUR",
        "totals": {
            "sub_total": 5000,
            "discount_total": 500,
            "shipping_total": 490,
            "tax_total": 948,
            "total": 5938,
        },
        "lines": [LINE],
        "adjustments": [],
        "payment": {"method": None, "status": "none", "amount": 5938, "attempts_left": 3},
        "next_action": None,
        "last_error": None,
        "failure": None,
        "order": None,
    }
    return shown | changes


AWAITING_PAYMENT = _checkout()
#: What a checkout shows before its prices are locked.
_UNPRICED: dict[str, Any] = {
    "can_extend": False,
    "totals": None,
    "lines": [],
    "payment": {"method": None, "status": "none", "amount": None, "attempts_left": 3},
}
VALIDATING = _checkout(
    version=0, state="validating", state_name="Validating", phase="cart_validation", currency=None, **_UNPRICED
)
AUTHORIZING = _checkout(version=4, state="authorizing", state_name="Authorizing", can_extend=False)
COMPLETED = _checkout(
    version=8,
    state="completed",
    state_name="Completed",
    phase=None,
    locked=False,
    can_resume=False,
    can_cancel=False,
    can_extend=False,
    completed_at="2026-01-31T12:00:02Z",
    payment={"method": "card", "status": "captured", "amount": 5938, "attempts_left": 2},
    order={"reference": "ORD-7K2M9QXW4T1B", "status": "paid"},
)
_GIVING_BACK: dict[str, Any] = {"phase": None, "can_resume": False, "can_cancel": False, "can_extend": False}
COMPENSATING = _checkout(version=4, state="compensating", state_name="Compensating", **_GIVING_BACK)
CANCELLED = _checkout(
    version=6,
    state="cancelled",
    state_name="Cancelled",
    locked=False,
    failed_at="2026-01-31T12:00:02Z",
    **_GIVING_BACK,
)
#: The examples by name.
EXAMPLES: dict[str, dict[str, Any]] = {
    example["state"]: example
    for example in (AWAITING_PAYMENT, VALIDATING, AUTHORIZING, COMPLETED, COMPENSATING, CANCELLED)
}
EVENT = (
    "event: checkout\nid: 4\ndata: " + json.dumps(AUTHORIZING) + "\n\n"
    "event: checkout\nid: 8\ndata: " + json.dumps(COMPLETED) + "\n\n"
)


class Checkout(Answer):
    """A checkout. ``totals`` is null and ``lines`` is empty until its prices are locked."""

    model_config = ConfigDict(json_schema_extra={"examples": [AWAITING_PAYMENT]})

    id: str
    cart_id: str
    version: Annotated[int, Field(description="Grows with every change")]
    state: State
    state_name: str
    phase: Phase | None
    locked: Annotated[bool, Field(description="Whether it holds its cart")]
    can_resume: Annotated[bool, Field(description="Whether the buyer can still go on with it")]
    can_cancel: bool
    can_extend: bool
    server_time: Time
    created_at: Time
    locked_at: Time
    expires_at: Time | None
    completed_at: Time | None
    failed_at: Time | None
    currency: str | None
    totals: Totals | None
    lines: list[PricedLine]
    adjustments: list[Adjustment]
    payment: PaymentState
    next_action: dict[str, Any] | None
    last_error: Failure | None
    failure: Failure | None
    order: OrderState | None


class LiveCheckout(Checkout):
    """A checkout, with what it waits for when ``live=true`` was asked."""

    waiting_for: Waiting | None = None


class CartCheckout(Answer):
    """Whether a cart can be checked out, why not, and the checkout that holds it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"locked": False, "can_checkout": False, "reasons": ["address_missing"], "checkout": None},
                {"locked": True, "can_checkout": False, "reasons": ["cart_locked"], "checkout": AWAITING_PAYMENT},
            ]
        }
    )

    locked: bool
    can_checkout: bool
    reasons: Annotated[list[str], Field(description="Codes of what stands in the way")]
    checkout: Checkout | None
