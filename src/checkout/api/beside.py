"""The workflows beside the checkouts, as the API has them run: repairs, refunds, money that nobody owed, webhooks."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError

from checkout.api import engine
from checkout.api.calls import Ended, StillRunning, bounded, refusal
from checkout.api.engine import Run
from checkout.domain import contract
from checkout.domain.audit import RepairInput
from checkout.domain.ids import repair_workflow_id, unowed_workflow_id, workflow_id
from checkout.domain.messages import PaymentChanged, UnowedInput
from checkout.domain.refunds import RefundInput
from checkout.domain.webhooks import Deliver, delivery_workflow_id
from checkout.runtime import runs
from checkout.workflows.start import refund_options, repair_options


class Beside:
    """Starts what runs beside the checkouts, and meets what runs already.

    Every method raises Problem ``temporal_unavailable`` (503) where Temporal does not answer.
    """

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def repair_of(self, run: Run) -> Run | None:
        """The run that repairs this one's checkout, None where none does now."""
        found = await engine.latest_of(self._client, repair_workflow_id(run.checkout_id), engine.RPC_WAIT)
        if found is None or not runs.goes_on(found):
            return None
        started_at = found.start_time.ToDatetime(UTC)
        return replace(run, run_id=found.execution.run_id, running=True, started_at=started_at, repair=True)

    async def repair(self, run: Run) -> None:
        """Have the checkout of a run that is gone ended at once, or meet the repair that does it.

        Raises StillRunning while it goes on, and Ended where somebody stopped the repair too.
        """
        given = RepairInput(run.checkout_id, run.cart_id, workflow_id(run.cart_id), run.run_id)
        await self._finished(contract.REPAIR_WORKFLOW, given, **repair_options(given))

    async def refund(self, refund: RefundInput) -> None:
        """Have a refund done that the store has, or meet the run that does it.

        Raises Problem where it cannot be done, StillRunning, and Ended where somebody stopped it on its way.
        """
        await self._finished(contract.REFUND_WORKFLOW, refund, **refund_options(refund))

    async def return_unowed(self, unowed: UnowedInput) -> None:
        """Have what a bank sent to a payment too late, or beyond its amount, looked for and sent back."""
        await self._start(
            contract.UNOWED_WORKFLOW,
            unowed,
            id=unowed_workflow_id(unowed.payment_id),
            start_signal=contract.PAYMENT_CHANGED,
            start_signal_args=[PaymentChanged(unowed.attempt_id)],
            static_summary=f"Unowed money of {unowed.checkout_id}",
        )

    async def deliver_webhook(self, delivery_id: str) -> None:
        """Have a delivery made now; one that waits for its next attempt does not wait longer."""
        await self._start(
            contract.WEBHOOK_WORKFLOW,
            Deliver(delivery_id),
            id=delivery_workflow_id(delivery_id),
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
            static_summary="A webhook, sent again",
        )

    async def _start(self, workflow: str, given: Any, **options: Any) -> None:
        wait = engine.RPC_WAIT
        starting = self._client.start_workflow(
            workflow, given, task_queue=self._task_queue, rpc_timeout=timedelta(seconds=wait), **options
        )
        await bounded(starting, wait)

    async def _finished(self, workflow: str, given: Any, **options: Any) -> None:
        """Start a workflow, or meet it, and wait for its end."""
        with suppress(WorkflowAlreadyStartedError):
            await self._start(workflow, given, **options)
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(options["id"])
        try:
            async with asyncio.timeout(engine.UPDATE_WAIT):
                await handle.result()
        except TimeoutError:
            raise StillRunning from None
        except WorkflowFailureError as failed:
            raise refusal(failed.cause) if isinstance(failed.cause, ApplicationError) else Ended() from None
        except RPCError as error:
            raise StillRunning from error
