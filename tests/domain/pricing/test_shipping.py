"""Shipping: which band holds, which option applies, how it is taxed."""

from decimal import Decimal
from typing import Any

import pytest

from checkout.domain.checks import InvalidValue
from checkout.domain.pricing import LineInput, Pricing, price_cart
from checkout.domain.shipping import AS_GOODS, ShippingBand, ShippingOption
from tests.domain.pricing.carts import cart, line, option


def by_bands(*bands: ShippingBand) -> ShippingOption:
    """An option with these bands."""
    return ShippingOption(code="post", name="Post", bands=bands)


def band(price: int, **given: Any) -> ShippingBand:
    """A band with a price in euro."""
    return ShippingBand(prices={"EUR": price}, **given)


def shipped(*lines: LineInput, options: tuple[ShippingOption, ...], **given: Any) -> Pricing:
    """A cart that goes to Germany by one of the options."""
    return price_cart(cart(*lines, shipping_options=options, **given))


def test_the_cheapest_applies_until_one_is_chosen() -> None:
    ways = (option("express", 990), option("post", 490), option("courier", 490))
    pricing = shipped(line("A", 1, 1000), options=ways)
    assert pricing.shipping_option == "courier"  # among equals by code
    assert [(way.code, way.price, way.tax) for way in pricing.shipping_options] == [
        ("courier", 490, 93),
        ("post", 490, 93),
        ("express", 990, 188),
    ]
    chosen = shipped(line("A", 1, 1000), options=ways, shipping_option="express")
    assert (chosen.shipping_option, chosen.shipping_total, chosen.shipping_tax) == ("express", 990, 188)


def test_a_choice_that_no_longer_ships_falls_back_to_the_cheapest() -> None:
    ways = (option("express", 990, "FR"), option("post", 490))
    assert shipped(line("A", 1, 1000), options=ways, shipping_option="express").shipping_option == "post"


@pytest.mark.parametrize(
    ("grams", "price"), [(0, 100), (999, 100), (1000, 200), (2499, 200), (2500, 300), (1_000_000, 300)]
)
def test_a_band_has_its_lower_edge_and_not_its_upper(grams: int, price: int) -> None:
    bands = (
        band(100, max_weight=1000),
        band(200, min_weight=1000, max_weight=2500),
        band(300, min_weight=2500),
    )
    assert shipped(line("A", 1, 1, weight_grams=grams), options=(by_bands(*bands),)).shipping_total == price


def test_weight_is_that_of_all_units() -> None:
    ways = (by_bands(band(100, max_weight=1000), band(200, min_weight=1000)),)
    goods = (line("A", 3, 1, weight_grams=300), line("B", 1, 1, weight_grams=100))
    assert shipped(*goods, options=ways).shipping_total == 200


def test_too_heavy_for_every_band_is_no_shipping() -> None:
    pricing = shipped(line("A", 1, 1, weight_grams=1000), options=(by_bands(band(100, max_weight=1000)),))
    assert ([problem.code for problem in pricing.problems], pricing.shipping_total) == (["no_shipping"], 0)


def test_the_countrys_own_band_goes_before_one_for_everywhere_and_its_own_price_before_a_converted_one() -> None:
    everywhere, germany = band(100), band(900, country="DE")
    assert shipped(line("A", 1, 1), options=(by_bands(everywhere, germany),)).shipping_total == 900
    assert shipped(line("A", 1, 1), options=(by_bands(everywhere, germany),), country="FR").shipping_total == 100
    dollars = ShippingBand(prices={"USD": 700}, currency="USD")
    goods = LineInput(sku="A", quantity=1, prices={"USD": 100})
    assert (
        shipped(
            goods, options=(by_bands(everywhere, dollars),), currency="USD", exchange_rate=Decimal(1)
        ).shipping_total
        == 700
    )


def test_edges_in_a_currency_that_cannot_be_converted_hold_nowhere() -> None:
    dollars = band(100, min_total=1, currency="USD")
    assert shipped(line("A", 1, 1000), options=(by_bands(dollars),)).shipping_option is None
    assert shipped(line("A", 1, 1000), options=(by_bands(dollars, band(200)),)).shipping_total == 200


def test_shipping_taxed_as_the_goods_are() -> None:
    ways = (option("post", 100, tax_class=AS_GOODS),)
    mixed = shipped(line("A", 1, 3000, tax_class="reduced"), line("B", 1, 1000), options=ways)
    assert (mixed.shipping_total, mixed.shipping_tax) == (100, 5 + 5)  # 25 at 19 %, 75 at 7 %
    gifts = shipped(line("A", 1, 0, tax_class="reduced"), line("B", 1, 0), options=ways)
    assert (gifts.shipping_total, gifts.shipping_tax) == (100, 10 + 4)  # nothing to weigh by: half and half
    assert [(way.price, way.tax) for way in gifts.shipping_options] == [(100, 14)]


def test_an_empty_cart_ships_nothing() -> None:
    pricing = shipped(options=(option("post", 490),))
    assert (pricing.total, pricing.lines, pricing.shipping_option, pricing.problems) == (0, (), None, ())


def test_bands_that_contradict_themselves_are_refused_by_field() -> None:
    for given, field in (
        ({"min_weight": -1}, "shipping.min_weight"),
        ({"min_weight": 5, "max_weight": 5}, "shipping.max_weight"),
        ({"min_total": 5, "max_total": 4}, "shipping.max_total"),
        ({"country": "XX"}, "shipping.country"),
    ):
        with pytest.raises(InvalidValue) as refused:
            band(1, **given)
        assert refused.value.field == field
    with pytest.raises(InvalidValue, match="shipping_options"):
        cart(shipping_options=(option("post", 1), option("post", 2)))
