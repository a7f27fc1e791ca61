"""Attempts that wake up late, runs that were terminated, two starts at once: the database arbitrates (G3, G5)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from checkout.domain import contract
from checkout.domain.messages import Limits
from checkout.domain.words import Phase, State
from tests.histories.paths import AT_GATEWAY, CONTRACT_OF
from tests.support.waiting import eventually
from tests.workflows.faults import Around, Late, breaks, refuses
from tests.workflows.outcome import assert_ended
from tests.workflows.stage import VISA, Stage

#: For each phase, what makes the checkout end undone though the phase's second attempt may have worked.
UNDONE: dict[Phase, tuple[dict[Phase, list[Around]], str]] = {
    Phase.CART_VALIDATION: ({Phase.INVENTORY_RESERVATION: [refuses("made_up")]}, "made_up"),
    Phase.INVENTORY_RESERVATION: ({Phase.PRICE_LOCK: [refuses("made_up")]}, "made_up"),
    Phase.PRICE_LOCK: ({Phase.PAYMENT_AUTHORIZATION: [refuses("made_up")]}, "made_up"),
    Phase.PAYMENT_AUTHORIZATION: ({Phase.ORDER_CREATION: [refuses("made_up")]}, "made_up"),
    Phase.ORDER_CREATION: ({Phase.PAYMENT_CAPTURE: [refuses("made_up")]}, "made_up"),
    Phase.PAYMENT_CAPTURE: ({Phase.STOCK_COMMIT: [refuses("made_up")]}, "made_up"),
    Phase.STOCK_COMMIT: ({}, "made_up"),
}


@pytest.mark.parametrize("phase", list(Phase))
async def test_an_attempt_that_wakes_up_after_the_checkout_was_undone(stage: Stage, phase: Phase) -> None:
    late = Late()
    stage.faults.then(CONTRACT_OF[phase], late)
    others, code = UNDONE[phase]
    if phase is Phase.STOCK_COMMIT:
        stage.faults.then(contract.STOCK_COMMIT, refuses(code))
    for other, arounds in others.items():
        stage.faults.then(CONTRACT_OF[other], *arounds)
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        with pytest.raises(WorkflowFailureError):
            await run.handle.result()
        failed = next(iter(others), phase)
        before = await assert_ended(stage, run, State.FAILED, code, failed)
        error = await late.wake()
        assert getattr(error, "type", None) == "checkout_closed", error
    assert await assert_ended(stage, run, State.FAILED, code, failed) == before


@pytest.mark.parametrize("phase", list(Phase))
async def test_an_attempt_that_never_worked_wakes_up_after_the_checkout_was_undone(stage: Stage, phase: Phase) -> None:
    """Nothing of the phase is stored: only the tombstone and the closed row keep the late attempt from acting."""
    late = Late()
    stage.faults.then(CONTRACT_OF[phase], late, refuses("made_up"))
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        with pytest.raises(WorkflowFailureError):
            await run.handle.result()
        before = await assert_ended(stage, run, State.FAILED, "made_up", phase)
        error = await late.wake()
        assert getattr(error, "type", None) == "checkout_closed", error
    assert await assert_ended(stage, run, State.FAILED, "made_up", phase) == before


@pytest.mark.parametrize("phase", list(Phase))
async def test_an_attempt_that_wakes_up_after_the_checkout_completed(stage: Stage, phase: Phase) -> None:
    late = Late()
    stage.faults.then(CONTRACT_OF[phase], late)
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.handle.result()
        before = await assert_ended(stage, run, State.COMPLETED)
        answer = await late.wake()
        assert not isinstance(answer, BaseException), answer
    assert await assert_ended(stage, run, State.COMPLETED) == before


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase in AT_GATEWAY])
async def test_a_gateway_attempt_beside_another(stage: Stage, phase: Phase) -> None:
    """Both run at once, as when a worker was only thought dead: one authorization, one capture."""
    together = asyncio.Event()

    async def twice(attempt: Callable[[], Awaitable[Any]]) -> Any:
        other = asyncio.create_task(_when(together, attempt))
        together.set()
        answer = await attempt()
        assert await other == answer
        return answer

    stage.faults.then(CONTRACT_OF[phase], twice)
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.handle.result()
    await assert_ended(stage, run, State.COMPLETED)
    assert len(await stage.ledger(run)) == 1


async def _when(event: asyncio.Event, attempt: Callable[[], Awaitable[Any]]) -> Any:
    await event.wait()
    return await attempt()


@pytest.mark.parametrize("compensation", ["unlock_cart", "release_stock", "discard_prices", "cancel_order"])
async def test_a_compensation_sent_to_a_completed_checkout(stage: Stage, compensation: str) -> None:
    """A reset or a restored engine sends it: closed is absorbing."""
    late = Late()
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.handle.result()
        before = await assert_ended(stage, run, State.COMPLETED)
        # The same checkout once more, as a run that was reset to its beginning and finds the stock gone.
        stage.faults.then(contract.INVENTORY_RESERVATION, refuses("made_up"))
        stage.faults.then(CONTRACT_OF[compensation], late)
        again, view = await stage.again(run)
        assert view.state is State.COMPLETED
        await again.handle.result()
    assert await assert_ended(stage, run, State.COMPLETED) == before


async def test_a_terminated_run_beside_a_new_one(stage: Stage) -> None:
    """The terminated run's first phase is still on its way when the next checkout of the cart has begun."""
    late = Late()
    basket = await stage.cart()
    stage.faults.then(contract.CART_VALIDATION, late, *[breaks] * 20)
    async with stage.worker():
        dead = await stage.launch(basket, limits=Limits())

        async def tried() -> bool:
            return stage.faults.count(contract.CART_VALIDATION) >= 2

        await eventually(tried, "the first run is at its first phase")
        await dead.handle.terminate("by ops")
        stage.faults.clear()
        run, view = await stage.start(basket)
        assert view.state is State.AWAITING_PAYMENT
        error = await late.wake()
        assert getattr(error, "type", None) == "checkout_closing", error
        assert await stage.row(dead) == {}
        assert (await stage.pay(run)).state is State.COMPLETED
        await run.handle.result()
    await assert_ended(stage, run, State.COMPLETED)


async def test_a_start_on_a_cart_that_a_terminated_run_holds(stage: Stage) -> None:
    basket = await stage.cart()
    async with stage.worker():
        dead, _ = await stage.start(basket)
        await dead.handle.terminate("by ops")
        run, view = await stage.start(basket)
        assert view.failure is not None
        assert (view.failure.code, view.failure.phase) == ("checkout_closing", Phase.CART_VALIDATION)
        # What the dead checkout holds stays held until it is audited; the refused one unlocks nothing of it.
        assert (await stage.row(dead))["state"] == "awaiting_payment"
        assert (await stage.row(run))["state"] == "failed"
        locked = await stage.shop.rows("SELECT locked_by FROM carts WHERE id = :id", id=basket.cart_id)
        assert locked == [(dead.checkout.checkout_id,)]


async def test_ten_starts_at_once(stage: Stage) -> None:
    basket = await stage.cart()
    async with stage.worker():
        answers = await asyncio.gather(*(stage.start(basket) for _ in range(10)))
        assert len({view.checkout_id for _, view in answers}) == 1
        assert {view.state for _, view in answers} == {State.AWAITING_PAYMENT}
        assert await stage.shop.rows("SELECT count(*) FROM checkouts WHERE cart_id = :id", id=basket.cart_id) == [(1,)]
        assert await stage.shop.rows("SELECT sum(reserved)::int FROM stock") == [(3,)]
        run = next(run for run, view in answers if run.checkout.checkout_id == view.checkout_id)
        await stage.pay(run)
        await run.handle.result()
    await assert_ended(stage, run, State.COMPLETED)


async def test_prices_that_change_after_the_lock(stage: Stage) -> None:
    async with stage.worker():
        run, locked = await stage.start()
        await stage.shop.execute("UPDATE prices SET amount = amount * 3")
        await stage.shop.execute("UPDATE tax_rates SET percent = 25")
        await stage.shop.execute("UPDATE shipping_options SET amount = amount + 1000")
        assert (await stage.pay(run)).state is State.COMPLETED
        await run.handle.result()
    row = await assert_ended(stage, run, State.COMPLETED)
    assert row["total"] == locked.total
    assert [item["captured"] for item in await stage.ledger(run)] == [locked.total]


async def test_a_cart_is_open_again_after_its_checkout_failed(stage: Stage) -> None:
    basket = await stage.cart()
    async with stage.worker():
        failed, _ = await stage.start(basket, token="tok_captureFails")
        with pytest.raises(WorkflowFailureError):
            await failed.handle.result()
        await assert_ended(stage, failed, State.FAILED, "capture_refused", Phase.PAYMENT_CAPTURE)
        run, _ = await stage.start(basket, token=VISA)
        await run.handle.result()
    await assert_ended(stage, run, State.COMPLETED)
