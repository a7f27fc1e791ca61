"""The body of every error: RFC 9457 problem details."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class InvalidField(BaseModel):
    """A field that is not valid, and what would be right."""

    field: str
    message: str


class ProblemDetails(BaseModel):
    """An error. ``code`` is for programs, ``detail`` for people; the rest is there where it applies."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[InvalidField] | None = None
    phase: str | None = None
    context: dict[str, Any] | None = None
    checkout_id: str | None = None
    attempts_left: int | None = None


_CHECKOUT = {"checkout_id": "chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy"}

#: What examples have beyond type, title, status and code.
EXAMPLES: dict[str, dict[str, Any]] = {
    "validation_failed": {
        "detail": "Not valid: quantity.",
        "errors": [{"field": "quantity", "message": "must be 1 or more"}],
    },
    "malformed_json": {"detail": "The body is not JSON: Expecting value at character 12."},
    "card_number_refused": {
        "errors": [
            {"field": "payment.token", "message": "looks like a card number: leave it out; a payment takes a token"}
        ]
    },
    "not_ready": {"detail": "Away: worker.", "checks": {"database": "ok", "temporal": "ok", "worker": "away"}},
    "unhealthy": {
        "detail": "No worker asks for work.",
        "reasons": [
            {
                "code": "worker",
                "level": "unhealthy",
                "detail": "No worker asks for work.",
                "remedy": "Start a worker (`checkout worker`), or look at its log.",
                "count": None,
            }
        ],
    },
    "rate_limited": {
        "detail": "5 starts and payments together are taken in 60 s for each session. Send the same request again in "
        "23 s.",
        "context": {"of": "session", "limit": 5, "seconds": 60},
    },
    "too_many_checkouts": {
        "detail": "3 checkouts of this session are running, as many as may at once. Finish or cancel one of them.",
        "context": {"of": "session", "limit": 3},
    },
    "cart_locked": {"detail": "A checkout holds the cart: cancel it to change the cart.", "context": _CHECKOUT},
    "cart_ordered": {
        "detail": "The cart is order ORD-7K2M9QXW4T1B.",
        "context": {"order_reference": "ORD-7K2M9QXW4T1B"},
    },
    "insufficient_stock": {
        "detail": "Not enough in stock of CUP-ESPRESSO-2.",
        "phase": "inventory_reservation",
        "context": {"lines": [{"sku": "CUP-ESPRESSO-2", "requested": 5, "available": 2}]},
        **_CHECKOUT,
    },
    "payment_declined": {
        "detail": "The card was declined.",
        "phase": "payment_authorization",
        "context": {"reason": "card_declined"},
        "attempts_left": 2,
        **_CHECKOUT,
    },
    "payment_not_processed": {
        "detail": "The payment could not be processed, and nothing was charged: it may be sent again.",
        "phase": "payment_authorization",
        "context": {"reason": "not_processed"},
        "attempts_left": 3,
        **_CHECKOUT,
    },
    "total_mismatch": {
        "detail": "The total is 59.38 EUR, not 50.00.",
        "phase": "price_lock",
        "context": {
            "total": 5938,
            "expected_total": 5000,
            "currency": "EUR",
            "changed": ["price"],
            "lines": [
                {"sku": "CUP-ESPRESSO-2", "quantity": 2, "unit_price": 2500, "total": 5355, "changed": ["price"]}
            ],
        },
        **_CHECKOUT,
    },
}
