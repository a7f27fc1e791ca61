"""Errors as Stripe says them (https://docs.stripe.com/api/errors): a type, a code, the parameter at fault."""

from typing import Any

from localstripe.errors import UserError


class ApiError(UserError):  # type: ignore[misc]
    """An error with the fields that localstripe leaves out."""

    def __init__(self, status: int, code: str, message: str, kind: str = "invalid_request_error", **more: Any) -> None:
        super().__init__(status, message)
        self.body["error"] |= {"type": kind, "code": code, **more}


def unexpected_state(intent_id: str, status: str, verb: str) -> ApiError:
    """https://docs.stripe.com/error-codes#payment-intent-unexpected-state."""
    return ApiError(
        400,
        "payment_intent_unexpected_state",
        f"This PaymentIntent ({intent_id}) could not be {verb} because it has a status of {status}.",
    )


def missing(what: str, name: str, status: int = 404) -> ApiError:
    """https://docs.stripe.com/error-codes#resource-missing: 404 for what the path names, 400 for a parameter."""
    return ApiError(status, "resource_missing", f"No such {what}: '{name}'", param=what if status == 400 else "intent")
