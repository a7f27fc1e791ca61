"""``/orders``: what was bought."""

from fastapi import APIRouter

from checkout.api.documentation import SESSION, STORED, problems
from checkout.api.models.carts import PricedLine
from checkout.api.models.checkouts import Totals
from checkout.api.models.orders import Order, OrderAddresses, OrderPayment, Orders
from checkout.api.paths import Reference
from checkout.api.resources import DatabaseDep
from checkout.api.routes.carts import OwnerDep
from checkout.api.shown import address_answer, required_address
from checkout.store import orders as store
from checkout.store.orders import OrderRecord

router = APIRouter(prefix="/orders", tags=["orders"])


@router.get("", summary="The caller's orders", responses=problems(*SESSION, *STORED))
async def orders(owner: OwnerDep, database: DatabaseDep) -> Orders:
    """Those of the session, and of its customer; the newest first."""
    found = await database.read(lambda session: store.list_orders(session, owner))
    return Orders(items=[_answer(each) for each in found])


@router.get(
    "/{reference}",
    summary="An order",
    responses=problems(*SESSION, "order_not_found", "validation_failed", *STORED),
)
async def order(reference: Reference, owner: OwnerDep, database: DatabaseDep) -> Order:
    """With the prices that were locked."""
    return _answer(await database.read(lambda session: store.read_order(session, owner, reference)))


def _answer(record: OrderRecord) -> Order:
    return Order(
        reference=record.reference,
        checkout_id=record.checkout_id,
        status=record.status,
        currency=record.currency,
        totals=Totals.model_validate(record.totals, from_attributes=True),
        lines=[PricedLine.model_validate(line, from_attributes=True) for line in record.lines],
        email=record.email,
        addresses=OrderAddresses(
            shipping=required_address(record.shipping_address), billing=address_answer(record.billing_address)
        ),
        payment=OrderPayment(method=record.payment_method, status=record.payment_status, amount=record.totals.total),
        created_at=record.created_at,
    )
