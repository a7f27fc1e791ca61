"""Carts: what a storefront sends and sees of them."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from checkout.api.models.base import (
    Answer,
    Code,
    Country,
    Currency,
    Email,
    Line,
    Money,
    Quantity,
    Request,
    Short,
    Time,
    Token,
)


def _examples(*values: dict[str, Any]) -> Any:
    return {"examples": list(values)}


_ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "Unter den Linden 1",
    "line2": None,
    "city": "Berlin",
    "region": None,
    "postal_code": "10117",
    "country": "DE",
}


#: What a coupon may be refused with: each has a sentence of its own.
COUPON_PROBLEMS = (
    "coupon_unknown",
    "coupon_not_yet_valid",
    "coupon_expired",
    "coupon_used_up",
    "coupon_used_up_by_customer",
    "coupon_below_minimum",
    "coupon_wrong_currency",
    "coupon_not_combinable",
    "coupon_not_applicable",
)


class NewCart(Request):
    """A cart to be made."""

    model_config = ConfigDict(json_schema_extra=_examples({"currency": "EUR", "email": "ada@example.com"}))

    currency: Currency
    email: Email | None = None


class LineQuantity(Request):
    """How many of a SKU the cart holds."""

    model_config = ConfigDict(json_schema_extra=_examples({"quantity": 2}))

    quantity: Quantity


class Address(Request):
    """A postal address."""

    model_config = ConfigDict(json_schema_extra=_examples(_ADDRESS))

    name: Line
    line1: Line
    line2: Line | None = None
    city: Line
    region: Line | None = None
    postal_code: Short
    country: Country


class Addresses(Request):
    """Where the goods go, who is billed when that differs, and where the confirmation goes."""

    model_config = ConfigDict(
        json_schema_extra=_examples({"shipping": {k: v for k, v in _ADDRESS.items() if v}, "email": "ada@example.com"})
    )

    shipping: Address
    billing: Address | None = None
    email: Email | None = None


class CouponCode(Request):
    """A coupon to be applied."""

    model_config = ConfigDict(json_schema_extra=_examples({"code": "WELCOME10"}))

    code: Code


class ShippingChoice(Request):
    """A shipping option to be chosen, by its code."""

    model_config = ConfigDict(json_schema_extra=_examples({"option": "standard"}))

    option: Code


class Claim(Request):
    """The session token of the cart that the signed-in customer takes over."""

    model_config = ConfigDict(json_schema_extra=_examples({"session_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"}))

    session_token: Token


class PricedLine(Answer):
    """A line with its prices: total = sub_total - discount_total + tax_total."""

    sku: str
    name: str
    quantity: int
    unit_price: Money
    sub_total: Money
    discount_total: Money
    tax_total: Money
    total: Money


class ShownAddress(Answer):
    """A postal address as it was stored."""

    name: str
    line1: str
    line2: str | None
    city: str
    region: str | None
    postal_code: str
    country: str


LINE = {
    "sku": "CUP-ESPRESSO-2",
    "name": "Espresso Cups, Set of Two",
    "quantity": 2,
    "unit_price": 2500,
    "sub_total": 5000,
    "discount_total": 500,
    "tax_total": 855,
    "total": 5355,
}
CART = {
    "id": "cart_4x8pk2mvq0tz9d3h7wca",
    "currency": "EUR",
    "email": "ada@example.com",
    "lines": [LINE],
    "shipping_address": _ADDRESS,
    "billing_address": None,
    "coupon_code": "WELCOME10",
    "shipping_option": "standard",
    "sub_total": 5000,
    "discount_total": 500,
    "shipping_total": 490,
    "tax_total": 948,
    "total": 5938,
    "locked": False,
    "checkout_id": None,
    "order_reference": None,
    "created_at": "2026-01-31T12:00:00Z",
    "updated_at": "2026-01-31T12:00:00Z",
}


class Cart(Answer):
    """A cart at current prices: total = sub_total - discount_total + shipping_total + tax_total."""

    model_config = ConfigDict(json_schema_extra=_examples(CART))

    id: str
    currency: str
    email: str | None
    lines: list[PricedLine]
    shipping_address: ShownAddress | None
    billing_address: ShownAddress | None
    coupon_code: str | None
    shipping_option: str | None
    sub_total: Money
    discount_total: Money
    shipping_total: Money
    tax_total: Annotated[int, Field(description="Minor units, the tax on shipping included")]
    total: Money
    locked: bool
    checkout_id: Annotated[str | None, Field(description="The latest checkout, running or ended")]
    order_reference: str | None
    created_at: Time
    updated_at: Time


class CreatedCart(Cart):
    """A new cart, with the token of its session when the caller had none."""

    model_config = ConfigDict(json_schema_extra=_examples({**CART, "session_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"}))

    session_token: str | None = None


class ShippingOption(Answer):
    """A way to ship the cart, with its net price."""

    code: str
    name: str
    amount: Money
    currency: str
    selected: bool


class ShippingOptions(Answer):
    """The ways to ship the cart to its address; none without an address."""

    model_config = ConfigDict(
        json_schema_extra=_examples(
            {
                "items": [
                    {"code": "standard", "name": "Standard", "amount": 490, "currency": "EUR", "selected": True},
                    {"code": "express", "name": "Express", "amount": 1490, "currency": "EUR", "selected": False},
                ]
            }
        )
    )

    items: list[ShippingOption]
