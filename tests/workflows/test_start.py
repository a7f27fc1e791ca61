"""Starting: one running checkout for a cart, whoever asks and however often. On fake activities."""

import asyncio
import json

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import CancelledError

from checkout.domain import contract
from checkout.domain.ids import new_checkout_id, new_session_id
from checkout.domain.messages import CheckoutInput, CheckoutView, PayRequest, StartRequest
from checkout.domain.words import Outcome, State
from checkout.workflows import search
from tests.support.temporal import TemporalEnvironment
from tests.workflows.engine import Run, checkout_input, engine_with, refusal
from tests.workflows.fakes import Fakes, Gate, breaks


def _again(checkout: CheckoutInput, session: str | None = None) -> CheckoutInput:
    """Another start of the same cart."""
    return CheckoutInput(new_checkout_id(checkout.cart_id), checkout.cart_id, session or checkout.session_id)


async def test_ten_starts_at_once_are_one_checkout(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        first = checkout_input()
        answers = await asyncio.gather(*(engine.start(_again(first)) for _ in range(10)))
        assert len({view.checkout_id for _, view in answers}) == 1
        assert {view.state for _, view in answers} == {State.AWAITING_PAYMENT}
        assert list(dict.fromkeys(fakes.calls)) == ["cart_validation", "inventory_reservation", "price_lock"]
        await answers[0][0].cancel()


async def test_a_start_waits_until_the_prices_are_locked(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.INVENTORY_RESERVATION, breaks, *gate.always)
    async with engine_with(temporal_env, fakes) as engine:
        first = checkout_input()
        starts = [asyncio.create_task(engine.start(first)), asyncio.create_task(engine.start(_again(first)))]
        await gate.reached.wait()
        gate.open()
        answers = [(await start)[1] for start in starts]
        assert [view.state for view in answers] == [State.AWAITING_PAYMENT] * 2
        assert answers[0].checkout_id == answers[1].checkout_id


async def test_whatever_is_in_the_cart_can_be_told_in_the_list(temporal_env: TemporalEnvironment) -> None:
    """A server refuses a summary (`limit.userMetadataSummarySize`; not the development server), or an attribute, that
    is too long: the checkout would not begin."""
    many = ", ".join(f"1 {'Größe-🧦' * 12}" for _ in range(3))
    async with engine_with(temporal_env, Fakes()) as engine:
        run, _ = await engine.start(checkout_input(items=many, attempt_id="pay_1"))
        found = await run.handle.describe()
        summary = str(await found.static_summary())
        assert summary.startswith(f"{run.checkout.cart_id} express 1 Größe-🧦")
        assert summary.endswith("…")
        assert 300 < len(json.dumps(summary).encode()) <= 400
        assert found.typed_search_attributes[search.ITEMS] == many[:255]
        plain, _ = await engine.start()
        found = await plain.handle.describe()
        assert (await found.static_summary(), found.typed_search_attributes.get(search.ITEMS)) == (
            plain.checkout.cart_id,
            None,
        )
        await plain.cancel()


async def test_another_session_is_refused(temporal_env: TemporalEnvironment) -> None:
    async with engine_with(temporal_env, Fakes()) as engine:
        first = checkout_input()
        run, _ = await engine.start(first)
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await engine.start(_again(first, new_session_id()))
        assert refusal(caught.value) == "checkout_in_progress"
        assert (await run.view()).state is State.AWAITING_PAYMENT
        await run.cancel()


async def test_a_checkout_that_is_being_undone_takes_no_start(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.RELEASE_STOCK, gate)
    async with engine_with(temporal_env, fakes) as engine:
        first = checkout_input()
        run, _ = await engine.start(first)
        await run.handle.cancel()
        await gate.reached.wait()
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await engine.start(_again(first))
        assert refusal(caught.value) == "checkout_closing"
        gate.open()
        await _canceled(run)
        second, view = await engine.start(_again(first))
        assert view.state is State.AWAITING_PAYMENT
        assert view.checkout_id == second.checkout.checkout_id
        await second.cancel()


async def test_a_start_meets_the_checkout_that_is_being_paid(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    fakes = Fakes().then(contract.PAYMENT_AUTHORIZATION, gate)
    async with engine_with(temporal_env, fakes) as engine:
        first = checkout_input()
        run, _ = await engine.start(first)
        await run.begin(contract.PAY, PayRequest("pay_1"))
        await gate.reached.wait()
        _, view = await engine.start(_again(first))
        assert (view.checkout_id, view.state) == (first.checkout_id, State.AUTHORIZING)
        gate.open()
        assert (await run.result()).outcome is Outcome.COMPLETED


async def test_the_same_start_repeated_after_the_end_has_the_same_answer(temporal_env: TemporalEnvironment) -> None:
    async with engine_with(temporal_env, Fakes()) as engine:
        first = checkout_input()

        async def start() -> CheckoutView:
            view: CheckoutView = await engine.client.execute_update_with_start_workflow(
                contract.START,
                StartRequest(first.session_id, first.checkout_id),
                id="the-same",
                start_workflow_operation=engine.operation(first),
                result_type=CheckoutView,
            )
            return view

        view = await start()
        run, _ = await engine.start(first)
        assert await start() == view
        await run.cancel()


async def test_a_worker_that_dies_leaves_the_checkout_to_the_next(temporal_env: TemporalEnvironment) -> None:
    gate = Gate()
    lost = Fakes().then(contract.INVENTORY_RESERVATION, breaks, *gate.always)
    async with engine_with(temporal_env, lost) as engine:
        run = await engine.launch(checkout_input(attempt_id="pay_1"))
        await gate.reached.wait()
    fakes = Fakes()
    async with engine_with(temporal_env, fakes):
        assert (await run.result()).outcome is Outcome.COMPLETED
        assert "cart_validation" not in fakes.calls
        assert fakes.undone() == []


async def test_a_workflow_that_no_cache_holds(temporal_env: TemporalEnvironment) -> None:
    """Every workflow task replays the history from its start: what is not deterministic fails here."""
    fakes = Fakes().then(contract.ORDER_CREATION, breaks)
    fakes.then(contract.PAYMENT_AUTHORIZATION, fakes.declines())
    async with engine_with(temporal_env, fakes, cached=0) as engine:
        run, _ = await engine.start()
        await run.extend(1800)
        assert (await run.pay("pay_1")).state is State.AWAITING_PAYMENT
        assert (await run.pay("pay_2")).state is State.COMPLETED
        assert (await run.result()).outcome is Outcome.COMPLETED
        other, _ = await engine.start()
        await other.handle.cancel()
        await _canceled(other)
        assert fakes.undone() == ["discard_prices", "release_stock", "unlock_cart"]


async def _canceled(run: Run) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert isinstance(caught.value.cause, CancelledError)
