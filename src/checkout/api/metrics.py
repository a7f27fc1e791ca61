"""How things stand in the database and in Temporal, for ``/metrics``: looked up seldom, however often it is asked."""

import asyncio
import time
from collections.abc import Awaitable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from checkout.api.admin.listing import patience
from checkout.api.problems import Problem
from checkout.api.resources import Resources
from checkout.store.gauges import Standing, read_standing

T = TypeVar("T")

#: Seconds for which what was looked up is good enough, however often and by however many it is asked for.
FRESH = 15.0


class Gauges(Collector):
    """How things stand, as gauges; what is away is said by ``checkout_up``, and has no others."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._looking = asyncio.Lock()
        self._fresh_until = 0.0
        self._standing: Standing | None = None
        self._failing: int | None = None
        self._polling: bool | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)

    async def exposition(self) -> bytes:
        """The gauges in Prometheus' text format, at most :data:`FRESH` seconds old."""
        async with self._looking:
            if time.monotonic() >= self._fresh_until:
                await self._look()
                self._fresh_until = time.monotonic() + FRESH
        return generate_latest(self._registry)

    async def _look(self) -> None:
        database, temporal = self._resources.database, self._resources.temporal_health
        settings = self._resources.settings
        limits, behind_after = patience(settings), settings.events_behind_after
        self._standing, self._failing, self._polling = await asyncio.gather(
            _unless_away(database.read(lambda session: read_standing(session, limits, behind_after))),
            _unless_away(temporal.count_failing()),
            _unless_away(temporal.worker_polling()),
        )

    def collect(self) -> Iterator[Metric]:
        """The gauges of what answered."""
        answers = {"database": self._standing is not None, "temporal": self._polling is not None}
        yield _family("up", "Whether what the shop needs answers", "part", {**answers, "worker": bool(self._polling)})
        if self._failing is not None:
            yield _one("failing_workflows", "Running workflows whose tasks fail", self._failing)
        if (standing := self._standing) is None:
            return
        active = {state.value: number for state, number in standing.active.items()}
        yield _family("active", "Open checkouts, by state", "state", active)
        yield _family("stuck", "Open checkouts that have not gone on as they should have", "reason", standing.stuck)
        yield _one("reserved_units", "Units that running checkouts hold", standing.reserved)
        backlog = {"incoming": standing.events, "outgoing": standing.webhooks}
        yield _one("listeners_behind", "Listeners that have failed for too long", standing.listeners)
        yield _one("webhook_endpoints_disabled", "Endpoints that nothing is sent to any more", standing.disabled)
        yield _family("webhook_backlog", "Events that wait to be taken in or sent", "direction", backlog)


def _family(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"checkout_{name}", what, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _one(name: str, what: str, number: float) -> Metric:
    return GaugeMetricFamily(f"checkout_{name}", what, value=number)


async def _unless_away(answer: Awaitable[T]) -> T | None:
    try:
        return await answer
    except Problem:
        return None
