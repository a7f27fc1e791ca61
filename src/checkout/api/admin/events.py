"""The stream of all checkouts' changes, for pages that show many."""

import asyncio
from collections.abc import AsyncIterator

import anyio

from checkout.api.changes import Changes
from checkout.api.events import then
from checkout.api.models.admin import Changes as Named

#: Seconds between two events: pages look again at each, and a rush changes hundreds a second.
APART = 1.0
#: Seconds between two events that name none, while PostgreSQL tells of no changes.
APART_WHEN_NOT_TOLD = 5.0


async def events(changes: Changes, stopping: anyio.Event) -> AsyncIterator[dict[str, str]]:
    """Which checkouts have changed, gathered for a second; null: any may have, as at the beginning.

    Ends when the process is ``stopping``: the caller comes back, and is told that any may have changed meanwhile.
    """
    with changes.watch_all() as watch:
        watch.missed()
        wake_to_stop = asyncio.create_task(then(stopping, watch.wake))
        try:
            while not stopping.is_set():
                await watch.changed()
                seen, told = watch.take(), changes.fresh
                if seen is None or seen or not told:
                    named = sorted(seen) if seen and told else None
                    yield {"event": "changes", "data": Named(ids=named).model_dump_json()}
                    await _pause(stopping, APART if told else APART_WHEN_NOT_TOLD)
        finally:
            wake_to_stop.cancel()


async def _pause(stopping: anyio.Event, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await stopping.wait()
