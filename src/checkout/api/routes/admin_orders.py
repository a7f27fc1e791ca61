"""``/admin/orders``: orders with their refunds, and refunds after the sale."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from checkout.api.admin.audit import ActingDep
from checkout.api.admin.refunding import RefundsDep
from checkout.api.documentation import ACTING, ADMIN, BODY, ENGINE, STORED, problems
from checkout.api.idempotency import KEY
from checkout.api.models.refunds import RefundedOrder, RefundOrder
from checkout.api.paths import Reference
from checkout.api.security import AnyAdmin

router = APIRouter(prefix="/admin/orders", tags=["admin"], dependencies=[AnyAdmin])

#: Seconds after which an answer of 202 is worth another look.
LOOK_AGAIN = "2"


@router.get(
    "/{reference}",
    summary="An order with its refunds",
    responses=problems(*ADMIN, "order_not_found", "validation_failed", *STORED),
)
async def order(
    reference: Reference,
    refunds: RefundsDep,
) -> RefundedOrder:
    """Whosever it is; with every refund that was asked for, whatever came of it."""
    return await refunds.order(reference)


@router.post(
    "/{reference}/refund",
    summary="Refund an order",
    responses={
        202: {"model": RefundedOrder, "description": "Still pending after 5 seconds: it goes on by itself"},
        **problems(
            *ACTING,
            *BODY,
            "order_not_found",
            "order_not_paid",
            "order_cancelled",
            "nothing_to_refund",
            "refund_exceeds_capture",
            "refund_exceeds_order",
            "refund_amount_differs",
            "refund_refused",
            *ENGINE,
        ),
    },
)
async def refund(
    reference: Reference,
    body: RefundOrder,
    acting: ActingDep,
    refunds: RefundsDep,
    response: Response,
    key: Annotated[str | None, Header(alias=KEY, include_in_schema=False)] = None,
) -> RefundedOrder:
    """Gives money back, once for each ``Idempotency-Key``; refunds that run at once never exceed what was captured.

    Units go back at their share of the line's total, tax included; shipping by an amount, or with all that is left.
    """
    async with acting("refund", reference, body.reason):
        response.status_code, answer = await refunds.refund(reference, body, key=key, who=acting.admin.name)
    if response.status_code == 202:
        response.headers["Retry-After"] = LOOK_AGAIN
    return answer
