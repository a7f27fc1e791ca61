"""Events on everything that is real: who hears of them, how often, and that no checkout feels it."""

from datetime import timedelta
from typing import Any

import pytest
import structlog
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from checkout.domain import contract
from checkout.domain.events import EVENTS, CheckoutCompleted, CheckoutFailed, CheckoutStarted, Event, OrderPlaced
from checkout.domain.words import Outcome, State
from checkout.listeners import GiveUp, Listeners
from checkout.workflows import search
from tests.histories.beside import code_of
from tests.support.waiting import eventually
from tests.workflows.ears import Ear, ear
from tests.workflows.engine import Run
from tests.workflows.fakes import Gate
from tests.workflows.faults import breaks, loses_its_answer, not_again_for
from tests.workflows.outcome import assert_ended
from tests.workflows.stage import BANK, DECLINED, VISA, Stage


def notifying(stage: Stage, kind: type[Event], run: Run) -> WorkflowHandle[Any, Any]:
    """What tells the listeners of an event."""
    return stage.client.get_workflow_handle(f"notify-{kind.NAME}-{run.checkout.checkout_id}")


async def told(stage: Stage, kind: type[Event], run: Run) -> None:
    """Return once all listeners have heard. Fails where one gave up."""

    async def begun() -> bool:
        try:
            await notifying(stage, kind, run).describe()
        except RPCError:
            return False
        return True

    await eventually(begun, f"{kind.NAME} is announced")
    assert await code_of(notifying(stage, kind, run)) is None


async def announced(stage: Stage, run: Run) -> set[str]:
    """The events of which a checkout's run has started the telling."""
    names = set()
    async for event in run.handle.fetch_history_events():
        started = event.start_child_workflow_execution_initiated_event_attributes
        if started.workflow_id:
            names.add(started.workflow_id.removeprefix("notify-").partition("-")[0])
    return names


async def failure_of(handle: WorkflowHandle[Any, Any]) -> str:
    """The last failure of the attempt that is waited for."""

    async def failed() -> str:
        pending = (await handle.describe()).raw_description.pending_activities
        return next((one.last_failure.message for one in pending if one.HasField("last_failure")), "")

    return await eventually(failed, "an attempt has failed")


async def test_completed(stage: Stage) -> None:
    all_ears = {kind: Ear() for kind in EVENTS.values()}
    stage.listeners = Listeners(tuple(ear(kind, hear) for kind, hear in all_ears.items()))
    async with stage.worker():
        basket = await stage.shop.cart({"MUG": 2, "LAMP": 1}, customer_id="cus_1")
        run, _ = await stage.start(basket, VISA)
        await run.result()
        for kind in (CheckoutStarted, OrderPlaced, CheckoutCompleted):
            await told(stage, kind, run)
    row = await assert_ended(stage, run, State.COMPLETED)
    [started], [placed], [completed] = (
        all_ears[kind].events for kind in (CheckoutStarted, OrderPlaced, CheckoutCompleted)
    )
    assert all_ears[CheckoutFailed].heard == []
    for event in (started, placed, completed):
        assert (event.checkout_id, event.cart_id, event.customer_id) == (row["id"], row["cart_id"], "cus_1")
        assert event.id.startswith("evt_")
    assert isinstance(started, CheckoutStarted)
    assert (started.currency, started.lines, started.units) == ("EUR", 2, 3)
    assert isinstance(placed, OrderPlaced)
    assert isinstance(completed, CheckoutCompleted)
    for sold in (placed, completed):
        assert (sold.order_reference, sold.currency, sold.total) == (row["order_reference"], "EUR", row["total"])
    assert not placed.awaits_funds
    description = await notifying(stage, CheckoutCompleted, run).describe()
    shown = description.typed_search_attributes
    assert (shown.get(search.CART), shown.get(search.ORDER)) == (row["cart_id"], row["order_reference"])


async def test_nobody_listens_nothing_is_started(stage: Stage) -> None:
    """Also where others listen to other events, or not to this one."""
    deaf = Ear()
    stage.listeners = Listeners((ear(CheckoutCompleted, deaf, when=lambda _: False), ear(CheckoutFailed)))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.result()
    assert await announced(stage, run) == set()
    assert deaf.heard == []


@pytest.mark.parametrize("how", ["failed", "expired", "cancelled"])
async def test_ended_without_an_order(stage: Stage, how: str) -> None:
    hears = Ear()
    stage.listeners = Listeners((ear(CheckoutFailed, hears),))
    async with stage.worker():
        if how == "failed":
            run, _ = await stage.start(token="tok_captureFails")
        else:
            run, _ = await stage.start()
        if how == "cancelled":
            await run.cancel()
        elif how == "expired":
            await run.pass_time(stage.short_ttl + 1)
        await told(stage, CheckoutFailed, run)
    row = await stage.row(run)
    [event] = hears.events
    assert isinstance(event, CheckoutFailed)
    assert (event.outcome, event.currency, event.total) == (Outcome(how), "EUR", row["total"])
    failure = row["failure"] or {}
    assert (event.code, event.phase, event.detail) == (
        failure.get("code"),
        failure.get("phase"),
        failure.get("detail"),
    )
    assert (event.refused, event.order_reference) == (False, row["order_reference"])


async def test_what_the_buyer_did_is_told_apart(stage: Stage) -> None:
    hears = Ear()
    stage.listeners = Listeners((ear(CheckoutFailed, hears),))
    async with stage.worker():
        run, _ = await stage.start()
        for _ in range(3):
            await stage.pay(run, DECLINED)
        await told(stage, CheckoutFailed, run)
    [event] = hears.events
    assert isinstance(event, CheckoutFailed)
    assert (event.code, event.refused) == ("card_declined", True)


async def test_a_transfer_is_placed_before_it_is_paid(stage: Stage) -> None:
    placed, completed = Ear(), Ear()
    stage.listeners = Listeners((ear(OrderPlaced, placed), ear(CheckoutCompleted, completed)))
    async with stage.worker():
        run, _ = await stage.start(token=BANK)
        await told(stage, OrderPlaced, run)
        [event] = placed.events
        assert isinstance(event, OrderPlaced)
        assert event.awaits_funds
        assert completed.heard == []
        await stage.act(run, "funds_received")
        await stage.changed(run)
        await told(stage, CheckoutCompleted, run)
    assert len(completed.heard) == 1


async def test_a_listener_that_fails_never_touches_the_checkout(stage: Stage) -> None:
    """Row, result, history of phases, money and stock are those of a checkout that nobody listens to."""
    secret = "Unter den Linden 1"
    broken = Ear(*[RuntimeError(secret)] * 50)
    stage.listeners = Listeners(tuple(ear(kind, broken) for kind in EVENTS.values()))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        result = await run.result()
        assert (result.outcome, (await run.handle.describe()).status) == (
            Outcome.COMPLETED,
            WorkflowExecutionStatus.COMPLETED,
        )
        handle = notifying(stage, CheckoutCompleted, run)
        said = await failure_of(handle)
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        history = str(await handle.fetch_history())
    assert "RuntimeError" in said
    assert secret not in said + history
    row = await assert_ended(stage, run, State.COMPLETED)
    phases = [one["state"] for one in row["timeline"]]
    stage.listeners = Listeners()
    async with stage.worker():
        plain, _ = await stage.start(token=VISA)
        assert (await plain.result()).outcome is Outcome.COMPLETED
    row = await assert_ended(stage, plain, State.COMPLETED)
    assert phases == [one["state"] for one in row["timeline"]]


async def test_told_again_it_is_the_same_delivery(stage: Stage) -> None:
    hears, other = Ear(), Ear()
    stage.listeners = Listeners((ear(CheckoutCompleted, hears), ear(CheckoutCompleted, other, name="other")))
    stage.faults.then(contract.TELL_LISTENER, loses_its_answer, loses_its_answer, breaks)
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await told(stage, CheckoutCompleted, run)
    # At least once: who lost the answer was told again, of the same.
    assert len(hears.heard) + len(other.heard) >= 4
    for one in (hears, other):
        assert len(set(one.heard)) == 1
        assert [heard.attempt for heard in one.heard] == sorted({heard.attempt for heard in one.heard})
    assert hears.heard[0].delivery_id != other.heard[0].delivery_id


async def test_a_run_that_repeats_a_checkout_tells_nothing_anew(stage: Stage) -> None:
    hears = Ear()
    stage.listeners = Listeners((ear(CheckoutCompleted, hears), ear(CheckoutFailed, hears)))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await told(stage, CheckoutCompleted, run)
        first = (await notifying(stage, CheckoutCompleted, run).describe()).run_id
        again, _ = await stage.again(run)
        assert (await again.result()).outcome is Outcome.COMPLETED
        # The telling that would be begun anew has the id of this one, so it would be the latest run of it.
        assert await announced(stage, again) == {CheckoutCompleted.NAME}
        assert (await notifying(stage, CheckoutCompleted, run).describe()).run_id == first
    assert len(hears.heard) == 1
    await assert_ended(stage, run, State.COMPLETED)


async def test_an_answer_that_the_last_compensation_lost_is_announced_by_the_next(stage: Stage) -> None:
    hears = Ear()
    stage.listeners = Listeners((ear(CheckoutFailed, hears),))
    stage.faults.then(contract.UNLOCK_CART, loses_its_answer)
    async with stage.worker():
        run, _ = await stage.start(token="tok_captureFails")
        await told(stage, CheckoutFailed, run)
    assert len(hears.heard) == 1


async def test_one_that_fails_for_three_days_is_given_up_and_seen(stage: Stage) -> None:
    """An attempt that would come after that is not waited for; one that comes before is."""
    hears, late = Ear(), Ear()
    stage.listeners = Listeners((ear(CheckoutCompleted, late, name="late"),))
    stage.faults.then(contract.TELL_LISTENER, not_again_for(timedelta(hours=71)))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.result()
        handle = notifying(stage, CheckoutCompleted, run)
        await failure_of(handle)
        await stage.clock.fast_forward(handle, timedelta(hours=72))
        assert await code_of(handle) is None
    stage.listeners = Listeners((ear(CheckoutCompleted, Ear(), name="never"), ear(CheckoutCompleted, hears)))
    stage.faults.then(contract.TELL_LISTENER, not_again_for(timedelta(hours=73)))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.result()
        assert await code_of(notifying(stage, CheckoutCompleted, run)) == "listener_gave_up"
    assert len(late.heard) == 1


async def test_lines_of_a_telling_say_which_checkout(stage: Stage) -> None:
    said: list[dict[str, Any]] = []

    async def note() -> None:
        said.append(structlog.contextvars.get_contextvars())

    stage.listeners = Listeners((ear(CheckoutCompleted, Ear(note)),))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await told(stage, CheckoutCompleted, run)
    [fields] = said
    about = {"checkout_id": run.checkout.checkout_id, "cart_id": run.checkout.cart_id, "phase": "stock_commit"}
    assert about.items() <= fields.items()
    assert fields["activity"] == "tell_listener"
    assert fields["workflow_id"] == notifying(stage, CheckoutCompleted, run).id


async def test_what_fails_is_kept_for_ops_until_it_is_heard(stage: Stage) -> None:
    gate = Gate()
    hears = Ear(ConnectionError("no answer"), gate)
    stage.listeners = Listeners((ear(CheckoutCompleted, hears, name="slow"),))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.result()
        await gate.reached.wait()
        [(listener, attempts, error)] = await stage.shop.rows("SELECT listener, attempts, error FROM listener_troubles")
        assert (listener, attempts) == ("slow", 1)
        assert "ConnectionError" in error
        gate.open()
        await told(stage, CheckoutCompleted, run)
    assert await stage.shop.rows("SELECT * FROM listener_troubles") == []


async def test_one_that_gives_up_is_not_tried_again_and_holds_up_no_other(stage: Stage) -> None:
    hears, refuses = Ear(), Ear(GiveUp("no such buyer"))
    stage.listeners = Listeners((ear(CheckoutCompleted, refuses, name="refuses"), ear(CheckoutCompleted, hears)))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.result()
        handle = notifying(stage, CheckoutCompleted, run)
        assert await code_of(handle) == "listener_gave_up"
    assert (len(hears.heard), len(refuses.heard)) == (1, 1)


async def test_later(stage: Stage) -> None:
    hears = Ear()
    stage.listeners = Listeners((ear(CheckoutCompleted, hears, after=86_400),))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.result()
        handle = notifying(stage, CheckoutCompleted, run)
        await stage.clock.fast_forward(handle, timedelta(hours=12))
        assert hears.heard == []
        await stage.clock.fast_forward(handle, timedelta(hours=13))
        await told(stage, CheckoutCompleted, run)
    assert len(hears.heard) == 1


async def test_a_worker_that_goes_away_leaves_the_telling_to_another(stage: Stage) -> None:
    gate = Gate()
    hears = Ear(gate)
    stage.listeners = Listeners((ear(CheckoutCompleted, hears),))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.result()
        await gate.reached.wait()
    async with stage.worker():
        await told(stage, CheckoutCompleted, run)
    gate.open()
    assert len(hears.heard) == 2
    assert len(set(hears.heard)) == 1


async def test_a_worker_without_the_listener_leaves_it_to_one_that_has_it(stage: Stage) -> None:
    hears = Ear()
    stage.listeners = Listeners((ear(CheckoutCompleted, hears, name="of_the_new_version"),))
    async with stage.worker():
        stage.faults.then(contract.TELL_LISTENER, *[breaks] * 2)
        run, _ = await stage.start(token=VISA)
        await run.result()
        handle = notifying(stage, CheckoutCompleted, run)
        await failure_of(handle)
    stage.faults.clear()
    stage.listeners = Listeners()
    async with stage.worker():

        async def unknown() -> bool:
            return "of_the_new_version" in await failure_of(handle)

        await eventually(unknown, "the worker says that it has no such listener")
    stage.listeners = Listeners((ear(CheckoutCompleted, hears, name="of_the_new_version"),))
    async with stage.worker():
        await stage.clock.fast_forward(handle, timedelta(hours=2))
        assert await code_of(handle) is None
    assert hears.heard
