"""Delivers events to the shop, signed, until it takes them in: again and again, less and less often."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.payments.simulated import outbox
from checkout.payments.simulated.faults import Faults
from checkout.payments.simulated.outbox import Parcel
from checkout.payments.simulated.signature import HEADER, sign

#: Seconds for one delivery.
TIMEOUT = 10.0
#: Deliveries under way at once, so that one that hangs does not hold up the others.
AT_ONCE = 8
#: The n-th retry comes after ``first_retry * 2**(n - 1)`` seconds, an hour at most; after about three days none does.
LONGEST_WAIT = 3600.0
TRIES = 84
#: Seconds between two looks at the outbox that nothing asked for: for what another process left behind.
LOOK = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a shop takes events in: ``url``, and the ``secret`` that signs them. Times in seconds.

    ``lease``: for how long an event is a courier's; where it died meanwhile, another sends the event then.
    """

    url: str
    secret: str
    first_retry: float = 1.0
    lease: float = 2 * TIMEOUT

    def wait(self, tries: int) -> timedelta | None:
        """How long to wait after that many tries; None to give up."""
        if tries >= TRIES:
            return None
        return timedelta(seconds=min(LONGEST_WAIT, self.first_retry * 2.0 ** (tries - 1)))


class Courier:
    """Delivers what is due; ``wake`` it after a commit that made something due."""

    def __init__(self, engine: AsyncEngine, endpoint: Endpoint, faults: Faults) -> None:
        self._engine, self._endpoint, self._faults = engine, endpoint, faults
        self._awake = asyncio.Event()
        self._free = asyncio.Semaphore(AT_ONCE)
        self._under_way: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There may be something due."""
        self._awake.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the context lasts; what is under way at its end is due again."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
            working = asyncio.create_task(self._work(session))
            try:
                yield
            finally:
                for task in (working, *self._under_way):
                    task.cancel()
                await asyncio.gather(working, *self._under_way, return_exceptions=True)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            try:
                await self._deliver_due(session)
            except (sa.exc.SQLAlchemyError, OSError) as error:
                log.warning("outbox_unreadable", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _deliver_due(self, session: aiohttp.ClientSession) -> None:
        self._awake.clear()
        async with self._engine.begin() as connection:
            parcels = await outbox.claim(connection, AT_ONCE, timedelta(seconds=self._endpoint.lease))
            until = None if parcels else await outbox.next_due(connection)
        for parcel in parcels:
            await self._free.acquire()
            task = asyncio.create_task(self._deliver(session, parcel))
            self._under_way.add(task)
            task.add_done_callback(self._done)
        if not parcels:
            seconds = LOOK if until is None else min(LOOK, max(0.0, until.total_seconds()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), seconds)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._free.release()
        if not task.cancelled() and (error := task.exception()):
            # Its lease ends, and the event is due again.
            log.warning("delivery_broken", error=repr(error))

    async def _deliver(self, session: aiohttp.ClientSession, parcel: Parcel) -> None:
        late = self._faults.lateness() if parcel.tries == 1 else None
        if late is not None:
            await self._note(parcel, "sent later, as a fault wants it", again_in=timedelta(seconds=late))
            self.wake()
            return
        try:
            delivered, answer = await self._send_with_faults(session, parcel)
        except asyncio.CancelledError:
            await self._note(parcel, "the gateway was stopped", again_in=timedelta(0))
            raise
        if delivered:
            async with self._engine.begin() as connection:
                await outbox.note_delivered(connection, parcel.event_id, answer)
            return
        log.info("webhook_not_taken", event_id=parcel.event_id, type=parcel.type, answer=answer, tries=parcel.tries)
        await self._note(parcel, answer, again_in=self._endpoint.wait(parcel.tries))
        self.wake()

    async def _note(self, parcel: Parcel, answer: str, *, again_in: timedelta | None) -> None:
        async with self._engine.begin() as connection:
            await outbox.note_failed(connection, parcel.event_id, answer, again_in)

    async def _send_with_faults(self, session: aiohttp.ClientSession, parcel: Parcel) -> tuple[bool, str]:
        struck = self._faults.strike("webhook", "repeat", "drop")
        if "drop" in struck:
            return True, "dropped, as a fault wants it"
        times = struck["repeat"].times if "repeat" in struck else 1
        return [await self._send(session, parcel) for _ in range(times)][-1]

    async def _send(self, session: aiohttp.ClientSession, parcel: Parcel) -> tuple[bool, str]:
        """Whether the shop took it in, and what it answered. Signed anew for each try: a signature grows stale."""
        headers = {"Content-Type": "application/json", HEADER: sign(self._endpoint.secret, parcel.body)}
        try:
            async with session.post(
                self._endpoint.url, data=parcel.body, headers=headers, allow_redirects=False
            ) as response:
                return response.status < 300, str(response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            return False, type(error).__name__
