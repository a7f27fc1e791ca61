"""The shop at random on everything that is real: each checkout is a workflow on the Temporal server."""

import contextlib
from datetime import timedelta

from checkout.domain.words import OnShortage, Outcome, State
from tests.support.gateway import GatewayServer
from tests.support.shop import Basket
from tests.support.shop_at_random import ShopAtRandom, hold_against_the_model
from tests.support.shop_model import Begun
from tests.support.temporal import temporal_environment
from tests.workflows.engine import Run
from tests.workflows.stage import Stage


class ByWorkflow(ShopAtRandom):
    """Checkouts that a worker takes through their phases; cancels are updates, expiry is the workflow's timer."""

    async def _open(self, stock: dict[str, int]) -> None:
        await super()._open(stock)
        self.open_things = contextlib.AsyncExitStack()
        temporal = await self.open_things.enter_async_context(temporal_environment())
        self.stage = Stage(self.shop, self.gateway, self.engine, temporal.client, temporal, temporal.task_queue)
        await self.open_things.enter_async_context(self.stage.worker())

    async def begin(self, basket: Basket, on_shortage: OnShortage) -> Begun | str:
        run, view = await self.stage.start(basket, on_shortage=on_shortage)
        if view.state is State.FAILED:
            assert view.failure is not None
            return view.failure.code
        assert view.total is not None
        return Begun(run, run.checkout.checkout_id, view.total)

    async def order_for_nothing(self, checkout: Run) -> None:
        assert (await checkout.result()).outcome is Outcome.COMPLETED

    async def pay_for(self, checkout: Run, token: str) -> Outcome | None:
        view = await self.stage.pay(checkout, token)
        return Outcome(view.state) if view.state.closed else None

    async def give_back(self, checkout: Run, outcome: Outcome) -> None:
        if outcome is Outcome.CANCELLED:
            assert (await checkout.cancel()).state is State.CANCELLED
        else:
            await self.stage.clock.fast_forward(checkout.handle, timedelta(hours=1))
            assert (await checkout.result()).outcome is Outcome.EXPIRED
        assert (await self.stage.row(checkout))["state"] == outcome

    async def close(self) -> None:
        await self.open_things.aclose()
        await super().close()


def test_a_shop_at_random_keeps_every_guarantee_by_its_workflows(gateway_server: GatewayServer) -> None:
    machine = type("Shop", (ByWorkflow,), {"gateway": gateway_server})
    hold_against_the_model(machine, examples=4, steps=25)
