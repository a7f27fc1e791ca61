"""Exchange rates: the cart's currency beside the shop's base currency, and the rates of the European Central Bank.

Not for workflow code: it needs the table of currencies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from checkout.domain.checks import require
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
