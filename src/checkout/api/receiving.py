"""Takes in what a payment gateway tells the shop: each event has its effect once, and none is believed."""

from collections.abc import Mapping
from typing import Annotated

import structlog
from fastapi import Depends

from checkout.api.problems import Problem
from checkout.api.resources import Resources, ResourcesDep
from checkout.domain.messages import UnowedInput
from checkout.payments.events import BadSignature, Event
from checkout.runtime.log_context import about_checkout
from checkout.store import gateway_events

log = structlog.get_logger(__name__)


class Receiving:
    """Events of the shop's gateway.

    An event only says that it is time to look: the checkout that waits for the payment is told, and asks the gateway.
    """

    def __init__(self, resources: Resources) -> None:
        self._database, self._engine, self._beside = resources.database, resources.engine, resources.beside
        self._gateway, self._read = resources.settings.payment_gateway, resources.read_event

    async def receive(self, gateway: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take an event in. What was taken in before, or is about nothing of ours, changes nothing.

        Raises Problem ``gateway_not_found``, ``signature_invalid``, and 503 where the database or Temporal is away: the
        event has had no effect then, and has to be sent again.
        """
        if gateway != self._gateway:
            raise Problem("gateway_not_found", "The shop has no such payment gateway.")
        try:
            event = self._read(headers, body)
        except BadSignature as bad:
            log.warning("gateway_event_refused", gateway=gateway, reason=str(bad))
            raise Problem("signature_invalid", "The event is not signed by the gateway, or too old.") from None
        await self._take_in(gateway, event)

    async def _take_in(self, gateway: str, event: Event) -> None:
        received = await self._database.write(
            lambda session: gateway_events.receive(
                session,
                gateway=gateway,
                event_id=event.id,
                kind=event.type,
                payment_id=event.payment_id,
                created=event.created,
            )
        )
        if received is None:
            return
        if received.checkout_id is not None:
            about_checkout(received.checkout_id)
        if received.awaited and received.cart_id is not None and received.attempt_id is not None:
            await self._engine.payment_changed(received.cart_id, received.attempt_id)
        elif received.late_money and event.payment_id and received.checkout_id and received.attempt_id:
            await self._beside.return_unowed(UnowedInput(event.payment_id, received.checkout_id, received.attempt_id))
        await self._database.write(lambda session: gateway_events.done(session, gateway=gateway, event_id=event.id))


async def receiving(resources: ResourcesDep) -> Receiving:
    """The application's taking in of events."""
    return Receiving(resources)


ReceivingDep = Annotated[Receiving, Depends(receiving)]
