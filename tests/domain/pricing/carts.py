"""Carts for the pricing tests: a small shop in Germany, in euro."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from checkout.domain.discounts import Discount, Effect
from checkout.domain.pricing import LineInput, PricingInput
from checkout.domain.shipping import ShippingBand, ShippingOption
from checkout.domain.tax import Destination, TaxRate, TaxTable

VAT = TaxTable(
    [
        TaxRate(country="DE", percent=Decimal(19)),
        TaxRate(country="DE", tax_class="reduced", percent=Decimal(7)),
        TaxRate(country="DK", percent=Decimal(25)),
        TaxRate(country="CH", percent=Decimal("8.1")),
        TaxRate(country="US", percent=Decimal(0)),
        TaxRate(country="US", region="CA", percent=Decimal("7.25")),
    ]
)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def option(code: str, price: int, *countries: str, **given: Any) -> ShippingOption:
    """A shipping option with one price in euro, in these countries or everywhere."""
    bands = tuple(ShippingBand(prices={"EUR": price}, country=country) for country in countries or (None,))
    return ShippingOption(code=code, name=code.title(), bands=bands, **given)


POST = option("post", 490, "DE")


def line(sku: str, quantity: int, price: int, **given: Any) -> LineInput:
    """A line with a price in euro; product and category are its own SKU unless given."""
    fields = {"product": sku, "category": sku, **given}
    return LineInput(sku=sku, quantity=quantity, prices={"EUR": price}, **fields)


def cart(*lines: LineInput, country: str | None = "DE", region: str | None = None, **given: Any) -> PricingInput:
    """A cart in euro that goes to a country."""
    place = Destination(country, region) if country else None
    fields: dict[str, Any] = {
        "currency": "EUR",
        "base_currency": "EUR",
        "tax": VAT,
        "shipping_options": (POST,),
        "now": NOW,
    }
    return PricingInput(lines=lines, destination=place, **{**fields, **given})


def coupon(effect: Effect, code: str = "CODE", **given: Any) -> dict[str, Any]:
    """What a cart is given that carries this coupon."""
    return {"discounts": (Discount(code=code, name=code, effect=effect, **given),), "coupon_codes": (code,)}


def promotion(code: str, effect: Effect, **given: Any) -> Discount:
    """An automatic promotion."""
    return Discount(code=code, name=code, effect=effect, automatic=True, **given)
