"""Pricing: from a cart's lines and the shop's rules to every figure of a checkout, to the minor unit.

Pure: the same input gives the same result, whatever the order of lines. Not for workflow code: it needs tables.
"""

from checkout.domain.pricing.engine import price_cart
from checkout.domain.pricing.model import (
    PROBLEM_CODES,
    AppliedDiscount,
    DiscountPart,
    LineInput,
    LinePricing,
    Pricing,
    PricingInput,
    Problem,
    PromotionDetail,
    ShippingQuote,
    TaxPart,
)

__all__ = [
    "PROBLEM_CODES",
    "AppliedDiscount",
    "DiscountPart",
    "LineInput",
    "LinePricing",
    "Pricing",
    "PricingInput",
    "Problem",
    "PromotionDetail",
    "ShippingQuote",
    "TaxPart",
    "price_cart",
]
