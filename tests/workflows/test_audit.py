"""A workflow that is taken away, in each state of its checkout: all is given back, or what is paid is completed."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from temporalio.api.command.v1 import Command, FailWorkflowExecutionCommandAttributes
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import CommandType
from temporalio.api.failure.v1 import Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    PollWorkflowTaskQueueRequest,
    RespondWorkflowTaskCompletedRequest,
)
from temporalio.client import WorkflowFailureError

from checkout.domain import contract
from checkout.domain.audit import WORKFLOW_TERMINATED, Fate, Remedy
from checkout.domain.contract import ActivityContract
from checkout.domain.events import CheckoutFailed
from checkout.domain.reconciliation import FindingKind
from checkout.domain.words import Outcome, Phase, State
from checkout.listeners import Listeners
from checkout.runtime import runs
from checkout.runtime.schedules import keep_schedules, recurring
from checkout.runtime.settings import load_settings
from checkout.workflows.start import start_options
from tests.support.backup import backed_up, restored
from tests.support.invariants import check_invariants
from tests.support.waiting import eventually
from tests.workflows.ears import Ear, ear
from tests.workflows.engine import Run
from tests.workflows.fakes import Gate
from tests.workflows.faults import Around, waits
from tests.workflows.gone import STOPS, Stop, audit, begin_audit, repair_of
from tests.workflows.outcome import assert_ended
from tests.workflows.stage import APPROVAL, BANK, DECLINED, VISA, Stage
from tests.workflows.test_reconciliation import reconcile


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: str(stop.name))
async def test_terminated(stage: Stage, stop: Stop) -> None:
    async with stage.worker():
        still = await stop.drive(stage)
        run = still.run
        # As long as it is alive it is left alone; one that is authorizing goes on by itself.
        assert (await audit(stage)).begun == []
        assert stop.state in {None, State.AUTHORIZING} or (await stage.row(run))["state"] == stop.state
        await run.handle.terminate("by ops")
        stage.faults.clear()
        if stop.state is None:
            # Nothing knows of it yet; its late first attempt locks the cart for nobody.
            assert (await audit(stage)).begun == []
            assert still.late is not None
            assert await still.late.wake() is not None or (await stage.row(run))["state"] == State.RESERVING
        done = await audit(stage)
        assert [(one.checkout_id, one.fate) for one in done.begun] == [(run.checkout.checkout_id, Fate.TERMINATED)]
        ended = State.COMPLETED if stop.completes else State.FAILED
        code, phase = (None, None) if stop.completes else (WORKFLOW_TERMINATED, stop.phase)
        if stop.state is None:
            phase = (await stage.row(run))["failure"]["phase"]
        before = await assert_ended(stage, run, ended, code, phase)
        how = await repair_of(stage, run).result()
        assert (how.remedy, how.outcome) == (
            (Remedy.FINISH, Outcome.COMPLETED) if stop.completes else (Remedy.UNDO, Outcome.FAILED)
        )
        # What the gone workflow had sent off comes too late.
        if still.late is not None and stop.state is not None:
            error = await still.late.wake()
            assert stop.completes or getattr(error, "type", None) == "checkout_closed", error
        still.gate.open()
        again = await audit(stage)
        assert (again.open, again.begun, again.repairing) == (0, [], 0)
    assert await assert_ended(stage, run, ended, code, phase) == before


async def test_terminated_before_it_had_a_row(stage: Stage) -> None:
    """It was never taken up, so that nothing is held; and the cart can be checked out at once."""
    basket = await stage.cart()
    run = await stage.launch(basket, VISA)
    await run.handle.terminate("by ops")
    async with stage.worker():
        done = await audit(stage)
        assert (done.open, done.begun) == (0, [])
        following, _ = await stage.start(basket, VISA)
        await following.handle.result()
    await assert_ended(stage, following, State.COMPLETED)


async def test_the_cart_is_open_again(stage: Stage) -> None:
    """It can be changed, and checked out by another checkout."""
    basket = await stage.cart()
    async with stage.worker():
        run, _ = await stage.start(basket, APPROVAL)
        await run.handle.terminate("by ops")
        change = "UPDATE cart_lines SET quantity = 3 WHERE cart_id = :id AND quantity = 2 RETURNING quantity"
        with pytest.raises(DBAPIError):
            await stage.shop.execute(change, id=basket.cart_id)
        await audit(stage)
        assert await stage.shop.execute(change, id=basket.cart_id) == 3
        following, _ = await stage.start(basket, VISA)
        await following.handle.result()
    assert (await stage.row(run))["failure"]["code"] == WORKFLOW_TERMINATED
    await assert_ended(stage, following, State.COMPLETED)


async def test_deleted(stage: Stage) -> None:
    """Temporal knows nothing of it any more, be it by a delete or by a backup that is older."""
    async with stage.worker():
        run, _ = await stage.start(token=BANK)
        await _delete(stage, run)
        [one] = (await audit(stage)).begun
        assert (one.checkout_id, one.fate) == (run.checkout.checkout_id, Fate.UNKNOWN)
    await assert_ended(stage, run, State.FAILED, WORKFLOW_TERMINATED, Phase.PAYMENT_CAPTURE)


async def _delete(stage: Stage, run: Run) -> None:
    which = WorkflowExecution(workflow_id=run.handle.id, run_id=run.handle.result_run_id or "")
    await stage.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(namespace=stage.client.namespace, workflow_execution=which)
    )

    async def forgotten() -> bool:
        return await runs.fate_of(stage.client, run.handle.id, which.run_id, "") is Fate.UNKNOWN

    await eventually(forgotten, "Temporal has deleted it")


async def test_one_that_failed_and_closed_nothing(stage: Stage) -> None:
    """A defect that nobody foresaw ended the run, and what it held is still held."""
    async with stage.worker():
        run, _ = await stage.start(token=APPROVAL)
    await run.handle.signal(contract.RETRY)
    service, namespace = stage.client.workflow_service, stage.client.namespace
    task = await service.poll_workflow_task_queue(
        PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=TaskQueue(name=stage.task_queue))
    )
    assert task.workflow_execution.run_id == run.handle.result_run_id
    failure = FailWorkflowExecutionCommandAttributes(failure=Failure(message="a defect"))
    fails = Command(
        command_type=CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
        fail_workflow_execution_command_attributes=failure,
    )
    await service.respond_workflow_task_completed(
        RespondWorkflowTaskCompletedRequest(namespace=namespace, task_token=task.task_token, commands=[fails])
    )
    assert (await stage.row(run))["state"] == "requires_action"
    async with stage.worker():
        [one] = (await audit(stage)).begun
        assert (one.checkout_id, one.fate) == (run.checkout.checkout_id, Fate.FAILED)
    await assert_ended(stage, run, State.FAILED, WORKFLOW_TERMINATED, Phase.PAYMENT_AUTHORIZATION)


async def test_listeners_hear_of_a_repair_once(stage: Stage) -> None:
    """As they would have of the checkout's own workflow, also where that had told of its beginning."""
    hears = Ear()
    stage.listeners = Listeners((ear(CheckoutFailed, hears),))
    async with stage.worker():
        run, _ = await stage.start()
        await run.handle.terminate("by ops")
        assert len((await audit(stage)).begun) == 1

        async def heard() -> bool:
            return bool(hears.heard)

        await eventually(heard, "the listener hears of it")
        assert (await audit(stage)).begun == []
    [event] = hears.events
    assert isinstance(event, CheckoutFailed)
    assert (event.checkout_id, event.outcome) == (run.checkout.checkout_id, Outcome.FAILED)
    await assert_ended(stage, run, State.FAILED, WORKFLOW_TERMINATED, Phase.PAYMENT_AUTHORIZATION)


async def test_timed_out(stage: Stage) -> None:
    checkout = stage.checkout(await stage.cart())
    async with stage.worker():
        handle = await stage.client.start_workflow(
            contract.CHECKOUT_WORKFLOW,
            checkout,
            task_queue=stage.task_queue,
            execution_timeout=timedelta(seconds=3),
            **start_options(checkout),
        )
        run = Run(checkout, handle, stage.clock)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await stage.row(run))["state"] == "awaiting_payment"
        [one] = (await audit(stage)).begun
        assert one.fate is Fate.TIMED_OUT
    await assert_ended(stage, run, State.FAILED, WORKFLOW_TERMINATED, Phase.PAYMENT_AUTHORIZATION)


async def test_several_attempts_of_which_none_may_hold_money(stage: Stage) -> None:
    """One was declined, one waits for its approval and is approved when it is too late."""
    async with stage.worker():
        run, _ = await stage.start()
        await stage.pay(run, DECLINED)
        await stage.pay(run, APPROVAL)
        await run.handle.terminate("by ops")
        await stage.act(run, "approve")
        await audit(stage)
    await assert_ended(stage, run, State.FAILED, WORKFLOW_TERMINATED, Phase.PAYMENT_AUTHORIZATION)
    assert [item["voided"] for item in await stage.ledger(run)] == [(await stage.row(run))["total"]]


async def test_many_of_which_some_are_gone(stage: Stage) -> None:
    async with stage.worker():
        started = [(await stage.start())[0] for _ in range(6)]
        gone = started[::2]
        for run in gone:
            await run.handle.terminate("by ops")
        done = await audit(stage)
        assert {one.checkout_id for one in done.begun} == {run.checkout.checkout_id for run in gone}
        assert done.open == 6
        for run in started[1::2]:
            await stage.pay(run)
            await run.handle.result()
    states = [(await stage.row(run))["state"] for run in started]
    assert states == ["failed", "completed"] * 3
    await check_invariants(stage.engine, await stage.ledger())


@pytest.mark.parametrize(
    "activity", [contract.FIND_GONE, contract.ASSESS_GONE, contract.VOID_PAYMENT, contract.UNLOCK_CART]
)
async def test_the_worker_dies_in_the_middle(stage: Stage, activity: ActivityContract[Any, Any]) -> None:
    """Of the audit, or of the repair: another worker goes on."""
    gate = Gate()
    async with stage.worker(grace=0):
        run, _ = await stage.start(token=APPROVAL)
        await run.handle.terminate("by ops")
        stage.faults.then(activity, _does_and(gate))
        handle = await begin_audit(stage)
        await gate.reached.wait()
    async with stage.worker():
        [one] = (await handle.result()).begun
        assert (await repair_of(stage, run).result()).outcome is Outcome.FAILED
    await assert_ended(stage, run, State.FAILED, WORKFLOW_TERMINATED, Phase.PAYMENT_AUTHORIZATION)
    assert one.checkout_id == run.checkout.checkout_id


def _does_and(gate: Gate) -> Around:
    """The attempt does all it does, and its worker dies before it can say so."""

    async def around(attempt: Callable[[], Awaitable[Any]]) -> Any:
        await attempt()
        await gate()

    return around


async def test_a_repair_that_is_under_way_is_not_begun_again(stage: Stage) -> None:
    """Nor is one that was terminated itself left so."""
    gate = Gate()
    async with stage.worker():
        run, _ = await stage.start(token=APPROVAL)
        await run.handle.terminate("by ops")
        stage.faults.then(contract.VOID_PAYMENT, *waits(gate))
        assert len((await (await begin_audit(stage)).result()).begun) == 1
        await gate.reached.wait()
        # The gateway holds up the cart's unlocking, and neither stock nor prices.
        await eventually(lambda: _released(stage), "the units are released")
        second = await (await begin_audit(stage)).result()
        assert (second.begun, second.repairing) == ([], 1)
        await repair_of(stage, run).terminate("by ops")
        stage.faults.clear()
        gate.open()
        assert len((await audit(stage)).begun) == 1
    await assert_ended(stage, run, State.FAILED, WORKFLOW_TERMINATED, Phase.PAYMENT_AUTHORIZATION)


async def _released(stage: Stage) -> bool:
    return await stage.shop.rows("SELECT DISTINCT status FROM reservations") == [("released",)]


async def test_a_database_that_was_restored(stage: Stage) -> None:
    """To before the payment: the workflow has completed, and nothing of that is known. What was paid is found at the
    gateway, by the reconciliation, and given back."""
    async with stage.worker():
        run, _ = await stage.start()
        await backed_up(stage.shop)
        await stage.pay(run)
        await run.handle.result()
        await restored(stage.shop)
        assert (await stage.row(run))["state"] == "awaiting_payment"
        [one] = (await audit(stage)).begun
        assert one.fate is Fate.COMPLETED
        assert (await stage.row(run))["state"] == "failed"
        done = await reconcile(stage, fix=True)
        assert [(finding.kind, finding.fixed) for finding in done.findings] == [(FindingKind.ENDED_CHECKOUT, True)]
    await assert_ended(stage, run, State.FAILED, WORKFLOW_TERMINATED, Phase.PAYMENT_AUTHORIZATION)


async def test_the_schedule_finds_it(stage: Stage) -> None:
    """As a worker keeps it, with an id of this test's own."""
    async with stage.worker():
        run, _ = await stage.start()
        await run.handle.terminate("by ops")
        [wanted] = [one for one in recurring(load_settings(audit_grace=0)) if one.workflow == contract.AUDIT_WORKFLOW]
        mine = replace(wanted, schedule_id=f"test-{secrets.token_hex(6)}", every=1)
        await keep_schedules(stage.client, [mine], stage.task_queue)
        await eventually(lambda: _has_ended(stage, run), "it is repaired")
        await keep_schedules(stage.client, [replace(mine, every=0)], stage.task_queue)
        await repair_of(stage, run).result()
    await assert_ended(stage, run, State.FAILED, WORKFLOW_TERMINATED, Phase.PAYMENT_AUTHORIZATION)


async def _has_ended(stage: Stage, run: Run) -> bool:
    return bool((await stage.row(run))["state"] == "failed")
