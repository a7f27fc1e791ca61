"""The small model that the shop at random is held against: units, prices, and what became of each checkout."""

from dataclasses import dataclass, field
from typing import Any

from checkout.domain.words import Outcome

#: The coupon makes shipping free, for two checkouts in all.
COUPON_LIMIT = 2


@dataclass
class Begun:
    """A checkout with its prices locked: how those who inherit know it, its id, and the total that was told."""

    handle: Any
    id: str
    total: int


@dataclass
class Sale:
    """What the model knows of a checkout: the lines that it holds, and what became of it."""

    checkout: Begun
    lines: dict[str, int]
    coupon: bool
    declined: int = 0
    outcome: Outcome | None = None


@dataclass
class Model:
    """Units and prices by SKU, and the checkouts that run or have ended."""

    on_hand: dict[str, int] = field(default_factory=dict)
    price: dict[str, int] = field(default_factory=dict)
    running: list[Sale] = field(default_factory=list)
    closed: list[Sale] = field(default_factory=list)

    def held(self, sku: str) -> int:
        return sum(sale.lines.get(sku, 0) for sale in self.running)

    def redeemed(self) -> int:
        """Uses of the coupon by what runs and what was sold; those that were undone are given back."""
        sold = [sale for sale in self.closed if sale.outcome is Outcome.COMPLETED]
        return sum(sale.coupon for sale in [*self.running, *sold])

    def available(self, lines: dict[str, int]) -> dict[str, int]:
        """What there is of each wanted line, at most what is wanted; lines without any left out."""
        there_is = {sku: min(quantity, self.on_hand[sku] - self.held(sku)) for sku, quantity in lines.items()}
        return {sku: quantity for sku, quantity in there_is.items() if quantity}

    def refusal(self, lines: dict[str, int], *, coupon: bool, reduce: bool) -> str | None:
        """The code with which a start is refused: stock is asked before the coupon."""
        there_is = self.available(lines)
        if there_is != lines and not (reduce and there_is):
            return "insufficient_stock"
        return "coupon_used_up" if coupon and self.redeemed() >= COUPON_LIMIT else None

    def total(self, lines: dict[str, int], *, coupon: bool) -> int:
        """Each line with 19 % rounded half up, and shipping for 490 with 93: free with the coupon."""
        nets = [self.price[sku] * quantity for sku, quantity in lines.items()]
        return sum(net + (net * 19 * 2 + 100) // 200 for net in nets) + (0 if coupon else 490 + 93)
