"""Money: text to minor units and back, rounding, spreading, conversion."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.checks import InvalidValue
from checkout.domain.money import MAX_AMOUNT, convert, format_amount, parse_amount, round_half_up, split


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("9.99", "EUR", 999),
        ("500", "JPY", 500),
        ("1.5", "KWD", 1500),
        ("1.234", "KWD", 1234),
        ("9.9900", "EUR", 999),
        ("12.00", "JPY", 12),
        ("0", "EUR", 0),
        ("-0", "EUR", 0),
        ("+3", "USD", 300),
        (" 1990.5 ", "HUF", 199050),  # ISO 4217 gives the forint two decimals, whatever people write
        ("10000000000000", "EUR", MAX_AMOUNT),
    ],
)
def test_text_becomes_minor_units(text: str, currency: str, amount: int) -> None:
    assert parse_amount(text, currency) == amount


@pytest.mark.parametrize(
    ("text", "currency", "reason"),
    [
        ("9.999", "EUR", "3 decimals, EUR has 2 decimals"),
        ("1.2345", "KWD", "KWD has 3 decimals"),
        ("1.5", "JPY", "'1.5' has 1 decimal, JPY has no decimals"),
        ("-0.01", "EUR", "must not be negative"),
        ("9,99", "EUR", "no decimal number"),
        ("1e3", "EUR", "no decimal number"),
        ("", "EUR", "no decimal number"),
        (".5", "EUR", "no decimal number"),
        ("٣", "EUR", "no decimal number"),
        ("NaN", "EUR", "no decimal number"),
        ("1" * 10_000, "EUR", "no decimal number"),
        ("-1", "EUR", "must not be negative"),
        ("10000000000000.01", "EUR", "must be from 0"),
        ("1", "EUX", "no ISO 4217 currency"),
        ("1", "XAU", "no ISO 4217 currency"),
        ("1", "eur", "no ISO 4217 currency"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(text: str, currency: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        parse_amount(text, currency, "price")


@given(st.integers(0, MAX_AMOUNT), st.sampled_from(["EUR", "JPY", "KWD", "HUF", "CLF"]))
def test_writing_and_reading_is_the_identity(amount: int, currency: str) -> None:
    assert parse_amount(format_amount(amount, currency), currency) == amount


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**9))
def test_rounding_is_half_away_from_zero(numerator: int, denominator: int) -> None:
    exact, rounded = Fraction(numerator, denominator), round_half_up(numerator, denominator)
    assert abs(exact - rounded) <= Fraction(1, 2)
    if abs(exact - rounded) == Fraction(1, 2):
        assert abs(rounded) > abs(exact)


@given(st.integers(0, MAX_AMOUNT), st.lists(st.integers(0, 10**12), min_size=1, max_size=30))
def test_parts_add_up_and_are_within_one_of_the_share(amount: int, weights: list[int]) -> None:
    parts = split(amount, weights)
    assert sum(parts) == amount
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        share = Fraction(amount * weight, whole) if whole else Fraction(amount, len(weights))
        assert abs(part - share) < 1
        if amount <= whole:
            assert part <= weight


def test_the_units_left_go_to_the_largest_remainders_then_to_the_first() -> None:
    assert split(100, [1, 1, 1]) == [34, 33, 33]
    assert split(10, [70, 15, 15]) == [7, 2, 1]
    assert split(5, [0, 0]) == [3, 2]
    assert split(0, []) == []
    with pytest.raises(InvalidValue, match="nothing to spread"):
        split(1, [])
    with pytest.raises(InvalidValue, match="negative"):
        split(1, [1, -1])
    with pytest.raises(InvalidValue, match="negative"):
        split(-1, [1])


@pytest.mark.parametrize(
    ("amount", "source", "target", "rate", "expected"),
    [
        (100, "EUR", "JPY", "160.5", 161),  # 160.5 yen, a half goes up
        (100, "EUR", "KWD", "0.3345", 335),  # 334.5 fils
        (1000, "JPY", "EUR", "0.00623", 623),
        (1, "KWD", "JPY", "480", 0),  # 0.48 yen
        (999, "EUR", "USD", "1.0835", 1082),  # 10.824165
        (0, "EUR", "USD", "1.1", 0),
    ],
)
def test_conversion_minds_the_decimals_of_both(amount: int, source: str, target: str, rate: str, expected: int) -> None:
    assert convert(amount, source, target, Decimal(rate)) == expected


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity", "1e12"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(InvalidValue, match="exchange_rate: must be above zero"):
        convert(1, "EUR", "USD", Decimal(rate))


@given(st.integers(0, 10**9), st.decimals("0.0001", "10000", places=6))
def test_conversion_keeps_the_order_of_prices(amount: int, rate: Decimal) -> None:
    assert convert(amount, "EUR", "JPY", rate) <= convert(amount + 1, "EUR", "JPY", rate)
