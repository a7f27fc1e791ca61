"""The line in which starts stand while more of them come at once than can be taken through their phases.

Without it all of them would share what the machine has, and each would be late: the first answer would come when almost
the last one does, and most of the work would be done for buyers to whom nothing is left to sell.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

#: Seconds between two looks of the first in line at what it waits for.
GLANCE = 0.1
#: Seconds after which a start goes in any case: where no worker answers, it need not wait for all those before it.
LONGEST = 5.0
#: Seconds between two that go so.
APART = 0.02


class Line:
    """Lets so many go at once, the others in the order in which they came."""

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._front = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, look: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Wait for the caller's turn. Whoever has to wait looks, once first in line, again and again.

        Raises what ``look`` raises where there is nothing to wait for any more.
        """
        counted = await self._come_first(look) if self._front.locked() or self._free.locked() else await self._go()
        try:
            yield
        finally:
            if counted:
                self._free.release()

    async def _come_first(self, look: Callable[[], Awaitable[None]]) -> bool:
        """Return when it is the caller's turn; whether it counts among those that go at once."""
        clock = asyncio.get_running_loop().time
        latest = clock() + LONGEST
        async with self._front:
            while True:
                await look()
                late = clock() >= latest
                try:
                    async with asyncio.timeout(APART if late else GLANCE):
                        return await self._go()
                except TimeoutError:
                    if late:
                        return False

    async def _go(self) -> bool:
        return await self._free.acquire()
