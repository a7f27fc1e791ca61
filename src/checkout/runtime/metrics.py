"""What a process counts for Prometheus, and the text in which it is read.

Counters live in the process: they begin at 0 with it, and Prometheus adds the processes up. What an activity did is
counted after it did it, so an attempt that lost its answer, and is made again, counts twice; the figures of record are
the rows' (``/admin/statistics``). Labels take values of ours alone, from lists that end: no id, no address, no text of
somebody else's.
"""

import hmac

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from pydantic import SecretStr

from checkout.domain.audit import Fate, Remedy
from checkout.domain.contract import COMPENSATION_OF
from checkout.domain.words import Phase

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# When a counter began is a second series for each, which Prometheus does not read in this format.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

#: Seconds: from a phase on a quiet machine to one that was tried again for hours.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)

STARTED = Counter("checkout_started", "Checkouts that were begun", registry=REGISTRY)
ENDED = Counter(
    "checkout_ended",
    "Checkouts that ended: completed, failed, refused (failed by the buyer's doing), expired, cancelled",
    ["outcome"],
    registry=REGISTRY,
)
PHASE_SECONDS = Histogram(
    "checkout_phase_seconds",
    "Time that a phase took until it was done, tries before included",
    ["phase"],
    buckets=_BUCKETS,
    registry=REGISTRY,
)
ATTEMPTS = Counter(
    "checkout_activity_attempts",
    "Attempts at activities: done, refused (a definite failure), retried",
    ["activity", "result"],
    registry=REGISTRY,
)
FAILURES = Counter(
    "checkout_phase_failures", "Definite failures of phases, by our code", ["phase", "code"], registry=REGISTRY
)
COMPENSATIONS = Counter(
    "checkout_compensations",
    "Attempts at compensations: done, refused (by the gateway, for good), retried",
    ["compensation", "result"],
    registry=REGISTRY,
)
REPAIRS = Counter(
    "checkout_repairs",
    "Checkouts whose workflow was gone and that were ended all the same: how, and what had become of the workflow",
    ["remedy", "fate"],
    registry=REGISTRY,
)
DECLINES = Counter("checkout_declines", "Payments that were declined, by our code", ["code"], registry=REGISTRY)
OVERSELL_REFUSALS = Counter(
    "checkout_oversell_refusals", "Checkouts refused because there was not enough stock", ["phase"], registry=REGISTRY
)
RATE_LIMIT_HITS = Counter(
    "checkout_rate_limit_hits", "Requests that a limit refused, by the limit's name", ["limit"], registry=REGISTRY
)
CACHE_READS = Counter(
    "checkout_cache_reads", "Reads of a cache, by its name: hit or miss", ["cache", "result"], registry=REGISTRY
)

# A counter that begins at its first event has no increase then: those whose labels are known begin at 0.
for _outcome in ("completed", "failed", "refused", "expired", "cancelled"):
    ENDED.labels(_outcome)
for _phase in Phase:
    PHASE_SECONDS.labels(_phase.value)
for _compensation in COMPENSATION_OF.values():
    for _result in ("done", "refused", "retried"):
        COMPENSATIONS.labels(_compensation.name, _result)
for _remedy in (Remedy.FINISH, Remedy.UNDO, Remedy.UNLOCK):
    for _fate in Fate:
        REPAIRS.labels(_remedy.value, _fate.value)
for _phase in (Phase.CART_VALIDATION, Phase.INVENTORY_RESERVATION):
    OVERSELL_REFUSALS.labels(_phase.value)


def rate_limit_hit(limit: str) -> None:
    """A request was refused by the limit of this name; the name is a setting's, never the one who asked."""
    RATE_LIMIT_HITS.labels(limit).inc()


def cache_read(cache: str, *, hit: bool) -> None:
    """A cache was asked, and had what was asked for or not."""
    CACHE_READS.labels(cache, "hit" if hit else "miss").inc()


def may_read(token: SecretStr | None, authorization: str | None) -> bool:
    """Whether a request with this header may read the metrics: anyone, where no token is set."""
    given = (authorization or "").removeprefix("Bearer ")
    return token is None or hmac.compare_digest(given.encode(), token.get_secret_value().encode())


def exposition() -> bytes:
    """All of it in Prometheus' text format."""
    return generate_latest(REGISTRY)
