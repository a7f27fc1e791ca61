"""The forms of the catalogue admin: each makes columns of what was entered, by a rule, and shows refusals in place."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from wtforms import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    Field,
    Form,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from checkout.api.admin_catalogue import rules
from checkout.domain.checks import InvalidValue
from checkout.domain.shipping import AS_GOODS
from checkout.domain.tax import tax_classes
from checkout.store.ledger import MAX_UNITS

MAX_NAME = 255
MAX_TEXT = 20_000
MAX_INTEGER = 2_147_483_647

_BOX = {"class": "form-control"}
#: A field's name, or a choice's, in a sentence of the rules.
_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


def _strip(value: object) -> object:
    """Texts without surrounding spaces; a field that was not sent is empty."""
    return value.strip() if isinstance(value, str) else value or ""


def _name(label: str, *, required: bool = False, hint: str = "") -> StringField:
    needed: list[Any] = [InputRequired()] if required else []
    return StringField(label, [*needed, Length(max=MAX_NAME)], filters=[_strip], description=hint, render_kw=_BOX)


def _text(label: str, most: int = MAX_TEXT, hint: str = "") -> StringField:
    return StringField(label, [Length(max=most)], filters=[_strip], description=hint, render_kw=_BOX)


def _whole(
    label: str,
    *,
    required: bool = False,
    least: int = 0,
    most: int = MAX_INTEGER,
    default: int | None = None,
    hint: str = "",
) -> IntegerField:
    needed: Any = InputRequired() if required else Optional()
    checks = [needed, NumberRange(least, most)]
    return IntegerField(label, checks, default=default, description=hint, render_kw=_BOX)


def _choice(label: str, choices: Mapping[str, str] | Iterable[str]) -> SelectField:
    pairs = choices.items() if isinstance(choices, Mapping) else ((word, word) for word in choices)
    return SelectField(label, choices=list(pairs), render_kw={"class": "form-select"})


def _switch(label: str, hint: str = "") -> BooleanField:
    return BooleanField(label, default=True, description=hint, render_kw={"class": "form-check-input"})


def _moment(label: str) -> DateTimeLocalField:
    formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
    return DateTimeLocalField(label, [Optional()], format=formats, description="UTC; empty: no limit", render_kw=_BOX)


class RuleForm(Form):
    """A form whose ``rule`` makes columns of what was entered; ``data`` gives these once it is validated."""

    rule: ClassVar[Callable[[rules.Given], rules.Columns]] = dict
    #: Fields that come before the others, which come as they are written, those of the base first.
    first: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._columns: rules.Columns | None = None
        names = sorted(self._fields, key=lambda name: name not in self.first)
        self._fields = {name: self._fields[name] for name in names}

    @property
    def data(self) -> dict[str, Any]:
        """The columns of a validated form, else what is in the fields."""
        return super().data if self._columns is None else self._columns

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Whether each field and the rule are content; what is not stands beside its field, with its name."""
        if not super().validate(extra_validators) or not self._storable():
            return False
        try:
            self._columns = type(self).rule(super().data)
        except InvalidValue as error:
            self._refuse(rules.form_field(error))
            return False
        return True

    def _storable(self) -> bool:
        """No text may have characters that cannot be stored, or would break a line where one is meant."""
        for name, field in self._fields.items():
            allowed = "\n\r\t" if isinstance(field, TextAreaField) else ""
            if isinstance(field.data, str) and any(c < " " and c not in allowed for c in field.data):
                self._refuse(InvalidValue(name, "must not have control characters"))
        return not self.errors

    def _refuse(self, error: InvalidValue) -> None:
        field: Field | None = self._fields.get(error.field)
        if field is None:
            field, reason = next(iter(self._fields.values())), str(error)
        else:
            reason = error.reason
        field.errors = [*field.errors, _NAME.sub(self._called, reason)]

    def _called(self, word: re.Match[str]) -> str:
        """A field, or a choice of one, as the form calls it."""
        if word[0] in self._fields:
            return repr(self._fields[word[0]].label.text)
        kind = self._fields.get("kind")
        kinds: Any = kind.choices if isinstance(kind, SelectField) else ()
        called = dict(kinds).get(word[0])
        return word[0] if called is None else repr(called)


class ProductForm(RuleForm):
    """A product."""

    rule = rules.product
    handle = _name("Handle", required=True, hint="The product's stable name, by which imports know it")
    title = _name("Title", required=True)
    description = TextAreaField("Description", [Length(max=MAX_TEXT)], filters=[_strip], render_kw={**_BOX, "rows": 6})
    vendor = _name("Vendor")
    category = _name("Category", hint="What promotions select by")
    image_url = _text("Image")
    active = _switch("Active", hint="Only what is active is sold")


class VariantForm(RuleForm):
    """A variant of a product that is there."""

    rule = rules.variant
    sku = _name("SKU", required=True)
    option1 = _name("Option 1", hint="What sets it apart from the product's other variants, such as a size")
    option2 = _name("Option 2")
    option3 = _name("Option 3")
    image_url = _text("Image")
    weight_grams = _whole("Weight in grams", required=True, default=0)
    tax_class = _choice("Tax class", tax_classes())
    active = _switch("Active")


class NewVariantForm(VariantForm):
    """A new variant."""

    first = ("handle", "sku")
    handle = _name("Product", required=True, hint="Handle of its product")


class PriceForm(RuleForm):
    """The price of a variant; its currency is fixed."""

    price = _name("Price", required=True, hint="A decimal in the currency, such as 9.99; 0 is free")


class NewPriceForm(PriceForm):
    """A price in a currency."""

    first = ("sku", "currency")
    sku = _name("SKU", required=True)
    currency = _name("Currency", required=True, hint="ISO 4217")


class WarehouseForm(RuleForm):
    """A warehouse."""

    rule = rules.warehouse
    code = _name("Code", required=True)
    name = _name("Name", required=True)
    priority = _whole("Priority", required=True, least=-MAX_INTEGER, default=100, hint="The lowest comes first")
    countries = StringField(
        "Countries", [Length(max=2_000)], filters=[_strip], description="ISO 3166, separated by commas; empty: all"
    )
    active = _switch("Active")


class StockForm(RuleForm):
    """A change of stock."""

    how = _choice("What happened", {"set": "Counted: there are", "receive": "Received: there came"})
    quantity = _whole("Units", required=True, most=MAX_UNITS, hint="Counted units include those that checkouts hold")
    reason = _name("Reason", required=True, hint="Stands in the ledger")


class NewStockForm(StockForm):
    """The first stock of a variant in a warehouse."""

    first = ("sku", "warehouse")
    sku = _name("SKU", required=True)
    warehouse = _name("Warehouse", required=True, hint="Its code")


class _DiscountForm(RuleForm):
    code = _name("Code", required=True)
    name = _name("Name")
    percent = _name("Percent", hint="Such as 10 or 12.5")
    amount = _name("Amount", hint="A decimal in the currency")
    currency = _name("Currency", hint="Of amount and minimum; where it is set, for carts in it alone")
    minimum_amount = _name("Minimum order", hint="Of the goods before any discount")
    starts_at = _moment("Starts")
    ends_at = _moment("Ends")
    limit_total = _whole("Limit in all", hint="Empty: no limit")
    limit_per_customer = _whole("Limit for each customer", hint="Empty: no limit")
    stackable = _switch("Goes with others")
    priority = _whole("Priority", required=True, least=-MAX_INTEGER, default=100, hint="The lowest is taken first")
    active = _switch("Active")


class CouponForm(_DiscountForm):
    """A coupon."""

    first = ("code", "name", "kind")
    rule = rules.coupon
    kind = _choice("Kind", rules.COUPON_KINDS)


class PromotionForm(_DiscountForm):
    """An automatic promotion."""

    first = ("code", "name", "kind", "product_handle", "category", "buy_quantity", "get_quantity")
    rule = rules.promotion
    kind = _choice("Kind", rules.PROMOTION_KINDS)
    product_handle = _name("Product", hint="Handle of the product it is for")
    category = _name("Category", hint="Category it is for")
    buy_quantity = _whole("Buy", least=1)
    get_quantity = _whole("Get", least=1)


class TaxRateForm(RuleForm):
    """A tax rate."""

    rule = rules.tax_rate
    country = _name("Country", required=True, hint="ISO 3166-1")
    region = _name("Region", hint="ISO 3166-2 without the country; empty: all of it")
    tax_class = _choice("Tax class", tax_classes())
    name = _name("Name", hint="Such as VAT")
    percent = _name("Percent", required=True, hint="From 0 to 100, such as 19 or 6.625")


class ShippingOptionForm(RuleForm):
    """A band of a shipping option."""

    rule = rules.shipping_option
    country = _name("Country", hint="ISO 3166-1; empty: everywhere")
    currency = _name("Currency", required=True)
    code = _name("Code", required=True, hint="Bands of one code are one option")
    name = _name("Name", required=True)
    tax_class = _choice("Tax class", (AS_GOODS, *tax_classes()))
    amount = _name("Price", required=True, hint="A decimal in the currency")
    minimum_weight_grams = _whole("From weight", hint="Grams")
    maximum_weight_grams = _whole("Below weight", least=1, hint="Grams; empty: any")
    minimum_total = _name("From order total", hint="A decimal in the currency")
    maximum_total = _name("Below order total", hint="A decimal in the currency; empty: any")
    active = _switch("Active")


class ExchangeRateForm(RuleForm):
    """A rate of a day."""

    rule = rules.exchange_rate
    base = _name("Base", required=True, hint="ISO 4217")
    currency = _name("Currency", required=True, hint="ISO 4217")
    date = DateField("Day", [InputRequired()], render_kw=_BOX)
    rate = _name("Rate", required=True, hint="Units of the currency for one of the base")
