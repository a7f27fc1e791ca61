"""The lines of a cart while discounts are taken from them, in the terms in which prices were entered."""

from collections.abc import Sequence
from dataclasses import dataclass

from checkout.domain.discounts import ALL, AmountOff, BuyGet, Discount, FreeShipping, PercentageOff, Selection
from checkout.domain.money import round_half_up, split
from checkout.domain.pricing.model import LineInput


@dataclass(frozen=True, slots=True)
class Priced:
    """A line with its unit price in the charged currency, as entered."""

    given: LineInput
    unit: int

    @property
    def entered(self) -> int:
        """The price of all its units."""
        return self.unit * self.given.quantity


@dataclass(frozen=True, slots=True)
class Taken:
    """What a discount took from a line (its place in the basket)."""

    discount: Discount
    line: int
    amount: int


class Basket:
    """Lines in a fixed order, and what is left to pay of each; every discount takes from what is left, never more."""

    def __init__(self, lines: Sequence[Priced]) -> None:
        self.lines = lines
        self.left = [line.entered for line in lines]
        self.taken: list[Taken] = []
        #: The discounts that make shipping free, in their order.
        self.free_shipping: list[tuple[Discount, FreeShipping]] = []
        #: Units that no buy-and-get has counted yet, as bought or as got.
        self._spare = [line.given.quantity for line in lines]

    def take(self, discounts: Sequence[Discount]) -> "Basket":
        """Take these discounts together, in their precedence; the basket itself for chaining."""
        for discount in sorted(discounts, key=lambda discount: discount.precedence):
            self._take(discount)
        return self

    def picked(self, selection: Selection) -> list[int]:
        """The places of the lines that a selection means."""
        return [
            place for place, line in enumerate(self.lines) if selection.picks(line.given.product, line.given.category)
        ]

    def _take(self, discount: Discount) -> None:
        match discount.effect:
            case PercentageOff(basis_points, selection):
                places = self.picked(selection)
                amount = round_half_up(self._sum(places) * basis_points, ALL)
                self._spread(discount, amount, places)
            case AmountOff(amount, _, selection):
                places = self.picked(selection)
                self._spread(discount, min(amount, self._sum(places)), places)
            case BuyGet() as effect:
                for place, units in self._rewards(effect):
                    amount = round_half_up(units * self.lines[place].unit * effect.basis_points, ALL)
                    self._note(discount, place, amount)
            case FreeShipping() as effect:
                self.free_shipping.append((discount, effect))

    def _sum(self, places: list[int]) -> int:
        return sum(self.left[place] for place in places)

    def _spread(self, discount: Discount, amount: int, places: list[int]) -> None:
        for place, part in zip(places, split(amount, [self.left[place] for place in places]), strict=True):
            self._note(discount, place, part)

    def _note(self, discount: Discount, place: int, amount: int) -> None:
        self.left[place] -= amount
        if amount:
            self.taken.append(Taken(discount, place, amount))

    def _rewards(self, effect: BuyGet) -> list[tuple[int, int]]:
        """The units that are got, by line; these and the bought ones are used up. Free units count as neither."""
        paid = [place for place, line in enumerate(self.lines) if line.unit > 0]
        chosen = set(self.picked(effect.selection))
        wanted = chosen if effect.reward is None else set(self.picked(effect.reward))
        dearest = sorted((place for place in paid if place in chosen), key=lambda place: -self.lines[place].unit)
        cheapest = sorted((place for place in paid if place in wanted), key=lambda place: self.lines[place].unit)

        def got(sets: int) -> dict[int, int]:
            return _fill(sets * effect.get, [(place, self._spare[place]) for place in cheapest])

        def fits(sets: int) -> bool:
            used = got(sets)
            spare = sum(self._spare[place] - used.get(place, 0) for place in dearest)
            return sum(used.values()) == sets * effect.get and spare >= sets * effect.buy

        # The most sets that fit, by halving: more sets use more of both pools, so what fits is a prefix.
        low, high = 0, sum(self._spare[place] for place in cheapest) // effect.get
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(middle) else (low, middle - 1)
        rewards = got(low)
        for place, units in rewards.items():
            self._spare[place] -= units
        for place, units in _fill(low * effect.buy, [(place, self._spare[place]) for place in dearest]).items():
            self._spare[place] -= units
        return list(rewards.items())


def _fill(units: int, pool: list[tuple[int, int]]) -> dict[int, int]:
    """Take units from a pool of places with their spare units, the first first."""
    taken: dict[int, int] = {}
    for place, spare in pool:
        part = min(units, spare)
        if part:
            taken[place] = part
            units -= part
    return taken
