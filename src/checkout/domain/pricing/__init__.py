"""Pricing: from a cart's lines and the shop's rules to every figure of a checkout, to the minor unit.

Pure: the same input gives the same result, whatever the order of lines. Not for workflow code: it needs tables.
"""

from checkout.domain.pricing.engine import price_cart
from checkout.domain.pricing.model import (
    LineInput,
    LinePricing,
    Pricing,
    PricingInput,
    Problem,
    ShippingQuote,
    TaxPart,
)

__all__ = [
    "LineInput",
    "LinePricing",
    "Pricing",
    "PricingInput",
    "Problem",
    "ShippingQuote",
    "TaxPart",
    "price_cart",
]
