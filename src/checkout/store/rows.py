"""From rows of the shop's rules to the values that pricing reckons with, and the names of what is sold."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from checkout.domain.discounts import AmountOff, BuyGet, Discount, Effect, FreeShipping, PercentageOff, Selection
from checkout.domain.exchange import cross_rate
from checkout.domain.shipping import ShippingBand, ShippingOption
from checkout.domain.tax import TaxRate

Row = Mapping[str, Any]


def variant_name(product: str, variant: str) -> str:
    """What a buyer reads: the product, and the choice of its options where it has any."""
    return f"{product} – {variant}" if variant else product


def tax_rates(rows: Iterable[Row]) -> list[TaxRate]:
    """Rows of ``tax_rates``; ``percent`` as text, since JSON numbers are floats in Python."""
    return [
        TaxRate(
            country=row["country"],
            region=row["region"] or None,
            tax_class=row["tax_class"],
            percent=Decimal(row["percent"]),
            name=row["name"],
        )
        for row in rows
    ]


def shipping_options(rows: Iterable[Row]) -> tuple[ShippingOption, ...]:
    """Rows of ``shipping_options``: those of one code are the bands of one option."""
    bands: dict[str, list[ShippingBand]] = {}
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row["code"], row)
        bands.setdefault(row["code"], []).append(
            ShippingBand(
                prices={row["currency"]: row["amount"]},
                country=row["country"] or None,
                min_weight=row["minimum_weight_grams"],
                max_weight=row["maximum_weight_grams"],
                min_total=row["minimum_total"],
                max_total=row["maximum_total"],
                currency=row["currency"],
            )
        )
    return tuple(
        ShippingOption(code=code, name=row["name"], tax_class=row["tax_class"], bands=tuple(bands[code]))
        for code, row in first.items()
    )


def exchange_rate(rows: Iterable[Row], base: str, currency: str) -> Decimal | None:
    """How many of ``currency`` one of ``base`` buys by the newest stored rates: direct, else by way of the euro."""
    if base == currency:
        return None
    rates = {(row["base"], row["currency"]): Decimal(row["rate"]) for row in rows}
    direct = rates.get((base, currency))
    if direct is not None:
        return direct
    per_euro = {other: rate for (of, other), rate in rates.items() if of == "EUR"} | {"EUR": Decimal(1)}
    return cross_rate(per_euro, base, currency) if {base, currency} <= per_euro.keys() else None


def coupon(row: Row) -> Discount:
    """A row of ``coupons`` with ``redeemed_by_customer`` beside it."""
    return _discount(row, _coupon_effect(row), automatic=False)


def promotion(row: Row) -> Discount:
    """A row of ``promotions`` with ``redeemed_by_customer`` beside it."""
    return _discount(row, _promotion_effect(row), automatic=True)


def _discount(row: Row, effect: Effect, *, automatic: bool) -> Discount:
    return Discount(
        code=row["code"],
        name=row["name"],
        effect=effect,
        automatic=automatic,
        starts_at=_time(row["starts_at"]),
        ends_at=_time(row["ends_at"]),
        minimum=row["minimum_amount"] or 0,
        currency=row["currency"],
        limit=row["limit_total"],
        limit_per_customer=row["limit_per_customer"],
        redeemed=row["redeemed"],
        redeemed_by_customer=row["redeemed_by_customer"],
        stackable=row["stackable"],
        priority=row["priority"],
    )


def _coupon_effect(row: Row) -> Effect:
    match row["kind"]:
        case "percentage":
            return PercentageOff(row["basis_points"])
        case "fixed_amount":
            return AmountOff(row["amount"], row["currency"])
        case _:
            return FreeShipping()


def _promotion_effect(row: Row) -> Effect:
    selection = Selection(
        frozenset({row["product_handle"]} if row["product_handle"] else ()),
        frozenset({row["category"]} if row["category"] else ()),
    )
    match row["kind"]:
        case "order_fixed_amount":
            return AmountOff(row["amount"], row["currency"])
        case "order_percentage":
            return PercentageOff(row["basis_points"])
        case "buy_x_get_y":
            return BuyGet(row["buy_quantity"], row["get_quantity"], row["basis_points"], selection)
        case _:
            return PercentageOff(row["basis_points"], selection)


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
