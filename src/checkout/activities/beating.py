"""Heartbeats of an activity that may take long: a dead worker is noticed by them, and a cancellation arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from temporalio import activity

#: Where the workflow set no heartbeat timeout.
_HEARTBEAT_TIMEOUT = timedelta(seconds=9)


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Around the work of an activity."""
    beats = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beats.cancel()
        with suppress(asyncio.CancelledError):
            await beats


async def _beat() -> None:
    """The first one after a third of the timeout: most work is over by then, and each is a write in Temporal."""
    interval = (activity.info().heartbeat_timeout or _HEARTBEAT_TIMEOUT) / 3
    while True:
        await asyncio.sleep(interval.total_seconds())
        activity.heartbeat()
