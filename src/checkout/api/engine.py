"""Temporal as the API uses it: start, update, query and describe the workflow of a cart, each within a bounded time.

What came of a call is said by :mod:`checkout.api.calls`; the workflows beside a cart's are :mod:`checkout.api.beside`.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    ResetActivityRequest,
)
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError

from checkout.api.calls import Ended, NotFound, answered, bounded, read_start
from checkout.domain import contract
from checkout.domain.ids import repair_workflow_id, workflow_id
from checkout.domain.messages import CheckoutInput, CheckoutView, PaymentChanged, StartRequest
from checkout.runtime import runs
from checkout.workflows.start import start_options

T = TypeVar("T")

#: How long an answer is waited for, in seconds, before the caller is told that the checkout is still running.
UPDATE_WAIT = 5.0
#: How long Temporal itself has to answer what needs no worker, in seconds.
RPC_WAIT = 2.0
#: How long a query may take, in seconds.
QUERY_WAIT = 1.0


@dataclass(frozen=True)
class Run:
    """A run of a cart's workflow: one checkout. ``repair``: of the workflow that ends it because its own is gone."""

    cart_id: str
    run_id: str
    checkout_id: str
    running: bool
    started_at: datetime
    ended_at: datetime | None = None
    repair: bool = False

    @property
    def workflow_id(self) -> str:
        """The workflow that it is a run of."""
        return repair_workflow_id(self.checkout_id) if self.repair else workflow_id(self.cart_id)


class Engine:
    """Starts and asks the workflows of carts.

    Every method raises Problem ``temporal_unavailable`` (503) where Temporal does not answer.
    """

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def start(self, checkout: CheckoutInput, update_id: str | None = None) -> CheckoutView:
        """Start this checkout, or meet the one of its cart that runs: the view says which, by its id.

        A run answers an ``update_id`` once, and every repeat with the same, also after it has closed; None is random.

        Raises Problem where the running one refuses (``checkout_in_progress``, ``checkout_closing``), StillRunning, and
        Ended where the one that was met ended meanwhile.
        """
        update_id = update_id or uuid4().hex

        async def send() -> Any:
            operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
                contract.CHECKOUT_WORKFLOW, checkout, task_queue=self._task_queue, **start_options(checkout)
            )
            try:
                return await self._client.execute_update_with_start_workflow(
                    contract.START,
                    StartRequest(checkout.session_id, checkout.checkout_id),
                    id=update_id,
                    start_workflow_operation=operation,
                    result_type=CheckoutView,
                    rpc_timeout=timedelta(seconds=UPDATE_WAIT),
                )
            finally:
                await read_start(operation)

        return await answered(send, UPDATE_WAIT, to=workflow_id(checkout.cart_id))

    async def update(self, run: Run, name: str, request: Any, update_id: str | None = None) -> CheckoutView:
        """Ask a running checkout to ``pay``, ``extend`` or ``cancel``, by the names and messages of the contract.

        ``update_id`` as in :meth:`start`.

        Raises Problem where it refuses, StillRunning, and Ended where it runs no more.
        """
        update_id, time = update_id or uuid4().hex, timedelta(seconds=UPDATE_WAIT)
        return await answered(
            lambda: self._handle(run).execute_update(
                name, request, id=update_id, result_type=CheckoutView, rpc_timeout=time
            ),
            UPDATE_WAIT,
            to=run.workflow_id,
        )

    async def ask(self, run: Run, name: str, request: Any, update_id: str | None = None) -> CheckoutView:
        """:meth:`update`, of the run that goes on for this one after a reset, under another run id than the row's."""
        try:
            return await self.update(run, name, request, update_id)
        except Ended:
            latest = await self.latest_run(run.cart_id)
            if latest is None or not latest.running or latest.checkout_id != run.checkout_id:
                raise
            return await self.update(latest, name, request, update_id)

    async def view(self, run: Run) -> CheckoutView | None:
        """The checkout as its workflow sees it; None where no worker answers within :data:`QUERY_WAIT`, or it ended."""
        try:
            async with asyncio.timeout(QUERY_WAIT):
                view: CheckoutView = await self._handle(run).query(
                    contract.VIEW,
                    result_type=CheckoutView,
                    reject_condition=QueryRejectCondition.NOT_OPEN,
                    rpc_timeout=timedelta(seconds=QUERY_WAIT),
                )
        except (TimeoutError, WorkflowQueryFailedError, WorkflowQueryRejectedError, RPCError, RuntimeError):
            return None
        except ValueError:  # rejected for a status that the SDK has no name for: the workflow is paused
            return None
        return view if view.checkout_id == run.checkout_id else None

    async def run_of(self, cart_id: str, checkout_id: str) -> Run | None:
        """The run of a checkout, running or closed, None where Temporal keeps none.

        A cart's latest run is read as it is; older ones by the listing, which may lag by seconds.
        """
        latest = await self.latest_run(cart_id)
        if latest is None or latest.checkout_id == checkout_id:
            return latest

        async def find() -> Run | None:
            # Without the latest: the SDK's listing fails at a status it has no name for, as of a paused run.
            older = f"WorkflowId = '{workflow_id(cart_id)}' AND RunId != '{latest.run_id}'"
            async for run in self._client.list_workflows(older):
                if await run.memo_value(contract.MEMO_CHECKOUT_ID, "", type_hint=str) == checkout_id:
                    return Run(
                        cart_id,
                        run.run_id,
                        checkout_id,
                        run.status is WorkflowExecutionStatus.RUNNING,
                        run.start_time,
                        run.close_time,
                    )
            return None

        return await _bounded(find())

    async def latest_run(self, cart_id: str, *, wait: float | None = None) -> Run | None:
        """The latest run of a cart's workflow, None where there never was one that Temporal still keeps.

        ``wait``: how long that may take, in seconds; :data:`RPC_WAIT` unless more is known to be going on.
        """
        found = await latest_of(self._client, workflow_id(cart_id), RPC_WAIT if wait is None else wait)
        if found is None:
            return None
        checkout_id = await runs.checkout_of(self._client, found) or ""
        ended_at = found.close_time.ToDatetime(UTC) if found.HasField("close_time") else None
        started_at = found.start_time.ToDatetime(UTC)
        return Run(cart_id, found.execution.run_id, checkout_id, runs.goes_on(found), started_at, ended_at)

    async def require_answer(self, run: Run) -> None:
        """Tell a checkout that takes long from a Temporal that is away, which is Problem 503."""
        await self.latest_run(run.cart_id)

    async def payment_changed(self, cart_id: str, attempt_id: str) -> None:
        """Tell the running checkout of a cart that this attempt of it has changed; when none runs, nobody."""
        handle = self._client.get_workflow_handle(workflow_id(cart_id))
        change = PaymentChanged(attempt_id)
        with suppress(NotFound):
            await _bounded(handle.signal(contract.PAYMENT_CHANGED, change, rpc_timeout=timedelta(seconds=RPC_WAIT)))

    async def describe(self, run: Run) -> DescribeWorkflowExecutionResponse:
        """The run as Temporal has it, with what is pending. Raises RPCError, and RuntimeError where it is away."""
        return await runs.describe(self._client, run.workflow_id, run.run_id, wait=timedelta(seconds=RPC_WAIT))

    async def trouble(self, run: Run) -> str | None:
        """The kind of the last failure of what is tried again, such as ``gateway_unavailable``.

        None where there is none, and where Temporal does not say within :data:`QUERY_WAIT`.
        """
        try:
            async with asyncio.timeout(QUERY_WAIT):
                pending = (await self.describe(run)).pending_activities
        except (TimeoutError, RPCError, RuntimeError):
            return None
        kinds = [one.last_failure.application_failure_info.type or "failed" for one in pending if one.attempt > 1]
        return kinds[0] if kinds else None

    async def retry(self, run: Run, activities: Iterable[str]) -> None:
        """Have activities that wait for their next attempt be tried at once, and what the workflow itself pauses.

        An activity that has ended meanwhile is none to be tried again.
        """
        for activity in activities:
            with suppress(NotFound):
                await _bounded(
                    self._client.workflow_service.reset_activity(
                        ResetActivityRequest(
                            namespace=self._client.namespace,
                            execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id),
                            identity="checkout-api",
                            type=activity,
                        ),
                        timeout=timedelta(seconds=RPC_WAIT),
                    )
                )
        with suppress(NotFound):
            await _bounded(self._handle(run).signal(contract.RETRY, rpc_timeout=timedelta(seconds=RPC_WAIT)))

    def _handle(self, run: Run) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)


async def _bounded(call: Awaitable[T], wait: float | None = None) -> T:
    return await bounded(call, RPC_WAIT if wait is None else wait)


async def latest_of(client: Client, named: str, wait: float) -> WorkflowExecutionInfo | None:
    """The latest run of a workflow's id; None where Temporal has none."""
    try:
        found = await _bounded(runs.describe(client, named, wait=timedelta(seconds=wait)), wait)
    except NotFound:
        return None
    return found.workflow_execution_info
