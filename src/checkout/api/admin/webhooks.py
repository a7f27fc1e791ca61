"""Webhooks for admins: endpoints are kept, deliveries looked at and made again."""

from typing import Annotated, Any

from fastapi import Depends

from checkout.api.cursor import page, place_of
from checkout.api.models import webhooks as models
from checkout.api.problems import invalid
from checkout.api.resources import Resources, ResourcesDep
from checkout.api.validation import FieldError
from checkout.domain.webhooks import DeliveryStatus
from checkout.runtime.outgoing import UnsafeUrl, outgoing_of
from checkout.store import tables, webhook_endpoints


class Webhooks:
    """Endpoints and deliveries."""

    def __init__(self, resources: Resources) -> None:
        self._database, self._beside = resources.database, resources.beside
        self._outgoing = outgoing_of(resources.settings)

    async def endpoints(self) -> models.WebhookEndpoints:
        """All of them, without their secrets."""
        found = await self._database.read(webhook_endpoints.list_endpoints)
        return models.WebhookEndpoints(items=[models.WebhookEndpoint(**_shown(one)) for one in found])

    async def add(self, wanted: models.NewEndpoint) -> models.EndpointWithSecret:
        """A new one, with its secret. Raises Problem ``validation_failed`` for a URL that nothing may be sent to,
        DefiniteFailure ``too_many_webhooks``.
        """
        await self._check(wanted.url)
        endpoint = await self._database.write(
            lambda session: webhook_endpoints.add_endpoint(
                session, wanted.url, wanted.description or "", list(dict.fromkeys(wanted.events))
            )
        )
        return models.EndpointWithSecret(**_shown(endpoint), secret=endpoint.secret)

    async def change(self, endpoint_id: str, wanted: models.EndpointChange) -> models.WebhookEndpoint:
        """Change what is given. Raises as :meth:`add`, and NotFound ``webhook_not_found``."""
        changes: dict[str, Any] = {
            name: value for name, value in wanted.model_dump(exclude_unset=True).items() if value is not None
        }
        if wanted.url is not None:
            await self._check(wanted.url)
        endpoint = await self._database.write(
            lambda session: webhook_endpoints.change_endpoint(session, endpoint_id, changes)
        )
        return models.WebhookEndpoint(**_shown(endpoint))

    async def rotate(self, endpoint_id: str) -> models.EndpointWithSecret:
        """A new secret. Raises NotFound ``webhook_not_found``."""
        endpoint = await self._database.write(lambda session: webhook_endpoints.rotate_secret(session, endpoint_id))
        return models.EndpointWithSecret(**_shown(endpoint), secret=endpoint.secret)

    async def delete(self, endpoint_id: str) -> None:
        """Forget one. Raises NotFound ``webhook_not_found``."""
        await self._database.write(lambda session: webhook_endpoints.delete_endpoint(session, endpoint_id))

    async def deliveries(self, query: models.DeliveriesQuery) -> models.WebhookDeliveries:
        """A page of the log. Raises Problem ``validation_failed`` for a cursor that is none."""
        after = place_of(query.cursor)
        found = await self._database.read(
            lambda session: webhook_endpoints.list_deliveries(
                session, endpoint_id=query.endpoint_id, status=query.status, after=after, limit=query.limit + 1
            )
        )
        shown, cursor = page(found, query.limit, lambda one: (_made(one), one.id))
        items = [models.WebhookDelivery(**_delivery(one)) for one in shown]
        return models.WebhookDeliveries(items=items, next_cursor=cursor)

    async def delivery(self, delivery_id: str) -> models.DeliveryInFull:
        """One of them in full. Raises NotFound ``webhook_delivery_not_found``."""
        found = await self._database.read(lambda session: webhook_endpoints.read_delivery(session, delivery_id))
        attempts = await self._database.read(lambda session: webhook_endpoints.attempts_of(session, delivery_id))
        log = [models.WebhookAttempt(**one.model_dump(exclude={"delivery_id"})) for one in attempts]
        return models.DeliveryInFull(**_delivery(found), body=found.body, log=log)

    async def resend(self, delivery_id: str) -> models.DeliveryInFull:
        """Have it made now, also where it was taken before, under the same id; one that waits does not wait longer.

        Raises NotFound ``webhook_delivery_not_found``, Problem ``temporal_unavailable``.
        """
        await self._database.write(lambda session: webhook_endpoints.begin_again(session, delivery_id))
        await self._beside.deliver_webhook(delivery_id)
        return await self.delivery(delivery_id)

    async def _check(self, url: str) -> None:
        try:
            await self._outgoing.check(url)
        except UnsafeUrl as refused:
            raise invalid(FieldError("url", str(refused))) from None


def _shown(endpoint: tables.WebhookEndpoint) -> dict[str, Any]:
    hidden = {"secret", "previous_secret", "previous_until", "updated_at"}
    return {**endpoint.model_dump(exclude=hidden), "previous_secret_until": endpoint.previous_until}


def _delivery(delivery: tables.WebhookDelivery) -> dict[str, Any]:
    found = delivery.model_dump(exclude={"body", "failing_since"})
    return {**found, "status": DeliveryStatus(delivery.status)}


def _made(delivery: tables.WebhookDelivery) -> Any:
    return delivery.created_at


async def webhooks(resources: ResourcesDep) -> Webhooks:
    """The application's webhooks."""
    return Webhooks(resources)


WebhooksDep = Annotated[Webhooks, Depends(webhooks)]
