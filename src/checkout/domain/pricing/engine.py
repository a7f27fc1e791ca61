"""From input to figures, in five steps: unit prices, discounts, shipping, tax, totals."""

from dataclasses import dataclass

from checkout.domain.discounts import Discount
from checkout.domain.money import MAX_AMOUNT
from checkout.domain.pricing.basket import Basket, Priced
from checkout.domain.pricing.eligibility import Eligibility, not_combinable, wanted, wrong_option
from checkout.domain.pricing.model import (
    AppliedDiscount,
    DiscountPart,
    LinePricing,
    Pricing,
    PricingInput,
    Problem,
    PromotionDetail,
    ShippingQuote,
)
from checkout.domain.pricing.taxed import Rates, Taxed, spread_as_goods, tax_breakdown
from checkout.domain.shipping import AS_GOODS, ShippingOption, quote
from checkout.domain.tax import percent_text


def price_cart(given: PricingInput) -> Pricing:
    """Price a cart. Never raises for what a shop or a buyer can bring about: see ``Pricing.problems``.

    Sorted by SKU inside, so that the order of lines and of discounts changes nothing; the result has the lines as they
    were given.
    """
    return _Cart(given).price()


@dataclass(frozen=True, slots=True)
class _Offer:
    """A way to ship the cart: its price as entered, and what free shipping leaves of it."""

    option: ShippingOption
    entered: int
    left: int
    freed_by: Discount | None


@dataclass(frozen=True, slots=True)
class _Choice:
    """Discounts that go together, what they make of the cart, and the shipping that applies then."""

    discounts: tuple[Discount, ...]
    basket: Basket
    offers: list[_Offer]
    shipping: _Offer | None

    @property
    def rank(self) -> tuple[bool, int, bool, tuple[int, ...], tuple[tuple[bool, str], ...]]:
        """What ships first, then least to pay; among equals the one with a coupon, then by priority, then by code."""
        to_pay = sum(self.basket.left) + (self.shipping.left if self.shipping else 0)
        coupon = any(not discount.automatic for discount in self.discounts)
        priorities = tuple(sorted(discount.priority for discount in self.discounts))
        keys = tuple(sorted(discount.key for discount in self.discounts))
        return (self.shipping is None, to_pay, not coupon, priorities, keys)


class _Cart:
    """The pricing of one cart while it goes on; problems are noted as they are met."""

    def __init__(self, given: PricingInput) -> None:
        self.given = given
        self.exchange = given.exchange()
        self.rates = Rates(given)
        self.problems: list[Problem] = []

    def price(self) -> Pricing:
        lines = self._priced()
        choice = self._choose(lines)
        goods = [
            self.rates.taxed(line.entered, left, line.given.tax_class)
            for line, left in zip(lines, choice.basket.left, strict=True)
        ]
        shipping = self._taxed_shipping(choice.shipping, goods) if choice.shipping else []
        return self._pricing(choice, goods, shipping)

    def _priced(self) -> list[Priced]:
        """The lines by SKU with their unit prices."""
        lines = []
        for line in sorted(self.given.lines, key=lambda line: line.sku):
            unit = self.exchange.price(line.prices)
            if unit is None:
                currency = self.exchange.currency
                context = {"sku": line.sku, "currency": currency}
                self.problems.append(Problem("price_missing", f"{line.sku} has no price in {currency}", context))
            lines.append(Priced(line, unit or 0))
        return lines

    # -- discounts -----------------------------------------------------------------------------------------------

    def _choose(self, lines: list[Priced]) -> _Choice:
        """The discounts that apply: all that are stackable, or one exclusive, whichever leaves less to pay."""
        usable = self._usable(lines)
        together = tuple(discount for discount in usable if discount.stackable)
        alone = [(discount,) for discount in usable if not discount.stackable]
        choices = [self._choice(lines, discounts) for discounts in (together, *alone)]
        best = min(choices, key=lambda choice: choice.rank)
        if best.shipping is None and lines and self.given.destination is not None:
            country = self.given.destination.country
            self.problems.append(Problem("no_shipping", f"nothing ships this cart to {country}", {"country": country}))
        for discount in usable:
            if not discount.automatic:
                self._note_unused(discount, best)
        return best

    def _usable(self, lines: list[Priced]) -> list[Discount]:
        """The promotions and the asked-for coupons that this cart may use; a coupon that it may not is a problem."""
        given = self.given
        coupons, unknown = wanted(given.coupon_codes, given.discounts)
        self.problems += unknown
        promotions = sorted((one for one in given.discounts if one.automatic), key=lambda one: one.key)
        if given.now is None or not (coupons or promotions):
            return []
        eligibility = Eligibility(lines, self.exchange, given.now)
        usable = []
        for discount in [*promotions, *coupons]:
            refusal = eligibility.refusal(discount)
            if refusal is None:
                usable.append(discount)
            elif not discount.automatic:
                self.problems.append(refusal)
        return usable

    def _choice(self, lines: list[Priced], discounts: tuple[Discount, ...]) -> _Choice:
        basket = Basket(lines).take(discounts)
        offers = self._offers(basket)
        chosen = next((offer for offer in offers if offer.option.code == self.given.shipping_option), None)
        return _Choice(discounts, basket, offers, chosen or next(iter(offers), None))

    def _note_unused(self, coupon: Discount, choice: _Choice) -> None:
        if coupon not in choice.discounts:
            self.problems.append(not_combinable(coupon))
            return
        effect = next((effect for one, effect in choice.basket.free_shipping if one == coupon), None)
        shipping = choice.shipping
        if effect and shipping and effect.options and shipping.option.code not in effect.options:
            self.problems.append(wrong_option(coupon, effect.options, shipping.option.code))

    # -- shipping ------------------------------------------------------------------------------------------------

    def _offers(self, basket: Basket) -> list[_Offer]:
        """The ways to ship this basket, the cheapest first; none without an address or without goods."""
        given = self.given
        if given.destination is None or not basket.lines:
            return []
        weight = sum(line.given.weight_grams * line.given.quantity for line in basket.lines)
        quotes = quote(given.shipping_options, given.destination.country, weight, sum(basket.left), self.exchange)
        offers = []
        for entered, option in quotes:
            free = (one for one, effect in basket.free_shipping if not effect.options or option.code in effect.options)
            freed_by = next(free, None)
            offers.append(_Offer(option, entered, 0 if freed_by else entered, freed_by))
        return sorted(offers, key=lambda offer: (offer.left, offer.entered, offer.option.code))

    def _taxed_shipping(self, offer: _Offer, goods: list[Taxed]) -> list[Taxed]:
        if offer.option.tax_class == AS_GOODS:
            return spread_as_goods(offer.entered, offer.left, goods)
        return [self.rates.taxed(offer.entered, offer.left, offer.option.tax_class)]

    def _quote(self, offer: _Offer, goods: list[Taxed]) -> ShippingQuote:
        parts = self._taxed_shipping(offer, goods)
        price, tax = sum(part.net for part in parts), sum(part.tax for part in parts)
        return ShippingQuote(code=offer.option.code, name=offer.option.name, price=price, tax=tax)

    # -- figures -------------------------------------------------------------------------------------------------

    def _pricing(self, choice: _Choice, goods: list[Taxed], shipping: list[Taxed]) -> Pricing:
        by_sku = {line.given.sku: _line(line, amount) for line, amount in zip(choice.basket.lines, goods, strict=True)}
        lines = tuple(by_sku[line.sku] for line in self.given.lines)
        sub_total = sum(line.sub_total for line in lines)
        discount_total = sum(line.discount_total for line in lines)
        shipping_total, shipping_tax = sum(part.net for part in shipping), sum(part.tax for part in shipping)
        tax_total = sum(line.tax_total for line in lines) + shipping_tax
        total = sub_total - discount_total + shipping_total + tax_total
        if max(total, sub_total) > MAX_AMOUNT:
            sentence = f"the cart comes to more than {MAX_AMOUNT} minor units"
            self.problems.append(Problem("amount_too_large", sentence, {"total": total}))
        rate = self.exchange.effective_rate
        parts = _parts(choice.basket, goods)
        freed = sum(part.net_before for part in shipping) - shipping_total
        applied = _applied(choice, parts, freed)
        return Pricing(
            currency=self.exchange.currency,
            lines=lines,
            sub_total=sub_total,
            discount_total=discount_total,
            shipping_total=shipping_total,
            shipping_tax=shipping_tax,
            tax_total=tax_total,
            total=total,
            shipping_option=choice.shipping.option.code if choice.shipping else None,
            shipping_options=tuple(self._quote(offer, goods) for offer in choice.offers),
            tax_breakdown=tax_breakdown([*goods, *shipping]),
            discount_breakdown=parts,
            applied_discounts=tuple(entry for _, entry in applied),
            promotion_details=tuple(_detail(discount, parts) for discount, _ in applied),
            coupon_codes=tuple(entry.code for _, entry in applied if entry.kind == "coupon"),
            compare_currency=self.exchange.base_currency,
            exchange_rate=None if rate is None else f"{rate:f}",
            problems=tuple(self.problems),
        )


def _line(line: Priced, amount: Taxed) -> LinePricing:
    return LinePricing(
        sku=line.given.sku,
        quantity=line.given.quantity,
        unit_price=amount.basis.net(line.unit),
        sub_total=amount.net_before,
        discount_total=amount.net_before - amount.net,
        tax_total=amount.tax,
        total=amount.net + amount.tax,
        tax_class=line.given.tax_class,
        tax_rate=percent_text(amount.applied.percent),
    )


def _parts(basket: Basket, goods: list[Taxed]) -> tuple[DiscountPart, ...]:
    """What each discount took from each line, net: differences of what was left, so that they add up exactly."""
    left = [line.entered for line in basket.lines]
    parts = []
    for taken in basket.taken:
        basis = goods[taken.line].basis
        before, left[taken.line] = left[taken.line], left[taken.line] - taken.amount
        parts.append(
            DiscountPart(
                code=taken.discount.code,
                kind=taken.discount.kind,
                sku=basket.lines[taken.line].given.sku,
                amount=basis.net(before) - basis.net(left[taken.line]),
            )
        )
    return tuple(parts)


def _applied(choice: _Choice, parts: tuple[DiscountPart, ...], freed: int) -> list[tuple[Discount, AppliedDiscount]]:
    """The discounts in force, in the order in which they were taken; promotions only where they took something."""
    applied = []
    for discount in sorted(choice.discounts, key=lambda discount: discount.precedence):
        amount = sum(part.amount for part in parts if (part.kind, part.code) == (discount.kind, discount.code))
        shipping = freed if choice.shipping and choice.shipping.freed_by == discount else 0
        if amount or shipping or not discount.automatic:
            entry = AppliedDiscount(
                code=discount.code, kind=discount.kind, name=discount.name, amount=amount, shipping_amount=shipping
            )
            applied.append((discount, entry))
    return applied


def _detail(discount: Discount, parts: tuple[DiscountPart, ...]) -> PromotionDetail:
    own = (part.sku for part in parts if (part.kind, part.code) == (discount.kind, discount.code))
    return PromotionDetail(
        code=discount.code, kind=discount.kind, terms=discount.effect.terms(), skus=tuple(sorted(own))
    )
