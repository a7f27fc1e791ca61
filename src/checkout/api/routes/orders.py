"""``/orders``: what was bought."""

from typing import Annotated

from fastapi import APIRouter, Query

from checkout.api.cursor import page, place_of
from checkout.api.documentation import SESSION, STORED, problems
from checkout.api.models.orders import Order, Orders, OrdersQuery
from checkout.api.paths import Reference
from checkout.api.resources import DatabaseDep
from checkout.api.security import OwnerDep
from checkout.api.shown_order import order_answer
from checkout.store import orders as store

router = APIRouter(prefix="/orders", tags=["orders"])


@router.get("", summary="The caller's orders", responses=problems(*SESSION, "validation_failed", *STORED))
async def orders(query: Annotated[OrdersQuery, Query()], owner: OwnerDep, database: DatabaseDep) -> Orders:
    """Those of the session, and of its customer; the newest first, page by page."""
    after = place_of(query.cursor)
    found = await database.read(lambda session: store.list_orders(session, owner, after=after, limit=query.limit + 1))
    shown, following = page(found, query.limit, lambda last: (last.created_at, last.reference))
    return Orders(items=[order_answer(each) for each in shown], next_cursor=following)


@router.get(
    "/{reference}",
    summary="An order",
    responses=problems(*SESSION, "order_not_found", "validation_failed", *STORED),
)
async def order(reference: Reference, owner: OwnerDep, database: DatabaseDep) -> Order:
    """With the prices that were locked."""
    return order_answer(await database.read(lambda session: store.read_order(session, owner, reference)))
