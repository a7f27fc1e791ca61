"""What came of a call to Temporal: its answer, or why there is none, in bounded time.

A call that gives up knows neither the validator's verdict nor which of several starts won: acceptance waits for the
workflow's first task, in which its local activities run. What came of it is in the run's memo, by ``describe``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from checkout.api.problems import Problem, unavailable
from checkout.domain.messages import CheckoutView

T = TypeVar("T")

log = structlog.get_logger(__name__)

#: Seconds until an update is sent again that a failed workflow task could not take in.
TASK_PAUSE = 0.1
#: The server's own failure of an update whose workflow ended before it was answered.
_WORKFLOW_ENDED = "AcceptedUpdateCompletedWorkflow"


class StillRunning(Exception):
    """The engine has not answered in time; what was asked may yet come to pass."""


class Ended(Exception):
    """The run that was asked is closed, or Temporal has none such."""


class NotFound(Exception):
    """Temporal has no such workflow."""


class Unreached(Problem):
    """503: Temporal cannot be connected to, so that nothing was asked of it."""

    def __init__(self) -> None:
        away = unavailable("temporal")
        super().__init__(away.code, away.detail, headers=away.headers)


class TaskFailing(Problem):
    """503: the workflow's tasks fail, so that it takes nothing in. The checkout that was to start may yet do so."""

    def __init__(self) -> None:
        super().__init__(
            "checkout_busy", "The checkout takes nothing in at the moment. Send the same request again.", retry_after=5
        )


def is_certain(problem: Problem) -> bool:
    """Whether nothing came of what was asked, and nothing will; a Temporal that was asked may yet do it."""
    if isinstance(problem, TaskFailing):
        return False
    return problem.code != "temporal_unavailable" or isinstance(problem, Unreached)


async def bounded(call: Awaitable[T], wait: float) -> T:
    """What Temporal itself answers, which needs no worker, within so many seconds.

    Raises NotFound, and Problem ``temporal_unavailable`` (503).
    """
    try:
        async with asyncio.timeout(wait):
            return await call
    except TimeoutError as error:
        raise unavailable("temporal") from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound from None
        raise _away(error) from error
    except RuntimeError as error:  # the client could not connect
        raise unavailable("temporal") from error


async def answered(send: Callable[[], Awaitable[Any]], wait: float, *, to: str) -> CheckoutView:
    """What the workflow ``to`` answers an update, within so many seconds.

    A task of the workflow that fails, for instance because a signal came in at the moment at which it wanted to end,
    takes the updates with it that it was to take in: Temporal has none of them, and they are sent again.

    Raises Problem where it refuses or Temporal is away, StillRunning, and Ended.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    while True:
        try:
            return await _answered(send(), end)
        except _TaskFailed as failed:
            if loop.time() + TASK_PAUSE > end:
                log.warning("workflow_task_failing", workflow_id=to, reason=str(failed))
                raise TaskFailing from failed
        await asyncio.sleep(TASK_PAUSE)


class _TaskFailed(Exception):
    """The update was not taken in, because the workflow's task failed, or its last ones did."""


async def _answered(update: Awaitable[Any], end: float) -> CheckoutView:
    try:
        async with asyncio.timeout_at(end):
            view: CheckoutView = await update
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        raise StillRunning from None
    except WorkflowUpdateFailedError as failed:
        raise refusal(failed.cause) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Ended from None
        if error.status is RPCStatusCode.DEADLINE_EXCEEDED:
            raise StillRunning from None
        if error.status is RPCStatusCode.FAILED_PRECONDITION:
            raise _TaskFailed(error.message) from None
        raise _away(error) from error
    except RuntimeError as error:  # the client could not connect
        raise Unreached from error
    return view


async def read_start(operation: WithStartWorkflowOperation[Any, Any]) -> None:
    """Read what became of the start beside the update. The SDK keeps it in a future of its own, and a failure that
    nobody reads there is logged as an error, each time that an update is given up."""
    with suppress(asyncio.CancelledError, RPCError, TimeoutError):
        async with asyncio.timeout(0):  # it is there already, or was never set
            await operation.workflow_handle()


def refusal(cause: BaseException) -> Exception:
    """The problem that a workflow's typed failure is; Ended where the server failed an update of a closed one."""
    if not isinstance(cause, ApplicationError) or cause.type is None:
        return cause if isinstance(cause, Exception) else RuntimeError("an update failed without a cause")
    if cause.type == _WORKFLOW_ENDED:
        return Ended()
    context = cause.details[0] if cause.details and isinstance(cause.details[0], dict) else {}
    return Problem(
        cause.type, cause.message, context=context or None, retry_after=1 if cause.type == "checkout_closing" else None
    )


def _away(error: RPCError) -> Exception:
    """503 for what time or a repeat may mend; what the server refuses for good is our own fault and stays an error."""
    if error.status in {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.UNIMPLEMENTED}:
        return error
    return unavailable("temporal")
