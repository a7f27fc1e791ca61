"""Cancelling, by the storefront, by ops and in Temporal: allowed until order creation begins, refused after it."""

import pytest
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import CancelledError

from checkout.domain import contract
from checkout.domain.messages import CancelRequest, PayRequest
from checkout.domain.words import Outcome, State
from tests.support.temporal import TemporalEnvironment
from tests.support.waiting import eventually
from tests.workflows.engine import Run, checkout_input, engine_with, refusal
from tests.workflows.fakes import Fakes, Gate, breaks, broken, refuses

EARLY = [
    (contract.CART_VALIDATION, ["unlock_cart"]),
    (contract.INVENTORY_RESERVATION, ["release_stock", "unlock_cart"]),
    (contract.PRICE_LOCK, ["discard_prices", "release_stock", "unlock_cart"]),
    (contract.PAYMENT_AUTHORIZATION, ["discard_prices", "release_stock", "unlock_cart", "void_payment"]),
]
LATE = [contract.ORDER_CREATION, contract.PAYMENT_CAPTURE, contract.STOCK_COMMIT]
Activity = contract.ActivityContract[object, object]


def _held(activity: Activity, gate: Gate) -> Fakes:
    """Activities of which one, running as a regular activity, waits."""
    local = activity not in (contract.PAYMENT_AUTHORIZATION, contract.PAYMENT_CAPTURE)
    return Fakes().then(activity, *([breaks] if local else []), *gate.always)


async def _ends_canceled(run: Run) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert isinstance(caught.value.cause, CancelledError)
    assert (await run.handle.describe()).status is WorkflowExecutionStatus.CANCELED


@pytest.mark.parametrize(("activity", "undone"), EARLY, ids=lambda value: getattr(value, "name", "undone"))
@pytest.mark.parametrize("by", ["update", "temporal"])
async def test_while_a_phase_runs(
    temporal_env: TemporalEnvironment, activity: Activity, undone: list[str], by: str
) -> None:
    gate = Gate()
    fakes = _held(activity, gate)
    async with engine_with(temporal_env, fakes) as engine:
        run = await engine.launch(checkout_input(attempt_id="pay_1"))
        await gate.reached.wait()
        if by == "update":
            cancelling = await run.begin(contract.CANCEL, CancelRequest())
            gate.open()
            view = await cancelling.result()
            assert (view.state, view.failure) == (State.CANCELLED, None)
            assert (await run.result()).outcome is Outcome.CANCELLED
        else:
            await run.handle.cancel()
            await run.notes("canceled in Temporal")
            gate.open()
            await _ends_canceled(run)
        # The phase was begun, so that it is undone, whatever came of it.
        assert sorted(fakes.undone()) == undone
        assert fakes.undone()[-1] == "unlock_cart"
        assert fakes.inputs["unlock_cart"][0].outcome is Outcome.CANCELLED
        assert fakes.count(contract.ORDER_CREATION) == 0


async def test_a_payment_that_goes_through_though_it_was_cancelled_is_voided(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.PAYMENT_AUTHORIZATION, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        paying = await run.begin(contract.PAY, PayRequest("pay_1"))
        await gate.reached.wait()
        cancelling = await run.begin(contract.CANCEL, CancelRequest())
        gate.open()
        assert (await cancelling.result()).state is State.CANCELLED
        assert (await paying.result()).state is State.CANCELLED
        assert fakes.count(contract.VOID_PAYMENT) == 1
        assert fakes.count(contract.ORDER_CREATION) == 0


async def test_the_pause_before_the_next_attempt_is_not_waited_for(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes().then(contract.PAYMENT_AUTHORIZATION, *broken(50))
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        await run.begin(contract.PAY, PayRequest("pay_1"))

        async def tried() -> bool:
            return fakes.count(contract.PAYMENT_AUTHORIZATION) >= 3

        await eventually(tried, "the gateway does not answer")
        assert (await run.cancel()).state is State.CANCELLED
        assert fakes.count(contract.VOID_PAYMENT) == 1


@pytest.mark.parametrize("by", ["update", "temporal"])
async def test_while_waiting_for_the_payment(temporal_env: TemporalEnvironment, by: str) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        if by == "update":
            view = await run.cancel("ops")
            assert view.state is State.CANCELLED
            assert (await run.result()).outcome is Outcome.CANCELLED
            assert "cancelled by ops" in await run.details()
        else:
            await run.handle.cancel()
            await _ends_canceled(run)
        assert fakes.undone() == ["discard_prices", "release_stock", "unlock_cart"]


async def test_before_anything_ran(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, Fakes()) as engine:
        pass
    run = await engine.launch()
    await run.handle.cancel()
    async with engine_with(temporal_env, fakes):
        await _ends_canceled(run)
        assert fakes.calls[-1] == "unlock_cart"
        assert fakes.count(contract.INVENTORY_RESERVATION) == 0


@pytest.mark.parametrize("activity", LATE, ids=lambda activity: str(activity.name))
async def test_refused_once_the_order_is_being_made(temporal_env: TemporalEnvironment, activity: Activity) -> None:
    gate = Gate()
    fakes = _held(activity, gate)
    async with engine_with(temporal_env, fakes) as engine:
        run = await engine.launch(checkout_input(attempt_id="pay_1"))
        await gate.reached.wait()
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await run.cancel()
        assert refusal(caught.value) == "too_late"
        await run.handle.cancel()

        await run.notes("a Cancel from Temporal was ignored")
        gate.open()
        assert (await run.result()).outcome is Outcome.COMPLETED
        assert fakes.undone() == []
        assert fakes.count(contract.STOCK_COMMIT) == (2 if activity == contract.STOCK_COMMIT else 1)


async def test_a_temporal_cancel_does_not_interrupt_compensations(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.PRICE_LOCK, refuses("price_missing")).then(contract.RELEASE_STOCK, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run = await engine.launch()
        await gate.reached.wait()
        await run.handle.cancel()
        await run.notes("a Cancel from Temporal was ignored: the checkout was compensating")
        # An update that comes meanwhile is answered once everything is given back.
        cancelling = await run.begin(contract.CANCEL, CancelRequest())
        gate.open()
        assert (await cancelling.result()).state is State.FAILED
        assert (await run.failure()).type == "price_missing"
        assert fakes.undone() == ["discard_prices", "release_stock", "unlock_cart"]


async def test_two_cancels_get_the_same_answer(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.RELEASE_STOCK, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        first = await run.begin(contract.CANCEL, CancelRequest())
        await gate.reached.wait()
        second = await run.begin(contract.CANCEL, CancelRequest())
        gate.open()
        answers = [await first.result(), await second.result()]
        assert answers[0] == answers[1]
        assert answers[0].state is State.CANCELLED
        assert fakes.undone() == ["discard_prices", "release_stock", "unlock_cart"]
