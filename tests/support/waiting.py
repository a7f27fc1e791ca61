"""Waiting for what another process or task brings about, with a limit that only a defect reaches."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT = 120.0


async def eventually(ask: Callable[[], Awaitable[T]], what: str, *, every: float = 0.02, limit: float = LIMIT) -> T:
    """The first answer that counts as true. Raises AssertionError naming ``what`` after ``limit`` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if answer := await ask():
            return answer
        await asyncio.sleep(every)
    raise AssertionError(f"not within {limit:g} s: {what}")
