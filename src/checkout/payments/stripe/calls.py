"""How Stripe is called: the port's errors, the wait for what is under way, and the faults that Stripe keeps."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from stripe import RequestOptions

from checkout.payments.stripe.errors import FAILURES, gateway_error, is_busy, is_kept_fault

#: Seconds to wait for a request that is under way, each time it still is. It ends in a moment, so nobody has to see it.
BUSY_WAITS = (0.25, 0.5, 1.0, 2.0)
#: How many faults that Stripe keeps under a key are passed by with a key derived from it.
FRESH_KEYS = 4

Answer = TypeVar("Answer")


async def ask(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask for what changes nothing. Raises GatewayError."""
    try:
        return await _once_free(call)
    except FAILURES as failure:
        raise gateway_error(failure, card_matters=False) from failure


async def change(
    call: Callable[[RequestOptions], Awaitable[Answer]],
    key: str,
    *,
    card_matters: bool = False,
    fresh_keys: int = FRESH_KEYS,
) -> Answer:
    """Ask for a change under an idempotency key. Raises GatewayError.

    Stripe keeps whatever it answered under a key, its own faults too, and gives no other answer to it for a day
    (https://docs.stripe.com/api/idempotent_requests). Such a fault is passed by with a key that every repeat derives
    alike, up to ``fresh_keys`` of them: it tells nothing of the payment, whose state decides what may still be done.
    """
    for number in range(fresh_keys + 1):
        options: RequestOptions = {"idempotency_key": key if number == 0 else f"{key}:{number}"}
        try:
            return await _once_free(partial(call, options))
        except FAILURES as failure:
            if number == fresh_keys or not is_kept_fault(failure):
                raise gateway_error(failure, card_matters=card_matters) from failure
    raise AssertionError("unreachable")


async def _once_free(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Call; again a moment later where the same request, or another about the same object, is under way."""
    for wait in BUSY_WAITS:
        try:
            return await call()
        except FAILURES as failure:
            if not is_busy(failure):
                raise
        await asyncio.sleep(wait)
    return await call()
