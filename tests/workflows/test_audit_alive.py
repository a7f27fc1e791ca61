"""What the audit leaves alone: all that is alive, however it looks. Where Temporal is mute, nothing is decided."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse, ResetWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode, WorkflowService

from checkout.activities import audit as auditing
from checkout.activities.audit import choose
from checkout.domain import contract
from checkout.domain.audit import Fate
from checkout.domain.words import Phase, State
from checkout.runtime import runs
from checkout.store.gone import OpenCheckout
from tests.support.invariants import check_invariants
from tests.support.waiting import eventually
from tests.workflows.engine import Run, details_of
from tests.workflows.fakes import Gate
from tests.workflows.faults import breaks, waits
from tests.workflows.gone import audit, begin_audit, stands
from tests.workflows.outcome import assert_ended
from tests.workflows.stage import VISA, Stage


async def test_a_worker_that_is_away_for_long(stage: Stage) -> None:
    """Beyond its deadline, because nobody was there to let its timer end it: it is overdue, not gone."""
    async with stage.worker():
        run, _ = await stage.start()
    await stage.shop.execute("UPDATE checkouts SET expires_at = now() - interval '2 hours'")
    async with stage.worker():
        assert (await audit(stage)).begun == []
        assert (await stage.pay(run)).state is State.COMPLETED
        await run.handle.result()
    await assert_ended(stage, run, State.COMPLETED)


async def test_a_worker_that_stands_still_beside_one_that_audits(stage: Stage) -> None:
    """Nobody takes the checkout's tasks, and the audit has a worker: it finds the checkout as it was."""
    async with stage.worker():
        run, _ = await stage.start()
    await stage.shop.execute("UPDATE checkouts SET expires_at = now() - interval '2 hours'")
    before = await stage.row(run)
    beside = replace(stage, task_queue=f"{stage.task_queue}-audits")
    async with beside.worker():
        found = await audit(beside)
        assert (found.open, found.begun, found.repairing) == (1, [], 0)
    assert await stage.row(run) == before
    async with stage.worker():
        assert (await stage.pay(run)).state is State.COMPLETED
        await run.handle.result()
    await assert_ended(stage, run, State.COMPLETED)


async def test_one_that_has_just_begun(stage: Stage) -> None:
    async with stage.worker():
        run, _ = await stage.start()
        await run.handle.terminate()
        young = await audit(stage, grace=3600)
        assert (young.open, young.begun) == (0, [])
        assert (await stage.row(run))["state"] == "awaiting_payment"
        assert len((await audit(stage)).begun) == 1
    await check_invariants(stage.engine)


async def test_a_run_that_was_reset(stage: Stage) -> None:
    """The row names the run that was reset, and another one goes on for the same checkout."""
    async with stage.worker():
        run, _ = await stage.start()
        again = await _reset(stage, run)
        assert again != run.handle.result_run_id
        assert (await audit(stage)).begun == []
        assert (await stage.client.get_workflow_handle(run.handle.id, run_id=again).describe()).status is not None
        await stage.pay(Run(run.checkout, stage.client.get_workflow_handle(run.handle.id), stage.clock))
        await stage.client.get_workflow_handle(run.handle.id).result()
        assert (await audit(stage)).open == 0
    await assert_ended(stage, run, State.COMPLETED)


async def test_a_run_that_was_reset_and_then_terminated(stage: Stage) -> None:
    async with stage.worker():
        run, _ = await stage.start()
        await _reset(stage, run)
        await stage.client.get_workflow_handle(run.handle.id).terminate()
        [one] = (await audit(stage)).begun
        assert one.fate is Fate.TERMINATED
    await assert_ended(stage, run, State.FAILED, "workflow_terminated", Phase.PAYMENT_AUTHORIZATION)


async def _reset(stage: Stage, run: Run) -> str:
    """To its beginning, as ops do in the Temporal UI; the run that goes on."""
    history = await run.handle.fetch_history()
    first = next(
        event.event_id for event in history.events if event.HasField("workflow_task_completed_event_attributes")
    )
    answer = await stage.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=stage.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.handle.id, run_id=run.handle.result_run_id or ""),
            reason="a test",
            workflow_task_finish_event_id=first,
            request_id=f"reset-{run.checkout.checkout_id}",
        )
    )
    return str(answer.run_id)


async def test_the_next_checkout_of_the_cart_while_the_last_one_is_gone(stage: Stage) -> None:
    """Both have the same workflow id, and only one of them is gone."""
    basket = await stage.cart()
    gate = Gate()
    async with stage.worker():
        gone, _ = await stage.start(basket)
        await gone.handle.terminate("by ops")
        stage.faults.then(contract.CART_VALIDATION, breaks, *waits(gate))
        following = await stage.launch(basket, VISA)
        await gate.reached.wait()
        [one] = (await audit(stage)).begun
        assert one.checkout_id == gone.checkout.checkout_id
        assert (await following.view()).state is State.VALIDATING
        stage.faults.clear()
        gate.open()
        await following.handle.result()
    assert (await stage.row(gone))["state"] == "failed"
    await assert_ended(stage, following, State.COMPLETED)


async def test_it_ends_between_two_looks(stage: Stage) -> None:
    """Its row was read while it was open, and its workflow described when it had ended: it is not gone."""
    done = asyncio.Event()
    fate_of = runs.fate_of

    async def later(*given: Any) -> Fate | None:
        await done.wait()
        return await fate_of(*given)

    async with stage.worker():
        run, _ = await stage.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runs, "fate_of", later)
            handle = await begin_audit(stage)
            await stage.pay(run)
            await run.handle.result()
            done.set()
            assert (await handle.result()).begun == []
    await assert_ended(stage, run, State.COMPLETED)


async def test_a_temporal_that_does_not_answer_decides_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage.worker():
        run, _ = await stage.start()
        describe, asked = WorkflowService.describe_workflow_execution, 0

        async def mute(self: WorkflowService, *given: Any, **options: Any) -> DescribeWorkflowExecutionResponse:
            nonlocal asked
            asked += 1
            if asked <= 3:
                raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
            return await describe(self, *given, **options)

        with monkeypatch.context() as patch:
            patch.setattr(WorkflowService, "describe_workflow_execution", mute)
            assert (await audit(stage)).begun == []
        assert asked > 3
        await run.cancel()
        await run.handle.result()
    await assert_ended(stage, run, State.CANCELLED)


async def test_a_status_of_a_later_server_is_one_of_a_workflow_that_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a paused workflow, which this SDK has no name for (seen with frontend.WorkflowPauseEnabled)."""
    async with stage.worker():
        run, _ = await stage.start()
        describe = WorkflowService.describe_workflow_execution

        async def paused(self: WorkflowService, *given: Any, **options: Any) -> DescribeWorkflowExecutionResponse:
            answer = await describe(self, *given, **options)
            answer.workflow_execution_info.status = Status.ValueType(8)
            return answer

        with monkeypatch.context() as patch:
            patch.setattr(WorkflowService, "describe_workflow_execution", paused)
            assert (await audit(stage)).begun == []
        await run.cancel()
        await run.handle.result()
    await assert_ended(stage, run, State.CANCELLED)


async def test_an_ended_checkout_whose_workflow_lingers_is_told_of(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "LINGERS", timedelta(0))
    gate = Gate()
    async with stage.worker():
        stage.faults.then(contract.UNLOCK_CART, _then_waits(gate))
        run, _ = await stage.start()
        asked = asyncio.ensure_future(run.cancel())
        await stands(stage, run, State.CANCELLED)

        async def listed() -> bool:
            return run.checkout.checkout_id in (await runs.listed_as_running(stage.client)).values()

        await eventually(listed, "Temporal lists it")
        handle = await begin_audit(stage)
        done = await handle.result()
        assert (done.begun, done.lingering) == ([], [run.checkout.checkout_id])
        assert run.checkout.checkout_id in await details_of(handle)
        gate.open()
        await asked
        await run.handle.result()
        assert (await audit(stage)).lingering == []


def _then_waits(gate: Gate) -> Any:
    """The attempt does all it does, and its answer comes when the gate is opened."""

    async def around(attempt: Any) -> Any:
        answer = await attempt()
        await gate()
        return answer

    return around


def test_of_many_only_some_are_asked_about() -> None:
    """Those that Temporal's lists make doubtful, or that should have ended; of the others some, each time others."""
    many = [_opened(number, overdue=number < 7) for number in range(5000)]
    doubtful = {one.run_id for one in many[4900:]}
    chosen = {one.id for one in choose(many, doubtful)}
    assert {one.id for one in (*many[:7], *many[4900:])} < chosen
    assert len(chosen) == 107 + auditing.SAMPLE
    assert {one.id for one in choose(many, doubtful)} != chosen
    assert len(choose(many, {one.run_id for one in many})) == auditing.ASKED
    assert len(choose(many, set())) == 7 + auditing.SAMPLE


@pytest.mark.parametrize("full_look", [1, 10**9], ids=["by-what-runs", "by-what-was-stopped"])
async def test_of_many_the_one_that_was_terminated_is_found_by_a_list(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, full_look: int
) -> None:
    for name, value in (("ASKED", 1), ("SAMPLE", 0), ("FULL_LOOK", full_look)):
        monkeypatch.setattr(auditing, name, value)
    async with stage.worker():
        several = [(await stage.start())[0] for _ in range(3)]
        assert (await audit(stage)).begun == []
        await several[1].handle.terminate("by ops")

        async def found() -> bool:
            return [one.checkout_id for one in (await audit(stage)).begun] == [several[1].checkout.checkout_id]

        await eventually(found, "Temporal lists it", every=0.2)
        for run in (several[0], several[2]):
            await run.cancel()
            await run.handle.result()
    await assert_ended(stage, several[1], State.FAILED, "workflow_terminated", Phase.PAYMENT_AUTHORIZATION)


async def test_lists_that_do_not_come_are_done_without(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")

    monkeypatch.setattr(runs, "listed_as_running", away)
    monkeypatch.setattr(runs, "listed_as_stopped", away)
    async with stage.worker():
        run, _ = await stage.start()
        await run.handle.terminate("by ops")
        assert len((await audit(stage)).begun) == 1
    await assert_ended(stage, run, State.FAILED, "workflow_terminated", Phase.PAYMENT_AUTHORIZATION)


def _opened(number: int, *, overdue: bool) -> OpenCheckout:
    return OpenCheckout(f"k{number}", f"c{number}", f"w{number}", f"r{number}", datetime.now(UTC), overdue)
