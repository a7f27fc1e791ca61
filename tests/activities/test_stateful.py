"""The shop at random, phase by phase: the activities, Postgres and the gateway are real, and late attempts wake up."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from temporalio.exceptions import ApplicationError

from checkout.activities.payment_authorization import PaymentAuthorization
from checkout.activities.payment_capture import PaymentCapture
from checkout.domain.messages import AuthorizationInput
from checkout.domain.words import OnShortage, Outcome
from tests.activities.checking_out import CheckingOut
from tests.support.gateway import GatewayServer
from tests.support.shop import Basket
from tests.support.shop_at_random import ShopAtRandom, hold_against_the_model
from tests.support.shop_model import Begun


class PhaseByPhase(ShopAtRandom):
    """Checkouts whose phases are run one after the other, as the workflow would."""

    async def _open(self, stock: dict[str, int]) -> None:
        await super()._open(stock)
        self.adapter = self.gateway.adapter()

    async def begin(self, basket: Basket, on_shortage: OnShortage) -> Begun | str:
        checking = CheckingOut(self.shop, basket)
        try:
            locked = await checking.until_priced(on_shortage=on_shortage)
        except ApplicationError as error:
            await checking.undo()
            return str(error.type)
        assert await checking.lock() == locked, "its answer was lost: it is asked again"
        return Begun(checking, checking.id, locked.total)

    async def order_for_nothing(self, checkout: CheckingOut) -> None:
        await checkout.create()
        await checkout.commit()

    async def pay_for(self, checkout: CheckingOut, token: str) -> Outcome | None:
        attempt = await checkout.attempt(token)
        authorization = PaymentAuthorization(self.shop.sessions, self.adapter)
        given = AuthorizationInput(checkout.id, checkout.basket.cart_id, attempt)
        answer = await checkout.run(authorization.authorize, given)
        if not answer.authorized:
            if answer.attempts_left:
                return None
            await self.give_back(checkout, Outcome.FAILED)
            return Outcome.FAILED
        await checkout.create()
        capture = PaymentCapture(self.shop.sessions, self.adapter)
        try:
            await checkout.run(capture.capture, checkout.phase())
        except ApplicationError as error:
            assert error.type == "capture_refused"  # noqa: PT017 - the only way on
            await self.give_back(checkout, Outcome.FAILED)
            return Outcome.FAILED
        await checkout.commit()
        return Outcome.COMPLETED

    async def give_back(self, checkout: CheckingOut, outcome: Outcome) -> None:
        void = PaymentAuthorization(self.shop.sessions, self.adapter).void
        for compensation in (checkout.restock, checkout.cancel, checkout.discard, checkout.release):
            await compensation()
        await checkout.run(void, checkout.undoing(outcome))
        await checkout.unlock(outcome)
        assert (await checkout.row())["state"] == outcome

    @precondition(lambda self: self.model.closed)
    @rule(data=st.data(), phase=st.sampled_from(["validate", "reserve", "lock", "create", "commit"]))
    def wake_up_late(self, data: st.DataObject, phase: str) -> None:
        sale = data.draw(st.sampled_from(self.model.closed))
        self.run(self._late(sale.checkout.handle, phase))

    async def _late(self, checkout: CheckingOut, phase: str) -> None:
        before = await checkout.row()
        try:
            await getattr(checkout, phase)()
        except ApplicationError as error:
            assert (error.type, before["state"] == "completed") == ("checkout_closed", False)  # noqa: PT017 - either is right
        assert await checkout.row() == before

    async def close(self) -> None:
        await self.adapter.close()
        await super().close()


def test_a_shop_at_random_keeps_every_guarantee(gateway_server: GatewayServer) -> None:
    machine = type("Shop", (PhaseByPhase,), {"gateway": gateway_server})
    hold_against_the_model(machine, examples=10, steps=30)
