"""What a process keeps of what it has read, until it is told that it has changed.

Nothing is served unless all that changed until a second ago has been told (:attr:`Changes.fresh`); else whoever asks
reads for himself. And nothing is kept that is older than what was told: a read says when it begins, and what is told
from then on makes it outdated.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cachetools import TLRUCache

from checkout.api.changes import Changes
from checkout.api.kept import Kept
from checkout.api.tally import STATUS, Tally
from checkout.domain.words import State

V = TypeVar("V")

#: Seconds that a status is kept, and the counts of what is active.
STATUS_SECONDS = 30.0
ACTIVE_SECONDS = 60.0
#: Statuses that are kept at most, 2 to 4 KB each; those not asked for longest go first.
STATUSES = 5000
#: The one key of the counts.
ALL = "all"


@dataclass(eq=False)
class Read:
    """A read that is under way: whether it is outdated already, and the version that another has shown since."""

    outdated: bool = False
    floor: int = 0


@dataclass(frozen=True)
class Entry(Generic[V]):
    """A value with its version, and for how many seconds it holds."""

    value: V
    version: int
    seconds: float


class Cache(Generic[V]):
    """Values by key, each of a version."""

    def __init__(self, name: str, changes: Changes, tally: Tally, *, size: int) -> None:
        self._name, self._changes, self._tally = name, changes, tally
        self._kept: Any = TLRUCache(size, lambda _key, entry, now: now + entry.seconds)
        self._reads: dict[str, set[Read]] = {}

    def get(self, key: str) -> V | None:
        """What is kept and may be served now; None: read it."""
        found: Entry[V] | None = self._kept.get(key) if self._changes.fresh else None
        self._tally.cache_read(self._name, hit=found is not None)
        return None if found is None else found.value

    @contextmanager
    def reading(self, key: str) -> Iterator[Read]:
        """Enter before reading, to keep what was read (:meth:`keep`)."""
        read = Read()
        self._reads.setdefault(key, set()).add(read)
        try:
            yield read
        finally:
            reads = self._reads[key]
            reads.discard(read)
            if not reads:
                del self._reads[key]

    def keep(self, key: str, read: Read, entry: Entry[V]) -> None:
        """Keep what a read found, unless it is outdated."""
        if not read.outdated and entry.version >= read.floor:
            self._kept[key] = entry

    def seen(self, key: str, version: int) -> None:
        """This process shows a version: from here on it shows none that is older, told of or not."""
        found: Entry[V] | None = self._kept.get(key)
        if found is not None and found.version < version:
            del self._kept[key]
        for read in self._reads.get(key, ()):
            read.floor = max(read.floor, version)

    def drop(self, key: str) -> None:
        """It has changed."""
        self._kept.pop(key, None)
        for read in self._reads.get(key, ()):
            read.outdated = True

    def clear(self) -> None:
        """Anything may have changed."""
        self._kept.clear()
        for reads in self._reads.values():
            for read in reads:
                read.outdated = True


class Caches:
    """The caches of one process: statuses by checkout, and how many checkouts are at each open state."""

    def __init__(self, changes: Changes, tally: Tally) -> None:
        self.statuses: Cache[Kept] = Cache(STATUS, changes, tally, size=STATUSES)
        self.active: Cache[Mapping[State, int]] = Cache("active", changes, tally, size=1)
        changes.tell(self)

    def told(self, checkout_id: str) -> None:
        """A checkout has changed."""
        self.statuses.drop(checkout_id)
        self.active.drop(ALL)

    def missed(self) -> None:
        """Any may have."""
        self.statuses.clear()
        self.active.clear()

    def seen(self, checkout_id: str, version: int) -> None:
        """This process is about to show a version that was just read."""
        self.statuses.seen(checkout_id, version)
        self.active.drop(ALL)
