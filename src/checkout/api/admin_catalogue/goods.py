"""Products, variants, prices, warehouses and stock."""

from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from checkout.api.admin_catalogue import forms, rules
from checkout.api.admin_catalogue.acts import acting
from checkout.api.admin_catalogue.base import Refused, RuleView, brief, money, only
from checkout.domain.checks import InvalidValue
from checkout.domain.money import format_amount
from checkout.runtime.database import Sessions, in_transaction
from checkout.store import admin_rows as row
from checkout.store.ledger import How
from checkout.store.ledger import Refused as StockRefused
from checkout.store.stock import change_stock_of
from checkout.store.warehouses import UnknownWarehouse


class ProductView(RuleView, model=row.Product):
    """What the shop sells; imports know it by its handle."""

    name, name_plural, icon, category = "Product", "Products", "fa-solid fa-box", "Goods"
    new_form = edit_form = forms.ProductForm
    column_list: ClassVar[Any] = ["handle", "title", "category", "vendor", "active", "updated_at"]
    column_details_list: ClassVar[Any] = [*column_list, "description", "image_url", "variants", "created_at"]
    column_formatters_detail: ClassVar[Any] = {"image_url": brief}
    column_searchable_list: ClassVar[Any] = ["handle", "title", "category"]
    column_sortable_list: ClassVar[Any] = ["handle", "title", "category", "updated_at"]
    column_default_sort: ClassVar[Any] = "handle"


class VariantView(RuleView, model=row.Variant):
    """What is put into a cart: a product in one choice of its options, by its SKU."""

    name, name_plural, icon, category = "Variant", "Variants", "fa-solid fa-tags", "Goods"
    new_form, edit_form = forms.NewVariantForm, forms.VariantForm
    column_list: ClassVar[Any] = ["sku", "product.title", "title", "tax_class", "weight_grams", "active"]
    column_details_list: ClassVar[Any] = [*column_list, "product", "prices", "stock", "image_url", "updated_at"]
    column_formatters_detail: ClassVar[Any] = {"image_url": brief}
    column_labels: ClassVar[Any] = {"sku": "SKU", "product.title": "Product", "title": "Options"}
    column_searchable_list: ClassVar[Any] = ["sku", "product.title"]
    column_sortable_list: ClassVar[Any] = ["sku", "title", "tax_class", "weight_grams"]
    column_default_sort: ClassVar[Any] = "sku"

    async def complete(self, session: AsyncSession, columns: dict[str, Any], row_: Any | None) -> dict[str, Any]:
        """The product's id for its handle."""
        if row_ is None:
            handle = columns.pop("handle")
            columns["product_id"] = (await only(session, row.Product, "handle", {"handle": handle})).id
        return columns


class PriceView(RuleView, model=row.Price):
    """Prices, in each currency that the shop set one in."""

    name, name_plural, icon, category = "Price", "Prices", "fa-solid fa-coins", "Goods"
    can_delete = True
    new_form, edit_form = forms.NewPriceForm, forms.PriceForm
    column_list: ClassVar[Any] = ["variant.sku", "variant.product.title", "amount", "updated_at"]
    column_details_list: ClassVar[Any] = ["variant", "currency", "amount", "updated_at"]
    column_formatters: ClassVar[Any] = {"amount": money}
    column_formatters_detail: ClassVar[Any] = {"amount": money}
    column_labels: ClassVar[Any] = {"variant.sku": "SKU", "variant.product.title": "Product", "amount": "Price"}
    column_searchable_list: ClassVar[Any] = ["variant.sku", "currency"]
    column_sortable_list: ClassVar[Any] = ["amount", "updated_at"]

    def entered(self, row_: row.Price) -> dict[str, Any]:
        """The price as a decimal."""
        return {"price": format_amount(row_.amount, row_.currency)}

    async def complete(self, session: AsyncSession, columns: dict[str, Any], row_: Any | None) -> dict[str, Any]:
        """Minor units of the price, and the variant's id for its SKU."""
        currency = columns["currency"].upper() if row_ is None else row_.currency
        amount = rules.money(columns["price"], currency, "price")
        if row_ is not None:
            return {"amount": amount}
        variant = await only(session, row.Variant, "sku", {"sku": columns["sku"]})
        return {"variant_id": variant.id, "currency": currency, "amount": amount}


class WarehouseView(RuleView, model=row.Warehouse):
    """Where units are, in the order in which they serve, and for which countries."""

    name, name_plural, icon, category = "Warehouse", "Warehouses", "fa-solid fa-warehouse", "Goods"
    new_form = edit_form = forms.WarehouseForm
    column_list: ClassVar[Any] = ["code", "name", "priority", "countries", "active"]
    column_formatters: ClassVar[Any] = {"countries": lambda found, _: ", ".join(found.countries) or "all"}
    column_formatters_detail: ClassVar[Any] = column_formatters
    column_default_sort: ClassVar[Any] = "priority"

    def entered(self, row_: row.Warehouse) -> dict[str, Any]:
        """Countries as a text."""
        return {**super().entered(row_), "countries": ", ".join(row_.countries)}


class StockView(RuleView, model=row.Stock):
    """Stock, changed by the ledger's functions alone: each change is a movement, none goes below what is held."""

    name, name_plural, icon, category = "Stock", "Stock", "fa-solid fa-boxes-stacked", "Goods"
    new_form, edit_form = forms.NewStockForm, forms.StockForm
    column_list: ClassVar[Any] = ["variant.sku", "warehouse.code", "on_hand", "reserved", "available", "updated_at"]
    column_details_list: ClassVar[Any] = ["variant", "warehouse", *column_list[2:]]
    column_labels: ClassVar[Any] = {"variant.sku": "SKU", "warehouse.code": "Warehouse"}
    column_searchable_list: ClassVar[Any] = ["variant.sku", "warehouse.code"]
    column_sortable_list: ClassVar[Any] = ["on_hand", "reserved", "updated_at"]

    def entered(self, row_: row.Stock) -> dict[str, Any]:  # noqa: ARG002 - a figure is not offered, see below
        """No figure: one that was true when the page was opened would undo what was sold since."""
        return {"how": "set", "reason": "counted"}

    async def insert_model(self, request: Request, data: dict[str, Any]) -> Any:
        """The first stock of a variant in a warehouse."""
        return await self._change(request, data["sku"], data["warehouse"], data)

    async def update_model(self, request: Request, pk: str, data: dict[str, Any]) -> Any:
        """A change of the stock that is there."""
        found = await self._get_object_by_pk(self._stmt_by_identifier(pk))
        return await self._change(request, found.variant.sku, found.warehouse.code, data)

    async def _change(self, request: Request, sku: str, warehouse: str, data: dict[str, Any]) -> Any:
        sessions: Sessions = self.session_maker  # type: ignore[assignment]  # the admin is made with ours

        async def change(session: AsyncSession) -> Any:
            how, reason = How(data["how"]), data["reason"]
            done = await change_stock_of(session, sku, data["quantity"], how, warehouse=warehouse, reason=reason)
            if isinstance(done, StockRefused):
                return done
            act.key = f"{done.variant_id};{done.warehouse_id}"
            return done

        try:
            with acting(request, "update", self.identity) as act:
                outcome = await in_transaction(sessions, change)
        except (InvalidValue, UnknownWarehouse) as error:
            raise Refused(str(error)) from None
        if isinstance(outcome, StockRefused):
            raise Refused(f"quantity: {outcome.reason}")
        key = f"{outcome.variant_id};{outcome.warehouse_id}"
        await self._emit_audit(request, "update", key, {"sku": sku, "warehouse": warehouse, **data})
        return await self._get_object_by_pk(self._stmt_by_identifier(key))


VIEWS = (ProductView, VariantView, PriceView, StockView, WarehouseView)
