"""What an attempt at an activity adds to the metrics.

Here, and not in workflow code: a workflow runs again whenever it is replayed.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from checkout.domain.audit import Repaired
from checkout.domain.contract import CART_VALIDATION, COMPENSATION_OF, STOCK_COMMIT, UNLOCK_CART, ActivityContract
from checkout.domain.errors import CHECKOUT_COMPLETED
from checkout.domain.messages import Authorization, CompensationInput
from checkout.domain.shortage import INSUFFICIENT_STOCK
from checkout.domain.words import Outcome, Phase
from checkout.runtime import metrics

log = structlog.get_logger(__name__)

_PHASES = frozenset(phase.value for phase in Phase)
_COMPENSATIONS = frozenset(one.name for one in COMPENSATION_OF.values())


@dataclass(frozen=True)
class Attempt:
    """An attempt that runs now; :meth:`begins` first, then how it ended."""

    contract: ActivityContract[Any, Any]
    begun: float = field(default_factory=time.monotonic)

    def begins(self) -> None:
        """The first attempt of all, the local one of the first phase, begins the checkout."""
        if self.contract == CART_VALIDATION and activity.info().is_local and activity.info().attempt == 1:
            metrics.STARTED.inc()
            log.info("checkout_begun")

    def done(self, given: Any, result: Any) -> None:
        """It succeeded."""
        self._count("done")
        if self.contract.name in _PHASES:
            metrics.PHASE_SECONDS.labels(self.contract.name).observe(self._seconds())
        if isinstance(result, Authorization) and result.declined is not None:
            metrics.DECLINES.labels(result.declined.code).inc()
        if isinstance(given, Repaired) and given.fate is not None:
            metrics.REPAIRS.labels(given.remedy.value, given.fate.value).inc()
        if self.contract == STOCK_COMMIT:
            _ended(Outcome.COMPLETED.value)
        elif self.contract == UNLOCK_CART:
            _ended(_outcome(given), code=None if given.failure is None else given.failure.code)

    def failed(self, error: Exception) -> None:
        """It failed: for good, or to be made again."""
        code = error.type if isinstance(error, ApplicationError) else None
        if self.contract.name in _COMPENSATIONS and code == CHECKOUT_COMPLETED:
            return  # there was nothing to give back
        definite = isinstance(error, ApplicationError) and error.non_retryable
        self._count("refused" if definite else "retried")
        if definite and self.contract.name in _PHASES:
            metrics.FAILURES.labels(self.contract.name, code).inc()
            if code == INSUFFICIENT_STOCK:
                metrics.OVERSELL_REFUSALS.labels(self.contract.name).inc()

    def _count(self, result: str) -> None:
        metrics.ATTEMPTS.labels(self.contract.name, result).inc()
        if self.contract.name in _COMPENSATIONS:
            metrics.COMPENSATIONS.labels(self.contract.name, result).inc()

    def _seconds(self) -> float:
        """Since it was scheduled, where it was tried before; by the clocks of two machines then."""
        info = activity.info()
        if info.attempt == 1:
            return time.monotonic() - self.begun
        return max(0.0, (datetime.now(UTC) - info.scheduled_time).total_seconds())


def _ended(outcome: str, **also: Any) -> None:
    metrics.ENDED.labels(outcome).inc()
    log.info("checkout_ended", outcome=outcome, **also)


def _outcome(given: CompensationInput) -> str:
    """How a checkout ended of which all is given back; what is the buyer's doing is ``refused``."""
    if given.outcome is Outcome.FAILED and given.failure is not None and given.failure.benign:
        return "refused"
    return given.outcome.value
