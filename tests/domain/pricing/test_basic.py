"""Unit prices, VAT by country, flat shipping: the figures of the contract's example and around it."""

from decimal import Decimal

import pytest

from checkout.domain.checks import InvalidValue
from checkout.domain.errors import DefiniteFailure
from checkout.domain.money import MAX_AMOUNT
from checkout.domain.pricing import LineInput, price_cart
from checkout.domain.tax import TaxRate
from tests.domain.pricing.carts import cart, line, option


def test_lines_shipping_and_tax_add_up() -> None:
    pricing = price_cart(cart(line("A", 2, 2500), line("B", 1, 333, tax_class="reduced")))
    assert [(x.sub_total, x.tax_total, x.total) for x in pricing.lines] == [(5000, 950, 5950), (333, 23, 356)]
    assert (pricing.sub_total, pricing.shipping_total, pricing.tax_total) == (5333, 490, 950 + 23 + 93)
    assert pricing.total == 5333 + 490 + 1066
    assert [(x.rate, x.net, x.tax) for x in pricing.tax_breakdown] == [("19", 5490, 1043), ("7", 333, 23)]
    assert pricing.problems == ()


def test_without_an_address_there_is_neither_tax_nor_shipping_yet() -> None:
    pricing = price_cart(cart(line("A", 1, 1000), country=None))
    assert (pricing.total, pricing.shipping_option, pricing.problems) == (1000, None, ())


def test_nothing_ships_there() -> None:
    pricing = price_cart(cart(line("A", 1, 1000), country="CH"))
    assert [problem.code for problem in pricing.problems] == ["no_shipping"]
    with pytest.raises(DefiniteFailure, match="nothing ships this cart to CH") as failure:
        pricing.require_sound()
    assert failure.value.code == "no_shipping"


def test_a_line_without_a_price_in_the_currency_is_named() -> None:
    pricing = price_cart(cart(line("A", 1, 1000), currency="USD", country=None))
    assert [(problem.code, problem.context["sku"]) for problem in pricing.problems] == [("price_missing", "A")]


def test_a_price_is_converted_where_the_shop_set_none() -> None:
    lines = (line("A", 3, 999), LineInput(sku="B", quantity=1, prices={"EUR": 100, "USD": 500}))
    pricing = price_cart(cart(*lines, currency="USD", exchange_rate=Decimal("1.0835"), country=None))
    assert [(x.unit_price, x.sub_total) for x in pricing.lines] == [(1082, 3246), (500, 500)]
    assert (pricing.compare_currency, pricing.exchange_rate) == ("EUR", "1.0835")


def test_free_items_and_a_total_of_zero_are_fine() -> None:
    pricing = price_cart(cart(line("A", 5, 0), shipping_options=(option("free", 0),)))
    assert (pricing.total, pricing.shipping_option, pricing.require_sound()) == (0, "free", pricing)


def test_a_cart_beyond_every_amount_is_a_problem_and_no_overflow() -> None:
    just = price_cart(cart(line("A", 1, MAX_AMOUNT), country=None)).require_sound()
    assert just.total == MAX_AMOUNT
    taxed = price_cart(cart(line("A", 1, MAX_AMOUNT), shipping_options=(option("free", 0),)))
    many = price_cart(cart(line("A", 999, MAX_AMOUNT), country=None))
    converted = price_cart(cart(line("A", 1, MAX_AMOUNT), currency="USD", exchange_rate=Decimal(2), country=None))
    for pricing in (taxed, many, converted):
        assert [problem.code for problem in pricing.problems] == ["amount_too_large"]


@pytest.mark.parametrize("percent", ["-0.1", "100.1", "NaN", "19.00001"])
def test_an_impossible_tax_rate_is_refused_by_name(percent: str) -> None:
    with pytest.raises(InvalidValue, match="percent: must"):
        TaxRate(country="DE", percent=Decimal(percent))


def test_what_no_rule_can_work_with_is_refused_by_name() -> None:
    with pytest.raises(InvalidValue, match=r"lines\.A\.quantity"):
        line("A", 0, 1)
    with pytest.raises(InvalidValue, match=r"lines\.A\.prices\.EUR"):
        line("A", 1, -1)
    with pytest.raises(InvalidValue, match="each SKU"):
        cart(line("A", 1, 1), line("A", 1, 1))
    with pytest.raises(InvalidValue, match="exchange_rate"):
        cart(currency="USD", exchange_rate=Decimal(0))
    with pytest.raises(InvalidValue, match="home"):
        cart(prices_include_tax=True)
