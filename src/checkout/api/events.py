"""The stream of a checkout's changes."""

import asyncio
from collections.abc import AsyncIterator, Callable

import anyio

from checkout.api.changes import Changes
from checkout.api.models.checkouts import Checkout, LiveCheckout
from checkout.api.problems import Problem
from checkout.api.reading import Reading
from checkout.store.owner import Owner

#: Seconds between two pings of a stream.
PING = 15
#: A stream is neither kept nor gathered by whoever stands between.
NOT_KEPT = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def events(
    reading: Reading,
    changes: Changes,
    owner: Owner,
    first: LiveCheckout,
    last_event_id: str | None,
    stopping: anyio.Event,
) -> AsyncIterator[dict[str, str]]:
    """The checkout now, unless ``last_event_id`` says that its version was seen, then again at every change.

    Ends after a closed state, and when the process is ``stopping``: the caller comes back with the last id. A database
    that is away is waited for: the stream goes on when it answers again.
    """
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 10 else -1
    with changes.watch(first.id) as watch:
        wake_to_stop = asyncio.create_task(then(stopping, watch.wake))
        try:
            shown: LiveCheckout | None = first
            while not stopping.is_set():
                if shown is not None and shown.version > seen:
                    seen = shown.version
                    yield {"event": "checkout", "id": str(seen), "data": shown.model_dump_json(exclude=_LIVE)}
                if shown is not None and shown.state.closed:
                    return
                await watch.changed()
                shown = await _read(reading, owner, first.id)
        finally:
            wake_to_stop.cancel()


async def then(event: anyio.Event, act: Callable[[], None]) -> None:
    """Act once the event has come."""
    await event.wait()
    act()


async def _read(reading: Reading, owner: Owner, checkout_id: str) -> LiveCheckout | None:
    try:
        return await reading.get(owner, checkout_id)
    except Problem:
        return None


_LIVE = set(LiveCheckout.model_fields) - set(Checkout.model_fields)
