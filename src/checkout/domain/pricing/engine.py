"""From input to figures, in five steps: unit prices, goods, shipping, tax, totals."""

from dataclasses import dataclass

from checkout.domain.money import MAX_AMOUNT
from checkout.domain.pricing.model import (
    LineInput,
    LinePricing,
    Pricing,
    PricingInput,
    Problem,
    ShippingQuote,
    TaxPart,
)
from checkout.domain.shipping import quote
from checkout.domain.tax import NO_TAX, AppliedRate, TaxBasis, percent_text


def price_cart(given: PricingInput) -> Pricing:
    """Price a cart. Never raises for what a shop or a buyer can bring about: see ``Pricing.problems``.

    Sorted by SKU inside, so that the order of lines changes nothing; the result has the lines as they were given.
    """
    cart = _Cart(given)
    lines = {line.sku: cart.line(line) for line in sorted(given.lines, key=lambda line: line.sku)}
    shipping = cart.shipping(lines)
    return cart.total([lines[line.sku] for line in given.lines], shipping)


@dataclass(frozen=True, slots=True)
class _Taxed:
    """An amount as it was entered, before and after discounts, with the rates that make it net and gross."""

    entered: int
    left: int
    applied: AppliedRate
    basis: TaxBasis

    @property
    def net_before(self) -> int:
        return self.basis.net(self.entered)

    @property
    def net(self) -> int:
        return self.basis.net(self.left)

    @property
    def tax(self) -> int:
        return self.basis.gross(self.left) - self.net


@dataclass(frozen=True, slots=True)
class _Line:
    given: LineInput
    unit_entered: int
    amount: _Taxed

    def result(self) -> LinePricing:
        amount = self.amount
        return LinePricing(
            sku=self.given.sku,
            quantity=self.given.quantity,
            unit_price=amount.basis.net(self.unit_entered),
            sub_total=amount.net_before,
            discount_total=amount.net_before - amount.net,
            tax_total=amount.tax,
            total=amount.net + amount.tax,
            tax_class=self.given.tax_class,
            tax_rate=percent_text(amount.applied.percent),
        )


@dataclass(frozen=True, slots=True)
class _Shipping:
    chosen: str | None
    amount: _Taxed | None
    quotes: tuple[ShippingQuote, ...]


class _Cart:
    """The pricing of one cart while it goes on; problems are noted as they are met."""

    def __init__(self, given: PricingInput) -> None:
        self.given = given
        self.exchange = given.exchange()
        self.problems: list[Problem] = []

    def line(self, line: LineInput) -> _Line:
        unit = self.exchange.price(line.prices)
        if unit is None:
            self.problems.append(
                Problem(
                    "no_price",
                    f"{line.sku} has no price in {self.exchange.currency}",
                    {"sku": line.sku, "currency": self.exchange.currency},
                )
            )
            unit = 0
        entered = unit * line.quantity
        applied, basis = self.rates(line.tax_class)
        return _Line(line, unit, _Taxed(entered, entered, applied, basis))

    def rates(self, tax_class: str) -> tuple[AppliedRate, TaxBasis]:
        """The rate that a class owes at the destination, and how entered amounts of it become net and gross."""
        given = self.given
        place = given.destination or given.home
        applied = given.tax.rate(place, tax_class) if place else NO_TAX
        included = given.tax.rate(given.home, tax_class) if given.prices_include_tax and given.home else NO_TAX
        return applied, TaxBasis(included.percent, applied.percent)

    def shipping(self, lines: dict[str, _Line]) -> _Shipping:
        given = self.given
        if given.destination is None or not lines:
            return _Shipping(None, None, ())
        weight = sum(line.given.weight_grams * line.given.quantity for line in lines.values())
        goods = sum(line.amount.left for line in lines.values())
        country = given.destination.country
        found = quote(given.shipping_options, country, weight, goods, self.exchange)
        if not found:
            self.problems.append(
                Problem("no_shipping", f"nothing ships this cart to {country}", {"country": country, "weight": weight})
            )
            return _Shipping(None, None, ())
        amounts = {option.code: _Taxed(price, price, *self.rates(option.tax_class)) for price, option in found}
        quotes = tuple(
            ShippingQuote(
                code=option.code, name=option.name, price=amounts[option.code].net, tax=amounts[option.code].tax
            )
            for _, option in found
        )
        chosen = given.shipping_option if given.shipping_option in amounts else found[0][1].code
        return _Shipping(chosen, amounts[chosen], quotes)

    def total(self, lines: list[_Line], shipping: _Shipping) -> Pricing:
        results = tuple(line.result() for line in lines)
        sub_total = sum(line.sub_total for line in results)
        discount_total = sum(line.discount_total for line in results)
        shipping_total, shipping_tax = (shipping.amount.net, shipping.amount.tax) if shipping.amount else (0, 0)
        tax_total = sum(line.tax_total for line in results) + shipping_tax
        total = sub_total - discount_total + shipping_total + tax_total
        if total > MAX_AMOUNT or sub_total > MAX_AMOUNT:
            self.problems.append(
                Problem("amount_too_large", f"the cart comes to more than {MAX_AMOUNT} minor units", {"total": total})
            )
        rate = self.exchange.effective_rate
        return Pricing(
            currency=self.exchange.currency,
            lines=results,
            sub_total=sub_total,
            discount_total=discount_total,
            shipping_total=shipping_total,
            shipping_tax=shipping_tax,
            tax_total=tax_total,
            total=total,
            shipping_option=shipping.chosen,
            shipping_options=shipping.quotes,
            tax_breakdown=_tax_breakdown([line.amount for line in lines], shipping.amount),
            compare_currency=self.exchange.base_currency,
            exchange_rate=None if rate is None else f"{rate:f}",
            problems=tuple(self.problems),
        )


def _tax_breakdown(goods: list[_Taxed], shipping: _Taxed | None) -> tuple[TaxPart, ...]:
    """Net and tax by rate and place, the highest rate first."""
    sums: dict[AppliedRate, tuple[int, int]] = {}
    for amount in [*goods, shipping] if shipping else goods:
        net, tax = sums.get(amount.applied, (0, 0))
        sums[amount.applied] = (net + amount.net, tax + amount.tax)
    return tuple(
        TaxPart(
            rate=percent_text(rate.percent), country=rate.country, region=rate.region, name=rate.name, net=net, tax=tax
        )
        for rate, (net, tax) in sorted(
            sums.items(), key=lambda item: (-item[0].percent, item[0].country or "", item[0].region or "", item[0].name)
        )
    )
