"""What pricing takes and gives. Amounts are integers in minor units; results are net beside their tax."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from checkout.domain.checks import require
from checkout.domain.currencies import currency_decimals
from checkout.domain.discounts import Discount
from checkout.domain.errors import DefiniteFailure
from checkout.domain.exchange import Exchange, Prices, check_prices
from checkout.domain.shipping import ShippingOption
from checkout.domain.tax import STANDARD, Destination, TaxProvider, TaxTable

#: The most units of a line.
MAX_QUANTITY = 999
#: The most lines of a cart: what names each of them, such as a shortage, stays far below what a history takes in. The
#: database counts them (migration 0021).
MAX_LINES = 500


#: Every code that a problem may have.
PROBLEM_CODES = frozenset(
    {
        "price_missing",
        "no_shipping",
        "amount_too_large",
        "coupon_unknown",
        "coupon_not_yet_valid",
        "coupon_expired",
        "coupon_used_up",
        "coupon_used_up_by_customer",
        "coupon_wrong_currency",
        "coupon_below_minimum",
        "coupon_not_applicable",
        "coupon_not_combinable",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineInput:
    """A line of a cart: how many of a SKU, its price list (as entered, by currency) and what rules look at."""

    sku: str
    quantity: int
    prices: Prices
    tax_class: str = STANDARD
    product: str | None = None
    category: str | None = None
    weight_grams: int = 0

    def __post_init__(self) -> None:
        require(bool(self.sku), "sku", "must not be empty")
        require(1 <= self.quantity <= MAX_QUANTITY, f"lines.{self.sku}.quantity", f"must be from 1 to {MAX_QUANTITY}")
        require(self.weight_grams >= 0, f"lines.{self.sku}.weight_grams", "must not be negative")
        check_prices(self.prices, f"lines.{self.sku}.prices")


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingInput:
    """All that decides the prices of a cart.

    ``currency`` is charged; ``exchange_rate`` says how many of it one unit of ``base_currency`` buys, None when the
    shop stores no rate. ``destination`` is the country (and region) of the shipping address; without one there is no
    shipping yet, and tax is that of ``home`` when the shop names its home, else none. Prices that are entered with tax
    (``prices_include_tax``) contain the tax of ``home``, which must then be given.
    """

    currency: str
    lines: tuple[LineInput, ...]
    base_currency: str
    exchange_rate: Decimal | None = None
    destination: Destination | None = None
    tax: TaxProvider = field(default_factory=lambda: TaxTable(()))
    prices_include_tax: bool = False
    home: Destination | None = None
    shipping_options: tuple[ShippingOption, ...] = ()
    #: The code of the option that the buyer chose; the cheapest applies when none is chosen or it no longer ships.
    shipping_option: str | None = None
    #: The shop's promotions, and the coupons that the codes below may name.
    discounts: tuple[Discount, ...] = ()
    coupon_codes: tuple[str, ...] = ()
    #: The time that decides about windows; with a time zone, needed where there are discounts.
    now: datetime | None = None

    def __post_init__(self) -> None:
        currency_decimals(self.currency)
        currency_decimals(self.base_currency)
        self.exchange()
        skus = [line.sku for line in self.lines]
        require(len(skus) == len(set(skus)), "lines", "each SKU must be there once")
        require(not self.prices_include_tax or self.home is not None, "home", "is needed where prices include tax")
        codes = [option.code for option in self.shipping_options]
        require(len(codes) == len(set(codes)), "shipping_options", "each code must be there once")
        keys = [discount.key for discount in self.discounts]
        require(len(keys) == len(set(keys)), "discounts", "each code must be there once")
        timed = self.now is not None and self.now.tzinfo is not None
        require(timed or not self.discounts, "now", "is needed where there are discounts, with a time zone")

    def exchange(self) -> Exchange:
        """The currencies and the rate between them. Raises InvalidValue for a rate that is not positive."""
        return Exchange(self.currency, self.base_currency, self.exchange_rate)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a cart cannot be sold at these prices: code, sentence, figures. Not ``blocking``: worth knowing only."""

    code: str
    detail: str
    context: Mapping[str, Any] = field(default_factory=dict)
    blocking: bool = True

    def __post_init__(self) -> None:
        require(self.code in PROBLEM_CODES, "code", f"{self.code!r} is no code of pricing")

    def failure(self) -> DefiniteFailure:
        """The problem as the definite failure of a phase."""
        return DefiniteFailure(self.code, self.detail, self.context)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePricing:
    """The figures of a line: ``total = sub_total - discount_total + tax_total``.

    ``unit_price`` is the net price of one; where prices are entered with tax it is rounded for itself, and
    ``sub_total`` from the whole line. ``tax_rate`` is in percent, such as ``"19"``.
    """

    sku: str
    quantity: int
    unit_price: int
    sub_total: int
    discount_total: int
    tax_total: int
    total: int
    tax_class: str
    tax_rate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxPart:
    """What one rate of one place taxes: percent, the net amount under it (shipping included) and its tax."""

    rate: str
    country: str | None
    region: str | None
    name: str
    net: int
    tax: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountPart:
    """What one discount took from one line, net."""

    code: str
    kind: str
    sku: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedDiscount:
    """A discount in force: ``coupon`` or ``promotion``, and what it took from the goods and from shipping, net.

    A coupon that is used is there even where there was nothing to take; its use is what counts against its limits.
    """

    code: str
    kind: str
    name: str
    amount: int
    shipping_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionDetail:
    """What a discount in force says, as it was then: its effect's terms (JSON values) and the lines it touched."""

    code: str
    kind: str
    terms: Mapping[str, Any]
    skus: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingQuote:
    """What an option would cost this cart now, free shipping minded: net, and its tax."""

    code: str
    name: str
    price: int
    tax: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """Every figure of a cart: ``total = sub_total - discount_total + shipping_total + tax_total``.

    The totals of the lines add up to it together with ``shipping_total`` and ``shipping_tax``, which ``tax_total``
    includes. With blocking problems the figures are what can be said (a line without a price counts as 0).
    """

    currency: str
    lines: tuple[LinePricing, ...]
    sub_total: int
    discount_total: int
    shipping_total: int
    shipping_tax: int
    tax_total: int
    total: int
    shipping_option: str | None
    shipping_options: tuple[ShippingQuote, ...]
    tax_breakdown: tuple[TaxPart, ...]
    #: By line and discount; adds up to ``discount_total``.
    discount_breakdown: tuple[DiscountPart, ...]
    applied_discounts: tuple[AppliedDiscount, ...]
    promotion_details: tuple[PromotionDetail, ...]
    #: The coupons in force, as the shop spells them.
    coupon_codes: tuple[str, ...]
    #: The base currency and the rate from it that was in force (text of a decimal), None where none is known.
    compare_currency: str
    exchange_rate: str | None
    problems: tuple[Problem, ...] = ()

    def breakdowns(self) -> dict[str, Any]:
        """The parts of this pricing that a snapshot keeps as JSON, by the names of its fields."""
        fields = ("discount_breakdown", "applied_discounts", "promotion_details", "tax_breakdown")
        return {name: [asdict(part) for part in getattr(self, name)] for name in fields}

    def require_sound(self) -> "Pricing":
        """This pricing, when nothing blocks its sale; else raises the first blocking problem as DefiniteFailure."""
        for problem in self.problems:
            if problem.blocking:
                raise problem.failure()
        return self
