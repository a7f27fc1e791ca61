"""Our arithmetic beside a peer's: ``prices``, the library that Saleor's shop reckons with.

Where semantics agree the figures must too: a percentage of an amount, a fixed amount off, tax on a net and inside a
gross amount. Where they differ, and ours is meant:

* ``prices`` rounds a percentage down unless told otherwise; ours is half up, as its tax is;
* its currencies have the decimals that people write (CLDR: the forint none), ours those of ISO 4217;
* it reckons with 28 significant digits and may be off beyond; ours is exact;
* it takes a fixed amount from one amount and has nothing that spreads one over lines.
"""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prices import Money, fixed_discount, flat_tax, percentage_discount

from checkout.domain.discounts import AmountOff, PercentageOff
from checkout.domain.money import format_amount, parse_amount
from checkout.domain.pricing import Pricing, price_cart
from checkout.domain.tax import AppliedRate, Destination, FixedRates
from tests.domain.pricing.carts import cart, coupon, line

NO_PERCENT = Decimal(0)
AMOUNTS = st.integers(0, 10**9)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])
PERCENT = st.integers(0, 10_000).map(lambda points: Decimal(points) / 100)


def theirs(amount: int, currency: str) -> Money:
    """Our amount as theirs."""
    return Money(Decimal(format_amount(amount, currency)), currency)


def ours(money: Money) -> int:
    """Their amount as ours."""
    return parse_amount(f"{money.amount:f}", money.currency)


def priced(amount: int, currency: str, percent: Decimal = NO_PERCENT, **given: Any) -> Pricing:
    """One line of this amount, taxed at this percentage."""
    tax = FixedRates({"standard": AppliedRate(percent)})
    one = replace(line("A", 1, 0), prices={currency: amount})
    return price_cart(cart(one, country=None, home=Destination("DE"), currency=currency, tax=tax, **given))


@given(AMOUNTS, CURRENCIES, PERCENT.filter(lambda percent: percent > 0))
def test_a_percentage_off(amount: int, currency: str, percent: Decimal) -> None:
    left = percentage_discount(theirs(amount, currency), percent, rounding=ROUND_HALF_UP)
    pricing = priced(amount, currency, **coupon(PercentageOff(int(percent * 100))))
    assert pricing.total == ours(left)


@given(AMOUNTS, CURRENCIES, st.integers(1, 10**9))
def test_a_fixed_amount_off(amount: int, currency: str, off: int) -> None:
    left = fixed_discount(theirs(amount, currency), theirs(off, currency))
    assert priced(amount, currency, **coupon(AmountOff(off, currency))).total == ours(left)


@given(AMOUNTS, CURRENCIES, PERCENT)
def test_tax_on_a_net_amount(amount: int, currency: str, percent: Decimal) -> None:
    taxed = flat_tax(theirs(amount, currency), percent / 100)
    pricing = priced(amount, currency, percent)
    assert (pricing.sub_total, pricing.total) == (ours(taxed.net), ours(taxed.gross))


@given(AMOUNTS, CURRENCIES, PERCENT)
def test_tax_inside_a_gross_amount(amount: int, currency: str, percent: Decimal) -> None:
    taxed = flat_tax(theirs(amount, currency), percent / 100, keep_gross=True)
    pricing = priced(amount, currency, percent, prices_include_tax=True)
    assert (pricing.sub_total, pricing.tax_total, pricing.total) == (
        ours(taxed.net),
        ours(taxed.tax),
        ours(taxed.gross),
    )
