"""Events, signed as https://docs.stripe.com/webhooks/signatures says and sent again until one is taken in."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import stripe
from localstripe import resources, webhooks

#: Seconds between two tries of an event; Stripe's are hours.
AGAIN = 0.2
TRIES = 300

_sending: set[asyncio.Task[None]] = set()


def tell(kind: str, about: Any) -> None:
    """Send an event about an object, as it is now, to every endpoint that was registered."""
    event = resources.Event(kind, about)
    body = json.dumps({**event._export(), "pending_webhooks": len(webhooks._webhooks)})
    for endpoint in list(webhooks._webhooks.values()):
        task = asyncio.ensure_future(_send(endpoint.url, endpoint.secret, body))
        _sending.add(task)
        task.add_done_callback(_sending.discard)


async def _send(url: str, secret: str, body: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(TRIES):
            signature = stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()))
            headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
            try:
                async with session.post(url, data=body.encode(), headers=headers) as response:
                    if response.status < 300:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(AGAIN)
