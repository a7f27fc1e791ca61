"""Rows as the catalogue admin shows and edits them: the tables, with the relations that make them readable.

A mapping of its own, so that no code of the shop comes to rely on relations that load by themselves. Tokens of payment
attempts are not mapped: the admin cannot show what it does not read.
"""

import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import event, func
from sqlalchemy.orm import registry, relationship

from checkout.domain.money import money_text
from checkout.store.tables import Table

_registry = registry(metadata=Table.metadata)


class Product:
    """A product, with its variants."""

    id: int
    handle: str
    title: str
    active: bool
    variants: "list[Variant]"

    def __str__(self) -> str:
        return self.handle


class Variant:
    """A variant, with its product, prices and stock."""

    id: int
    sku: str
    product_id: int
    product: Product
    prices: "list[Price]"
    stock: "list[Stock]"

    def __str__(self) -> str:
        return self.sku


class Price:
    """A price of a variant in one currency."""

    variant_id: int
    currency: str
    amount: int
    variant: Variant

    def __str__(self) -> str:
        return money_text(self.amount, self.currency)


class Warehouse:
    """A warehouse."""

    id: int
    code: str
    countries: list[str]

    def __str__(self) -> str:
        return self.code


class Stock:
    """Units of a variant in a warehouse."""

    variant_id: int
    warehouse_id: int
    on_hand: int
    reserved: int
    variant: Variant
    warehouse: Warehouse

    @property
    def available(self) -> int:
        """Units that may still be sold."""
        return self.on_hand - self.reserved

    def __str__(self) -> str:
        return f"{self.warehouse}: {self.on_hand}"


class Coupon:
    """A coupon."""

    id: int
    code: str

    def __str__(self) -> str:
        return self.code


class Promotion:
    """An automatic promotion."""

    id: int
    code: str

    def __str__(self) -> str:
        return self.code


class TaxRate:
    """A tax rate."""

    id: int
    country: str
    percent: Decimal


class ShippingOption:
    """A band of a shipping option."""

    id: int
    currency: str
    amount: int


class ExchangeRate:
    """A rate of a day."""

    base: str
    currency: str
    date: datetime.date
    rate: Decimal


class Checkout:
    """A checkout, with what it holds and how it was paid."""

    id: str
    currency: str | None
    total: int | None

    def __str__(self) -> str:
        return self.id


class Reservation:
    """Units that a checkout holds, or held."""

    quantity: int
    status: str
    variant: Variant
    warehouse: Warehouse

    def __str__(self) -> str:
        return f"{self.quantity} × {self.variant} in {self.warehouse}, {self.status}"


class StockMovement:
    """A movement of the ledger."""

    id: int
    variant: Variant
    warehouse: Warehouse


class PaymentAttempt:
    """A payment attempt, without its token."""

    id: str
    status: str

    def __str__(self) -> str:
        return f"{self.id}, {self.status}"


class CouponRedemption:
    """A coupon that a checkout redeemed."""

    checkout_id: str
    coupon: Coupon


class Order:
    """An order, with its lines."""

    reference: str
    currency: str

    def __str__(self) -> str:
        return self.reference


class OrderLine:
    """A line of an order."""

    sku: str
    quantity: int
    total: int


class PriceSnapshot:
    """The frozen prices of a checkout, with their lines."""

    checkout_id: str
    currency: str

    def __str__(self) -> str:
        return self.checkout_id


class PriceSnapshotLine:
    """The frozen prices of a line."""

    sku: str
    quantity: int
    total: int


def _one(row: type[Any], join: str | None = None) -> Any:
    return relationship(row, primaryjoin=join, lazy="joined", innerjoin=True, viewonly=True)


def _of_stock(row: str) -> dict[str, Any]:
    """Variant and warehouse of what refers to them by way of its stock row."""
    return {
        "variant": _one(Variant, f"foreign({row}.variant_id) == Variant.id"),
        "warehouse": _one(Warehouse, f"foreign({row}.warehouse_id) == Warehouse.id"),
    }


def _many(row: type[Any], order: str) -> Any:
    return relationship(row, order_by=order, viewonly=True)


def _attempts() -> Any:
    # There is no foreign key: an express checkout stores its attempt before the checkout's row exists.
    return relationship(
        PaymentAttempt,
        primaryjoin="Checkout.id == foreign(PaymentAttempt.checkout_id)",
        order_by="PaymentAttempt.created_at",
        viewonly=True,
    )


#: Table, then the relations of its rows.
_MAPPED: dict[type[Any], tuple[str, dict[str, Any]]] = {
    Product: ("products", {"variants": _many(Variant, "Variant.id")}),
    Variant: (
        "variants",
        {
            "product": _one(Product),
            "prices": _many(Price, "Price.currency"),
            "stock": _many(Stock, "Stock.warehouse_id"),
        },
    ),
    Price: ("prices", {"variant": _one(Variant)}),
    Warehouse: ("warehouses", {}),
    Stock: ("stock", {"variant": _one(Variant), "warehouse": _one(Warehouse)}),
    Coupon: ("coupons", {}),
    Promotion: ("promotions", {}),
    TaxRate: ("tax_rates", {}),
    ShippingOption: ("shipping_options", {}),
    ExchangeRate: ("exchange_rates", {}),
    Checkout: (
        "checkouts",
        {"reservations": _many(Reservation, "Reservation.variant_id"), "payment_attempts": _attempts()},
    ),
    Reservation: ("reservations", _of_stock("Reservation")),
    StockMovement: ("stock_movements", _of_stock("StockMovement")),
    PaymentAttempt: ("payment_attempts", {}),
    CouponRedemption: ("coupon_redemptions", {"coupon": _one(Coupon)}),
    Order: ("orders", {"lines": _many(OrderLine, "OrderLine.position")}),
    OrderLine: ("order_lines", {}),
    PriceSnapshot: ("price_snapshots", {"lines": _many(PriceSnapshotLine, "PriceSnapshotLine.position")}),
    PriceSnapshotLine: ("price_snapshot_lines", {}),
}

_NOT_MAPPED = {PaymentAttempt: ["token"]}


def _touch(_mapper: Any, _connection: Any, row: Any) -> None:
    """An edit is a change like any other, with its time."""
    row.updated_at = func.now()


for _row, (_table, _relations) in _MAPPED.items():
    _registry.map_imperatively(
        _row,
        Table.metadata.tables[_table],
        properties=_relations,
        exclude_properties=_NOT_MAPPED.get(_row, ()),
    )
    if "updated_at" in Table.metadata.tables[_table].columns:
        event.listen(_row, "before_update", _touch)
_registry.configure()
