"""What a shop may enter: from the words of a form to the columns of a row, each refusal naming the field.

Pure. Money is entered as a decimal in its currency, percentages as percent, times in UTC.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from checkout.domain.checks import InvalidValue, check_image, require
from checkout.domain.countries import country_name
from checkout.domain.currencies import currency_decimals
from checkout.domain.money import check_rate, parse_amount
from checkout.domain.tax import TaxRate
from checkout.store import rows

Given = Mapping[str, Any]
Columns = dict[str, Any]

COUPON_KINDS = {"percentage": "Percentage", "fixed_amount": "Fixed amount", "free_shipping": "Free shipping"}
PROMOTION_KINDS = {
    "product_percentage": "Percentage off a product",
    "category_percentage": "Percentage off a category",
    "order_percentage": "Percentage off the order",
    "order_fixed_amount": "Fixed amount off the order",
    "buy_x_get_y": "Buy some, get some",
}
#: What each kind of discount says; the rest of _TERMS would contradict it.
_SAYS: dict[str, tuple[str, ...]] = {
    "percentage": ("percent",),
    "fixed_amount": ("amount", "currency"),
    "free_shipping": (),
    "product_percentage": ("percent", "product_handle"),
    "category_percentage": ("percent", "category"),
    "order_percentage": ("percent",),
    "order_fixed_amount": ("amount", "currency"),
    "buy_x_get_y": ("percent", "buy_quantity", "get_quantity"),
}
_TERMS = ("percent", "amount", "product_handle", "category", "buy_quantity", "get_quantity")
#: Names of the domain's fields as the forms have them.
_FIELDS = {
    "basis_points": "percent",
    "limit": "limit_total",
    "minimum": "minimum_amount",
    "buy": "buy_quantity",
    "get": "get_quantity",
    "tax_rates": "percent",
    "exchange_rate": "rate",
}


def form_field(error: InvalidValue) -> InvalidValue:
    """The error with the field's name, and its bounds, as the forms have them: percent is entered, not basis points."""
    reason = "must be from 0.01 to 100" if error.field == "basis_points" else error.reason
    return InvalidValue(_FIELDS.get(error.field, error.field), reason)


def product(given: Given) -> Columns:
    """A product's columns. Raises InvalidValue."""
    handle = given["handle"].casefold()
    require(re.fullmatch(r"[\w.-]+", handle) is not None, "handle", "must be letters, digits, hyphens")
    return {**given, "handle": handle, "image_url": check_image(given["image_url"], "image_url")}


def variant(given: Given) -> Columns:
    """A variant's columns; its title is the choice of its options. Raises InvalidValue."""
    options = [given[name] or None for name in ("option1", "option2", "option3")]
    title = " / ".join(option for option in options if option)
    product = {"handle": given["handle"].casefold()} if "handle" in given else {}
    return {**given, **product, "title": title, "image_url": check_image(given["image_url"], "image_url")}


def warehouse(given: Given) -> Columns:
    """A warehouse's columns. Raises InvalidValue for an unknown country."""
    countries = [code.upper() for code in re.split(r"[\s,;]+", given["countries"] or "") if code]
    for code in countries:
        try:
            country_name(code)
        except InvalidValue as error:
            raise InvalidValue("countries", error.reason) from None
    return {**given, "countries": countries}


def coupon(given: Given) -> Columns:
    """A coupon's columns. Raises InvalidValue."""
    columns = _discount({**given, "code": given["code"].upper()})
    rows.coupon(_as_read(columns))
    return columns


def promotion(given: Given) -> Columns:
    """A promotion's columns. Raises InvalidValue, also where its own terms contradict each other."""
    if given["kind"] == "buy_x_get_y":
        one = bool(given["product_handle"]) != bool(given["category"])
        require(one, "product_handle", "name either a product or a category")
    columns = _discount({**given, "product_handle": given["product_handle"].casefold()})
    rows.promotion(_as_read(columns))
    return columns


def tax_rate(given: Given) -> Columns:
    """A tax rate's columns. Raises InvalidValue, such as for more than 100 percent."""
    country = (given["country"] or "").upper()
    region = (given["region"] or "").upper()
    percent = _decimal(given["percent"], "percent")
    TaxRate(country=country, region=region or None, tax_class=given["tax_class"], percent=percent)
    return {**given, "country": country, "region": region, "percent": percent}


def shipping_option(given: Given) -> Columns:
    """A shipping band's columns. Raises InvalidValue."""
    country, currency = (given["country"] or "").upper(), given["currency"].upper()
    if country:
        country_name(country)
    columns = {
        **given,
        "country": country,
        "currency": currency,
        "amount": money(given["amount"], currency, "amount"),
        "minimum_total": money(given["minimum_total"] or "0", currency, "minimum_total"),
        "maximum_total": money(given["maximum_total"], currency, "maximum_total") if given["maximum_total"] else None,
        "minimum_weight_grams": given["minimum_weight_grams"] or 0,
    }
    for edge in ("weight_grams", "total"):
        low, high = columns[f"minimum_{edge}"], columns[f"maximum_{edge}"]
        require(high is None or high > low, f"maximum_{edge}", f"must be more than minimum_{edge}")
    rows.shipping_options([columns])
    return columns


def exchange_rate(given: Given) -> Columns:
    """An exchange rate's columns. Raises InvalidValue, such as for a rate of zero."""
    base, currency = _currency(given["base"], "base"), _currency(given["currency"], "currency")
    require(base != currency, "currency", "must be another one than base")
    rate = check_rate(_decimal(given["rate"], "rate"), "rate")
    day = given["date"]
    require(isinstance(day, date), "date", "must be a day")
    return {"base": base, "currency": currency, "date": day, "rate": rate}


def money(text: str | None, currency: str, field: str) -> int:
    """Minor units of a decimal text. Raises InvalidValue."""
    _currency(currency, "currency")
    require(bool(text), field, "must be given, such as 9.99")
    return parse_amount(text or "", currency, field)


def _discount(given: Given) -> Columns:
    kind = given["kind"]
    says = _SAYS[kind]
    for field in says:
        require(given.get(field) not in {None, ""}, field, f"must be given for {kind}")
    for field in _TERMS:
        meant = field in says or (kind == "buy_x_get_y" and field in {"product_handle", "category"})
        require(meant or given.get(field) in {None, ""}, field, f"contradicts {kind}: leave it empty")
    currency = (given["currency"] or "").upper() or None
    minimum = given["minimum_amount"]
    require(not minimum or currency is not None, "currency", "must be given, minimum_amount is in it")
    total, each = given["limit_total"], given["limit_per_customer"]
    within = total is None or each is None or each <= total
    require(within, "limit_per_customer", "must not be more than limit_total")
    return {
        **{field: value if value != "" else None for field, value in given.items() if field != "percent"},
        "name": given["name"] or "",
        "basis_points": _basis_points(given["percent"]) if given.get("percent") else None,
        "currency": currency,
        "amount": money(given["amount"], currency or "", "amount") if given["amount"] else None,
        "minimum_amount": money(minimum, currency or "", "minimum_amount") if minimum else None,
        "starts_at": _utc(given["starts_at"]),
        "ends_at": _utc(given["ends_at"]),
    }


def _as_read(columns: Columns) -> Columns:
    """Columns as the loader of the price rules reads them."""
    times = {field: columns[field] and columns[field].isoformat() for field in ("starts_at", "ends_at")}
    return {**columns, **times, "redeemed": 0, "redeemed_by_customer": 0}


def _basis_points(text: str) -> int:
    points = _decimal(text, "percent") * 100
    require(points == int(points), "percent", "must have two decimals at most")
    return int(points)


def _decimal(text: str | None, field: str) -> Decimal:
    try:
        number = Decimal((text or "").strip())
    except InvalidOperation:
        raise InvalidValue(field, f"{(text or '')[:20]!r} is no number such as 19 or 5.5") from None
    require(number.is_finite() and abs(number) < 10**15, field, "must be a finite number")
    return number


def _currency(text: str | None, field: str) -> str:
    code = (text or "").strip().upper()
    try:
        currency_decimals(code)
    except InvalidValue as error:
        raise InvalidValue(field, error.reason) from None
    return code


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
