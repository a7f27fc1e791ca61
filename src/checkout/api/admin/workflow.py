"""What Temporal says of a checkout's run: whether it runs, what is pending, and whether its tasks fail."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.failure.v1 import Failure
from temporalio.service import RPCError, RPCStatusCode

from checkout.api import engine as engines
from checkout.api.engine import Engine, Run
from checkout.api.models.admin_checkout import PendingActivity
from checkout.domain.contract import TRIED_ONCE
from checkout.domain.times import rfc3339
from checkout.runtime import runs

_TRIED_ONCE = frozenset(str(one.name) for one in TRIED_ONCE)
#: No attempt runs.
_WAITING = frozenset(
    {
        PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
        PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED,
    }
)

#: What is said where Temporal says nothing.
FORGOTTEN = "Temporal keeps this run no more: what is shown is what the rows say."
AWAY = "Temporal does not answer: what is shown is what the rows say."


@dataclass(frozen=True)
class Seen:
    """A run as Temporal has it; all but ``note`` is None where it does not say."""

    status: str | None = None
    pending: list[PendingActivity] | None = None
    failed_tasks: int | None = None
    untaken_since: datetime | None = None
    paused: str | None = None
    note: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing of the run goes on any more; False where nobody knows."""
        return self.note == FORGOTTEN or has_ended(self.status)


def has_ended(status: str | None) -> bool:
    """Whether a run with this status has ended; a paused one, and one with a word of a later server, has not."""
    return status in runs.ENDED


async def look(engine: Engine, run: Run) -> Seen:
    """Ask Temporal, one second at most."""
    try:
        async with asyncio.timeout(engines.QUERY_WAIT):
            found = await engine.describe(run)
    except RPCError as error:
        return Seen(note=FORGOTTEN if error.status is RPCStatusCode.NOT_FOUND else AWAY)
    except (TimeoutError, RuntimeError):
        return Seen(note=AWAY)
    return Seen(
        status=runs.status_of(found.workflow_execution_info),
        pending=[_pending(one) for one in found.pending_activities],
        # The attempt that is under way has not failed yet.
        failed_tasks=max(0, found.pending_workflow_task.attempt - 1),
        untaken_since=_untaken(found.pending_workflow_task),
        paused=_paused(found.workflow_extended_info),
    )


def _untaken(task: Any) -> datetime | None:
    if task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED or task.attempt > 1:
        return None
    return _time(task.scheduled_time)


def _paused(info: Any) -> str | None:
    if not info.HasField("pause_info"):
        return None
    pause = info.pause_info
    return _by_whom(pause.identity, pause.paused_time, pause.reason)


def _by_whom(who: str, since: Timestamp, why: str) -> str:
    """Who paused it, since when and why, as far as Temporal says."""
    began = _time(since)
    parts = [f"by {who}" if who else "", f"since {rfc3339(began)}" if began else "", f"({why})" if why else ""]
    return " ".join(part for part in parts if part)


def _pending(one: Any) -> PendingActivity:
    failed = one.HasField("last_failure")
    running, paused = one.state not in _WAITING, None
    if one.state == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED:
        pause = one.pause_info
        by = pause.manual if pause.HasField("manual") else pause.rule
        paused = _by_whom(by.identity, pause.pause_time, by.reason)
    return PendingActivity(
        activity=one.activity_type.name,
        attempt=max(1, one.attempt) + (one.activity_type.name in _TRIED_ONCE and one.maximum_attempts != 1),
        running=running,
        last_failure=_sentence(one.last_failure) if failed else None,
        last_failure_at=_time(one.last_attempt_complete_time) if failed else None,
        paused=paused,
        next_try_at=None
        if running or paused is not None
        else _time(one.next_attempt_schedule_time) or _time(one.scheduled_time),
    )


def _sentence(failure: Failure) -> str:
    kind = failure.application_failure_info.type if failure.HasField("application_failure_info") else ""
    return f"{kind}: {failure.message}" if kind else failure.message


def _time(moment: Timestamp) -> datetime | None:
    return moment.ToDatetime(UTC) if moment.seconds else None
