"""What an activity's attempts leave behind for ops: what failed, how often, and when a compensation was done.

A phase that goes well at its first attempt leaves nothing, and so costs nothing: when it ran is in the timeline of the
checkout's row.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from checkout.domain.contract import COMPENSATION_OF, TRIED_ONCE, ActivityContract
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.store.steps import note_done, note_trouble

log = structlog.get_logger(__name__)

#: Seconds that a failed attempt may take to say so; what it has to say is also in the log, and in Temporal.
PATIENCE = 1.0

_COMPENSATIONS = frozenset(COMPENSATION_OF.values())


@dataclass(frozen=True)
class Step:
    """An attempt at an activity of one checkout."""

    sessions: Sessions
    checkout_id: str
    contract: ActivityContract[Any, Any]

    @property
    def compensates(self) -> bool:
        """Whether it undoes a phase."""
        return self.contract in _COMPENSATIONS

    @property
    def attempts(self) -> int:
        """The number of this attempt, counting the one that came before as an activity of its own."""
        info = activity.info()
        alone = info.is_local or (info.retry_policy is not None and info.retry_policy.maximum_attempts == 1)
        return info.attempt + (not alone and self.contract in TRIED_ONCE)

    async def done(self) -> None:
        """It succeeded. Raises what the database raises: the activity is tried again, and finds itself done."""
        if self.compensates or self.attempts > 1:
            await in_direct_transaction(
                self.sessions,
                lambda session: note_done(session, self.checkout_id, str(self.contract.name), self.attempts),
            )

    async def failed(self, error: Exception) -> None:
        """It failed, and is tried again. Best effort: a database that is away keeps nothing.

        A local attempt is too short for this; the regular one that follows counts it.
        """
        if activity.info().is_local:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await in_direct_transaction(
                    self.sessions,
                    lambda session: note_trouble(
                        session, self.checkout_id, str(self.contract.name), self.attempts, _sentence(error)
                    ),
                )
        except Exception as also:  # noqa: BLE001 - the first error is the one that counts
            log.debug("trouble_not_kept", activity=str(self.contract.name), error=type(also).__name__)


def step_of(holder: object, contract: ActivityContract[Any, Any], given: object) -> Step | None:
    """The attempt that runs now, None where it is about no single checkout."""
    sessions, checkout_id = getattr(holder, "sessions", None), getattr(given, "checkout_id", None)
    if sessions is None or not isinstance(checkout_id, str):
        return None
    return Step(sessions, checkout_id, contract)


def _sentence(error: Exception) -> str:
    """What went wrong, with what is for ops alone; of an error that is not of our own making only its kind, since
    nobody knows what it repeats."""
    if isinstance(error, ApplicationError):
        said = getattr(error, "for_ops", error.message)
        return f"{error.type}: {said}" if error.type else said
    return type(error).__name__
