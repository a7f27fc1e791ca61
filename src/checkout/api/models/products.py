"""Products as a storefront lists them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from checkout.api.models.base import Answer, Currency, Money


class ProductQuery(BaseModel):
    """The query of one product."""

    model_config = ConfigDict(extra="forbid")

    currency: Annotated[Currency | None, Field(description="The shop's own unless given")] = None


class ProductsQuery(ProductQuery):
    """The query of a list of products."""

    limit: Annotated[int | None, Field(ge=1, le=1000, description="All products unless given")] = None


_PRODUCT: dict[str, Any] = {
    "sku": "CUP-ESPRESSO-2",
    "name": "Espresso Cups, Set of Two",
    "description": "Thick-walled stoneware, glazed inside and out.",
    "image_url": None,
    "unit_price": 2500,
    "currency": "EUR",
    "available": 1500,
}


class Product(Answer):
    """A variant that can be put into a cart."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PRODUCT]})

    sku: str
    name: str
    description: str
    image_url: str | None
    unit_price: Money
    currency: str
    available: Annotated[int, Field(description="Units in all warehouses that nobody holds")]


class Products(Answer):
    """A list of products."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_PRODUCT]}]})

    items: list[Product]
