"""Tax: which rate holds where, prices entered with tax, another provider, and the table that comes with the product."""

from decimal import Decimal

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.checks import InvalidValue
from checkout.domain.countries import country_name, region_code
from checkout.domain.pricing import price_cart
from checkout.domain.tax import (
    AppliedRate,
    Destination,
    FixedRates,
    TaxBasis,
    TaxRate,
    TaxTable,
    built_in_tax_rates,
    read_tax_rates,
)
from tests.domain.pricing.carts import cart, line, option

TABLE = TaxTable(
    [
        TaxRate(country="CA", percent=Decimal(5), name="GST"),
        TaxRate(country="CA", region="QC", percent=Decimal("14.975")),
        TaxRate(country="CA", tax_class="reduced", percent=Decimal(1)),
        TaxRate(country="CA", region="ON", tax_class="zero", percent=Decimal(2)),
    ]
)


@pytest.mark.parametrize(
    ("region", "tax_class", "percent"),
    [
        (None, "standard", "5"),
        ("QC", "standard", "14.975"),
        ("CA-QC", "standard", "14.975"),
        ("quebec", "standard", "14.975"),
        ("Québec", "standard", "14.975"),
        ("QC", "reduced", "1"),  # the country's row for the class goes before the region's standard
        ("QC", "books", "14.975"),
        ("somewhere", "books", "5"),
        (None, "zero", "0"),
        ("ON", "zero", "2"),
    ],
)
def test_the_most_exact_row_wins(region: str | None, tax_class: str, percent: str) -> None:
    assert TABLE.rate(Destination("CA", region), tax_class).percent == Decimal(percent)


def test_a_country_without_rows_is_outside_the_tax_area() -> None:
    assert TABLE.rate(Destination("JP"), "standard") == AppliedRate(Decimal(0))
    with pytest.raises(InvalidValue, match="country"):
        Destination("XX")


def test_regions_by_code_and_by_name() -> None:
    found = [region_code("US", text) for text in ("CA", "us-ca", " California ", "Bavaria", "", None)]
    assert found == ["CA", "CA", "CA", None, None, None]
    assert (region_code("DE", "BY"), country_name("DE")) == ("BY", "Germany")


@pytest.mark.parametrize(
    "rows",
    [
        [TaxRate(country="DE", percent=Decimal(19)), TaxRate(country="DE", percent=Decimal(16))],
        [
            TaxRate(country="US", region="CA", percent=Decimal(7)),
            TaxRate(country="US", region="CA", percent=Decimal(8)),
        ],
    ],
)
def test_two_rates_for_one_thing_are_refused(rows: list[TaxRate]) -> None:
    with pytest.raises(InvalidValue, match="there twice"):
        TaxTable(rows)


def test_a_region_must_be_of_the_country() -> None:
    with pytest.raises(InvalidValue, match="region"):
        TaxRate(country="DE", region="CA", percent=Decimal(1))


def test_another_provider_decides_instead_of_the_table() -> None:
    rates = FixedRates({"standard": AppliedRate(Decimal("8.875"), "US", "NY", "New York City")})
    pricing = price_cart(cart(line("A", 1, 10_000), country="US", shipping_options=(option("post", 0),), tax=rates))
    assert [(part.rate, part.name, part.tax) for part in pricing.tax_breakdown] == [("8.875", "New York City", 888)]
    with pytest.raises(InvalidValue, match="no rate of 'reduced' for US"):
        price_cart(cart(line("A", 1, 1, tax_class="reduced"), country="US", tax=rates))


def test_a_provider_that_answers_nonsense_is_refused() -> None:
    with pytest.raises(InvalidValue, match="percent"):
        AppliedRate(Decimal(-1))


PERCENT = st.integers(0, 1_000_000).map(lambda parts: Decimal(parts) / 10_000)


@given(st.integers(0, 10**15), PERCENT)
def test_what_was_entered_with_tax_is_what_is_paid(entered: int, percent: Decimal) -> None:
    assert TaxBasis(percent, percent).gross(entered) == entered


@given(st.integers(0, 10**15), PERCENT, PERCENT)
def test_tax_is_never_negative_and_net_entered_amounts_stay(entered: int, included: Decimal, due: Decimal) -> None:
    basis = TaxBasis(included, due)
    assert basis.gross(entered) >= basis.net(entered) >= 0
    assert TaxBasis(Decimal(0), due).net(entered) == entered


@given(st.integers(0, 10**6), st.integers(0, 10**6), PERCENT, PERCENT)
def test_more_never_costs_less(one: int, more: int, included: Decimal, due: Decimal) -> None:
    basis = TaxBasis(included, due)
    assert basis.net(one) <= basis.net(one + more)
    assert basis.gross(one) <= basis.gross(one + more)


def test_prices_with_tax_need_no_address_to_show_the_price_on_the_tag() -> None:
    pricing = price_cart(cart(line("A", 1, 999), country=None, prices_include_tax=True, home=Destination("DE")))
    assert (pricing.sub_total, pricing.tax_total, pricing.total) == (839, 160, 999)


# -- the table that comes with the product -----------------------------------------------------------------------------

# fmt: off
EU = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
]
# fmt: on


def test_the_table_has_every_country_it_promises() -> None:
    rates = {(rate.country, rate.region, rate.tax_class): rate.percent for rate in built_in_tax_rates()}
    TaxTable(built_in_tax_rates())
    for country in (*EU, "GB", "CH", "NO"):
        assert (country, None, "standard") in rates
        reduced = rates.get((country, None, "reduced"))
        if country == "DK":
            assert reduced is None
        else:
            assert reduced is not None
            assert 0 < reduced < rates[country, None, "standard"]
    for country in EU:
        # The VAT directive (2006/112/EC, articles 97 and 98): 15 % at least, reduced rates of 5 % at least.
        assert rates[country, None, "standard"] >= 15
        assert rates.get((country, None, "reduced"), Decimal(5)) >= 5
        assert rates.get((country, None, "super_reduced"), Decimal(1)) < 5
    states = {
        s.code.removeprefix("US-") for s in pycountry.subdivisions if s.country_code == "US" and s.type == "State"
    }
    assert {region for country, region, _ in rates if country == "US"} == states | {"DC"}


HEADER = "country,region,tax_class,percent,name\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header: must be country,region"),
        ("country;region;tax_class;percent;name\n", "header: must be country,region"),
        (HEADER + "DE,,standard,19\n", "line 2: must have 5 columns, has 4"),
        (f"# a remark\n{HEADER}DE,,standard,19,VAT\nDE,,reduced,seven,VAT\n", "line 4, percent: 'seven' is no number"),
        (HEADER + "DE,,standard,119,VAT\n", "line 2, percent: must be from 0 to 100"),
        (HEADER + "DE,XX,standard,19,VAT\n", "line 2, region: 'XX' is no ISO 3166-2 region of DE"),
        (HEADER + "ZZ,,standard,19,VAT\n", "line 2, country: 'ZZ' is no"),
        (HEADER + "DE,,,19,VAT\n", "line 2, tax_class: must not be empty"),
    ],
)
def test_a_bad_table_says_where(text: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        read_tax_rates(text)
    assert message in str(refused.value)
