"""Tells of changes of checkouts, by one LISTEN connection: wakes who watches one, and has caches drop it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import psycopg
import structlog

from checkout.store.changes import Echo, listen

log = structlog.get_logger(__name__)

#: Seconds for which what was told counts as all there is: older echoes say nothing about now.
FRESH = 1.0
#: Seconds between two looks while changes are told, in case one was lost.
LOOK_WHEN_TOLD = 15.0
#: Seconds between two looks while nobody tells.
LOOK_WHEN_NOT_TOLD = 1.0
#: So many changed checkouts are named to one who watches them all; of more he learns that any may have changed.
MOST_NAMED = 50
#: Seconds between two tries to listen, doubled up to the second figure.
RECONNECT = (0.2, 5.0)


class Audience(Protocol):
    """What is told of every change."""

    def told(self, checkout_id: str) -> None:
        """This checkout has changed."""

    def missed(self) -> None:
        """Any checkout may have changed."""


class Watch:
    """One who watches a checkout."""

    def __init__(self, changes: "Changes") -> None:
        self._changes = changes
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Something may have changed."""
        self._changed.set()

    async def changed(self) -> None:
        """Return when the checkout may have changed, or it is time for a look anyway."""
        look_at = time.monotonic() + LOOK_WHEN_TOLD
        while time.monotonic() < look_at:
            try:
                async with asyncio.timeout(LOOK_WHEN_NOT_TOLD):
                    await self._changed.wait()
            except TimeoutError:
                if not self._changes.fresh:
                    return
            else:
                self._changed.clear()
                return


class WatchAll(Watch):
    """One who watches every checkout."""

    def __init__(self, changes: "Changes") -> None:
        super().__init__(changes)
        self._seen: set[str] | None = set()

    def told(self, checkout_id: str) -> None:
        """This one has changed."""
        if self._seen is not None:
            self._seen.add(checkout_id)
            if len(self._seen) > MOST_NAMED:
                self._seen = None
        self.wake()

    def missed(self) -> None:
        """Nobody knows which have changed."""
        self._seen = None
        self.wake()

    def take(self) -> set[str] | None:
        """Those that changed since this was asked for the last time; None: any may have."""
        seen, self._seen = self._seen, set()
        return seen


class Changes:
    """The watchers of this process, and its caches."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._watches: dict[str, set[Watch]] = {}
        self._audiences: list[Audience] = []
        #: Whether PostgreSQL tells this process of changes now.
        self.listening = False
        self._told_until = 0.0

    @property
    def fresh(self) -> bool:
        """Whether this process has been told of all that changed until a moment ago: :data:`FRESH` seconds at most."""
        return self.listening and time.monotonic() - self._told_until <= FRESH

    def tell(self, audience: Audience) -> None:
        """Tell it of all changes from here on."""
        self._audiences.append(audience)

    @contextmanager
    def watch(self, checkout_id: str) -> Iterator[Watch]:
        """Be woken from here on by the changes of a checkout; read it *after* entering, so that no change is missed."""
        watch = Watch(self)
        self._watches.setdefault(checkout_id, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[checkout_id]
            watches.discard(watch)
            if not watches:
                del self._watches[checkout_id]

    @contextmanager
    def watch_all(self) -> Iterator[WatchAll]:
        """Be told of the changes of all checkouts from here on."""
        watch = WatchAll(self)
        self._audiences.append(watch)
        try:
            yield watch
        finally:
            self._audiences.remove(watch)

    async def run(self) -> None:
        """Listen until cancelled, and again after each loss of the connection."""
        pause, longest = RECONNECT
        while True:
            try:
                async with listen(self._database_url) as changes:
                    self.listening = True
                    pause = RECONNECT[0]
                    self._miss_all()  # what changed before is told to nobody
                    async for change in changes:
                        if isinstance(change, Echo):
                            self._told_until = change.sent
                        else:
                            self._changed(change.checkout_id)
            except (psycopg.Error, OSError) as error:
                if self.listening:
                    log.warning(
                        "the LISTEN connection was lost; looking at intervals until it is back", error=str(error)
                    )
            finally:
                self.listening = False
            self._miss_all()
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

    def _changed(self, checkout_id: str) -> None:
        for audience in self._audiences:
            audience.told(checkout_id)
        for watch in self._watches.get(checkout_id, ()):
            watch.wake()

    def _miss_all(self) -> None:
        for audience in self._audiences:
            audience.missed()
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()
