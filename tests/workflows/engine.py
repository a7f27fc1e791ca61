"""Starts and asks checkouts on the time-skipping server with fake activities: the workflow alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.exceptions import ApplicationError

from checkout.domain import contract
from checkout.domain import messages as m
from checkout.domain.ids import new_cart_id, new_checkout_id, new_session_id
from checkout.domain.words import State
from checkout.worker import create_worker
from checkout.workflows.start import start_options
from tests.support.temporal import TemporalEnvironment
from tests.support.waiting import eventually
from tests.workflows.fakes import Fakes, Gate


def checkout_input(**changes: Any) -> m.CheckoutInput:
    """The start of a checkout of a new cart."""
    cart = new_cart_id()
    values: dict[str, Any] = {"checkout_id": new_checkout_id(cart), "cart_id": cart, "session_id": new_session_id()}
    return m.CheckoutInput(**{**values, **changes})


class Clock(Protocol):
    """Time as workflows have it: moved on by tests, waited for by what records real histories."""

    async def fast_forward(self, handle: WorkflowHandle[Any, Any], duration: timedelta) -> bool:
        """Let the workflow's time pass."""

    async def now(self, handle: WorkflowHandle[Any, Any]) -> datetime:
        """The workflow's own time."""


@dataclass
class Run:
    """A checkout that was started: its handle, and what a storefront may do with it."""

    checkout: m.CheckoutInput
    handle: WorkflowHandle[Any, Any]
    clock: Clock

    async def ask(self, update: str, request: Any = None) -> m.CheckoutView:
        """An update's answer. Raises WorkflowUpdateFailedError."""
        view: m.CheckoutView = await self.handle.execute_update(update, request, result_type=m.CheckoutView)
        return view

    async def begin(self, update: str, request: Any = None) -> Any:
        """An update that was accepted; its result is awaited elsewhere."""
        return await self.handle.start_update(
            update, request, wait_for_stage=WorkflowUpdateStage.ACCEPTED, result_type=m.CheckoutView
        )

    async def pay(self, attempt: str = "pay_1", expected_total: int | None = None) -> m.CheckoutView:
        """Pays, and waits for what came of it."""
        return await self.ask(contract.PAY, m.PayRequest(attempt, expected_total))

    async def cancel(self, by: str = "buyer") -> m.CheckoutView:
        """Cancels, and waits until everything is given back."""
        return await self.ask(contract.CANCEL, m.CancelRequest(by))

    async def extend(self, seconds: int) -> m.CheckoutView:
        """Moves the deadline."""
        return await self.ask(contract.EXTEND, m.ExtendRequest(seconds))

    async def resolve(self, compensation: str, who: str = "ada") -> m.CheckoutView:
        """Says that people did by hand what the gateway refuses, and waits until it counts as done."""
        return await self.ask(contract.RESOLVE, m.ResolveRequest(compensation, who, action_id=7))

    async def retry(self) -> None:
        """Has what was refused be tried again at once."""
        await self.handle.signal(contract.RETRY)

    async def confirm(self) -> m.CheckoutView:
        """Says that the buyer is back, and waits for what came of it."""
        return await self.ask(contract.CONFIRM, m.ConfirmRequest())

    async def changed(self, attempt: str = "pay_1") -> None:
        """Tells, as the gateway's event does, that an attempt has changed."""
        await self.handle.signal(contract.PAYMENT_CHANGED, m.PaymentChanged(attempt))

    async def view(self) -> m.CheckoutView:
        """The checkout as its workflow sees it."""
        view: m.CheckoutView = await self.handle.query(contract.VIEW, result_type=m.CheckoutView)
        return view

    async def details(self) -> str:
        """What the Temporal UI shows as the workflow's current details."""
        return await details_of(self.handle)

    async def notes(self, note: str) -> None:
        """Waits until the details say so."""

        async def noted() -> bool:
            return note in await self.details()

        await eventually(noted, f"the details say: {note}")

    async def reaches(self, state: State) -> None:
        """Waits until the checkout stands there."""

        async def there() -> bool:
            return (await self.view()).state is state

        await eventually(there, f"{self.checkout.checkout_id} is {state}")

    async def pass_time(self, seconds: float) -> None:
        """Moves the workflow's clock on."""
        await self.clock.fast_forward(self.handle, timedelta(seconds=seconds))

    async def result(self) -> m.CheckoutResult:
        """What the workflow returns. Raises WorkflowFailureError."""
        result: m.CheckoutResult = await self.handle.result()
        return result

    async def failure(self) -> ApplicationError:
        """The typed error by which the workflow failed."""
        with pytest.raises(WorkflowFailureError) as caught:
            await self.handle.result()
        assert isinstance(caught.value.cause, ApplicationError), caught.value.cause
        assert (await self.handle.describe()).status is WorkflowExecutionStatus.FAILED
        return caught.value.cause


async def details_of(handle: WorkflowHandle[Any, Any]) -> str:
    """What the Temporal UI shows as a workflow's current details."""
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)


async def in_flight(launch: Callable[[int], Awaitable[Run]], gate: Gate) -> Run:
    """A checkout that was paid at once and has reached the gate before its deadline, which is near.

    ``launch`` starts one with that ttl (seconds); a machine that stalls for so long gets another with more time.
    """
    for ttl in (2, 10, 60):
        gate.reached.clear()
        run = await launch(ttl)
        reached, ended = asyncio.ensure_future(gate.reached.wait()), asyncio.ensure_future(run.handle.result())
        await asyncio.wait({reached, ended}, return_when=asyncio.FIRST_COMPLETED)
        for one in (reached, ended):
            one.cancel()
        if gate.reached.is_set():
            return run
    raise AssertionError("the deadline passed before the payment was made, even after a minute")


async def passes(run: Run, moment: str | None) -> None:
    """Lets the workflow's time pass until a moment (RFC 3339) is over."""
    assert moment is not None
    end = datetime.fromisoformat(moment)
    left = end - await run.clock.now(run.handle)
    if left > timedelta(seconds=10):
        await run.clock.fast_forward(run.handle, left)

    async def over() -> bool:
        return await run.clock.now(run.handle) > end

    await eventually(over, f"{moment} is over")


@dataclass
class Engine:
    """A client, the clock of its workflows, and a queue with a worker on it."""

    client: Client
    clock: Clock
    task_queue: str

    async def start(self, checkout: m.CheckoutInput | None = None) -> tuple[Run, m.CheckoutView]:
        """Starts a checkout by update-with-start, as the API does, and waits for the answer."""
        checkout = checkout or checkout_input()
        operation = self.operation(checkout)
        view: m.CheckoutView = await self.client.execute_update_with_start_workflow(
            contract.START,
            m.StartRequest(checkout.session_id, checkout.checkout_id),
            start_workflow_operation=operation,
            result_type=m.CheckoutView,
        )
        return Run(checkout, await operation.workflow_handle(), self.clock), view

    async def launch(self, checkout: m.CheckoutInput | None = None) -> Run:
        """Starts a checkout without asking for an answer."""
        checkout = checkout or checkout_input()
        handle = await self.client.start_workflow(
            contract.CHECKOUT_WORKFLOW,
            checkout,
            task_queue=self.task_queue,
            result_type=m.CheckoutResult,
            **start_options(checkout),
        )
        return Run(checkout, handle, self.clock)

    def operation(self, checkout: m.CheckoutInput) -> WithStartWorkflowOperation[Any, Any]:
        """The start half of an update-with-start; for one use."""
        return WithStartWorkflowOperation(
            contract.CHECKOUT_WORKFLOW,
            checkout,
            task_queue=self.task_queue,
            result_type=m.CheckoutResult,
            **start_options(checkout),
        )


@contextlib.asynccontextmanager
async def engine_with(environment: TemporalEnvironment, fakes: Fakes, *, cached: int = 1000) -> AsyncIterator[Engine]:
    """An engine whose worker has the given activities, and keeps so many workflows in memory."""
    worker = create_worker(
        environment.client,
        fakes.activities(),
        task_queue=environment.task_queue,
        grace=timedelta(seconds=1),
        cached=cached,
        sandboxed=True,
    )
    async with worker:
        yield Engine(environment.client, environment, environment.task_queue)


def refusal(error: WorkflowUpdateFailedError) -> str:
    """The code by which an update failed."""
    assert isinstance(error.cause, ApplicationError)
    assert error.cause.type is not None
    return error.cause.type
