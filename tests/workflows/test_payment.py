"""What a payment may answer, on fake activities."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from checkout.domain import contract
from checkout.domain.messages import PayRequest
from checkout.domain.words import State
from tests.support.temporal import TemporalEnvironment
from tests.workflows.engine import checkout_input, engine_with, refusal
from tests.workflows.fakes import TOTAL, Fakes, Gate, breaks


async def test_a_declined_card_then_a_good_one(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    fakes.then(contract.PAYMENT_AUTHORIZATION, fakes.declines())
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        declined = await run.pay("pay_1")
        assert (declined.state, declined.attempts_left) == (State.AWAITING_PAYMENT, 2)
        assert declined.last_error is not None
        assert declined.last_error.code == "card_declined"
        assert declined.failure is None
        paid = await run.pay("pay_2")
        assert (paid.state, paid.last_error) == (State.COMPLETED, None)
        await run.result()
        assert [one.attempt_id for one in fakes.inputs[contract.PAYMENT_AUTHORIZATION.name]] == ["pay_1", "pay_2"]


async def test_three_declines(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    fakes.then(contract.PAYMENT_AUTHORIZATION, *[fakes.declines()] * 3)
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        assert (await run.pay("pay_1")).attempts_left == 2
        assert (await run.pay("pay_2")).attempts_left == 1
        last = await run.pay("pay_3")
        assert (last.state, last.attempts_left) == (State.FAILED, 0)
        assert last.failure is not None
        assert (last.failure.code, last.failure.phase) == ("card_declined", "payment_authorization")
        assert (await run.failure()).type == "card_declined"
        assert sorted(fakes.undone()) == ["discard_prices", "release_stock", "unlock_cart", "void_payment"]


async def test_a_declined_express_start_waits_for_another_payment(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    fakes.then(contract.PAYMENT_AUTHORIZATION, fakes.declines())
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start(checkout_input(attempt_id="pay_1"))
        assert (view.state, view.attempts_left) == (State.AWAITING_PAYMENT, 2)
        assert (await run.pay("pay_2")).state is State.COMPLETED


async def test_one_payment_at_a_time(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.PAYMENT_AUTHORIZATION, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        first = await run.begin(contract.PAY, PayRequest("pay_1"))
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await run.pay("pay_2")
        assert refusal(caught.value) == "payment_in_progress"
        await gate.reached.wait()
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await run.extend(600)
        assert refusal(caught.value) == "not_extendable"
        gate.open()
        assert (await first.result()).state is State.COMPLETED
        assert fakes.count(contract.PAYMENT_AUTHORIZATION) == 1


async def test_another_total_is_refused(temporal_env: TemporalEnvironment) -> None:
    async with engine_with(temporal_env, Fakes()) as engine:
        run, _ = await engine.start()
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await run.pay(expected_total=TOTAL - 1)
        assert refusal(caught.value) == "total_mismatch"
        assert (await run.pay(expected_total=TOTAL)).state is State.COMPLETED


async def test_no_payment_before_prices_are_locked_or_once_it_is_captured(temporal_env: TemporalEnvironment) -> None:
    locking, capturing = Gate(), Gate()
    fakes = Fakes().then(contract.PRICE_LOCK, breaks, *locking.always).then(contract.PAYMENT_CAPTURE, *capturing.always)
    async with engine_with(temporal_env, fakes) as engine:
        run = await engine.launch()
        await locking.reached.wait()
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await run.pay()
        assert refusal(caught.value) == "not_payable"
        locking.open()
        await run.reaches(State.AWAITING_PAYMENT)
        await run.begin(contract.PAY, PayRequest("pay_1"))
        await capturing.reached.wait()
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await run.pay("pay_2")
        assert refusal(caught.value) == "payment_in_progress"
        capturing.open()
        await run.result()


async def test_a_total_of_zero_needs_no_payment(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes(total=0)
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start()
        assert view.state is State.COMPLETED
        await run.result()
        assert fakes.count(contract.PAYMENT_AUTHORIZATION) == 0
        assert fakes.count(contract.PAYMENT_CAPTURE) == 0
        assert fakes.count(contract.ORDER_CREATION) == 1
        assert fakes.count(contract.STOCK_COMMIT) == 1
