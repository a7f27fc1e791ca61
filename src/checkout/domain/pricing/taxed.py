"""Amounts with the rates that make them net and gross, before and after discounts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from checkout.domain.money import split
from checkout.domain.pricing.model import PricingInput, TaxPart
from checkout.domain.tax import NO_TAX, AppliedRate, TaxBasis, percent_text


@dataclass(frozen=True, slots=True)
class Taxed:
    """An amount as it was entered, what discounts left of it, and its rate. Net and tax are rounded here, by line."""

    entered: int
    left: int
    applied: AppliedRate
    basis: TaxBasis

    @property
    def net_before(self) -> int:
        """The net amount before discounts."""
        return self.basis.net(self.entered)

    @property
    def net(self) -> int:
        """The net amount after discounts."""
        return self.basis.net(self.left)

    @property
    def tax(self) -> int:
        """The tax on what is left."""
        return self.basis.gross(self.left) - self.net


class Rates:
    """The rates of one cart, each asked of the provider once."""

    def __init__(self, given: PricingInput) -> None:
        self._given = given
        self._known: dict[str, tuple[AppliedRate, TaxBasis]] = {}

    def of(self, tax_class: str) -> tuple[AppliedRate, TaxBasis]:
        """The rate that a class owes at the destination, and how entered amounts of it become net and gross."""
        if tax_class not in self._known:
            given = self._given
            place = given.destination or given.home
            applied = given.tax.rate(place, tax_class) if place else NO_TAX
            included = given.tax.rate(given.home, tax_class) if given.prices_include_tax and given.home else NO_TAX
            self._known[tax_class] = (applied, TaxBasis(included.percent, applied.percent))
        return self._known[tax_class]

    def taxed(self, entered: int, left: int, tax_class: str) -> Taxed:
        """An amount of a tax class."""
        return Taxed(entered, left, *self.of(tax_class))


def spread_as_goods(entered: int, left: int, goods: Iterable[Taxed]) -> list[Taxed]:
    """An amount that is taxed as the goods are: spread over their rates, by what is paid for the goods of each."""
    sums: dict[tuple[AppliedRate, TaxBasis], int] = {}
    for line in goods:
        key = (line.applied, line.basis)
        sums[key] = sums.get(key, 0) + line.left
    keys = sorted(sums, key=lambda key: _rank(key[0]))
    weights = [sums[key] for key in keys]
    parts = zip(keys, split(entered, weights), split(left, weights), strict=True)
    return [Taxed(part, part_left, applied, basis) for (applied, basis), part, part_left in parts]


def tax_breakdown(amounts: Iterable[Taxed]) -> tuple[TaxPart, ...]:
    """Net and tax by rate and place, the highest rate first; the sums of what was rounded by line."""
    sums: dict[AppliedRate, TaxPart] = {}
    for amount in amounts:
        rate = amount.applied
        part = sums.get(rate) or TaxPart(
            rate=percent_text(rate.percent), country=rate.country, region=rate.region, name=rate.name, net=0, tax=0
        )
        sums[rate] = replace(part, net=part.net + amount.net, tax=part.tax + amount.tax)
    return tuple(sums[rate] for rate in sorted(sums, key=_rank))


def _rank(rate: AppliedRate) -> tuple[object, ...]:
    return (-rate.percent, rate.country or "", rate.region or "", rate.name)
