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

_TRIED_ONCE = frozenset(str(one.name) for one in TRIED_ONCE)

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
    note: str | None = None


async def look(engine: Engine, run: Run) -> Seen:
    """Ask Temporal, one second at most."""
    try:
        async with asyncio.timeout(engines.QUERY_WAIT):
            found = await engine.describe(run)
    except RPCError as error:
        return Seen(note=FORGOTTEN if error.status is RPCStatusCode.NOT_FOUND else AWAY)
    except (TimeoutError, RuntimeError):
        return Seen(note=AWAY)
    raw = found.raw_description
    return Seen(
        status=None if found.status is None else found.status.name.lower(),
        pending=[_pending(one) for one in raw.pending_activities],
        # The attempt that is under way has not failed yet.
        failed_tasks=max(0, raw.pending_workflow_task.attempt - 1),
        untaken_since=_untaken(raw.pending_workflow_task),
    )


def _untaken(task: Any) -> datetime | None:
    if task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED or task.attempt > 1:
        return None
    return _time(task.scheduled_time)


def _pending(one: Any) -> PendingActivity:
    failed = one.HasField("last_failure")
    running = one.state != PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    return PendingActivity(
        activity=one.activity_type.name,
        attempt=max(1, one.attempt) + (one.activity_type.name in _TRIED_ONCE and one.maximum_attempts != 1),
        running=running,
        last_failure=_sentence(one.last_failure) if failed else None,
        last_failure_at=_time(one.last_attempt_complete_time) if failed else None,
        next_try_at=None if running else _time(one.next_attempt_schedule_time) or _time(one.scheduled_time),
    )


def _sentence(failure: Failure) -> str:
    kind = failure.application_failure_info.type if failure.HasField("application_failure_info") else ""
    return f"{kind}: {failure.message}" if kind else failure.message


def _time(moment: Timestamp) -> datetime | None:
    return moment.ToDatetime(UTC) if moment.seconds else None
