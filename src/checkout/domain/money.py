"""Money: integers in minor units beside an ISO 4217 code. No float anywhere.

Rounding is *half up* (a half goes away from zero), everywhere and once: a quotient is kept as two integers until the
one place that rounds it. Not for workflow code: parsing needs the table of currencies.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from checkout.domain.checks import InvalidValue, require
from checkout.domain.currencies import currency_decimals

#: The largest amount, of a price as of a total: fits PostgreSQL's bigint, and JavaScript's exact integers (2**53).
MAX_AMOUNT = 10**15
#: The longest decimal text that is read.
MAX_TEXT = 40

_DECIMAL = re.compile(r"([+-]?)(\d+)(?:\.(\d+))?", re.ASCII)


def check_amount(amount: int, field: str) -> int:
    """The amount, when it is an integer from 0 to MAX_AMOUNT. Raises InvalidValue naming the field."""
    require(type(amount) is int, field, "must be an integer in minor units")
    require(0 <= amount <= MAX_AMOUNT, field, f"must be from 0 to {MAX_AMOUNT} minor units")
    return amount


def parse_amount(text: str, currency: str, field: str = "amount") -> int:
    """Minor units of a decimal text with a point: ``"9.99"`` EUR is 999, ``"500"`` JPY 500, ``"1.5"`` KWD 1500.

    Zeros beyond the currency's decimals are taken (``"9.9900"``), other digits there are not: nothing is rounded.
    Raises InvalidValue naming the field: no number, too many decimals, negative, too large, unknown currency.
    """
    decimals = currency_decimals(currency)
    found = _DECIMAL.fullmatch(text.strip()) if len(text) <= MAX_TEXT else None
    if found is None:
        raise InvalidValue(field, f"{text[:MAX_TEXT]!r} is no decimal number such as 9.99")
    sign, whole, fraction = found[1], found[2], (found[3] or "").rstrip("0")
    if len(fraction) > decimals:
        raise InvalidValue(field, f"{text!r} has {_decimals(len(fraction))}, {currency} has {_decimals(decimals)}")
    amount = int(whole + fraction.ljust(decimals, "0"))
    require(sign != "-" or amount == 0, field, "must not be negative")
    return check_amount(amount, field)


def _decimals(count: int) -> str:
    return f"{count or 'no'} {'decimal' if count == 1 else 'decimals'}"


def format_amount(amount: int, currency: str) -> str:
    """The decimal text of an amount in minor units, with all its decimals: ``"9.99"``, ``"500"``, ``"1.500"``."""
    decimals = currency_decimals(currency)
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"


def money_text(amount: int, currency: str) -> str:
    """An amount in minor units as people read it, with its currency: ``"9.99 EUR"``."""
    return f"{format_amount(amount, currency)} {currency}"


def round_half_up(numerator: int, denominator: int) -> int:
    """The quotient rounded to an integer, a half away from zero. The denominator is positive."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Spread an amount over weights so that the parts add up exactly: the method of the largest remainder.

    Each part is its exact share rounded down; the units that are left go one each to the largest remainders, among
    equal ones to the first. No part exceeds its share rounded up, so no part exceeds its weight where the amount does
    not exceed the sum of the weights. Weights that are all zero count as equal. Nothing to spread over: InvalidValue,
    unless the amount is zero.
    """
    require(amount >= 0, "amount", "must not be negative")
    require(all(weight >= 0 for weight in weights), "weights", "must not be negative")
    if not weights:
        require(amount == 0, "weights", "there is nothing to spread the amount over")
        return []
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    parts = [amount * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % whole), i))
    for i in by_remainder[: amount - sum(parts)]:
        parts[i] += 1
    return parts


def convert(amount: int, source: str, target: str, rate: Decimal) -> int:
    """An amount in another currency: ``rate`` units of the target for one of the source, rounded half up once.

    Minor units of both are minded: 1.00 EUR at 160.5 is 161 JPY. Raises InvalidValue for a rate that is not positive.
    """
    check_rate(rate)
    exact = Fraction(rate) * amount * 10 ** currency_decimals(target) / 10 ** currency_decimals(source)
    return round_half_up(exact.numerator, exact.denominator)


def check_rate(rate: Decimal, field: str = "exchange_rate") -> Decimal:
    """The rate, when it is a positive number below 10**12. Raises InvalidValue naming the field."""
    require(rate.is_finite() and 0 < rate < 10**12, field, "must be above zero and below 10^12")
    return rate
