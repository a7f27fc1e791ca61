"""Shipping: options for countries, priced by bands of weight or order total. Pure; not for workflow code."""

from collections.abc import Iterable
from dataclasses import dataclass

from checkout.domain.checks import require
from checkout.domain.countries import is_country
from checkout.domain.exchange import Exchange, Prices, check_prices
from checkout.domain.tax import STANDARD

#: The tax class of shipping that shares the fate of the goods, as ancillary services do in the EU.
AS_GOODS = "as_goods"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingBand:
    """A price for a country (None: everywhere) and a range of weight (grams) and of order total.

    The order total is that of the goods after discounts, as entered. Lower edges belong to the band, upper edges to
    the next one; None is no edge. Edges of the order total are minor units of ``currency``, of the base currency
    without one.
    """

    prices: Prices
    country: str | None = None
    min_weight: int = 0
    max_weight: int | None = None
    min_total: int = 0
    max_total: int | None = None
    currency: str | None = None

    def __post_init__(self) -> None:
        check_prices(self.prices, "shipping.prices")
        known = self.country is None or is_country(self.country)
        require(known, "shipping.country", f"{str(self.country)[:10]!r} is no ISO 3166-1 alpha-2 code")
        for name, low, high in (
            ("weight", self.min_weight, self.max_weight),
            ("total", self.min_total, self.max_total),
        ):
            require(low >= 0, f"shipping.min_{name}", "must not be negative")
            require(high is None or high > low, f"shipping.max_{name}", f"must be above min_{name}")

    def holds(self, weight: int, total: int, exchange: Exchange) -> bool:
        """Whether the band is meant for this weight and order total; not where its edges cannot be converted."""
        low = exchange.amount(self.min_total, self.currency)
        high = None if self.max_total is None else exchange.amount(self.max_total, self.currency)
        if low is None or (high is None and self.max_total is not None):
            return False
        heavy_enough, light_enough = weight >= self.min_weight, self.max_weight is None or weight < self.max_weight
        return heavy_enough and light_enough and total >= low and (high is None or total < high)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingOption:
    """A way of shipping: its tax class and its bands.

    The tax class AS_GOODS taxes shipping as the goods are, spread over their rates by what is paid for them.
    """

    code: str
    name: str
    bands: tuple[ShippingBand, ...]
    tax_class: str = STANDARD

    def __post_init__(self) -> None:
        require(bool(self.code), "shipping.code", "must not be empty")

    def price(self, country: str, weight: int, total: int, exchange: Exchange) -> int | None:
        """The price as entered, in the charged currency; None when no band holds.

        Bands of the country go before those for everywhere, prices in the charged currency before converted ones;
        among what is left the cheapest holds.
        """
        ranked = []
        for band in self.bands:
            price = exchange.price(band.prices)
            if price is not None and band.country in (country, None) and band.holds(weight, total, exchange):
                ranked.append((band.country is None, exchange.currency not in band.prices, price))
        return min(ranked)[2] if ranked else None


def quote(
    options: Iterable[ShippingOption], country: str, weight: int, total: int, exchange: Exchange
) -> list[tuple[int, ShippingOption]]:
    """Every option that ships there with its price as entered, the cheapest first, among equal ones by code."""
    priced = ((option.price(country, weight, total, exchange), option) for option in options)
    found = [(price, option) for price, option in priced if price is not None]
    return sorted(found, key=lambda item: (item[0], item[1].code))
