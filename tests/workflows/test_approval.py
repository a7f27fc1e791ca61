"""Payments that the buyer approves somewhere else: who tells the checkout, in which order, and when. On fakes."""

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError

from checkout.domain import contract
from checkout.domain.messages import ConfirmRequest, Limits, PayRequest
from checkout.domain.words import Outcome, State
from tests.support.temporal import TemporalEnvironment
from tests.support.waiting import eventually
from tests.workflows.engine import Engine, Run, checkout_input, engine_with, passes, refusal
from tests.workflows.fakes import Fakes, Gate, broken


async def paid(engine: Engine, fakes: Fakes, **limits: int) -> Run:
    """A checkout whose payment waits for the buyer."""
    fakes.then(contract.PAYMENT_AUTHORIZATION, fakes.waits())
    run, view = await engine.start(checkout_input(attempt_id="pay_1", limits=Limits(**limits)))
    assert view.state is State.REQUIRES_ACTION
    assert view.waiting_for is not None
    assert view.waiting_for.what == "the buyer's approval"
    return run


async def test_an_event_and_confirms_at_once_make_one_capture(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        await run.changed()
        views = await asyncio.gather(*(run.confirm() for _ in range(3)), return_exceptions=True)
        assert (await run.result()).outcome is Outcome.COMPLETED
        # A confirm that finds the checkout ended is answered by its row.
        assert {view.state for view in views if not isinstance(view, BaseException)} <= {State.COMPLETED}
        assert fakes.count(contract.PAYMENT_AUTHORIZATION) == 1
        assert fakes.count(contract.PAYMENT_CAPTURE) == 1


async def test_a_look_that_finds_nothing_new_changes_nothing(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    fakes.then(contract.PAYMENT_CHECK, fakes.waits(), fakes.waits())
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        assert (await run.confirm()).state is State.REQUIRES_ACTION
        assert (await run.confirm()).attempts_left == 3
        assert (await run.confirm()).state is State.COMPLETED


async def test_news_of_another_attempt_is_no_reason_to_look(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        await run.changed("pay_0")
        assert (await run.view()).state is State.REQUIRES_ACTION
        await run.cancel()
        assert fakes.count(contract.PAYMENT_CHECK) == 0


async def test_an_event_that_comes_while_it_is_authorized_is_not_lost(temporal_env: TemporalEnvironment) -> None:
    gate, fakes = Gate(), Fakes()

    async def held() -> object:
        await gate()
        return await fakes.waits()()

    fakes.then(contract.PAYMENT_AUTHORIZATION, *[held] * 9)
    async with engine_with(temporal_env, fakes) as engine:
        run = await engine.launch(checkout_input(attempt_id="pay_1"))
        await gate.reached.wait()
        await run.changed()
        gate.open()
        assert (await run.result()).outcome is Outcome.COMPLETED


async def test_denied_is_a_decline_and_another_payment_may_follow(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    fakes.then(contract.PAYMENT_CHECK, fakes.declines("not_approved"))
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        denied = await run.confirm()
        assert (denied.state, denied.attempts_left) == (State.AWAITING_PAYMENT, 2)
        assert denied.last_error is not None
        assert denied.last_error.code == "not_approved"
        assert (await run.confirm()).last_error == denied.last_error
        assert (await run.pay("pay_2")).state is State.COMPLETED


async def test_another_payment_takes_the_place_of_one_that_waits(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        assert (await run.pay("pay_2")).state is State.COMPLETED
        assert [one.attempt_id for one in fakes.inputs["payment_authorization"]] == ["pay_1", "pay_2"]
        assert fakes.count(contract.PAYMENT_CHECK) == 0


async def test_a_payment_that_comes_while_the_first_is_found_approved_pays_nothing(
    temporal_env: TemporalEnvironment,
) -> None:
    gate, fakes = Gate(), Fakes()
    fakes.then(contract.PAYMENT_CHECK, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        confirming = await run.begin(contract.CONFIRM, ConfirmRequest())
        await gate.reached.wait()
        paying = await run.begin(contract.PAY, PayRequest("pay_2"))
        gate.open()
        for update in (confirming, paying):
            assert (await update.result()).state is State.COMPLETED
        assert fakes.count(contract.PAYMENT_AUTHORIZATION) == 1


async def test_never_approved_expires_after_one_more_look(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    fakes.then(contract.PAYMENT_CHECK, fakes.waits())
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        await passes(run, (await run.view()).expires_at)
        assert (await run.result()).outcome is Outcome.EXPIRED
        assert fakes.count(contract.PAYMENT_CHECK) == 1
        assert "void_payment" in fakes.undone()


async def test_approved_and_told_by_nobody_is_an_order_at_the_deadline(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        await passes(run, (await run.view()).expires_at)
        assert (await run.result()).outcome is Outcome.COMPLETED


async def test_nothing_is_taken_once_the_deadline_has_come(temporal_env: TemporalEnvironment) -> None:
    gate, fakes = Gate(), Fakes()
    fakes.then(contract.PAYMENT_CHECK, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        await passes(run, (await run.view()).expires_at)
        await gate.reached.wait()
        for update in (run.pay("pay_2"), run.extend(600)):
            with pytest.raises(WorkflowUpdateFailedError) as caught:
                await update
            assert refusal(caught.value) == "checkout_expired"
        gate.open()
        assert (await run.result()).outcome is Outcome.COMPLETED


async def test_an_extension_holds_for_an_approval_too(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        await run.extend(1800)
        await run.pass_time(1000)
        assert (await run.view()).state is State.REQUIRES_ACTION
        assert (await run.confirm()).state is State.COMPLETED


async def test_cancelled_while_the_gateway_does_not_answer(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes().then(contract.PAYMENT_CHECK, *broken(50))
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes)
        await run.changed()

        async def tried() -> bool:
            return fakes.count(contract.PAYMENT_CHECK) > 0

        await eventually(tried, "the gateway was asked")
        assert (await run.cancel()).state is State.CANCELLED
        assert "void_payment" in fakes.undone()


async def test_a_gateway_that_does_not_answer_is_no_decline_and_is_asked_again(
    temporal_env: TemporalEnvironment,
) -> None:
    fakes = Fakes().then(contract.PAYMENT_CHECK, *broken(3))
    async with engine_with(temporal_env, fakes) as engine:
        run = await paid(engine, fakes, payment_auth_timeout=2)
        view = await run.confirm()
        assert (view.state, view.attempts_left, view.last_error) == (State.COMPLETED, 3, None)
