"""Whether the shop sells: what is away, what is stuck, what fails, and from how many on that is too much.

A check is a function of :data:`CHECKS` that gives its reasons, none where all is well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from checkout.api.admin.listing import patience
from checkout.api.models.statistics import Health, Reason
from checkout.api.problems import Problem
from checkout.api.resources import Resources
from checkout.store.statistics import count_stuck
from checkout.store.webhooks import count_behind

Check = Callable[[Resources], Awaitable[Sequence[Reason]]]


#: What to do about each reason, by its code.
REMEDIES = {
    "database": "Bring PostgreSQL back; what was begun waits for it, and goes on by itself.",
    "temporal": "Bring the Temporal server back; what was begun waits for it, and goes on by itself.",
    "worker": "Start a worker (`checkout worker`), or look at its log.",
    "overdue": "`checkout list --stuck` names them; a timer that does not end them has no worker, or no workflow.",
    "stuck": "`checkout list --stuck` names them, `checkout diagnose ID` says why.",
    "listeners": "In the Temporal UI, workflows of type Notify have the last failure of what is tried again.",
    "webhooks": "`GET /admin/webhooks/deliveries?status=pending` lists them; their log says what the receivers answer.",
    "webhooks_disabled": "Mend the receiver, then enable its endpoint again and resend what failed.",
    "workflow_tasks": "The run in the Temporal UI says which code fails: put the code back that it was begun with.",
}


async def health(resources: Resources) -> Health:
    """Healthy, or degraded and why. Raises Problem ``unhealthy`` (503) with all reasons."""
    found = await reasons(resources)
    if is_unhealthy(found):
        details = " ".join(reason.detail for reason in found)
        raise Problem("unhealthy", details, retry_after=5, reasons=[reason.model_dump() for reason in found])
    return Health(status="degraded" if found else "healthy", reasons=found)


async def reasons(resources: Resources) -> list[Reason]:
    """All that is not as it should be."""
    return [reason for one in await asyncio.gather(*(check(resources) for check in CHECKS)) for reason in one]


def is_unhealthy(found: Sequence[Reason]) -> bool:
    """Whether one of the reasons keeps the shop from selling."""
    return any(reason.level == "unhealthy" for reason in found)


async def checkouts(resources: Resources) -> Sequence[Reason]:
    """The database, and the checkouts in it that have not gone on as they should have."""
    limits = resources.settings
    try:
        found = await resources.database.read(lambda session: count_stuck(session, patience(limits)))
    except Problem:
        return [_away("database", "The database does not answer.")]
    return [
        *_counted(
            limits.unhealthy_from, "overdue", found.overdue, f"Past the deadline by more than {limits.overdue_after} s"
        ),
        *_counted(limits.unhealthy_from, "stuck", found.stuck, f"Not gone on for more than {limits.stuck_after} s"),
    ]


async def worker(resources: Resources) -> Sequence[Reason]:
    """Temporal, and a worker that asks it for work."""
    try:
        polling = await resources.temporal_health.worker_polling()
    except Problem:
        return [_away("temporal", "Temporal does not answer.")]
    return [] if polling else [_away("worker", "No worker asks for work.")]


async def tasks(resources: Resources) -> Sequence[Reason]:
    """Workflows whose code fails, or does not fit their history: they run for ever and do nothing."""
    try:
        failing = await resources.temporal_health.count_failing()
    except Problem:
        return []  # said by the check of the worker
    return _counted(resources.settings.unhealthy_from, "workflow_tasks", failing, "Workflows whose tasks fail")


async def events(resources: Resources) -> Sequence[Reason]:
    """Listeners and webhooks that are behind. The shop sells all the same, so they never make it unhealthy."""
    seconds = resources.settings.events_behind_after
    try:
        behind = await resources.database.read(lambda session: count_behind(session, seconds))
    except Problem:
        return []  # said by the check of the checkouts
    said = (
        ("listeners", f"Listeners that have failed for more than {seconds} s"),
        ("webhooks", f"Webhooks that have failed for more than {seconds} s"),
        ("webhooks_disabled", "Webhook endpoints that were disabled because nothing was taken"),
    )
    return [
        Reason(code=code, level="degraded", detail=f"{what}: {count}.", remedy=REMEDIES[code], count=count)
        for (code, what), count in zip(said, behind, strict=True)
        if count
    ]


CHECKS: tuple[Check, ...] = (checkouts, worker, tasks, events)


def _away(code: str, detail: str) -> Reason:
    return Reason(code=code, level="unhealthy", detail=detail, remedy=REMEDIES[code])


def _counted(unhealthy_from: int, code: str, count: int, what: str) -> list[Reason]:
    level: Literal["degraded", "unhealthy"] = "unhealthy" if count >= unhealthy_from else "degraded"
    reason = Reason(code=code, level=level, detail=f"{what}: {count}.", remedy=REMEDIES[code], count=count)
    return [reason] if count else []
