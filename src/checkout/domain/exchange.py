"""Exchange: the cart's currency beside the shop's base currency, and the rates that the European Central Bank gives.

Not for workflow code: it needs the table of currencies.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from xml.parsers import expat

from checkout.domain.checks import InvalidValue, require
from checkout.domain.currencies import currency_decimals
from checkout.domain.money import check_amount, check_rate, convert

#: A price list: an amount in minor units by currency.
Prices = Mapping[str, int]


def check_prices(prices: Prices, field: str) -> None:
    """Raise InvalidValue, naming field and currency, for an unknown currency or an impossible amount."""
    for currency, amount in prices.items():
        currency_decimals(currency)
        check_amount(amount, f"{field}.{currency}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """The currency that is charged, the shop's base currency, and how many of the first one of the second buys.

    A price that the shop set in the charged currency holds; else the one in the base currency is converted, each price
    by itself and rounded half up before anything is reckoned with it, so that unit prices add up to what is shown.
    """

    currency: str
    base_currency: str
    rate: Decimal | None = None

    def __post_init__(self) -> None:
        currency_decimals(self.currency)
        currency_decimals(self.base_currency)
        if self.rate is not None:
            check_rate(self.rate)
            same = self.currency == self.base_currency
            require(not same or self.rate == 1, "exchange_rate", "must be 1 from a currency to itself")

    @property
    def effective_rate(self) -> Decimal | None:
        """The rate, which is 1 from a currency to itself; None where none is known."""
        return Decimal(1) if self.currency == self.base_currency else self.rate

    def price(self, prices: Prices) -> int | None:
        """The price that holds in the charged currency; None when there is none and none can be converted."""
        if self.currency in prices:
            return prices[self.currency]
        if self.base_currency not in prices or self.rate is None:
            return None
        return convert(prices[self.base_currency], self.base_currency, self.currency, self.rate)

    def amount(self, amount: int, currency: str | None) -> int | None:
        """An amount of a rule (a minimum, a band's edge) in the charged currency; None when it cannot be converted.

        Without a currency it is in the base currency.
        """
        return amount if amount == 0 else self.price({currency or self.base_currency: amount})


#: Significant digits of a cross rate: two published ones have five or six each.
RATE_DIGITS = 10


def cross_rate(per_euro: Mapping[str, Decimal], base: str, target: str) -> Decimal:
    """How many of the target one unit of the base buys, by way of the euro: ``target per EUR / base per EUR``.

    Rounded half up to RATE_DIGITS significant digits. Raises InvalidValue where a rate is missing or not positive.
    """
    known = {"EUR": Decimal(1), **per_euro}
    for currency in (base, target):
        require(currency in known, "exchange_rate", f"there is no rate for {currency[:10]}")
        check_rate(known[currency], f"exchange_rate.{currency}")
    if base == target:
        return Decimal(1)
    return Context(prec=RATE_DIGITS, rounding=ROUND_HALF_UP).divide(known[target], known[base])


@dataclass(frozen=True, slots=True)
class EcbRates:
    """The European Central Bank's reference rates of a day: units of a currency for one euro."""

    day: date
    per_euro: Mapping[str, Decimal]


#: The daily file has 2 KB, that of 90 days less than 200.
MAX_ECB_BYTES = 1_000_000
_ECB_CUBE = "http://www.ecb.int/vocabulary/2002-08-01/eurofxref Cube"


def parse_ecb_rates(text: str | bytes) -> EcbRates:
    """The rates in the XML that the ECB publishes (``eurofxref-daily.xml``); of several days, the newest.

    A document type is refused, and with it every entity. Raises InvalidValue for what is no such file, a rate that is
    no positive number, and a file over MAX_ECB_BYTES. Currencies that are out of use are given as they stand.
    """
    data = text.encode(errors="replace") if isinstance(text, str) else text
    require(len(data) <= MAX_ECB_BYTES, "rates", f"the file has more than {MAX_ECB_BYTES} bytes: use the daily one")
    days: dict[date, dict[str, Decimal]] = {}

    def refuse_doctype(*_: object) -> None:
        raise InvalidValue("rates", "a document type is not allowed")

    def start(name: str, attributes: dict[str, str]) -> None:
        if name != _ECB_CUBE:
            return
        if "time" in attributes:
            day = _day(attributes["time"])
            require(day not in days, "rates", f"{day} is there twice")
            days[day] = {}
        elif "currency" in attributes:
            require(bool(days), "rates", "a rate stands before any day")
            currency = attributes["currency"]
            require(re.fullmatch("[A-Z]{3}", currency) is not None, "rates", f"{currency[:10]!r} is no currency code")
            rates = days[next(reversed(days))]
            require(currency not in rates, "rates", f"{currency} is there twice")
            rates[currency] = _rate(attributes.get("rate", ""), currency)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = start
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError) as error:  # LookupError: an encoding that Python does not know
        raise InvalidValue("rates", f"the file is not well-formed XML: {error}") from None
    days = {day: rates for day, rates in days.items() if rates}
    require(bool(days), "rates", "the file has no reference rates of the European Central Bank")
    newest = max(days)
    return EcbRates(newest, days[newest])


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValue("rates", f"{text[:20]!r} is no day such as 2026-01-31") from None


def _rate(text: str, currency: str) -> Decimal:
    plain = re.fullmatch(r"-?\d{1,12}(\.\d{1,12})?", text, re.ASCII) is not None
    require(plain, f"rates.{currency}", f"{text[:20]!r} is no number such as 1.0835")
    return check_rate(Decimal(text), f"rates.{currency}")
