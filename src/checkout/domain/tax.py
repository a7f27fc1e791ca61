"""Tax: rates by country, region and tax class, and the port for another source of rates.

Not for workflow code: it looks up regions in tables.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Protocol

from checkout.domain.checks import InvalidValue, require
from checkout.domain.countries import is_country, region_code
from checkout.domain.money import round_half_up

STANDARD, ZERO = "standard", "zero"

#: Rates are exact as parts per million: four decimals of a percentage (Minnesota has 6.875 %).
WHOLE = 1_000_000


def check_percent(percent: Decimal, field: str) -> Decimal:
    """The percentage, when it is from 0 to 100 with four decimals at most. Raises InvalidValue naming the field."""
    require(percent.is_finite() and 0 <= percent <= 100, field, "must be from 0 to 100 percent")
    require(percent * 10_000 % 1 == 0, field, "must have four decimals at most")
    return percent


def parts_per_million(percent: Decimal) -> int:
    """A percentage as an integer of parts per million: 19 % is 190,000."""
    return int(percent * 10_000)


def percent_text(percent: Decimal) -> str:
    """A percentage without idle zeros, for JSON and people: ``19``, ``5.5``."""
    text = f"{percent:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class Destination:
    """Where goods go: a country (ISO 3166-1 alpha-2) and what the address says of a region."""

    country: str
    region: str | None = None

    def __post_init__(self) -> None:
        require(is_country(self.country), "country", f"{self.country[:10]!r} is no ISO 3166-1 alpha-2 code")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRate:
    """A rate in percent for a tax class, in a country or (ISO 3166-2, without the country) a region of it."""

    country: str
    region: str | None = None
    tax_class: str = STANDARD
    percent: Decimal
    name: str = ""

    def __post_init__(self) -> None:
        require(is_country(self.country), "country", f"{self.country[:10]!r} is no ISO 3166-1 alpha-2 code")
        if self.region is not None:
            known = region_code(self.country, self.region) == self.region
            require(known, "region", f"{self.region[:10]!r} is no ISO 3166-2 region of {self.country}")
        require(bool(self.tax_class), "tax_class", "must not be empty")
        check_percent(self.percent, "percent")


@dataclass(frozen=True, slots=True)
class AppliedRate:
    """The rate that holds for a tax class at a destination, and whose it is; 0 % of nobody where none is known."""

    percent: Decimal
    country: str | None = None
    region: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        check_percent(self.percent, "percent")


NO_TAX = AppliedRate(Decimal(0))


class TaxProvider(Protocol):
    """A source of tax rates: pure, so that the same cart gives the same tax each time.

    A provider that is asked over the network is asked before pricing, by an activity; what it answered comes in as
    FixedRates.
    """

    def rate(self, destination: Destination, tax_class: str) -> AppliedRate:
        """The rate of a tax class at a destination."""
        ...


class TaxTable:
    """The built-in provider: a table of rates.

    The most exact row wins: region and class, country and class. A class that has no row there falls back to
    ``standard`` in the same order (Denmark knows no reduced rate), except ``zero``, which is 0 % without a row. A
    country that is not in the table is outside the shop's tax area: 0 %.
    """

    def __init__(self, rates: Iterable[TaxRate]) -> None:
        self._rates: dict[tuple[str, str | None, str], TaxRate] = {}
        for rate in rates:
            key = (rate.country, rate.region, rate.tax_class)
            require(key not in self._rates, "tax_rates", f"{key} is there twice")
            self._rates[key] = rate

    def rate(self, destination: Destination, tax_class: str) -> AppliedRate:
        """The rate of a tax class at a destination."""
        country, region = destination.country, region_code(destination.country, destination.region)
        for name in (tax_class, STANDARD) if tax_class != ZERO else (ZERO,):
            for place in (region, None) if region else (None,):
                row = self._rates.get((country, place, name))
                if row is not None:
                    return AppliedRate(row.percent, row.country, row.region, row.name)
        return NO_TAX


@dataclass(frozen=True)
class FixedRates:
    """A provider of rates that were asked for beforehand, by tax class; a class that is missing is an InvalidValue."""

    by_class: Mapping[str, AppliedRate]

    def rate(self, destination: Destination, tax_class: str) -> AppliedRate:
        """The rate of a tax class; the destination was the question already."""
        require(tax_class in self.by_class, "tax_class", f"no rate of {tax_class!r} for {destination.country}")
        return self.by_class[tax_class]


@dataclass(frozen=True, slots=True)
class TaxBasis:
    """How an amount as it was entered becomes net and gross.

    ``included`` is the rate that entered amounts contain (0 when they are net), ``due`` what the destination asks.
    Net and gross are each rounded once, from the entered amount, and the tax is their difference: where both rates
    are the same, the gross amount is the entered one to the minor unit.
    """

    included: Decimal
    due: Decimal

    @property
    def _denominator(self) -> int:
        return WHOLE + parts_per_million(self.included)

    def net(self, entered: int) -> int:
        """The amount without tax."""
        return round_half_up(entered * WHOLE, self._denominator)

    def gross(self, entered: int) -> int:
        """The amount with the tax that is due."""
        return round_half_up(entered * (WHOLE + parts_per_million(self.due)), self._denominator)


#: The columns of a table of rates as CSV; lines that begin with # are remarks.
COLUMNS = ("country", "region", "tax_class", "percent", "name")


def read_tax_rates(text: str) -> list[TaxRate]:
    """Rates from CSV with the columns COLUMNS. Raises InvalidValue that names the line and the column."""
    numbered = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not line.startswith("#")]
    rows = csv.reader(line for _, line in numbered)
    header = next(rows, [])
    require(tuple(header) == COLUMNS, "header", f"must be {','.join(COLUMNS)}")
    return [_tax_rate(row, number) for (number, _), row in zip(numbered[1:], rows, strict=True) if row]


def _tax_rate(row: list[str], number: int) -> TaxRate:
    require(len(row) == len(COLUMNS), f"line {number}", f"must have {len(COLUMNS)} columns, has {len(row)}")
    country, region, tax_class, percent, name = (cell.strip() for cell in row)
    try:
        exact = Decimal(percent)
    except InvalidOperation:
        raise InvalidValue(f"line {number}, percent", f"{percent[:20]!r} is no number") from None
    try:
        return TaxRate(country=country, region=region or None, tax_class=tax_class, percent=exact, name=name)
    except InvalidValue as error:
        raise InvalidValue(f"line {number}, {error.field}", error.reason) from None


@cache
def tax_classes() -> tuple[str, ...]:
    """The tax classes that goods may have: those of the built-in rates, and ``zero``."""
    return tuple(dict.fromkeys((STANDARD, *(rate.tax_class for rate in built_in_tax_rates()), ZERO)))


def built_in_tax_rates() -> list[TaxRate]:
    """The rates that come with the product: ``domain/data/tax_rates.csv``, which names their sources."""
    return read_tax_rates(files("checkout.domain").joinpath("data/tax_rates.csv").read_text(encoding="utf-8"))
