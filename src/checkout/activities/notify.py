"""Tells a listener of an event: what it raises is retried, and says nothing personal."""

import asyncio
import traceback
from dataclasses import dataclass

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from checkout.activities.beating import beating
from checkout.activities.errors import performs
from checkout.domain import contract
from checkout.domain.events import Event, Telling, Told, event_of
from checkout.listeners.registry import Delivery, GiveUp, Listener, Listeners, Shop
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.runtime.mail import MailUnavailable
from checkout.store import listener_troubles

log = structlog.get_logger(__name__)

#: Seconds that a listener may take for one attempt.
PATIENCE = 45.0
#: Seconds that keeping its failure may take.
NOTE_PATIENCE = 1.0


@dataclass(frozen=True)
class Notifying:
    """Runs the listeners of this process."""

    listeners: Listeners
    shop: Shop

    @property
    def sessions(self) -> Sessions:
        """Sessions on the shop's database."""
        return self.shop.sessions

    @performs(contract.TELL_LISTENER)
    async def tell(self, given: Telling) -> Told:
        """Tell one listener of one event.

        One that this process does not have is a fault, not a failure: another version of the shop may be on its way.
        Of an error that is not of our own making only its kind is said, since nobody knows what it repeats (G7).
        """
        try:
            listener, event = self.listeners.find(given.listener), event_of(given.event, given.facts)
        except LookupError:
            raise ApplicationError(
                f"this worker has no listener {given.listener} for {given.event}: is CHECKOUT_LISTENERS the same as "
                "that of the worker that announced it?",
                type="listener_unknown",
            ) from None
        delivery = Delivery(f"{event.id}-{listener.name}", activity.info().attempt, self.shop)
        try:
            await self._hear(listener, event, delivery)
        except ApplicationError as error:
            await self._note(delivery, listener.name, event, error)
            raise
        if delivery.attempt > 1:
            await in_direct_transaction(self.sessions, lambda session: listener_troubles.end(session, delivery.id))
        return Told(1)

    async def _hear(self, listener: Listener, event: Event, delivery: Delivery) -> None:
        try:
            async with beating(), asyncio.timeout(PATIENCE):
                await listener.hear(event, delivery)
        except GiveUp as reason:
            raise ApplicationError(str(reason), type="listener_refused", non_retryable=True) from None
        except MailUnavailable as error:
            raise ApplicationError(str(error), type="mail_unavailable") from None
        except Exception as error:  # noqa: BLE001 - whatever a listener does, it is tried again
            kind, where = type(error).__name__, _where(error)
            log.warning("listener_failed", listener=listener.name, event_id=event.id, kind=kind, at=where)
            raise ApplicationError(
                f"{kind} at {where} (its message may be personal, so it is not kept)",
                type="listener_failed",
            ) from None

    async def _note(self, delivery: Delivery, name: str, event: Event, error: ApplicationError) -> None:
        """Keep what is behind, for ops; best effort: Temporal keeps it as well."""
        try:
            async with asyncio.timeout(NOTE_PATIENCE):
                if error.non_retryable:
                    await in_direct_transaction(
                        self.sessions, lambda session: listener_troubles.end(session, delivery.id)
                    )
                else:
                    await in_direct_transaction(
                        self.sessions,
                        lambda session: listener_troubles.note(
                            session,
                            delivery.id,
                            listener=name,
                            event=event,
                            attempts=delivery.attempt,
                            error=f"{error.type}: {error.message}",
                        ),
                    )
        except Exception as also:  # noqa: BLE001 - the first error is the one that counts
            log.debug("listener_trouble_not_kept", listener=name, error=type(also).__name__)


def _where(error: BaseException) -> str:
    """The line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "an unknown line"
