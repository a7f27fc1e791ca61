"""What the processes of the API count together: kept in the process for seconds, then added up in the database.

For ops' figures, which are of all processes and outlive them; Prometheus reads each process's own counters.
"""

import asyncio
import itertools
from collections import Counter

import structlog

from checkout.api.database import Database
from checkout.api.problems import Problem
from checkout.runtime import metrics
from checkout.store import counts

log = structlog.get_logger(__name__)

#: Seconds between two times that counts are written.
EVERY = 5.0
#: The cache whose hit rate is one of ops' figures: it is asked by buyers.
STATUS = "status"
#: Times that counts are written between two looks for old ones.
CLEAN_EVERY = 100


class Tally:
    """The counts of one process. Their names are those of :class:`checkout.store.counts.Counted`, so few are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: Counter[counts.Counted] = Counter()
        self._writing = asyncio.Lock()

    def rate_limit_hit(self, limit: str) -> None:
        """A request was refused by the limit of this setting."""
        metrics.rate_limit_hit(limit)
        self._counts[counts.Counted.LIMITED] += 1

    def cache_read(self, cache: str, *, hit: bool) -> None:
        """A cache was asked."""
        metrics.cache_read(cache, hit=hit)
        if cache == STATUS:
            self._counts[counts.Counted.STATUS_HIT if hit else counts.Counted.STATUS_MISS] += 1

    async def flush(self) -> None:
        """Add up what was counted, all of it: what is being added up already is waited for.

        Raises Problem where the database is away; then it is kept for the next time.
        """
        async with self._writing:
            counted, self._counts = self._counts, Counter()
            if not counted:
                return
            try:
                await self._database.write(lambda session: counts.add(session, counted))
            except Problem:
                self._counts += counted
                raise

    async def run(self) -> None:
        """Add up every few seconds, until cancelled; and forget what is old."""
        for number in itertools.count():
            await asyncio.sleep(EVERY)
            try:
                await self.flush()
                if number % CLEAN_EVERY == 0:
                    await self._database.write(counts.forget_old)
            except Problem as away:
                log.debug("counts_not_written", reason=away.code)
