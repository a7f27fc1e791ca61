"""``/payments/webhooks``: what payment gateways tell the shop."""

from fastapi import APIRouter, Request

from checkout.api.documentation import ENGINE, problems
from checkout.api.models.payments import EventReceived
from checkout.api.paths import GatewayName
from checkout.api.receiving import ReceivingDep

router = APIRouter(prefix="/payments", tags=["payments"])


@router.post(
    "/webhooks/{gateway}",
    summary="Take in a gateway's event",
    responses=problems("signature_invalid", "gateway_not_found", "body_too_large", "validation_failed", *ENGINE),
)
async def webhook(gateway: GatewayName, request: Request, receiving: ReceivingDep) -> EventReceived:
    """For the payment gateway alone: the body is read as it is, and its signature says who sent it.

    Repeats, disorder, unknown events and events about checkouts that have ended are harmless. 503: send it again.
    """
    await receiving.receive(gateway, request.headers, await request.body())
    return EventReceived()
