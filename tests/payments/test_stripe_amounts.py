"""Amounts at Stripe: decimals of its own, and what is refused because it cannot be said there."""

import pytest

from checkout.payments.port import Refused, Unavailable
from checkout.payments.stripe.amounts import from_stripe, to_stripe


@pytest.mark.parametrize(
    ("amount", "currency", "at_stripe"),
    [
        (5938, "EUR", 5938),
        (500, "JPY", 500),
        (500, "KRW", 500),
        (5120, "KWD", 5120),  # 5.120 dinars
        (5, "ISK", 500),  # five krónur, in hundredths
        (500, "MGA", 5),  # five ariary: ISO 4217 counts fifths as hundredths
        (1045, "HUF", 1045),
        (80_045, "TWD", 80_045),
    ],
)
def test_an_amount_and_back(amount: int, currency: str, at_stripe: int) -> None:
    assert to_stripe(amount, currency) == at_stripe
    assert from_stripe(at_stripe, currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (5124, "KWD", "amount_not_representable"),
        (1, "BHD", "amount_not_representable"),
        (501, "MGA", "amount_not_representable"),
        (500, "UGX", "currency_not_supported"),
        (500, "XAU", "currency_not_supported"),
    ],
)
def test_what_cannot_be_said_is_refused_and_not_rounded(amount: int, currency: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        to_stripe(amount, currency)
    assert refused.value.code == code


@pytest.mark.parametrize(("amount", "currency"), [(501, "ISK"), (500, "UGX")])
def test_an_answer_that_makes_no_sense_is_none(amount: int, currency: str) -> None:
    with pytest.raises(Unavailable):
        from_stripe(amount, currency)
