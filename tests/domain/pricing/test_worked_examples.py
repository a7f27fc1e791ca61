"""The worked examples that people reckoned by hand (worked_examples.yaml), run against the rules."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout.domain.discounts import AmountOff, BuyGet, Discount, Effect, FreeShipping, PercentageOff, Selection
from checkout.domain.money import parse_amount
from checkout.domain.pricing import LineInput, PricingInput, price_cart
from checkout.domain.shipping import ShippingBand, ShippingOption
from checkout.domain.tax import Destination, TaxTable, built_in_tax_rates
from tests.domain.pricing.carts import NOW

EXAMPLES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("worked_examples.yaml").read_text(encoding="utf-8")
)
TAX = TaxTable(built_in_tax_rates())
KEYS = {
    "name",
    "to",
    "home",
    "currency",
    "rate",
    "lines",
    "shipping",
    "shipping_tax",
    "coupons",
    "promotions",
    "how",
    "expect",
    "rates",
    "discounts",
    "problems",
}


def prices(text: str, currency: str) -> dict[str, int]:
    """``"9.99"`` in the cart's currency, or ``"9.99 EUR"``."""
    amount, _, named = text.partition(" ")
    return {named or currency: parse_amount(amount, named or currency)}


def place(text: str) -> Destination:
    """``DE``, or ``US-CA``."""
    country, _, region = text.partition("-")
    return Destination(country, region or None)


def discount(given: dict[str, Any], currency: str, automatic: bool) -> Discount:
    """A coupon or promotion as the examples write it."""
    selection = Selection(frozenset(given.get("products", ())), frozenset(given.get("categories", ())))
    effect: Effect
    if "percent" in given:
        effect = PercentageOff(given["percent"] * 100, selection)
    elif "amount" in given:
        effect = AmountOff(parse_amount(given["amount"], currency), currency, selection)
    elif "buy" in given:
        effect = BuyGet(given["buy"], given["get"], selection=selection)
    else:
        effect = FreeShipping()
    return Discount(
        code=given["code"],
        name=given["code"],
        effect=effect,
        automatic=automatic,
        minimum=parse_amount(given.get("minimum", "0"), currency),
        currency=currency,
        stackable=not given.get("exclusive", False),
    )


def band(given: dict[str, Any], currency: str) -> ShippingBand:
    """A band as the examples write it."""
    edges: dict[str, Any] = {name: given[name] for name in ("min_weight", "max_weight") if name in given}
    for name in ("min_total", "max_total"):
        if name in given:
            edges[name] = parse_amount(given[name], currency)
    return ShippingBand(prices=prices(given["price"], currency), currency=currency, **edges)


def cart(example: dict[str, Any]) -> PricingInput:
    """The cart of an example."""
    currency = example["currency"]
    bands = example["shipping"] if isinstance(example["shipping"], list) else [{"price": example["shipping"]}]
    coupons = [discount(given, currency, automatic=False) for given in example.get("coupons", ())]
    promotions = [discount(given, currency, automatic=True) for given in example.get("promotions", ())]
    lines = tuple(
        LineInput(
            sku=line["sku"],
            quantity=line["quantity"],
            prices=prices(line["price"], currency),
            tax_class=line.get("tax", "standard"),
            category=line.get("category"),
            weight_grams=line.get("grams", 0),
        )
        for line in example["lines"]
    )
    return PricingInput(
        currency=currency,
        base_currency="EUR",
        exchange_rate=Decimal(example["rate"]) if "rate" in example else None,
        lines=lines,
        destination=place(example["to"]),
        tax=TAX,
        prices_include_tax="home" in example,
        home=place(example["home"]) if "home" in example else None,
        shipping_options=(
            ShippingOption(
                code="post",
                name="Post",
                bands=tuple(band(given, currency) for given in bands),
                tax_class=example.get("shipping_tax", "standard"),
            ),
        ),
        discounts=(*coupons, *promotions),
        coupon_codes=tuple(coupon.code for coupon in coupons),
        now=NOW,
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_worked_example(example: dict[str, Any]) -> None:
    def minor(text: str) -> int:
        return parse_amount(text, example["currency"])

    assert set(example) <= KEYS, "a key that the runner does not read"
    pricing = price_cart(cart(example)).require_sound()
    assert {name: getattr(pricing, name) for name in example["expect"]} == {
        name: minor(text) for name, text in example["expect"].items()
    }
    assert [problem.code for problem in pricing.problems] == example.get("problems", [])
    if "rates" in example:
        assert {part.rate: [part.net, part.tax] for part in pricing.tax_breakdown} == {
            rate: [minor(net), minor(tax)] for rate, (net, tax) in example["rates"].items()
        }
    if "discounts" in example:
        assert {line.sku: line.discount_total for line in pricing.lines if line.discount_total} == {
            sku: minor(text) for sku, text in example["discounts"].items()
        }


def test_there_are_enough_examples_and_each_has_its_reckoning() -> None:
    assert len(EXAMPLES) >= 20
    assert len({example["name"] for example in EXAMPLES}) == len(EXAMPLES)
    assert all(example["how"].strip() for example in EXAMPLES)
