"""Currencies, conversion inside a cart, and the European Central Bank's file."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.checks import InvalidValue
from checkout.domain.currencies import currency_decimals, is_currency
from checkout.domain.exchange import MAX_ECB_BYTES, Exchange, cross_rate, parse_ecb_rates

DAILY = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
                 xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
  <Cube>
    <Cube time='2026-06-01'>
      <Cube currency='USD' rate='1.0835'/>
      <Cube currency='JPY' rate='162.35'/>
      <Cube currency='GBP' rate='0.8423'/>
    </Cube>
  </Cube>
</gesmes:Envelope>
"""


def test_decimals() -> None:
    assert [currency_decimals(code) for code in ("EUR", "JPY", "KWD", "HUF")] == [2, 0, 3, 2]
    assert [is_currency(code) for code in ("USD", "usd", "XXX", "XAU", "DEM", "", "EURO")] == [True] + [False] * 6


def test_the_banks_file() -> None:
    rates = parse_ecb_rates(DAILY)
    assert rates.day == date(2026, 6, 1)
    assert rates.per_euro == {"USD": Decimal("1.0835"), "JPY": Decimal("162.35"), "GBP": Decimal("0.8423")}
    assert parse_ecb_rates(DAILY.encode()) == rates
    latin = DAILY.replace("UTF-8", "ISO-8859-1").replace("European", "Europ\u00e4isch").encode("iso-8859-1")
    assert parse_ecb_rates(latin) == rates


def test_of_several_days_the_newest_counts() -> None:
    newer = "<Cube time='2026-06-02'><Cube currency='USD' rate='1.09'/></Cube>"
    older = "<Cube time='2026-05-29'><Cube currency='USD' rate='1.07'/></Cube>"
    for text in (
        DAILY.replace("<Cube>", "<Cube>" + newer + older, 1),
        DAILY.replace("  </Cube>\n</g", newer + "</Cube></g"),
    ):
        assert parse_ecb_rates(text).per_euro == {"USD": Decimal("1.09")}


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not well-formed"),
        ("currency,rate\nUSD,1.08\n", "not well-formed"),
        (DAILY[:-20], "not well-formed"),
        ("<html></html>", "no reference rates"),
        (DAILY.replace("www.ecb.int", "example.com"), "no reference rates"),
        (DAILY.replace("time='2026-06-01'", "time='yesterday'"), "'yesterday' is no day"),
        (DAILY.replace("time='2026-06-01'", ""), "a rate stands before any day"),
        (DAILY.replace("1.0835", "0"), "rates.USD: must be above zero"),
        (DAILY.replace("1.0835", "-1"), "rates.USD: must be above zero"),
        (DAILY.replace("1.0835", "1,08"), "rates.USD: '1,08' is no number such as 1.0835"),
        (DAILY.replace("1.0835", "1e3"), "rates.USD: '1e3' is no number"),
        (DAILY.replace("rate='1.0835'", ""), "rates.USD: '' is no number"),
        (DAILY.replace("'GBP'", "'USD'"), "USD is there twice"),
        (DAILY.replace("'GBP'", "'gbp'"), "'gbp' is no currency code"),
        (DAILY.replace("<gesmes:Envelope", BOMB + "<gesmes:Envelope", 1), "document type is not allowed"),
        ("<!--" + "x" * MAX_ECB_BYTES + "-->", "more than 1000000 bytes"),
        ("\ud800", "not well-formed"),
        ("<?xml version='1.0' encoding='none-such'?><a/>", "not well-formed"),
    ],
)
def test_what_is_not_the_banks_file_is_refused_clearly(text: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_ecb_rates(text)
    assert message in str(refused.value)


@given(st.binary(max_size=300))
def test_no_bytes_bring_it_down(data: bytes) -> None:
    with pytest.raises(InvalidValue):
        parse_ecb_rates(data)


def test_cross_rates_go_by_way_of_the_euro() -> None:
    rates = parse_ecb_rates(DAILY).per_euro
    assert cross_rate(rates, "EUR", "USD") == Decimal("1.0835")
    assert cross_rate(rates, "USD", "EUR") == Decimal("0.9229349331")  # 0.92293493308…
    assert cross_rate(rates, "GBP", "JPY") == Decimal("192.7460525")  # 192.74605247…
    assert cross_rate(rates, "USD", "USD") == 1
    with pytest.raises(InvalidValue, match="no rate for CHF"):
        cross_rate(rates, "EUR", "CHF")
    with pytest.raises(InvalidValue, match=r"exchange_rate\.USD: must be above zero"):
        cross_rate({"USD": Decimal(0)}, "USD", "EUR")


def test_a_price_of_the_shop_goes_before_a_converted_one() -> None:
    exchange = Exchange("JPY", "EUR", Decimal("162.35"))
    assert exchange.price({"EUR": 999}) == 1622
    assert exchange.price({"EUR": 999, "JPY": 1500}) == 1500
    assert exchange.price({"USD": 999}) is None
    assert Exchange("JPY", "EUR").price({"EUR": 999}) is None
    assert (exchange.amount(0, "USD"), exchange.amount(100, None), exchange.amount(100, "USD")) == (0, 162, None)


@pytest.mark.parametrize("rate", ["0", "-1.1", "NaN"])
def test_a_rate_of_zero_or_less_is_refused(rate: str) -> None:
    with pytest.raises(InvalidValue, match="exchange_rate"):
        Exchange("USD", "EUR", Decimal(rate))


def test_a_currency_is_worth_itself() -> None:
    assert Exchange("EUR", "EUR").effective_rate == 1
    with pytest.raises(InvalidValue, match="must be 1"):
        Exchange("EUR", "EUR", Decimal("1.1"))
