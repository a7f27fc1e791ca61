"""Currencies: which exist, and the decimals of their minor unit.

They are those of ISO 4217 (package ``iso4217``, the standard's own table), since that is what a minor unit means to
payment gateways and to ``Intl.NumberFormat``. CLDR's (babel's) are how many decimals people *write* in a price: none
for the forint, which has two. Not for workflow code: it loads tables.
"""

from functools import cache

import iso4217

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
