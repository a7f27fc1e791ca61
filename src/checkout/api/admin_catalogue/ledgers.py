"""What checkouts wrote, to read only: checkouts, orders, snapshots, stock movements, reservations, payments."""

from typing import Any, ClassVar

from checkout.api.admin_catalogue.base import ReadOnlyView, money, priced_lines
from checkout.store import admin_rows as row

_TOTALS = ("sub_total", "discount_total", "shipping_total", "tax_total", "total")
_MONEY = dict.fromkeys((*_TOTALS, "shipping_tax_total", "amount", "authorized", "captured", "refunded"), money)
_LINES = {**_MONEY, "lines": priced_lines}
_NEWEST = ("created_at", True)


class CheckoutView(ReadOnlyView, model=row.Checkout):
    """Checkouts, newest first, with their reservations and payment attempts."""

    name, name_plural, icon, category = "Checkout", "Checkouts", "fa-solid fa-cart-shopping", "Ledgers"
    column_list: ClassVar[Any] = ["id", "state", "phase", "total", "payment_status", "created_at", "expires_at"]
    column_details_list: ClassVar[Any] = "__all__"
    column_formatters: ClassVar[Any] = _MONEY
    column_formatters_detail: ClassVar[Any] = _MONEY
    column_searchable_list: ClassVar[Any] = ["id", "cart_id", "session_id", "customer_id"]
    column_default_sort: ClassVar[Any] = _NEWEST


class OrderView(ReadOnlyView, model=row.Order):
    """Orders with their lines."""

    name, name_plural, icon, category = "Order", "Orders", "fa-solid fa-receipt", "Ledgers"
    column_list: ClassVar[Any] = ["reference", "status", "total", "email", "checkout_id", "created_at"]
    column_details_list: ClassVar[Any] = "__all__"
    column_formatters: ClassVar[Any] = _MONEY
    column_formatters_detail: ClassVar[Any] = _LINES
    column_searchable_list: ClassVar[Any] = ["reference", "checkout_id", "session_id", "customer_id"]
    column_default_sort: ClassVar[Any] = _NEWEST
    non_link_related_fields: ClassVar[Any] = ["lines"]


class PriceSnapshotView(ReadOnlyView, model=row.PriceSnapshot):
    """Price snapshots with their lines."""

    name, name_plural, icon, category = "Price snapshot", "Price snapshots", "fa-solid fa-snowflake", "Ledgers"
    column_list: ClassVar[Any] = ["checkout_id", "total", "tax_total", "coupon_code", "created_at", "discarded_at"]
    column_details_list: ClassVar[Any] = "__all__"
    column_formatters: ClassVar[Any] = _MONEY
    column_formatters_detail: ClassVar[Any] = _LINES
    column_searchable_list: ClassVar[Any] = ["checkout_id", "cart_id"]
    column_default_sort: ClassVar[Any] = _NEWEST
    non_link_related_fields: ClassVar[Any] = ["lines"]


class StockMovementView(ReadOnlyView, model=row.StockMovement):
    """The stock ledger, newest first."""

    name, name_plural, icon, category = "Stock movement", "Stock ledger", "fa-solid fa-list-ol", "Ledgers"
    column_list: ClassVar[Any] = [
        *("id", "variant.sku", "warehouse.code", "kind", "on_hand_delta", "reserved_delta", "checkout_id", "reason"),
        "created_at",
    ]
    column_details_list: ClassVar[Any] = ["variant", "warehouse", *column_list[3:]]
    column_labels: ClassVar[Any] = {"variant.sku": "SKU", "warehouse.code": "Warehouse"}
    column_searchable_list: ClassVar[Any] = ["variant.sku", "checkout_id"]
    column_default_sort: ClassVar[Any] = ("id", True)


class ReservationView(ReadOnlyView, model=row.Reservation):
    """What checkouts hold, or held."""

    name, name_plural, icon, category = "Reservation", "Reservations", "fa-solid fa-hand-holding", "Ledgers"
    column_list: ClassVar[Any] = ["checkout_id", "variant.sku", "warehouse.code", "quantity", "status", "created_at"]
    column_details_list: ClassVar[Any] = ["checkout_id", "variant", "warehouse", *column_list[3:]]
    column_labels: ClassVar[Any] = {"variant.sku": "SKU", "warehouse.code": "Warehouse"}
    column_searchable_list: ClassVar[Any] = ["checkout_id", "variant.sku"]


class PaymentAttemptView(ReadOnlyView, model=row.PaymentAttempt):
    """Payment attempts, without their tokens."""

    name, name_plural, icon, category = "Payment attempt", "Payment attempts", "fa-solid fa-credit-card", "Ledgers"
    column_list: ClassVar[Any] = [
        *("id", "checkout_id", "number", "method", "status", "authorized", "captured", "refunded", "created_at"),
    ]
    column_details_list: ClassVar[Any] = "__all__"
    column_formatters: ClassVar[Any] = _MONEY
    column_formatters_detail: ClassVar[Any] = _MONEY
    column_searchable_list: ClassVar[Any] = ["id", "checkout_id", "cart_id", "gateway_payment_id"]


class CouponRedemptionView(ReadOnlyView, model=row.CouponRedemption):
    """Coupons that were redeemed."""

    name, name_plural, icon, category = "Redemption", "Redemptions", "fa-solid fa-ticket-simple", "Ledgers"
    column_list: ClassVar[Any] = ["checkout_id", "coupon.code", "redeemer", "redeemed_at", "given_back_at"]
    column_details_list: ClassVar[Any] = ["checkout_id", "coupon", *column_list[2:]]
    column_labels: ClassVar[Any] = {"coupon.code": "Coupon"}
    column_searchable_list: ClassVar[Any] = ["checkout_id", "coupon.code"]


VIEWS = (
    CheckoutView,
    OrderView,
    PriceSnapshotView,
    StockMovementView,
    ReservationView,
    PaymentAttemptView,
    CouponRedemptionView,
)
