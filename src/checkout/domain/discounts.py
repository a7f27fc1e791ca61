"""Discounts: what coupons and automatic promotions are. Not for workflow code: it needs the table of currencies."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checkout.domain.checks import require
from checkout.domain.currencies import currency_decimals
from checkout.domain.money import MAX_AMOUNT

#: All of it, in basis points.
ALL = 10_000


@dataclass(frozen=True, slots=True)
class Selection:
    """The lines that a rule means: those of one of the products or one of the categories; all when it names none."""

    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    def terms(self) -> dict[str, Any]:
        """The selection as JSON values; nothing for everything."""
        named = {"products": sorted(self.products), "categories": sorted(self.categories)}
        return {name: values for name, values in named.items() if values}

    def picks(self, product: str | None, category: str | None) -> bool:
        """Whether a line of this product and category is meant."""
        if not self.products and not self.categories:
            return True
        return product in self.products or category in self.categories


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class PercentageOff:
    """A percentage (basis points: 1,000 is 10 %) of what is left to pay for the selected lines together."""

    basis_points: int
    selection: Selection = EVERYTHING

    def __post_init__(self) -> None:
        require(0 < self.basis_points <= ALL, "basis_points", "must be from 1 to 10000")

    @property
    def stage(self) -> int:
        """When it is taken: a part of the goods before all of them."""
        return 2 if self.selection == EVERYTHING else 1

    def terms(self) -> dict[str, Any]:
        """What it does, as JSON values."""
        return {"effect": "percentage_off", "basis_points": self.basis_points, **self.selection.terms()}


@dataclass(frozen=True, slots=True)
class AmountOff:
    """A fixed amount in one currency, at most what is left to pay for the selected lines."""

    amount: int
    currency: str
    selection: Selection = EVERYTHING

    def __post_init__(self) -> None:
        currency_decimals(self.currency)
        require(0 < self.amount <= MAX_AMOUNT, "amount", f"must be from 1 to {MAX_AMOUNT}")

    @property
    def stage(self) -> int:
        """When it is taken: after every percentage."""
        return 3

    def terms(self) -> dict[str, Any]:
        """What it does, as JSON values."""
        return {"effect": "amount_off", "amount": self.amount, "currency": self.currency, **self.selection.terms()}


@dataclass(frozen=True, slots=True)
class FreeShipping:
    """Shipping costs nothing: by one of the named options, by any when none is named."""

    options: frozenset[str] = frozenset()

    @property
    def stage(self) -> int:
        """When it is taken: last, since the order total decides the price of shipping."""
        return 4

    def terms(self) -> dict[str, Any]:
        """What it does, as JSON values."""
        return {"effect": "free_shipping", **({"options": sorted(self.options)} if self.options else {})}


@dataclass(frozen=True, slots=True)
class BuyGet:
    """Buy ``buy`` units of the selected lines and get ``get`` of them (or of ``reward``) at a percentage off.

    As often as it fits. The cheapest units are the ones that are got, the dearest the ones that are bought.
    """

    buy: int
    get: int
    basis_points: int = ALL
    selection: Selection = EVERYTHING
    reward: Selection | None = None

    def __post_init__(self) -> None:
        require(self.buy >= 1, "buy", "must be 1 or more")
        require(self.get >= 1, "get", "must be 1 or more")
        require(0 < self.basis_points <= ALL, "basis_points", "must be from 1 to 10000")

    @property
    def stage(self) -> int:
        """When it is taken: first, since it goes by the price of single units."""
        return 0

    def terms(self) -> dict[str, Any]:
        """What it does, as JSON values."""
        reward = {} if self.reward is None else {"reward": self.reward.terms()}
        counts = {"buy": self.buy, "get": self.get, "basis_points": self.basis_points}
        return {"effect": "buy_get", **counts, **self.selection.terms(), **reward}


def normal_code(code: str) -> str:
    """A coupon's code as it is compared: without case and outer blanks."""
    return code.strip().casefold()


Effect = PercentageOff | AmountOff | FreeShipping | BuyGet


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """A coupon (the buyer enters its code) or an automatic promotion, with what limits its use.

    Coupon codes are compared without case. ``starts_at`` belongs to its window, ``ends_at`` does not; both with a time
    zone. ``minimum`` (minor units of ``currency``, of the base currency without one) is compared with the goods before
    any discount, as entered. ``redeemed`` and ``redeemed_by_customer`` count uses so far, running checkouts included
    and this one not.

    Precedence. Discounts that apply are taken one after the other, each from what the ones before left: units that are
    got for units bought, percentages of selected lines, percentages of all, fixed amounts, free shipping; within one
    kind the lower ``priority`` first, then by code. One that is not ``stackable`` goes with no other: then the choice
    that leaves the least to pay applies (all stackable ones together, or one exclusive alone).
    """

    code: str
    name: str
    effect: Effect
    automatic: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    minimum: int = 0
    currency: str | None = None
    limit: int | None = None
    limit_per_customer: int | None = None
    redeemed: int = 0
    redeemed_by_customer: int = 0
    stackable: bool = True
    priority: int = 100

    def __post_init__(self) -> None:
        require(bool(self.code), "code", "must not be empty")
        for field, value in (("starts_at", self.starts_at), ("ends_at", self.ends_at)):
            require(value is None or value.tzinfo is not None, field, "must have a time zone")
        if self.starts_at is not None and self.ends_at is not None:
            require(self.starts_at < self.ends_at, "ends_at", "must be after starts_at")
        require(0 <= self.minimum <= MAX_AMOUNT, "minimum", f"must be from 0 to {MAX_AMOUNT}")
        if self.currency is not None:
            currency_decimals(self.currency)
        for field, count in (("limit", self.limit), ("limit_per_customer", self.limit_per_customer)):
            require(count is None or count >= 0, field, "must not be negative")

    @property
    def kind(self) -> str:
        """``promotion`` or ``coupon``."""
        return "promotion" if self.automatic else "coupon"

    @property
    def key(self) -> tuple[bool, str]:
        """What a discount is known by: a coupon and a promotion may share a code."""
        return (self.automatic, self.code if self.automatic else normal_code(self.code))

    @property
    def precedence(self) -> tuple[int, int, bool, str]:
        """The order in which discounts that go together are taken."""
        return (self.effect.stage, self.priority, *self.key)
