"""Phases that fail: definitely (what was begun is undone, in reverse) or once (it is tried again, and done once)."""

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationErrorCategory

from checkout.domain import contract
from checkout.domain.contract import COMPENSATION_OF
from checkout.domain.messages import Limits
from checkout.domain.words import Outcome, Phase, State
from checkout.workflows import search
from tests.support.temporal import TemporalEnvironment
from tests.support.waiting import eventually
from tests.workflows.engine import checkout_input, engine_with, refusal
from tests.workflows.fakes import Fakes, Gate, breaks, broken, refuses

CONTRACT_OF = {one.name: one for one in contract.EVERY_ACTIVITY}
AT_GATEWAY = {Phase.PAYMENT_AUTHORIZATION, Phase.PAYMENT_CAPTURE}


@pytest.mark.parametrize("phase", list(Phase))
async def test_definite_failure_undoes_what_was_begun(temporal_env: TemporalEnvironment, phase: Phase) -> None:
    fakes = Fakes().then(CONTRACT_OF[phase], refuses("made_up", {"figure": 7}))
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start(checkout_input(attempt_id="pay_1"))
        # The failed phase is not an error of the update: its answer is the checkout, with everything given back.
        assert view.state is State.FAILED
        assert view.failure is not None
        assert (view.failure.code, view.failure.phase, view.failure.context) == ("made_up", phase, {"figure": 7})
        error = await run.failure()
        assert (error.type, error.category) == ("made_up", ApplicationErrorCategory.BENIGN)
        assert phase in error.message
        assert fakes.count(CONTRACT_OF[phase]) == 1
        begun = list(Phase)[: list(Phase).index(phase) + 1]
        undone = fakes.undone()
        assert sorted(undone) == sorted(COMPENSATION_OF[one].name for one in begun)
        assert undone[-1] == contract.UNLOCK_CART.name
        for side in (AT_GATEWAY, set(Phase) - AT_GATEWAY):
            expected = [COMPENSATION_OF[one].name for one in reversed(begun) if one in side]
            assert [name for name in undone if name in expected] == expected
        attributes = (await run.handle.describe()).typed_search_attributes
        assert attributes.get(search.STATE) == "failed"
        assert attributes.get(search.PHASE) == phase
        assert attributes.get(search.FAILURE) == "made_up"


async def test_what_is_not_the_buyers_doing_is_not_benign(temporal_env: TemporalEnvironment) -> None:
    secret = {"gateway_code": "node_7"}
    fakes = Fakes().then(contract.PAYMENT_CAPTURE, refuses("capture_refused", benign=False, internal=secret))
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start(checkout_input(attempt_id="pay_1"))
        error = await run.failure()
        assert error.category is ApplicationErrorCategory.UNSPECIFIED
        # What the gateway says is for ops alone.
        assert "node_7" not in f"{view} {error} {error.details}"
        assert "capture_refused: {'gateway_code': 'node_7'}" in await run.details()


@pytest.mark.parametrize("phase", list(Phase))
async def test_a_phase_that_fails_once_is_tried_again(temporal_env: TemporalEnvironment, phase: Phase) -> None:
    fakes = Fakes().then(CONTRACT_OF[phase], breaks)
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start(checkout_input(attempt_id="pay_1"))
        assert view.state is State.COMPLETED
        assert (await run.result()).outcome is Outcome.COMPLETED
        assert fakes.calls.count(phase) == 2
        # A local attempt is never repeated as one: what is stuck has to show as a pending activity.
        assert fakes.local.count(phase) == (0 if phase in AT_GATEWAY else 1)
        assert fakes.undone() == []


async def test_what_is_stuck_shows(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.INVENTORY_RESERVATION, breaks, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        run = await engine.launch()
        await gate.reached.wait()
        view = await run.view()
        assert view.waiting_for is not None
        assert view.waiting_for.what == Phase.INVENTORY_RESERVATION
        assert view.waiting_for.last_error == "something failed: it is tried again"  # the rest is for ops
        description = await run.handle.describe()
        assert description.typed_search_attributes.get(search.STATE) == "reserving"
        pending = description.raw_description.pending_activities
        assert [activity.activity_type.name for activity in pending] == [Phase.INVENTORY_RESERVATION]
        gate.open()
        await run.reaches(State.AWAITING_PAYMENT)
        await run.cancel()


async def test_a_compensation_is_repeated_until_it_succeeds(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes().then(contract.PRICE_LOCK, refuses("price_missing"))
    fakes.then(contract.RELEASE_STOCK, *broken(2)).then(contract.UNLOCK_CART, breaks)
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start()
        assert view.state is State.FAILED
        await run.failure()
        assert (fakes.count(contract.RELEASE_STOCK), fakes.count(contract.UNLOCK_CART)) == (3, 2)


async def test_a_gateway_that_does_not_answer_holds_up_only_the_unlocking(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = (
        Fakes().then(contract.ORDER_CREATION, refuses("reservation_missing")).then(contract.VOID_PAYMENT, *gate.always)
    )
    async with engine_with(temporal_env, fakes) as engine:
        run = await engine.launch(checkout_input(attempt_id="pay_1"))
        await gate.reached.wait()

        async def released() -> bool:
            return contract.RELEASE_STOCK.name in fakes.calls

        await eventually(released, "the stock is released while the gateway does not answer")
        view = await run.view()
        assert view.state is State.COMPENSATING
        assert fakes.count(contract.UNLOCK_CART) == 0
        assert view.waiting_for is not None
        assert contract.VOID_PAYMENT.name in view.waiting_for.what
        gate.open()
        await run.failure()
        assert fakes.count(contract.UNLOCK_CART) == 1


async def test_a_compensation_that_is_refused_for_good_keeps_the_checkout_open(
    temporal_env: TemporalEnvironment,
) -> None:
    fakes = Fakes().then(contract.PRICE_LOCK, refuses("price_missing"))
    fakes.then(contract.RELEASE_STOCK, refuses("defect", benign=False))
    async with engine_with(temporal_env, fakes) as engine:
        run = await engine.launch()

        async def paused() -> bool:
            waiting = (await run.view()).waiting_for
            return waiting is not None and waiting.last_error is not None

        await eventually(paused, "the refused compensation shows")
        assert (await run.view()).state is State.COMPENSATING
        assert fakes.count(contract.UNLOCK_CART) == 0
        await run.pass_time(301)
        await run.failure()
        assert fakes.count(contract.RELEASE_STOCK) == 2


async def test_only_what_the_gateway_refuses_is_resolved_by_hand(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes().then(contract.PAYMENT_CAPTURE, refuses("capture_refused"))
    fakes.then(contract.REFUND_PAYMENT, refuses("gateway_refused", benign=False))
    fakes.then(contract.RELEASE_STOCK, refuses("defect", benign=False))
    async with engine_with(temporal_env, fakes) as engine:
        run = await engine.launch(checkout_input(attempt_id="pay_1"))
        await run.notes("refund_payment: gateway_refused")
        await run.notes("release_stock: defect")
        for compensation in ("void_payment", "release_stock", "stock_commit", ""):
            with pytest.raises(WorkflowUpdateFailedError) as caught:
                await run.resolve(compensation)
            assert refusal(caught.value) == "not_refused"
        assert fakes.count(contract.SETTLE_BY_HAND) == 0
        await run.resolve("refund_payment")
        resolved = fakes.inputs[contract.SETTLE_BY_HAND.name][0].resolved
        assert (resolved.compensation, resolved.who, resolved.action_id) == ("refund_payment", "ada", 7)
        assert "refund_payment done by hand by ada" in await run.details()
        # What people did is not tried again, what they did not do is: at once where they say so.
        await run.retry()
        assert (await run.failure()).type == "capture_refused"
        assert (fakes.count(contract.REFUND_PAYMENT), fakes.count(contract.RELEASE_STOCK)) == (1, 2)
        assert fakes.undone()[-1] == "unlock_cart"


async def test_a_completed_checkout_is_not_undone(temporal_env: TemporalEnvironment) -> None:
    # Another run of the same checkout (a reset, a restored engine) completed it: the database has the last word.
    fakes = Fakes().then(contract.PRICE_LOCK, refuses("price_missing"))
    for compensation in (contract.RELEASE_STOCK, contract.DISCARD_PRICES, contract.UNLOCK_CART):
        fakes.then(compensation, refuses("checkout_completed", benign=False))
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start()
        assert view.state is State.COMPLETED
        assert (await run.result()).outcome is Outcome.COMPLETED


async def test_capture_timed_out(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes().then(contract.PAYMENT_CAPTURE, *broken(50))
    limits = Limits(payment_capture_timeout=2)
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start(checkout_input(attempt_id="pay_1", limits=limits))
        assert view.failure is not None
        assert view.failure.code == "payment_capture_timed_out"
        assert view.failure.detail == "the payment could not be captured in time"
        assert "payment_capture was given up: ConnectionError: no answer" in await run.details()
        assert (await run.failure()).category is ApplicationErrorCategory.UNSPECIFIED
        undone = fakes.undone()
        assert undone.index(contract.REFUND_PAYMENT.name) < undone.index(contract.UNLOCK_CART.name)
        assert contract.CANCEL_ORDER.name in undone
        assert contract.RELEASE_STOCK.name in undone


async def test_authorization_timed_out(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes().then(contract.PAYMENT_AUTHORIZATION, *broken(50))
    limits = Limits(payment_auth_timeout=2)
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start(checkout_input(attempt_id="pay_1", limits=limits))
        assert view.failure is not None
        # A system error is never a decline: no attempt is used up.
        assert view.failure.code == "payment_authorization_timed_out"
        assert view.failure.detail == "the payment could not be authorized in time"
        assert view.attempts_left == 3
        await run.failure()
        assert contract.VOID_PAYMENT.name in fakes.undone()
