"""The deadline: what it ends, what it leaves alone, and how it is moved. On fake activities."""

from datetime import datetime, timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError

from checkout.domain import contract
from checkout.domain.messages import ExtendRequest, Limits
from checkout.domain.words import Outcome, State
from checkout.workflows import search
from tests.support.temporal import TemporalEnvironment
from tests.workflows.engine import Engine, Run, checkout_input, engine_with, in_flight, passes, refusal
from tests.workflows.fakes import Fakes, Gate, breaks, broken


def _seconds_left(run_view: tuple[str | None, str | None]) -> float:
    start, end = run_view
    assert start is not None
    assert end is not None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


async def test_an_unpaid_checkout_expires(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start()
        assert _seconds_left((view.locked_at, view.expires_at)) == 900
        await run.pass_time(800)
        assert (await run.view()).state is State.AWAITING_PAYMENT
        await run.pass_time(101)
        assert (await run.result()).outcome is Outcome.EXPIRED
        description = await run.handle.describe()
        assert description.status is WorkflowExecutionStatus.COMPLETED
        assert description.typed_search_attributes.get(search.STATE) == "expired"
        # Nobody paid, so that there is nothing to void.
        assert fakes.undone() == ["discard_prices", "release_stock", "unlock_cart"]
        assert fakes.inputs["unlock_cart"][0].outcome is Outcome.EXPIRED


async def test_a_payment_after_the_deadline_is_refused(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.UNLOCK_CART, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        await run.pass_time(901)
        await gate.reached.wait()
        for update in (run.pay(), run.extend(60)):
            with pytest.raises(WorkflowUpdateFailedError) as caught:
                await update
            assert refusal(caught.value) == "checkout_expired"
        gate.open()
        assert (await run.result()).outcome is Outcome.EXPIRED


async def _paying(engine: Engine, gate: Gate, **limits: int) -> Run:
    """A checkout whose payment is in flight when its deadline comes."""
    return await in_flight(
        lambda ttl: engine.launch(checkout_input(attempt_id="pay_1", limits=Limits(ttl=ttl, **limits))), gate
    )


async def test_an_authorization_in_flight_at_the_deadline_goes_on(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.PAYMENT_AUTHORIZATION, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run = await _paying(engine, gate)
        await passes(run, (await run.view()).expires_at)
        assert (await run.view()).state is State.AUTHORIZING
        gate.open()
        assert (await run.result()).outcome is Outcome.COMPLETED


async def test_an_authorization_declined_after_the_deadline_expires(temporal_env: TemporalEnvironment) -> None:
    gate, fakes = Gate(), Fakes()

    async def waits_then_declines() -> object:
        await gate()
        return await fakes.declines()()

    fakes.then(contract.PAYMENT_AUTHORIZATION, *[waits_then_declines] * 9)
    async with engine_with(temporal_env, fakes) as engine:
        run = await _paying(engine, gate)
        await passes(run, (await run.view()).expires_at)
        gate.open()
        assert (await run.result()).outcome is Outcome.EXPIRED
        last = (await run.view()).last_error
        assert last is not None
        assert last.code == "card_declined"
        assert "void_payment" in fakes.undone()


async def test_an_authorization_that_times_out_after_the_deadline_expires(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.PAYMENT_AUTHORIZATION, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run = await in_flight(
            lambda ttl: engine.launch(
                checkout_input(attempt_id="pay_1", limits=Limits(ttl=ttl, payment_auth_timeout=ttl))
            ),
            gate,
        )
        assert (await run.result()).outcome is Outcome.EXPIRED
        last = (await run.view()).last_error
        assert last is not None
        assert last.code == "payment_authorization_timed_out"
        assert "void_payment" in fakes.undone()
        gate.open()


@pytest.mark.parametrize("phase", [contract.CART_VALIDATION, contract.INVENTORY_RESERVATION, contract.PRICE_LOCK])
async def test_a_phase_that_is_still_retried_at_the_deadline_expires(
    temporal_env: TemporalEnvironment, phase: contract.ActivityContract[object, object]
) -> None:
    fakes = Fakes().then(phase, *broken(50))
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start(checkout_input(limits=Limits(ttl=2)))
        assert view.state is State.EXPIRED
        assert view.failure is None
        assert view.last_error is not None
        # Where the machine stalls, the deadline may come in an earlier phase.
        assert view.last_error.code.endswith("_timed_out")
        assert view.last_error.detail == "the checkout could not go on in time"
        assert (await run.result()).outcome is Outcome.EXPIRED
        assert fakes.undone()[-1] == "unlock_cart"


async def test_nothing_is_tried_when_the_deadline_passed_before_a_worker_came(
    temporal_env: TemporalEnvironment,
) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, Fakes()) as engine:
        pass
    run = await engine.launch(checkout_input(limits=Limits(ttl=1)))
    await passes(run, (datetime.now().astimezone() + timedelta(seconds=1)).isoformat())
    async with engine_with(temporal_env, fakes):
        assert (await run.result()).outcome is Outcome.EXPIRED
        # The tombstone alone: an id that was answered once has its row.
        assert fakes.calls == ["unlock_cart"]


async def test_extend(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start()
        await run.pass_time(600)
        extended = await run.extend(900)
        assert 1500 <= _seconds_left((view.locked_at, extended.expires_at)) <= 1800
        assert fakes.inputs[contract.RECORD_EXTENSION.name][0].expires_at == extended.expires_at
        attributes = (await run.handle.describe()).typed_search_attributes
        assert extended.expires_at is not None
        assert attributes.get(search.DEADLINE) == datetime.fromisoformat(extended.expires_at)
        await run.pass_time(600)
        assert (await run.view()).state is State.AWAITING_PAYMENT
        await run.pass_time(400)
        assert (await run.result()).outcome is Outcome.EXPIRED


async def test_a_deadline_is_never_moved_to_an_earlier_time(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start()
        assert (await run.extend(10)).expires_at == view.expires_at
        assert fakes.count(contract.RECORD_EXTENSION) == 0
        await run.cancel()


async def test_no_extension_goes_beyond_the_longest_life(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start(checkout_input(limits=Limits(ttl=900, max_ttl=1200)))
        extended = await run.extend(100_000)
        assert _seconds_left((view.locked_at, extended.expires_at)) == 1200
        assert (await run.extend(100_000)).expires_at == extended.expires_at
        await run.pass_time(1201)
        assert (await run.result()).outcome is Outcome.EXPIRED


async def test_an_extension_is_recorded_though_the_database_was_away(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes().then(contract.RECORD_EXTENSION, breaks, breaks)
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        extended = await run.extend(1800)
        assert fakes.count(contract.RECORD_EXTENSION) == 3
        assert (await run.view()).expires_at == extended.expires_at
        await run.cancel()


async def test_an_extension_whose_checkout_ends_meanwhile_is_refused(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.RECORD_EXTENSION, breaks, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run, _ = await engine.start()
        extending = await run.begin(contract.EXTEND, ExtendRequest(1800))
        await gate.reached.wait()
        assert (await run.cancel()).state is State.CANCELLED
        gate.fail()
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await extending.result()
        assert refusal(caught.value) == "checkout_closing"
        assert (await run.result()).outcome is Outcome.CANCELLED
