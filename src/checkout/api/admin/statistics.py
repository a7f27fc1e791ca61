"""Figures for monitors: by indexes of the database, and by what the processes of the API count."""

from collections.abc import Mapping
from dataclasses import dataclass

from checkout.api.cache import ACTIVE_SECONDS, ALL, Entry
from checkout.api.models.statistics import Duration, Statistics
from checkout.api.resources import Resources
from checkout.domain.words import Outcome, State
from checkout.store import counts
from checkout.store.statistics import read_active, read_ended


@dataclass(frozen=True)
class Counted:
    """What no row tells: requests that were refused by a rate limit, and the share of reads that a cache answered."""

    rate_limit_hits: int = 0
    cache_hit_rate: float | None = None


async def counted(resources: Resources, hours: int) -> Counted:
    """What all processes have counted, this one until now, the others until a few seconds ago."""
    await resources.tally.flush()
    found = await resources.database.read(lambda session: counts.read(session, hours))
    hits = found[counts.Counted.STATUS_HIT]
    reads = hits + found[counts.Counted.STATUS_MISS]
    return Counted(found[counts.Counted.LIMITED], hits / reads if reads else None)


async def count_active(resources: Resources) -> Mapping[State, int]:
    """How many checkouts stand at each open state, as it was told last: counted again when one has changed."""
    active = resources.caches.active
    if (kept := active.get(ALL)) is not None:
        return kept
    with active.reading(ALL) as read:
        found = await resources.database.read(read_active)
        active.keep(ALL, read, Entry(found, 0, ACTIVE_SECONDS))
    return found


async def statistics(resources: Resources, hours: int) -> Statistics:
    """What runs now, and what ended within the last hours. Raises Problem where the database is away."""
    active = await count_active(resources)
    ended = await resources.database.read(lambda session: read_ended(session, hours))
    counters = await counted(resources, hours)
    closed = {
        Outcome.COMPLETED.state: ended.completed,
        Outcome.FAILED.state: ended.failed + ended.refused,
        Outcome.EXPIRED.state: ended.expired,
        Outcome.CANCELLED.state: ended.cancelled,
    }
    tried = ended.completed + ended.failed
    return Statistics(
        hours=hours,
        active=sum(active.values()),
        active_by_state=dict(active),
        completed=ended.completed,
        failed=ended.failed,
        refused=ended.refused,
        expired=ended.expired,
        cancelled=ended.cancelled,
        success_rate=ended.completed / tried if tried else None,
        duration=Duration(average=ended.average, p95=ended.p95),
        failures_by_phase=dict(ended.failures_by_phase),
        states={**active, **closed},
        rate_limit_hits=counters.rate_limit_hits,
        cache_hit_rate=counters.cache_hit_rate,
    )
