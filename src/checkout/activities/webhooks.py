"""Sends events to the endpoints that want them, signed by Standard Webhooks, and keeps what came of it."""

import dataclasses
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

import structlog
from standardwebhooks import Webhook
from temporalio import activity
from temporalio.exceptions import ApplicationError

from checkout.activities.announcing import now
from checkout.activities.beating import beating
from checkout.activities.errors import performs
from checkout.activities.log_context import say_what_is_told
from checkout.domain import contract
from checkout.domain.events import Event, Telling, WebhookDisabled, event_of
from checkout.domain.ids import cart_of
from checkout.domain.webhooks import GONE, Deliver, Delivered, GivenUp, Planned, Undelivered, pause_after
from checkout.listeners.registry import NOBODY, Listeners
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.runtime.outgoing import Answered, Outgoing, Unreachable, UnsafeUrl
from checkout.runtime.statements import Transaction
from checkout.store import webhooks

log = structlog.get_logger(__name__)

#: How long deliveries are kept after their end.
KEPT = timedelta(days=30)

T = TypeVar("T")


@dataclass(frozen=True)
class Webhooks:
    """Events as others receive them."""

    sessions: Sessions
    outgoing: Outgoing
    listeners: Listeners = NOBODY
    kept: timedelta = KEPT

    @performs(contract.PLAN_WEBHOOKS)
    async def plan(self, given: Telling) -> Planned:
        """Keep a delivery for each endpoint that wants the event now; those of old are forgotten meanwhile."""
        event = event_of(given.event, given.facts)
        await self._store(lambda session: webhooks.forget_old(session, self.kept))
        return Planned(await self._store(lambda session: webhooks.plan(session, event, body_of(event))))

    @performs(contract.DELIVER_WEBHOOK)
    async def deliver(self, given: Deliver) -> Delivered:
        """Send it once more, unless it was taken, or nobody wants it any more.

        A receiver that does not take it is asked again after a pause that grows; one that is gone, and an endpoint that
        is disabled, are not. What a receiver says stands in the store, and in no history.
        """
        found = await self._store(lambda session: webhooks.sending(session, given.delivery_id))
        if found == "disabled":
            raise ApplicationError("the endpoint is disabled", type="webhook_disabled", non_retryable=True)
        if isinstance(found, str):
            return Delivered()
        say_what_is_told(contract.DELIVER_WEBHOOK, found.event, {"checkout_id": found.checkout_id})
        answer, error = await self._send(found)
        if answer is not None and error is None:
            taken = answer
            await self._store(lambda session: webhooks.note_delivered(session, given.delivery_id, taken))
            return Delivered(answer.status)
        assert error is not None  # noqa: S101 - no answer is an error
        pause = pause_after(activity.info().attempt)
        await self._store(lambda session: webhooks.note_failed(session, given.delivery_id, answer, error, pause))
        if answer is not None and answer.status == HTTPStatus.GONE:
            raise ApplicationError(error, type=GONE, non_retryable=True)
        raise ApplicationError(error, type="webhook_failed", next_retry_delay=timedelta(seconds=pause))

    @performs(contract.GIVE_UP_WEBHOOK)
    async def give_up(self, given: Undelivered) -> GivenUp:
        """Keep that it was not delivered. An endpoint that is gone, or took nothing for as long as this was tried, is
        disabled, and the shop's listeners are told.
        """
        ended = await self._store(lambda session: webhooks.give_up(session, given.delivery_id))
        if ended is None:
            return GivenUp("")
        say_what_is_told(contract.GIVE_UP_WEBHOOK, ended.event, {"checkout_id": ended.checkout_id})
        if not ended.silent and not given.gone:
            return GivenUp(ended.endpoint_id)
        why = "it is gone" if given.gone else "nothing was taken for three days"
        return await self._store(lambda session: self._disable(session, ended, f"{why}; last: {given.reason}"))

    async def _send(self, sending: webhooks.Sending) -> tuple[Answered | None, str | None]:
        """The answer where one came, and what is wrong where something is."""
        try:
            async with beating():
                answer = await self.outgoing.post(sending.url, sending.body.encode(), headers_of(sending))
        except UnsafeUrl as refused:
            return None, f"nothing was sent: the URL {refused}"
        except Unreachable as error:
            return None, str(error)
        if 200 <= answer.status < 300:
            return answer, None
        note = ", and redirects are not followed" if 300 <= answer.status < 400 else ""
        return answer, f"the receiver answered {answer.status}{note}"

    async def _disable(self, session: Transaction, ended: webhooks.Ended, reason: str) -> GivenUp:
        """Done once; announced also by the attempt after one that lost its answer."""
        if await webhooks.disable(session, ended.endpoint_id, reason):
            log.warning("webhook_endpoint_disabled", endpoint_id=ended.endpoint_id, reason=reason)
        event = WebhookDisabled(
            checkout_id=ended.checkout_id,
            cart_id=cart_of(ended.checkout_id) or "",
            at=now(),
            endpoint_id=ended.endpoint_id,
            reason=reason,
        )
        return GivenUp(ended.endpoint_id, True, self.listeners.announce(event))

    async def _store(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return await in_direct_transaction(self.sessions, work)


def body_of(event: Event) -> str:
    """What is sent of an event: type, timestamp and data, as Standard Webhooks has it."""
    facts = dataclasses.asdict(event)
    return json.dumps({"type": event.NAME, "timestamp": facts.pop("at"), "data": {"id": event.id, **facts}})


def headers_of(sending: webhooks.Sending) -> dict[str, str]:
    """Id, time and a signature by each secret. The id is the event's: the same at every attempt."""
    sent_at = datetime.now(UTC)
    signatures = [Webhook(secret).sign(sending.event_id, sent_at, sending.body) for secret in sending.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "durable-checkout",
        "webhook-id": sending.event_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
