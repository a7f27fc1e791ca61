"""Whether a checkout's workflow still runs, by Temporal's own word about that one run.

Listings lag behind and may be wrong for long; ``describe`` is the truth, so only it may say that a workflow is gone.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from checkout.domain import contract
from checkout.domain.audit import Fate

#: How long Temporal has for one answer.
_WAIT = timedelta(seconds=10)
_PAGE = 1000
_CHECKOUTS = f"WorkflowType = '{contract.CHECKOUT_WORKFLOW}'"
_RUNNING = f"{_CHECKOUTS} AND ExecutionStatus = 'Running'"
_STOPPED = f"{_CHECKOUTS} AND ExecutionStatus IN ('Terminated', 'TimedOut') AND CloseTime > "

#: Every other status, those that a later server has too (a paused workflow), is one of a workflow that goes on.
_ENDED = {
    Status.WORKFLOW_EXECUTION_STATUS_COMPLETED: Fate.COMPLETED,
    Status.WORKFLOW_EXECUTION_STATUS_FAILED: Fate.FAILED,
    Status.WORKFLOW_EXECUTION_STATUS_CANCELED: Fate.CANCELED,
    Status.WORKFLOW_EXECUTION_STATUS_TERMINATED: Fate.TERMINATED,
    Status.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: Fate.TIMED_OUT,
    Status.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW: Fate.CONTINUED,
}

_PREFIX = "WORKFLOW_EXECUTION_STATUS_"
#: The same by the words of :func:`status_of`.
ENDED = frozenset(Status.Name(one).removeprefix(_PREFIX).lower() for one in _ENDED)


async def fate_of(client: Client, workflow_id: str, run_id: str, checkout_id: str) -> Fate | None:
    """What became of a checkout's run; None: it runs, be it as another run of the same checkout, as after a reset.

    The latest run of the workflow's id may be the cart's next checkout, so its memo has to name this one. With an empty
    ``run_id`` only the latest run is looked at. Raises RPCError where Temporal does not say.
    """
    first = await _info(client, workflow_id, run_id) if run_id else None
    if first is not None and goes_on(first):
        return None
    latest = await _info(client, workflow_id)
    if latest is not None and goes_on(latest) and await checkout_of(client, latest) == checkout_id:
        return None
    return Fate.UNKNOWN if first is None else _ENDED[first.status]


async def runs(client: Client, workflow_id: str) -> bool:
    """Whether the latest run of a workflow's id goes on. Raises RPCError."""
    latest = await _info(client, workflow_id)
    return latest is not None and goes_on(latest)


def goes_on(run: WorkflowExecutionInfo) -> bool:
    """Whether a run has not ended: it runs, or is paused."""
    return run.status not in _ENDED


def status_of(run: WorkflowExecutionInfo) -> str | None:
    """By the words of Temporal: ``running``, ``paused``, ``terminated``, …; None where it says nothing."""
    if not run.status:
        return None
    known = run.status in Status.values()
    return Status.Name(run.status).removeprefix(_PREFIX).lower() if known else str(run.status)


async def describe(
    client: Client, workflow_id: str, run_id: str = "", *, wait: timedelta = _WAIT
) -> DescribeWorkflowExecutionResponse:
    """A run, the latest without ``run_id``, as the server tells it. Raises RPCError, NOT_FOUND where there is none.

    Not by the SDK's ``describe``: that fails at a status it has no name for, as of a paused workflow.
    """
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    )
    return await client.workflow_service.describe_workflow_execution(request, retry=True, timeout=wait)


async def checkout_of(client: Client, run: WorkflowExecutionInfo) -> str | None:
    """The checkout of a run, by its memo; None where it has none."""
    payload = run.memo.fields.get(contract.MEMO_CHECKOUT_ID)
    return None if payload is None else str((await client.data_converter.decode([payload], [str]))[0])


async def listed_as_running(client: Client) -> Mapping[str, str]:
    """The run ids, with their checkouts' ids, of all checkouts that Temporal lists as running: a hint, not the truth.

    Raises RPCError.
    """
    return {
        run.run_id: await run.memo_value(contract.MEMO_CHECKOUT_ID, "", type_hint=str)
        async for run in client.list_workflows(_RUNNING, page_size=_PAGE, rpc_timeout=_WAIT)
    }


async def listed_as_stopped(client: Client, since: datetime) -> Collection[str]:
    """The run ids of all checkouts that Temporal lists as terminated or timed out since then: a hint too.

    Raises RPCError.
    """
    query = f"{_STOPPED}'{since.isoformat()}'"
    return {run.run_id async for run in client.list_workflows(query, page_size=_PAGE, rpc_timeout=_WAIT)}


async def _info(client: Client, workflow_id: str, run_id: str = "") -> WorkflowExecutionInfo | None:
    """None where Temporal has no such run."""
    try:
        return (await describe(client, workflow_id, run_id)).workflow_execution_info
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
