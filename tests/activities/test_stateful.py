"""The shop at random, phase by phase: the activities, Postgres and the gateway are real, and late attempts wake up."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from temporalio.exceptions import ApplicationError

from checkout.activities.payment_authorization import PaymentAuthorization
from checkout.activities.payment_capture import PaymentCapture
from checkout.domain.ids import new_attempt_id
from checkout.domain.messages import AuthorizationInput
from checkout.domain.words import Outcome
from checkout.store.payments import add_attempt
from tests.activities.checking_out import CheckingOut
from tests.support.gateway import running_gateway
from tests.support.shop import Basket
from tests.support.shop_at_random import ShopAtRandom, hold_against_the_model


class PhaseByPhase(ShopAtRandom):
    """Checkouts whose phases are run one after the other, as the workflow would."""

    async def _open(self, stock: dict[str, int]) -> None:
        await super()._open(stock)
        self.adapter = self.gateway.adapter()

    async def begin(self, basket: Basket) -> tuple[CheckingOut, int] | None:
        checking = CheckingOut(self.shop, basket)
        try:
            return checking, (await checking.until_priced()).total
        except ApplicationError as error:
            assert error.type == "insufficient_stock"  # noqa: PT017 - the model decides whether it is right
            await checking.undo()
            return None

    async def pay_for(self, checkout: CheckingOut, token: str) -> Outcome | None:
        attempt = new_attempt_id()
        async with self.shop.sessions() as session, session.begin():
            await add_attempt(
                session,
                attempt_id=attempt,
                checkout_id=checkout.id,
                cart_id=checkout.basket.cart_id,
                gateway="simulated",
                method="card",
                token=token,
            )
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
        self.run(self._late(sale.checkout, phase))

    async def _late(self, checkout: CheckingOut, phase: str) -> None:
        before = await checkout.row()
        try:
            await getattr(checkout, phase)()
        except ApplicationError as error:
            assert (error.type, before["state"] == "completed") == ("checkout_closed", False)  # noqa: PT017 - either is right
        assert await checkout.row() == before

    async def _close(self) -> None:
        await super()._close()
        if self.model.on_hand:
            await self.adapter.close()


def test_a_shop_at_random_keeps_every_guarantee(database_url: str) -> None:
    with running_gateway(database_url) as gateway:
        machine = type("Shop", (PhaseByPhase,), {"database_url": database_url, "gateway": gateway})
        hold_against_the_model(machine, examples=10, steps=20)
