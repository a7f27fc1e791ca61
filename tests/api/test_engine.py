"""The engine as the API uses it, on a real Temporal server: who wins, what is still running, what has ended."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest, PollWorkflowTaskQueueRequest

from checkout.api import engine as module
from checkout.api.calls import TASK_PAUSE, Ended, StillRunning, is_certain
from checkout.api.engine import Engine
from checkout.api.problems import Problem
from checkout.api.temporal_health import TemporalHealth
from checkout.domain import contract
from checkout.domain.ids import new_cart_id, new_checkout_id, new_session_id, workflow_id
from checkout.domain.messages import CancelRequest, CheckoutInput, ExtendRequest, PayRequest
from checkout.domain.words import State
from checkout.runtime.settings import load_settings
from checkout.runtime.temporal import connect
from checkout.worker import create_worker
from checkout.workflows.details import Journal
from checkout.workflows.start import start_options
from tests.support.temporal import TemporalEnvironment
from tests.support.waiting import eventually
from tests.workflows.fakes import Fakes, Gate

CART, SESSION = new_cart_id(), new_session_id()


@pytest.fixture
def engine(temporal_env: TemporalEnvironment) -> Engine:
    return Engine(temporal_env.client, temporal_env.task_queue)


@asynccontextmanager
async def worker(environment: TemporalEnvironment, fakes: Fakes) -> AsyncIterator[None]:
    async with create_worker(environment.client, fakes.activities(), task_queue=environment.task_queue):
        yield


def checkout(cart_id: str, **changes: Any) -> CheckoutInput:
    values = {"checkout_id": new_checkout_id(cart_id), "cart_id": cart_id, "session_id": SESSION}
    return CheckoutInput(**{**values, **changes})


async def test_of_ten_starts_at_once_one_is_the_checkout_and_all_see_it(
    engine: Engine, temporal_env: TemporalEnvironment
) -> None:
    cart = new_cart_id()
    starts = [checkout(cart) for _ in range(10)]
    async with worker(temporal_env, fakes := Fakes()):
        views = await asyncio.gather(*(engine.start(each) for each in starts))
    winners = {view.checkout_id for view in views}
    assert len(winners) == 1
    assert winners < {each.checkout_id for each in starts}
    assert {view.state for view in views} == {State.AWAITING_PAYMENT}
    assert fakes.count(contract.CART_VALIDATION) == 1


async def test_a_start_that_waits_too_long_is_found_by_its_memo(
    engine: Engine, temporal_env: TemporalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart = new_cart_id()
    first, second = checkout(cart), checkout(cart)
    monkeypatch.setattr(module, "UPDATE_WAIT", 2)
    monkeypatch.setattr(module, "QUERY_WAIT", 0.2)
    for each in (first, second):  # no worker at all
        with pytest.raises(StillRunning):
            await engine.start(each)
    run = await engine.latest_run(cart)
    assert run is not None
    assert (run.checkout_id, run.running) == (first.checkout_id, True)
    assert await engine.view(run) is None
    monkeypatch.setattr(module, "UPDATE_WAIT", 60)
    monkeypatch.setattr(module, "QUERY_WAIT", 60)
    async with worker(temporal_env, Fakes()):
        assert (await engine.start(second)).checkout_id == first.checkout_id
        view = await engine.view(run)
        assert view is not None
        assert view.state is State.AWAITING_PAYMENT


async def test_refusals_of_the_workflow_are_problems(engine: Engine, temporal_env: TemporalEnvironment) -> None:
    cart = new_cart_id()
    async with worker(temporal_env, Fakes()):
        await engine.start(checkout(cart))
        run = await engine.latest_run(cart)
        assert run is not None
        with pytest.raises(Problem) as other:
            await engine.start(checkout(cart, session_id=new_session_id()))
        assert (other.value.code, other.value.status) == ("checkout_in_progress", 409)
        with pytest.raises(Problem) as differs:
            await engine.update(run, contract.PAY, PayRequest("pay_1", expected_total=1))
        assert (differs.value.code, differs.value.status) == ("total_mismatch", 409)
        paid = await engine.update(run, contract.PAY, PayRequest("pay_1"))
        assert paid.state is State.COMPLETED
        for name, request in ((contract.PAY, PayRequest("pay_2")), (contract.EXTEND, ExtendRequest(60))):
            with pytest.raises(Ended):
                await engine.update(run, name, request)
        assert await engine.view(run) is None


async def test_each_run_of_a_cart_is_found_by_its_checkout(engine: Engine, temporal_env: TemporalEnvironment) -> None:
    cart = new_cart_id()
    first, second = checkout(cart), checkout(cart)
    async with worker(temporal_env, Fakes()):
        await engine.start(first)
        run = await engine.run_of(cart, first.checkout_id)
        assert run is not None
        assert (await engine.update(run, contract.CANCEL, CancelRequest())).state is State.CANCELLED
        await engine.start(second)
        # The listing that knows closed runs may lag.
        old = await eventually(lambda: engine.run_of(cart, first.checkout_id), "the closed run is listed")
        assert old is not None
        new = await engine.run_of(cart, second.checkout_id)
        assert new is not None
        assert (old.run_id, old.running, new.running) == (run.run_id, False, True)
        # What is meant for a checkout never reaches the next one of its cart.
        with pytest.raises(Ended):
            await engine.update(old, contract.PAY, PayRequest("pay_1"))
        # The SDK has no name for the status of a paused one, which is none of a closed one.
        await temporal_env.client.workflow_service.pause_workflow_execution(
            PauseWorkflowExecutionRequest(
                namespace=temporal_env.client.namespace, workflow_id=new.workflow_id, request_id="pause"
            )
        )
        assert await engine.run_of(cart, first.checkout_id) == old
        assert await engine.run_of(cart, second.checkout_id) == new
        assert await engine.view(new) is None
    assert await engine.run_of(new_cart_id(), first.checkout_id) is None


async def test_a_payment_in_flight_is_still_running_and_refuses_the_next(
    engine: Engine, temporal_env: TemporalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart, gate = new_cart_id(), Gate()
    async with worker(temporal_env, Fakes().then(contract.PAYMENT_AUTHORIZATION, gate)):
        await engine.start(checkout(cart))
        run = await engine.latest_run(cart)
        assert run is not None
        paying = asyncio.create_task(engine.update(run, contract.PAY, PayRequest("pay_1")))
        await gate.reached.wait()
        with pytest.raises(Problem) as busy:
            await engine.update(run, contract.PAY, PayRequest("pay_2"))
        assert busy.value.code == "payment_in_progress"
        monkeypatch.setattr(module, "UPDATE_WAIT", 0.5)
        with pytest.raises(StillRunning):
            await engine.update(run, contract.CANCEL, CancelRequest())
        gate.open()
        assert (await paying).state is State.CANCELLED


async def test_what_a_failed_task_could_not_take_in_is_sent_again(
    engine: Engine, temporal_env: TemporalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal refuses updates of a workflow whose last tasks failed, and has none of those that it refused."""
    cart, fakes = new_cart_id(), Fakes()
    # The SDK says nothing of a task that fails again: the server waits for it as long as this.
    monkeypatch.setattr(
        module, "start_options", lambda one: {**start_options(one), "task_timeout": timedelta(seconds=1)}
    )
    async with worker(temporal_env, fakes):
        first = await engine.start(checkout(cart))
        run = await engine.latest_run(cart)
        assert run is not None

        async def refused() -> bool:
            task = (await engine.describe(run)).pending_workflow_task
            return task.attempt >= 3

        with monkeypatch.context() as broken:
            broken.setattr(Journal, "publish", _defect)
            extending = asyncio.create_task(engine.update(run, contract.EXTEND, ExtendRequest(1200)))
            await eventually(refused, "the workflow's task has failed three times")
            broken.setattr(module, "UPDATE_WAIT", 0.3)
            with capture_logs() as logged:
                for ask in (
                    engine.update(run, contract.PAY, PayRequest("pay_given_up")),
                    engine.start(checkout(cart)),
                ):
                    with pytest.raises(Problem) as busy:
                        await ask
                    assert (busy.value.code, busy.value.status) == ("checkout_busy", 503)
                    assert busy.value.headers["Retry-After"]
                    assert not is_certain(busy.value)  # a start may be lost after it began the workflow
            assert [(line["event"], line["workflow_id"]) for line in logged] == [
                ("workflow_task_failing", workflow_id(cart))
            ] * 2
            broken.setattr(module, "UPDATE_WAIT", 60)
            paying = asyncio.create_task(engine.update(run, contract.PAY, PayRequest("pay_1")))
            meeting = asyncio.create_task(engine.start(checkout(cart)))
            await asyncio.sleep(3 * TASK_PAUSE)  # both were refused by now
            assert not paying.done()
            assert not meeting.done()
        with suppress(Problem, Ended):  # refused, where the payment came first
            await extending
        assert (await paying).state is State.COMPLETED
        assert (await meeting).checkout_id == first.checkout_id
    assert [one.attempt_id for one in fakes.inputs[contract.PAYMENT_AUTHORIZATION.name]] == ["pay_1"]


async def test_a_task_that_a_worker_took_and_left_is_no_failure_of_the_code(
    engine: Engine, temporal_env: TemporalEnvironment
) -> None:
    """The server reports both, by other words; what fails is counted in ``test_statistics``."""
    client, cart = temporal_env.client, new_cart_id()
    await client.start_workflow(
        contract.CHECKOUT_WORKFLOW,
        checkout(cart),
        id=workflow_id(cart),
        task_queue=temporal_env.task_queue,
        task_timeout=timedelta(seconds=1),
    )
    taken = await client.workflow_service.poll_workflow_task_queue(
        PollWorkflowTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=temporal_env.task_queue), identity="stands still"
        )
    )
    assert taken.workflow_execution.workflow_id == workflow_id(cart)

    async def reported(problem: str) -> bool:
        query = f"WorkflowId = '{workflow_id(cart)}' AND TemporalReportedProblems {problem}"
        return (await client.count_workflows(query)).count == 1

    await eventually(lambda: reported("= 'category=WorkflowTaskTimedOut'"), "the task has timed out")
    assert await TemporalHealth(temporal_env.client, temporal_env.task_queue).count_failing() == 0
    await client.get_workflow_handle(workflow_id(cart)).terminate()


def _defect(*_given: Any) -> None:
    raise RuntimeError("a defect of a deploy")


async def test_what_is_given_up_leaves_nothing_for_the_log(
    engine: Engine, temporal_env: TemporalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio reports a failure that nobody read when its future goes: an error in the log for every slow start."""
    unread: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unread.append(context))
    monkeypatch.setattr(module, "UPDATE_WAIT", 1)
    with pytest.raises(StillRunning):  # no worker at all
        await engine.start(checkout(cart := new_cart_id()))
    run = await engine.latest_run(cart)
    assert run is not None
    with pytest.raises(StillRunning):
        await engine.update(run, contract.CANCEL, CancelRequest())
    away = Engine(await connect(load_settings(temporal_address="127.0.0.1:9"), lazy=True), "nowhere")
    with pytest.raises(Problem):
        await away.start(checkout(new_cart_id()))
    gc.collect()
    await asyncio.sleep(0)
    assert unread == []


async def test_temporal_away_is_503_within_its_time() -> None:
    client = await connect(load_settings(temporal_address="127.0.0.1:9"), lazy=True)
    engine = Engine(client, "nowhere")
    health = TemporalHealth(client, "nowhere")
    for call in (engine.latest_run(CART), health.worker_polling(), engine.start(checkout(CART))):
        with pytest.raises(Problem) as away:
            await call
        assert (away.value.code, away.value.status) == ("temporal_unavailable", 503)
        assert away.value.headers["Retry-After"]
