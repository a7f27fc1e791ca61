"""Which discounts a cart may use: each coupon that it may not has a code and a sentence of its own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from checkout.domain.discounts import AmountOff, BuyGet, Discount, PercentageOff, normal_code
from checkout.domain.exchange import Exchange
from checkout.domain.money import money_text
from checkout.domain.pricing.basket import Basket, Priced
from checkout.domain.pricing.model import Problem
from checkout.domain.times import rfc3339


class Eligibility:
    """The cart that discounts are held against: its lines, its currency, and the time."""

    def __init__(self, lines: list[Priced], exchange: Exchange, now: datetime) -> None:
        self.lines = lines
        self.goods = sum(line.entered for line in lines)
        self.exchange = exchange
        self.now = now

    def refusal(self, discount: Discount) -> Problem | None:
        """Why the discount cannot be used by this cart; None when it can."""
        for check in (self._window, self._limits, self._currency, self._minimum, self._lines):
            problem = check(discount)
            if problem is not None:
                return problem
        return None

    def _window(self, discount: Discount) -> Problem | None:
        if discount.starts_at is not None and self.now < discount.starts_at:
            starts_at = rfc3339(discount.starts_at)
            return _refused(discount, "not_yet_valid", f"is valid from {starts_at} on", {"starts_at": starts_at})
        if discount.ends_at is not None and self.now >= discount.ends_at:
            ends_at = rfc3339(discount.ends_at)
            return _refused(discount, "expired", f"was valid until {ends_at}", {"ends_at": ends_at})
        return None

    def _limits(self, discount: Discount) -> Problem | None:
        if discount.limit is not None and discount.redeemed >= discount.limit:
            return _refused(discount, "used_up", "has been used as often as it may be", {"limit": discount.limit})
        own = discount.limit_per_customer
        if own is not None and discount.redeemed_by_customer >= own:
            sentence = "has been used as often as one customer may"
            return _refused(discount, "used_up_by_customer", sentence, {"limit_per_customer": own})
        return None

    def _currency(self, discount: Discount) -> Problem | None:
        charged = self.exchange.currency
        match discount.effect:
            case AmountOff(currency=worth) if worth != charged:
                context = {"currency": worth, "cart_currency": charged}
                return _refused(discount, "wrong_currency", f"is worth {worth}, this cart is in {charged}", context)
        if self.exchange.amount(discount.minimum, discount.currency) is None:
            asked = discount.currency or self.exchange.base_currency
            context = {"currency": asked, "cart_currency": charged}
            return _refused(discount, "wrong_currency", f"is for carts in {asked}, this one is in {charged}", context)
        return None

    def _minimum(self, discount: Discount) -> Problem | None:
        minimum = self.exchange.amount(discount.minimum, discount.currency) or 0
        if self.goods >= minimum:
            return None
        currency = self.exchange.currency
        context = {"minimum": minimum, "goods": self.goods, "currency": currency}
        sentence = f"needs goods for {money_text(minimum, currency)} or more"
        return _refused(discount, "below_minimum", sentence, context)

    def _lines(self, discount: Discount) -> Problem | None:
        match discount.effect:
            case PercentageOff(selection=selection) | AmountOff(selection=selection):
                fits = bool(Basket(self.lines).picked(selection))
            case BuyGet():
                fits = bool(Basket(self.lines).take([discount]).taken)
            case _:
                fits = True
        return None if fits else _refused(discount, "not_applicable", "is for goods that this cart has not got", {})


def unknown(code: str) -> Problem:
    """No coupon has this code."""
    return Problem("coupon_unknown", f"there is no coupon {code[:64]!r}", {"coupon": code[:64]})


def not_combinable(discount: Discount) -> Problem:
    """Something better applies that does not go together with the coupon: it is left unused, and nothing is refused."""
    sentence = f"coupon {discount.code} is not used: a better offer applies that does not go with it"
    return Problem("coupon_not_combinable", sentence, {"coupon": discount.code}, blocking=False)


def wrong_option(discount: Discount, options: frozenset[str], chosen: str) -> Problem:
    """The coupon makes other shipping options free than the one that applies."""
    context = {"options": sorted(options), "shipping_option": chosen}
    sentence = f"makes shipping free by {', '.join(sorted(options))}, not by {chosen}"
    return _refused(discount, "not_applicable", sentence, context)


def wanted(codes: tuple[str, ...], discounts: tuple[Discount, ...]) -> tuple[list[Discount], list[Problem]]:
    """The coupons of these codes, each once and in an order of their own; and the codes that are none."""
    coupons = {normal_code(discount.code): discount for discount in discounts if not discount.automatic}
    asked = {normal_code(code): code for code in codes}
    found = [coupons[normal] for normal in sorted(asked) if normal in coupons]
    return found, [unknown(asked[normal]) for normal in sorted(asked) if normal not in coupons]


def _refused(discount: Discount, reason: str, sentence: str, context: Mapping[str, Any]) -> Problem:
    return Problem(f"coupon_{reason}", f"coupon {discount.code} {sentence}", {"coupon": discount.code, **context})
