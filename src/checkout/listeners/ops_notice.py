"""Tells ops what is theirs to mend: checkouts that failed by no doing of the buyer's, endpoints that were disabled."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from checkout.domain.events import CheckoutFailed, Event, WebhookDisabled
from checkout.domain.ids import workflow_id
from checkout.domain.money import format_amount
from checkout.domain.words import Outcome
from checkout.listeners.letters import Letters
from checkout.listeners.registry import Delivery, GiveUp, Hear, Listener
from checkout.runtime.links import temporal_url
from checkout.runtime.mail import MailRefused
from checkout.runtime.outgoing import Outgoing
from checkout.runtime.settings import Settings

#: The operator chose where the chat is; it may well be in his own network.
_ANYWHERE = Outgoing(allow_private=True, allow_http=True)


def ops_notices(settings: Settings) -> list[Listener]:
    """One listener for all addresses, and one for each chat: what fails there holds up no other."""
    tellers: list[tuple[str, Hear[Any]]] = []
    if settings.notify_addresses:
        tellers.append(("", _Mail(settings)))
    tellers += [
        (f"InChat{number if number > 1 else ''}", _Chat(settings, url))
        for number, url in enumerate(settings.notify_chats, 1)
    ]

    def is_theirs(event: Event) -> bool:
        if not isinstance(event, CheckoutFailed) or event.outcome is not Outcome.FAILED:
            return False
        return settings.notify_refusals or not event.refused

    return [
        listener
        for suffix, tell in tellers
        for listener in (
            Listener(f"NotifyCheckoutFailure{suffix}", CheckoutFailed, tell, when=is_theirs),
            Listener(f"NotifyWebhookDisabled{suffix}", WebhookDisabled, tell),
        )
    ]


@dataclasses.dataclass(frozen=True)
class Notice:
    """What ops read: a heading, and lines of names and values."""

    heading: str
    lines: Sequence[tuple[str, str]]


async def notice_of(event: Event, delivery: Delivery, settings: Settings) -> Notice:
    """What an event means to ops. Nothing personal: ids, figures, and where to look."""
    if isinstance(event, WebhookDisabled):
        return Notice(
            f"Webhook endpoint {event.endpoint_id} is disabled",
            [("Why", event.reason), ("What to do", "mend the receiver, enable the endpoint, resend what failed")],
        )
    assert isinstance(event, CheckoutFailed)  # noqa: S101 - what else is heard is above
    run_id = await delivery.shop.run_id(event.checkout_id)
    total = "" if event.total is None else f"{format_amount(event.total, event.currency or '')} {event.currency}"
    found = [
        ("Phase", event.phase),
        ("Why", event.detail),
        ("Total", total),
        ("Order (cancelled)", event.order_reference),
        ("At", event.at),
        ("Workflow", run_id and temporal_url(settings, workflow_id(event.cart_id), run_id)),
    ]
    heading = f"Checkout {event.checkout_id} failed: {event.code or event.outcome}"
    return Notice(heading, [(name, value) for name, value in found if value])


class _Mail:
    """By e-mail, to all addresses at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._letters = settings, Letters.of(settings)

    async def __call__(self, event: Any, delivery: Delivery) -> None:
        notice = await notice_of(event, delivery, self._settings)
        to = ", ".join(self._settings.notify_addresses)
        message = self._letters.write("ops_notice", to, delivery.id, heading=notice.heading, lines=notice.lines)
        try:
            await delivery.shop.send(message)
        except MailRefused as refused:
            raise GiveUp(str(refused)) from None


class _Chat:
    """To a chat that takes Slack's JSON, as Mattermost, Rocket.Chat and others do."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._settings, self._url = settings, url

    async def __call__(self, event: Any, delivery: Delivery) -> None:
        notice = await notice_of(event, delivery, self._settings)
        text = "\n".join([f"*{notice.heading}*", *(f"{name}: {value}" for name, value in notice.lines)])
        body = json.dumps({"text": text}).encode()
        answer = await _ANYWHERE.post(self._url, body, {"Content-Type": "application/json"})
        if not 200 <= answer.status < 300:
            raise ChatRefused(answer.status)


class ChatRefused(Exception):
    """The chat did not take the message; it may the next time."""
