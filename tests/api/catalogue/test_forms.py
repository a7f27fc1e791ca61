"""The forms of the catalogue admin: what each refuses, with the field's name, and what it makes of what it takes."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from starlette.datastructures import FormData

from checkout.api.admin_catalogue import forms

PRODUCT = {"handle": "jug", "title": "Jug", "active": "y"}
WAREHOUSE = {"code": "w", "name": "W", "priority": "1", "countries": "de AT;ch", "active": "y"}
COUPON = {"code": "spring", "kind": "percentage", "percent": "12.5", "priority": "100", "stackable": "y", "active": "y"}
PROMOTION = COUPON | {"code": "SALE", "kind": "product_percentage", "product_handle": "teapot", "percent": "10"}
BUY = PROMOTION | {"kind": "buy_x_get_y", "buy_quantity": "2", "get_quantity": "1", "percent": "100"}
TAX = {"country": "de", "region": "", "tax_class": "standard", "percent": "19"}
RATE = {"base": "eur", "currency": "usd", "date": "2030-01-01", "rate": "1.1"}
BAND = {
    "country": "",
    "currency": "eur",
    "code": "bulky",
    "name": "Bulky",
    "tax_class": "standard",
    "amount": "29.00",
    "minimum_weight_grams": "1000",
    "active": "y",
}
FIXED = {"kind": "fixed_amount", "percent": "", "amount": "5", "currency": "EUR"}


def refusals(form: type[forms.RuleForm], entered: dict[str, str]) -> list[str]:
    """What a form says of these entries."""
    filled = form(FormData(entered))
    assert not filled.validate()
    return [f"{name}: {error}" for name, errors in filled.errors.items() for error in errors]


def taken(form: type[forms.RuleForm], entered: dict[str, str]) -> dict[str, Any]:
    """The columns that a form makes of these entries."""
    filled = form(FormData(entered))
    assert filled.validate(), filled.errors
    return filled.data


@pytest.mark.parametrize(
    ("form", "entered", "message"),
    [
        (forms.ProductForm, PRODUCT | {"handle": "a b"}, "handle: must be letters"),
        (forms.ProductForm, PRODUCT | {"image_url": "javascript:x"}, "image_url: must begin with https://"),
        (forms.ProductForm, PRODUCT | {"title": "a\x00b"}, "title: must not have control characters"),
        (forms.ProductForm, PRODUCT | {"title": "two\nlines"}, "title: must not have control characters"),
        (forms.ProductForm, PRODUCT | {"title": "x" * 256}, "title: Field cannot be longer than 255 characters."),
        (forms.ProductForm, PRODUCT | {"title": ""}, "title: This field is required."),
        (forms.WarehouseForm, WAREHOUSE | {"countries": "DE, XX"}, "countries: 'XX' is no ISO 3166-1"),
        (forms.WarehouseForm, WAREHOUSE | {"priority": "2147483648"}, "priority: Number must be between"),
        (forms.CouponForm, COUPON | {"percent": ""}, "percent: must be given for percentage"),
        (forms.CouponForm, COUPON | {"percent": "0"}, "percent: must be from 0.01 to 100"),
        (forms.CouponForm, COUPON | {"percent": "100.01"}, "percent: must be from 0.01 to 100"),
        (forms.CouponForm, COUPON | {"percent": "1.005"}, "percent: must have two decimals at most"),
        (forms.CouponForm, COUPON | {"percent": "x"}, "percent: 'x' is no number"),
        (forms.CouponForm, COUPON | {"percent": "NaN"}, "percent: must be a finite number"),
        (forms.CouponForm, COUPON | {"percent": "1e99"}, "percent: must be a finite number"),
        (forms.CouponForm, COUPON | {"amount": "5", "currency": "EUR"}, "amount: contradicts percentage"),
        (forms.CouponForm, COUPON | FIXED | {"percent": "1"}, "percent: contradicts 'Fixed amount'"),
        (forms.CouponForm, COUPON | FIXED | {"currency": ""}, "currency: must be given for 'Fixed amount'"),
        (forms.CouponForm, COUPON | FIXED | {"currency": "EURO"}, "currency: 'EURO' is no ISO 4217"),
        (forms.CouponForm, COUPON | FIXED | {"amount": "0"}, "amount: must be from 1 to"),
        (forms.CouponForm, COUPON | FIXED | {"amount": "5.001"}, "amount: '5.001' has 3 decimals"),
        (forms.CouponForm, COUPON | {"minimum_amount": "5"}, "currency: must be given, 'Minimum order' is"),
        (
            forms.CouponForm,
            COUPON | {"starts_at": "2030-02-01T10:00", "ends_at": "2030-01-01T10:00"},
            "ends_at: must be after 'Starts'",
        ),
        (
            forms.CouponForm,
            COUPON | {"limit_total": "1", "limit_per_customer": "2"},
            "limit_per_customer: must not be more than 'Limit in all'",
        ),
        (forms.CouponForm, COUPON | {"kind": "gift"}, "kind: Not a valid choice."),
        (forms.CouponForm, COUPON | {"limit_total": "many"}, "limit_total: Not a valid integer value."),
        (forms.CouponForm, COUPON | {"limit_total": "-1"}, "limit_total: Number must be between 0"),
        (forms.CouponForm, COUPON | {"starts_at": "soon"}, "starts_at: Not a valid datetime value."),
        (forms.PromotionForm, PROMOTION | {"product_handle": ""}, "product_handle: must be given for"),
        (forms.PromotionForm, PROMOTION | {"category": "Tea"}, "category: contradicts 'Percentage off a product'"),
        (
            forms.PromotionForm,
            PROMOTION | {"buy_quantity": "2"},
            "buy_quantity: contradicts 'Percentage off a product'",
        ),
        (forms.PromotionForm, PROMOTION | {"kind": "order_percentage"}, "product_handle: contradicts"),
        (forms.PromotionForm, BUY | {"get_quantity": ""}, "get_quantity: must be given for 'Buy some, get some'"),
        (forms.PromotionForm, BUY | {"category": "Tea"}, "product_handle: name either a product or"),
        (forms.PromotionForm, BUY | {"product_handle": ""}, "product_handle: name either a product or"),
        (forms.TaxRateForm, TAX | {"percent": "100.0001"}, "percent: must be from 0 to 100 percent"),
        (forms.TaxRateForm, TAX | {"percent": "-1"}, "percent: must be from 0 to 100 percent"),
        (forms.TaxRateForm, TAX | {"percent": "1.00001"}, "percent: must have four decimals at most"),
        (forms.TaxRateForm, TAX | {"country": "XX"}, "country: 'XX' is no ISO 3166-1"),
        (forms.TaxRateForm, TAX | {"region": "ZZ"}, "region: 'ZZ' is no ISO 3166-2 region of DE"),
        (forms.ExchangeRateForm, RATE | {"rate": "0"}, "rate: must be above zero"),
        (forms.ExchangeRateForm, RATE | {"rate": "-1.1"}, "rate: must be above zero"),
        (forms.ExchangeRateForm, RATE | {"currency": "EUR"}, "currency: must be another one than base"),
        (forms.ExchangeRateForm, RATE | {"base": "XXXX"}, "base: 'XXXX' is no ISO 4217"),
        (forms.ExchangeRateForm, RATE | {"date": "today"}, "date: Not a valid date value."),
        (
            forms.ShippingOptionForm,
            BAND | {"maximum_weight_grams": "1000"},
            "maximum_weight_grams: must be more than 'From weight'",
        ),
        (
            forms.ShippingOptionForm,
            BAND | {"minimum_total": "10", "maximum_total": "10.00"},
            "maximum_total: must be more than 'From order total'",
        ),
        (forms.ShippingOptionForm, BAND | {"amount": "-1"}, "amount: must not be negative"),
        (forms.ShippingOptionForm, BAND | {"currency": "XXXX"}, "currency: 'XXXX' is no ISO 4217"),
        (forms.ShippingOptionForm, BAND | {"country": "XX"}, "country: 'XX' is no ISO 3166-1"),
        (forms.NewStockForm, {"how": "set", "quantity": "-1", "reason": "x"}, "quantity: Number must be between 0"),
    ],
)
def test_what_is_refused_names_its_field(form: type[forms.RuleForm], entered: dict[str, str], message: str) -> None:
    said = refusals(form, entered)
    assert any(line.startswith(message) for line in said), said


def test_what_is_taken_becomes_columns() -> None:
    assert taken(forms.WarehouseForm, WAREHOUSE)["countries"] == ["DE", "AT", "CH"]
    coupon = taken(
        forms.CouponForm, COUPON | {"starts_at": "2030-01-01T10:00", "minimum_amount": "50", "currency": "eur"}
    )
    assert (coupon["code"], coupon["basis_points"], coupon["minimum_amount"]) == ("SPRING", 1250, 5000)
    assert (coupon["starts_at"], coupon["ends_at"]) == (datetime(2030, 1, 1, 10, tzinfo=UTC), None)
    assert "percent" not in coupon
    assert taken(forms.CouponForm, COUPON | FIXED)["amount"] == 500
    bought = taken(forms.PromotionForm, BUY)
    assert (bought["basis_points"], bought["product_handle"], bought["category"]) == (10_000, "teapot", None)
    assert taken(forms.TaxRateForm, TAX | {"percent": "6.625"})["percent"] == Decimal("6.625")
    assert taken(forms.ShippingOptionForm, BAND | {"currency": "jpy", "amount": "500"})["amount"] == 500
    assert taken(forms.ExchangeRateForm, RATE)["rate"] == Decimal("1.1")
    assert taken(forms.ProductForm, PRODUCT | {"image_url": ""})["image_url"] is None
