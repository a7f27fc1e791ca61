"""Amounts as Stripe counts them: not always in the minor unit of ISO 4217.

Source: https://docs.stripe.com/currencies, "Zero-decimal currencies", "Three-decimal currencies" and "Special cases".
What cannot be said exactly is refused. Nothing is rounded here: the buyer was told the total.
"""

from fractions import Fraction

from checkout.domain.checks import InvalidValue
from checkout.domain.currencies import currency_decimals
from checkout.payments.port import Refused, Unavailable

#: Stripe's decimals where they are not those of ISO 4217. The króna has none, and is counted in hundredths all the
#: same; the ariary has fifths of it (ISO: 2 decimals), and is counted whole.
_DECIMALS = {"ISK": 2, "MGA": 0}
#: Stripe lists the shilling among the currencies without decimals, and as one that is counted in hundredths.
_UNCLEAR = frozenset({"UGX"})
#: The last digit of an amount with three decimals has to be 0.
_STEP_OF_THREE_DECIMALS = 10


def to_stripe(amount: int, currency: str) -> int:
    """Stripe's integer for an amount in minor units of ISO 4217. Raises Refused where there is none."""
    factor = _factor(currency)
    exact = amount * factor
    if exact.denominator != 1:
        raise Refused("amount_not_representable", f"Stripe takes no fractions of {currency}, and {amount} has one")
    if currency_decimals(currency) == 3 and exact.numerator % _STEP_OF_THREE_DECIMALS:
        raise Refused(
            "amount_not_representable", f"the last digit of an amount in {currency} has to be 0 at Stripe: {amount}"
        )
    return exact.numerator


def from_stripe(amount: int, currency: str) -> int:
    """Minor units of ISO 4217 for Stripe's integer. Raises Unavailable where an answer of Stripe's makes no sense."""
    try:
        exact = amount / _factor(currency)
    except Refused as refusal:
        raise Unavailable(f"an amount in the gateway's answer: {refusal.detail}") from None
    if exact.denominator != 1:
        raise Unavailable(f"an amount in the gateway's answer is a fraction of the minor unit: {amount} {currency}")
    return exact.numerator


def _factor(currency: str) -> Fraction:
    """How many of Stripe's units one of ours is."""
    if currency in _UNCLEAR:
        raise Refused("currency_not_supported", f"in which unit Stripe counts {currency} is not clear: none is guessed")
    try:
        decimals = currency_decimals(currency)
    except InvalidValue as invalid:
        raise Refused("currency_not_supported", str(invalid)) from None
    return Fraction(10) ** (_DECIMALS.get(currency, decimals) - decimals)
