"""Figures for monitors: by indexes of the database, and by what the processes of the API count."""

from dataclasses import dataclass

from checkout.api.models.statistics import Duration, Statistics
from checkout.api.resources import Resources
from checkout.domain.words import Outcome
from checkout.store.statistics import read_active, read_ended


@dataclass(frozen=True)
class Counted:
    """What no row tells: requests that were refused by a rate limit, and the share of reads that a cache answered."""

    rate_limit_hits: int = 0
    cache_hit_rate: float | None = None


async def counted(_resources: Resources, _hours: int) -> Counted:
    """Nothing is limited or cached yet, so that nothing is counted; whoever does either says so here."""
    return Counted()


async def statistics(resources: Resources, hours: int) -> Statistics:
    """What runs now, and what ended within the last hours. Raises Problem where the database is away."""
    active = await resources.database.read(read_active)
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
