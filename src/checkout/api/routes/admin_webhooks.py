"""``/admin/webhooks``: who hears of events, what was sent, and sending it again."""

from typing import Annotated

from fastapi import APIRouter, Query

from checkout.api.admin.audit import ActingDep
from checkout.api.admin.webhooks import WebhooksDep
from checkout.api.documentation import ACTING, ADMIN, BODY, ENGINE, STORED, problems
from checkout.api.models import webhooks as models
from checkout.api.models.checkouts import Nothing
from checkout.api.paths import DeliveryId, EndpointId
from checkout.api.security import AnyAdmin

router = APIRouter(prefix="/admin/webhooks", tags=["admin"], dependencies=[AnyAdmin])

LOOKING = (*ADMIN, "validation_failed", *STORED)
CHANGING = (*ACTING, *BODY, *STORED)


@router.get("", summary="Webhook endpoints", responses=problems(*ADMIN, *STORED))
async def endpoints(
    webhooks: WebhooksDep,
) -> models.WebhookEndpoints:
    """Where events are sent, without the secrets."""
    return await webhooks.endpoints()


@router.post("", status_code=201, summary="Add an endpoint", responses=problems(*CHANGING, "too_many_webhooks"))
async def add(body: models.NewEndpoint, acting: ActingDep, webhooks: WebhooksDep) -> models.EndpointWithSecret:
    """Events that happen from now on are sent there, signed with the secret that is shown here, and never again."""
    async with acting("add_webhook", body.url):
        return await webhooks.add(body)


@router.patch("/{endpoint_id}", summary="Change an endpoint", responses=problems(*CHANGING, "webhook_not_found"))
async def change(
    endpoint_id: EndpointId, body: models.EndpointChange, acting: ActingDep, webhooks: WebhooksDep
) -> models.WebhookEndpoint:
    """What is left out stays. Enabled again, one that failed begins anew."""
    async with acting("change_webhook", endpoint_id):
        return await webhooks.change(endpoint_id, body)


@router.post(
    "/{endpoint_id}/rotate", summary="Give an endpoint a new secret", responses=problems(*CHANGING, "webhook_not_found")
)
async def rotate(
    endpoint_id: EndpointId,
    acting: ActingDep,
    webhooks: WebhooksDep,
    body: Nothing | None = None,  # noqa: ARG001 - whatever is sent in it is refused
) -> models.EndpointWithSecret:
    """It is shown here, and never again; the one before signs beside it for 24 hours."""
    async with acting("rotate_webhook_secret", endpoint_id):
        return await webhooks.rotate(endpoint_id)


@router.delete(
    "/{endpoint_id}",
    summary="Remove an endpoint",
    responses=problems(*ACTING, "validation_failed", *STORED, "webhook_not_found"),
)
async def remove(endpoint_id: EndpointId, acting: ActingDep, webhooks: WebhooksDep) -> models.WebhookEndpoints:
    """Nothing is sent there any more, and its deliveries are forgotten. Answers with those that are left."""
    async with acting("remove_webhook", endpoint_id):
        await webhooks.delete(endpoint_id)
    return await webhooks.endpoints()


@router.get("/deliveries", summary="What was sent, the newest first", responses=problems(*LOOKING))
async def deliveries(
    query: Annotated[models.DeliveriesQuery, Query()],
    webhooks: WebhooksDep,
) -> models.WebhookDeliveries:
    """A page of those that fit every filter; the next one begins at ``next_cursor``."""
    return await webhooks.deliveries(query)


@router.get(
    "/deliveries/{delivery_id}",
    summary="A delivery in full",
    responses=problems(*LOOKING, "webhook_delivery_not_found"),
)
async def delivery(
    delivery_id: DeliveryId,
    webhooks: WebhooksDep,
) -> models.DeliveryInFull:
    """What is sent, and what came of each attempt."""
    return await webhooks.delivery(delivery_id)


@router.post(
    "/deliveries/{delivery_id}/resend",
    summary="Send it again",
    responses=problems(*ACTING, *BODY, "webhook_delivery_not_found", *ENGINE),
)
async def resend(
    delivery_id: DeliveryId,
    acting: ActingDep,
    webhooks: WebhooksDep,
    body: Nothing | None = None,  # noqa: ARG001 - whatever is sent in it is refused
) -> models.DeliveryInFull:
    """Now, whatever came of it before, under the same ``webhook-id``, and again for three days."""
    async with acting("resend_webhook", delivery_id):
        return await webhooks.resend(delivery_id)
