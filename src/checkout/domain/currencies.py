"""Currencies: which exist, their names and the decimals of their minor unit.

Decimals are those of ISO 4217 (package ``iso4217``, the standard's own table), since that is what a minor unit means to
payment gateways and to ``Intl.NumberFormat``. Babel's are how many decimals people *write* in a price (CLDR: none for
the forint, which has two), so babel gives names here and never decimals. Not for workflow code: it loads tables.
"""

from functools import cache

import iso4217
from babel import Locale

from checkout.domain.checks import InvalidValue


@cache
def currency_decimals(currency: str) -> int:
    """The decimals of a currency's minor unit: EUR 2, JPY 0, KWD 3.

    Raises InvalidValue for what is no current ISO 4217 currency, and for codes without a minor unit (gold, tests).
    """
    try:
        exponent = iso4217.Currency(currency).exponent
    except ValueError:
        exponent = None
    if exponent is None:
        raise InvalidValue("currency", f"{currency[:10]!r} is no ISO 4217 currency in use")
    return int(exponent)


def is_currency(currency: str) -> bool:
    """Whether the code is a current ISO 4217 currency that has a minor unit."""
    try:
        currency_decimals(currency)
    except InvalidValue:
        return False
    return True


def currency_name(currency: str, locale: str = "en") -> str:
    """The currency's name in a language, such as ``Euro``. Raises InvalidValue for an unknown currency."""
    currency_decimals(currency)
    return str(Locale.parse(locale).currencies.get(currency, currency))
