"""Orders from what the store reads to what the API answers: to buyers, and to ops with the refunds."""

from collections.abc import Sequence
from typing import Any

from checkout.api.models.carts import PricedLine
from checkout.api.models.checkouts import Totals
from checkout.api.models.orders import Order, OrderAddresses, OrderPayment
from checkout.api.models.refunds import OrderRefund, RefundedLine, RefundedOrder
from checkout.api.shown import address_answer, required_address
from checkout.domain.refunds import RefundStatus
from checkout.store.orders import OrderRecord
from checkout.store.tables import Refund


def order_answer(record: OrderRecord) -> Order:
    """An order as its buyer sees it."""
    return Order(**_fields(record))


def refunded_answer(record: OrderRecord, refunds: Sequence[Refund]) -> RefundedOrder:
    """An order as ops see it."""
    return RefundedOrder(**_fields(record), refunds=[_refund(one) for one in refunds])


def _fields(record: OrderRecord) -> dict[str, Any]:
    return {
        "reference": record.reference,
        "checkout_id": record.checkout_id,
        "status": record.status,
        "currency": record.currency,
        "totals": Totals.model_validate(record.totals, from_attributes=True),
        "lines": [PricedLine.model_validate(line, from_attributes=True) for line in record.lines],
        "email": record.email,
        "addresses": OrderAddresses(
            shipping=required_address(record.shipping_address), billing=address_answer(record.billing_address)
        ),
        "payment": OrderPayment(
            method=record.payment_method,
            status=record.payment_status,
            amount=record.totals.total,
            refunded=record.refunded,
            refund_pending=record.refund_pending,
        ),
        "created_at": record.created_at,
    }


def _refund(one: Refund) -> OrderRefund:
    assert one.created_at is not None  # noqa: S101 - the database sets it
    failure = one.failure or {}
    return OrderRefund(
        id=one.id,
        status=RefundStatus(one.status),
        amount=one.amount,
        lines=[
            RefundedLine(sku=line["sku"], quantity=line["quantity"], amount=line["amount"]) for line in one.lines or ()
        ],
        restocked=one.restocked,
        reason=one.reason,
        requested_by=one.requested_by,
        failure_code=failure.get("code"),
        failure_detail=failure.get("detail"),
        gateway_code=one.gateway_code,
        gateway_detail=one.gateway_detail,
        gateway_reference=one.gateway_payment_id,
        created_at=one.created_at,
        finished_at=one.finished_at,
    )
