"""Temporal Schedules: workflows that the server starts again and again. Every worker sees to them when it starts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from checkout.domain import contract
from checkout.domain.audit import AuditInput
from checkout.domain.reconciliation import ReconciliationInput
from checkout.runtime.settings import Settings

log = structlog.get_logger(__name__)

#: What the server missed while it was away is caught up with for so long; the next run looks at the same anyway.
CATCHUP_WINDOW = timedelta(minutes=1)
#: Seconds until a server that did not answer is asked again.
RETRY = 30.0
#: Seconds between two looks whether they are still there: a Temporal that was put back from a backup may not have them.
WATCH = 60.0
#: Answers that no retry mends: the namespace does not let this worker keep schedules.
_DEFINITE = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.INVALID_ARGUMENT})


@dataclass(frozen=True)
class Recurring:
    """A workflow that is started every so many seconds; 0: it is not, and a schedule that is there is removed."""

    schedule_id: str
    workflow: str
    argument: Any
    every: int
    summary: str


def recurring(settings: Settings) -> list[Recurring]:
    """What the settings want to be started again and again."""
    return [
        Recurring(
            "reconciliation",
            contract.RECONCILIATION_WORKFLOW,
            ReconciliationInput(settings.reconcile_hours, settings.reconcile_fix),
            settings.reconcile_every,
            "Reconciliation with the payment gateway",
        ),
        Recurring(
            "audit",
            contract.AUDIT_WORKFLOW,
            AuditInput(settings.audit_grace),
            settings.audit_every,
            "Audit of checkouts whose workflow is gone",
        ),
    ]


async def keep_schedules(client: Client, wanted: Sequence[Recurring], task_queue: str) -> None:
    """Make each schedule, or bring it up to date; what ops have paused stays paused.

    Any number of workers may do so at once. A namespace that refuses is a line in the log, and the worker goes on; a
    server that does not answer is asked again until it does.
    """
    for one in wanted:
        while not await _kept(client, one, task_queue):  # noqa: ASYNC110 - a server is asked, nothing here tells
            await asyncio.sleep(RETRY)


async def watch_schedules(client: Client, wanted: Sequence[Recurring], task_queue: str) -> None:
    """Keep them as :func:`keep_schedules` does, and make again each that is there no more; until it is cancelled."""
    await keep_schedules(client, wanted, task_queue)
    while True:
        await asyncio.sleep(WATCH)
        for one in wanted:
            if one.every:
                await _kept(client, one, task_queue, renew=False)


async def _kept(client: Client, one: Recurring, task_queue: str, *, renew: bool = True) -> bool:
    """False where it is to be tried again. ``renew``: one that is there is brought up to date."""
    try:
        await (_put(client, one, task_queue, renew=renew) if one.every else _remove(client, one))
    except RPCError as error:
        if error.status in _DEFINITE:
            log.error(  # noqa: TRY400 - the sentence is what ops need, not where we asked
                "schedule_refused",
                schedule=one.schedule_id,
                error=error.message,
                remedy=f"let the worker keep schedules in namespace {client.namespace}, or start {one.workflow} "
                "by other means",
            )
            return True
        log.warning("schedule_not_kept", schedule=one.schedule_id, error=error.message, retry_after=RETRY)
        return False
    return True


async def _put(client: Client, one: Recurring, task_queue: str, *, renew: bool) -> None:
    schedule = _schedule(one, task_queue)
    try:
        await client.create_schedule(one.schedule_id, schedule)
    except ScheduleAlreadyRunningError:
        if not renew:
            return

        def changed(there: ScheduleUpdateInput) -> ScheduleUpdate:
            schedule.state = there.description.schedule.state
            return ScheduleUpdate(schedule)

        await client.get_schedule_handle(one.schedule_id).update(changed)
    else:
        log.info("schedule_made", schedule=one.schedule_id, every=one.every)


async def _remove(client: Client, one: Recurring) -> None:
    try:
        await client.get_schedule_handle(one.schedule_id).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def _schedule(one: Recurring, task_queue: str) -> Schedule:
    """One run at a time: what is still running when the next is due makes that one unnecessary."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            one.workflow,
            one.argument,
            id=one.schedule_id,
            task_queue=task_queue,
            static_summary=one.summary,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=one.every))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCHUP_WINDOW),
    )
