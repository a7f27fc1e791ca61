"""``/products``: what is for sale, to everybody."""

from typing import Annotated

from fastapi import APIRouter, Query

from checkout.api.documentation import STORED, problems
from checkout.api.models.products import Product, ProductQuery, Products, ProductsQuery
from checkout.api.paths import Sku
from checkout.api.resources import DatabaseDep, RulesDep
from checkout.store import catalogue

router = APIRouter(prefix="/products", tags=["products"])


@router.get("", summary="What is for sale", responses=problems("validation_failed", *STORED))
async def products(query: Annotated[ProductsQuery, Query()], database: DatabaseDep, rules: RulesDep) -> Products:
    """With net prices in a currency, the shop's own unless one is named; what has no price in it is left out."""
    currency = query.currency or rules.base_currency
    found = await database.read(lambda session: catalogue.list_products(session, currency, rules, query.limit))
    return Products(items=[Product.model_validate(each, from_attributes=True) for each in found])


@router.get("/{sku:path}", summary="One product", responses=problems("sku_not_found", "validation_failed", *STORED))
async def product(sku: Sku, query: Annotated[ProductQuery, Query()], database: DatabaseDep, rules: RulesDep) -> Product:
    """404 also where it has no price in the currency."""
    currency = query.currency or rules.base_currency
    found = await database.read(lambda session: catalogue.get_product(session, sku, currency, rules))
    return Product.model_validate(found, from_attributes=True)
