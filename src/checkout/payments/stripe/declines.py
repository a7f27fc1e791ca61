"""Stripe's decline and error codes in our words: one row for each that has a word of its own, else "declined".

Sources: https://docs.stripe.com/declines/codes and https://docs.stripe.com/error-codes. What Stripe wants kept from the
buyer (fraudulent, lost_card, stolen_card, …) is a decline like any other, and so is ``try_again_later``: "the card was
declined for an unknown reason". Where the bank was not reached or failed, nobody has declined.
"""

from collections.abc import Iterable

from checkout.payments.port import DeclineCode

DECLINES = {
    "insufficient_funds": DeclineCode.INSUFFICIENT_FUNDS,
    "withdrawal_count_limit_exceeded": DeclineCode.INSUFFICIENT_FUNDS,
    "card_velocity_exceeded": DeclineCode.INSUFFICIENT_FUNDS,
    "expired_card": DeclineCode.EXPIRED_CARD,
    "invalid_expiry_month": DeclineCode.EXPIRED_CARD,
    "invalid_expiry_year": DeclineCode.EXPIRED_CARD,
    "authentication_required": DeclineCode.NOT_APPROVED,
    "payment_intent_authentication_failure": DeclineCode.NOT_APPROVED,
    "authentication_not_handled": DeclineCode.NOT_APPROVED,
    "payment_method_customer_decline": DeclineCode.NOT_APPROVED,
    "resource_missing": DeclineCode.INVALID_TOKEN,
    "token_already_used": DeclineCode.INVALID_TOKEN,
    "issuer_not_available": DeclineCode.NOT_PROCESSED,
    "processing_error": DeclineCode.NOT_PROCESSED,
    "reenter_transaction": DeclineCode.NOT_PROCESSED,
}


def decline_code(codes: Iterable[object]) -> DeclineCode:
    """Our word for the first code that has one: give the decline code, which says more, before the error code."""
    return next((DECLINES[code] for code in codes if isinstance(code, str) and code in DECLINES), _OTHERS)


_OTHERS = DeclineCode.CARD_DECLINED
