"""Listeners: how a function becomes one, what it is given, and which of them want to hear of an event."""

import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, TypeVar, cast

import structlog

from checkout.domain.events import EVENTS, Announcement, Call, Event, announcement
from checkout.domain.webhooks import WEBHOOKS
from checkout.runtime.database import Sessions
from checkout.runtime.mail import Mailer
from checkout.store.checkouts import read_checkout
from checkout.store.orders import OrderRecord, read_any_order, read_next_action

log = structlog.get_logger(__name__)

AnyEvent = TypeVar("AnyEvent", bound=Event)
Hear = Callable[[AnyEvent, "Delivery"], Awaitable[None]]

_MARK = "__listens__"


class GiveUp(Exception):
    """What a listener raises where no retry helps. Its sentence stands in the workflow's history: nothing personal."""


@dataclass(frozen=True)
class Shop:
    """What listeners reach of the shop. Without a mailer the shop sends no e-mails."""

    sessions: Sessions
    mailer: Mailer | None = None

    async def order(self, reference: str) -> OrderRecord:
        """An order as it is now, with e-mail, addresses and lines. Raises NotFound ``order_not_found``."""
        async with self.sessions() as session:
            return await read_any_order(session, reference)

    async def next_action(self, reference: str) -> Mapping[str, Any] | None:
        """What the buyer of an order still has to do: the bank's details while a transfer is to come."""
        async with self.sessions() as session:
            return await read_next_action(session, reference)

    async def run_id(self, checkout_id: str) -> str | None:
        """The run of a checkout's workflow, None where it has no row."""
        async with self.sessions() as session:
            record = await read_checkout(session, checkout_id)
        return None if record is None else record.run_id

    async def send(self, message: EmailMessage) -> None:
        """Send an e-mail. Raises MailRefused, MailUnavailable, and GiveUp in a shop that sends none."""
        if self.mailer is None:
            raise GiveUp("CHECKOUT_SMTP_URL is not set: the shop sends no e-mails")
        await self.mailer.send(message)


@dataclass(frozen=True)
class Delivery:
    """One telling of an event: ``id`` is the same at every attempt, so that who was told before can know it.

    ``attempt`` counts from 1.
    """

    id: str
    attempt: int
    shop: Shop


@dataclass(frozen=True)
class Listener:
    """Who hears of one kind of event, of those that ``when`` says yes to, ``after`` so many seconds."""

    name: str
    event: type[Event]
    hear: Hear[Any]
    when: Callable[[Any], bool] | None = None
    after: int = 0

    def wants(self, event: Event) -> bool:
        """Whether it is to hear of this one. A ``when`` that fails says yes: no event is lost by it."""
        if not isinstance(event, self.event):
            return False
        try:
            return self.when is None or bool(self.when(event))
        except Exception as error:  # noqa: BLE001 - a checkout does not fail for what listens to it
            log.warning("listener_when_failed", listener=self.name, event_id=event.id, error=type(error).__name__)
            return True


def listener(
    event: type[AnyEvent], *, name: str | None = None, when: Callable[[AnyEvent], bool] | None = None, after: int = 0
) -> Callable[[Hear[AnyEvent]], Hear[AnyEvent]]:
    """Mark an async function as one that hears of ``event``.

    ``name`` (the function's by default) stands in histories: who is renamed is not told of what was announced before.
    ``when`` decides from the event alone, at once and without waiting; ``after``: so many seconds later.
    """

    def mark(hear: Hear[AnyEvent]) -> Hear[AnyEvent]:
        if not inspect.iscoroutinefunction(hear):
            raise TypeError(f"{hear} listens, so it has to be an `async def`")
        found = Listener(name or hear.__name__, event, hear, cast("Callable[[Any], bool] | None", when), after)
        setattr(hear, _MARK, found)
        return hear

    return mark


def marked(function: object) -> Listener | None:
    """The listener that a function was marked as."""
    found = getattr(function, _MARK, None)
    return found if isinstance(found, Listener) else None


@dataclass(frozen=True)
class Listeners:
    """Those of one process."""

    known: tuple[Listener, ...] = ()
    #: Whether events go to the endpoints in the database, too.
    webhooks: bool = False

    def find(self, name: str) -> Listener:
        """The listener of that name. Raises LookupError: another version of the shop had one."""
        for one in self.known:
            if one.name == name:
                return one
        raise LookupError(name)

    def listens(self, kind: type[Event]) -> bool:
        """Whether anyone may want to hear of such events."""
        return self.webhooks or any(issubclass(kind, one.event) for one in self.known)

    def announce(self, event: Event, wanted: Collection[str] = ()) -> Announcement | None:
        """The event for those who want to hear of it, None where nobody does.

        ``wanted``: the events that webhook endpoints want, ``*`` for all.
        """
        calls = [Call(one.name, one.after) for one in self.known if one.wants(event)]
        if self.webhooks and event.NAME in EVENTS and not {event.NAME, "*"}.isdisjoint(wanted):
            calls.append(Call(WEBHOOKS))
        return announcement(event, calls)


#: Nobody listens.
NOBODY = Listeners()
