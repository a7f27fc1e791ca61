"""Coupons, promotions, tax, shipping and exchange rates."""

from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from checkout.api.admin_catalogue import forms
from checkout.api.admin_catalogue.base import RuleView, money, only, percent
from checkout.domain.money import format_amount
from checkout.domain.tax import percent_text
from checkout.store import admin_rows as row
from checkout.store.promotion_overlaps import refuse_overlap


class _DiscountView(RuleView):
    column_formatters: ClassVar[Any] = {"basis_points": percent, "amount": money, "minimum_amount": money}
    column_formatters_detail: ClassVar[Any] = column_formatters
    column_labels: ClassVar[Any] = {"basis_points": "Percent"}
    column_searchable_list: ClassVar[Any] = ["code", "name"]
    column_sortable_list: ClassVar[Any] = ["code", "priority", "redeemed", "ends_at"]
    column_default_sort: ClassVar[Any] = "code"

    def entered(self, row_: Any) -> dict[str, Any]:
        """Percent and amounts as decimals."""
        found = {**super().entered(row_), "percent": None}
        if row_.basis_points is not None:
            found["percent"] = f"{row_.basis_points / 100:g}"
        for name in ("amount", "minimum_amount"):
            if found[name] is not None:
                found[name] = format_amount(found[name], row_.currency)
        return found


class CouponView(_DiscountView, model=row.Coupon):
    """Coupons; how often one was redeemed is the checkouts' to count."""

    name, name_plural, icon, category = "Coupon", "Coupons", "fa-solid fa-ticket", "Prices"
    new_form = edit_form = forms.CouponForm
    column_list: ClassVar[Any] = [
        *("code", "name", "kind", "basis_points", "amount", "redeemed", "limit_total", "ends_at", "active"),
    ]


class PromotionView(_DiscountView, model=row.Promotion):
    """Discounts that apply by themselves."""

    name, name_plural, icon, category = "Promotion", "Promotions", "fa-solid fa-bullhorn", "Prices"
    new_form = edit_form = forms.PromotionForm
    column_list: ClassVar[Any] = [
        *("code", "name", "kind", "basis_points", "amount", "product_handle", "starts_at", "ends_at", "active"),
    ]
    column_formatters: ClassVar[Any] = {
        **_DiscountView.column_formatters,
        "product_handle": lambda found, _: found.product_handle or found.category or "",
    }
    column_labels: ClassVar[Any] = {**_DiscountView.column_labels, "product_handle": "Goods"}

    async def complete(self, session: AsyncSession, columns: dict[str, Any], row_: Any | None) -> dict[str, Any]:
        """Refuses one for goods that there are none of, and one that contradicts another."""
        if columns["product_handle"]:
            await only(session, row.Product, "product_handle", {"handle": columns["product_handle"]})
        if columns["category"]:
            await only(session, row.Product, "category", {"category": columns["category"]}, "product of the category")
        await refuse_overlap(session, columns, row_.id if row_ is not None else None)
        return columns


class TaxRateView(RuleView, model=row.TaxRate):
    """Rates by country, region and tax class."""

    name, name_plural, icon, category = "Tax rate", "Tax rates", "fa-solid fa-landmark", "Prices"
    can_delete = True
    new_form = edit_form = forms.TaxRateForm
    column_list: ClassVar[Any] = ["country", "region", "tax_class", "percent", "name"]
    column_formatters: ClassVar[Any] = {"percent": lambda found, _: f"{percent_text(found.percent)} %"}
    column_formatters_detail: ClassVar[Any] = column_formatters
    column_searchable_list: ClassVar[Any] = ["country", "region"]
    column_sortable_list: ClassVar[Any] = ["country", "percent"]
    column_default_sort: ClassVar[Any] = [("country", False), ("region", False), ("tax_class", False)]

    def entered(self, row_: row.TaxRate) -> dict[str, Any]:
        """The percentage without idle zeros."""
        return {**super().entered(row_), "percent": percent_text(row_.percent)}


class ShippingOptionView(RuleView, model=row.ShippingOption):
    """Shipping options, band by band."""

    name, name_plural, icon, category = "Shipping band", "Shipping", "fa-solid fa-truck", "Prices"
    can_delete = True
    new_form = edit_form = forms.ShippingOptionForm
    column_list: ClassVar[Any] = [
        *("code", "country", "amount", "minimum_weight_grams", "maximum_weight_grams", "minimum_total"),
        *("maximum_total", "active"),
    ]
    column_formatters: ClassVar[Any] = {
        "amount": money,
        "minimum_total": money,
        "maximum_total": money,
        "country": lambda found, _: found.country or "everywhere",
    }
    column_formatters_detail: ClassVar[Any] = column_formatters
    column_searchable_list: ClassVar[Any] = ["code", "country", "currency"]
    column_sortable_list: ClassVar[Any] = ["code", "country", "amount"]
    column_default_sort: ClassVar[Any] = [("code", False), ("country", False), ("currency", False)]

    def entered(self, row_: Any) -> dict[str, Any]:
        """Amounts as decimals."""
        found = super().entered(row_)
        for name in ("amount", "minimum_total", "maximum_total"):
            if found[name] is not None:
                found[name] = format_amount(found[name], row_.currency)
        return found


class ExchangeRateView(RuleView, model=row.ExchangeRate):
    """Exchange rates by day; the newest holds, one of a day to come from that day on."""

    name, name_plural, icon, category = "Exchange rate", "Exchange rates", "fa-solid fa-scale-balanced", "Prices"
    can_delete = True
    new_form = edit_form = forms.ExchangeRateForm
    column_list: ClassVar[Any] = ["base", "currency", "date", "rate", "updated_at"]
    column_searchable_list: ClassVar[Any] = ["base", "currency"]
    column_sortable_list: ClassVar[Any] = ["currency", "date"]
    column_default_sort: ClassVar[Any] = [("date", True), ("currency", False)]


VIEWS = (CouponView, PromotionView, TaxRateView, ShippingOptionView, ExchangeRateView)
