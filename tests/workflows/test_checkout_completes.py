"""The ways to a completed checkout, on fake activities: what runs, in which order, in how many events."""

from collections import Counter

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus

from checkout.domain import contract
from checkout.domain.words import Outcome, Phase, State
from tests.support.temporal import TemporalEnvironment
from tests.workflows.engine import Run, checkout_input, engine_with
from tests.workflows.fakes import TOTAL, Fakes

PHASES = [phase.value for phase in Phase]


async def _events(run: Run) -> Counter[str]:
    return Counter([EventType.Name(event.event_type) async for event in run.handle.fetch_history_events()])


async def test_stepwise(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start()
        assert view.state is State.AWAITING_PAYMENT
        assert (view.total, view.currency, view.attempts_left) == (TOTAL, "EUR", 3)
        assert view.waiting_for is not None
        assert view.waiting_for.what == "payment"
        paid = await run.pay()
        assert paid.state is State.COMPLETED
        assert paid.order_reference == "ORD-TEST"
        result = await run.result()
        assert (result.outcome, result.order_reference) == (Outcome.COMPLETED, "ORD-TEST")
        assert fakes.calls == PHASES
        description = await run.handle.describe()
        assert description.status is WorkflowExecutionStatus.COMPLETED
        events = await _events(run)
        assert events.total() == 33, events


async def test_express(temporal_env: TemporalEnvironment) -> None:
    fakes = Fakes()
    async with engine_with(temporal_env, fakes) as engine:
        run, view = await engine.start(checkout_input(attempt_id="pay_1"))
        assert view.state is State.COMPLETED
        await run.result()
        assert fakes.calls == PHASES
        assert fakes.local == [
            phase.name
            for phase in (
                contract.CART_VALIDATION,
                contract.INVENTORY_RESERVATION,
                contract.PRICE_LOCK,
                contract.ORDER_CREATION,
                contract.STOCK_COMMIT,
            )
        ]
        events = await _events(run)
        assert events.total() == 25, events
