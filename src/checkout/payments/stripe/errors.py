"""What Stripe answers instead of an object, in the port's words.

Source: https://docs.stripe.com/error-handling and https://docs.stripe.com/error-low-level. Only an answer about the
payment is definite. All else is tried again and seen by ops, in a sentence that repeats nothing secret.
"""

import aiohttp
import stripe

from checkout.payments.port import Declined, GatewayError, Refused, Unavailable
from checkout.payments.stripe.declines import decline_code
from checkout.payments.stripe.objects import payment_of
from checkout.runtime.settings import PREFIX

#: What a call may raise.
FAILURES = (stripe.StripeError, aiohttp.ClientError, TimeoutError)
#: The parameters in which a buyer's token is passed on.
_TOKEN_PARAMETERS = frozenset({"payment_method", "card[token]", "card"})
#: Of parameters of ours, although they sound like the buyer's.
_OURS = frozenset({"payment_method_types_no_longer_supported"})


def gateway_error(failure: Exception, *, card_matters: bool) -> GatewayError:
    """The port's error for one of FAILURES. ``card_matters``: whether the operation is one that a card can fail."""
    if isinstance(failure, stripe.IdempotencyError) and failure.http_status == 400:
        return Refused("idempotency_key_reused", _sentence(failure))
    if isinstance(failure, stripe.CardError):
        return _declined(failure) if card_matters else Refused(failure.code or "card_error", _sentence(failure))
    if isinstance(failure, stripe.InvalidRequestError):
        if card_matters and _is_about_the_token(failure):
            return Declined(decline_code(("resource_missing",)), gateway_code=failure.code, detail=_sentence(failure))
        return Refused(failure.code or "invalid_request", _sentence(failure))
    return Unavailable(_why(failure), _sentence(failure) if isinstance(failure, stripe.StripeError) else str(failure))


def is_busy(failure: Exception) -> bool:
    """Whether the same request, or another one about the same object, is under way: its end is a moment away."""
    if not isinstance(failure, stripe.StripeError):
        return False
    # The library keeps the code of a 429 in the error's body alone.
    code = None if failure.error is None else failure.error.to_dict().get("code")
    return failure.http_status == 409 or code == "lock_timeout"


def is_kept_fault(failure: Exception) -> bool:
    """Whether this is the fault of an earlier request with the same key, which Stripe keeps and repeats for a day."""
    if not isinstance(failure, stripe.APIError) or (failure.http_status or 0) < 500:
        return False
    return any(
        name.lower() == "idempotent-replayed" and value == "true" for name, value in (failure.headers or {}).items()
    )


def _is_about_the_token(failure: stripe.InvalidRequestError) -> bool:
    """Whether the buyer's payment method is at fault. One that was used before is refused without a code, by name."""
    code = failure.code or ""
    if failure.param in _TOKEN_PARAMETERS or (code.startswith("payment_method_") and code not in _OURS):
        return True
    return not code and "PaymentMethod" in _sentence(failure)


def _declined(failure: stripe.CardError) -> Declined:
    error = None if failure.error is None else failure.error.to_dict()
    intent = None if error is None else error.get("payment_intent")
    theirs = None if error is None else error.get("decline_code")
    code = decline_code((theirs, failure.code))
    # A PaymentIntent inside an error is not expanded, and nothing of a declined one has moved.
    payment = None if intent is None else payment_of({**intent, "latest_charge": None})
    return Declined(code, payment, gateway_code=theirs or failure.code, detail=_sentence(failure))


def _sentence(failure: stripe.StripeError) -> str:
    """Stripe's sentence; cut, since what is no JSON is a page of some proxy."""
    return str(failure.user_message or "")[:300]


def _why(failure: Exception) -> str:
    if isinstance(failure, stripe.AuthenticationError):
        return f"Stripe does not know the key in {PREFIX}STRIPE_SECRET_KEY, or it has expired"
    if isinstance(failure, stripe.PermissionError):
        return f"the key in {PREFIX}STRIPE_SECRET_KEY may not do this"
    if isinstance(failure, stripe.APIConnectionError):
        return f"Stripe was not reached: {type(failure.__cause__ or failure).__name__}"
    if isinstance(failure, stripe.StripeError):
        kind, request = type(failure).__name__, failure.request_id or "without an id"
        return f"Stripe answered {failure.http_status} ({kind}) to request {request}"
    return f"Stripe was not reached: {type(failure).__name__}"
