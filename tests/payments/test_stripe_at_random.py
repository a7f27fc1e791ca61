"""Stripe under faults, in orders that nobody chose: the books balance, and settling leaves nothing."""

import contextlib
import random
from collections.abc import Awaitable, Callable

import pytest

from checkout.payments.keys import AttemptKeys
from checkout.payments.port import Declined, Gateway, Payment, Refused, Unavailable
from checkout.payments.settle import settle_to_zero
from tests.support.stripe.server import StripeServer, act

FAULTS = ["error", "error_after", "lost", "limited", "locked"]
PATHS = ["/payment_intents", "/confirm", "/capture", "/cancel", "/refunds"]
CARDS = ["pm_card_visa", "pm_card_authenticationRequired", "pm_card_visa_chargeDeclined", "pm_card_authorizationLapses"]
TOTAL = 5938


async def until_answered(call: Callable[[], Awaitable[Payment]]) -> Payment | None:
    """What Temporal does: the same call with the same key again, until the answer says something. None: it says no."""
    for _ in range(20):
        try:
            return await call()
        except Unavailable:
            continue
        except (Declined, Refused):
            return None
    raise AssertionError("Stripe never answered")


class Story:
    """One payment attempt, to which things happen."""

    def __init__(self, gateway: Gateway, seed: int) -> None:
        self.random = random.Random(seed)
        self.gateway = gateway
        self.keys = AttemptKeys(f"chk_{seed}", "pay_1")
        self.payment_id = ""

    async def begin(self) -> None:
        card = self.random.choice(CARDS)
        made = await until_answered(
            lambda: self.gateway.create(
                checkout_id=self.keys.checkout_id,
                attempt_id=self.keys.attempt_id,
                currency="EUR",
                amount=TOTAL,
                method="card",
                token=card,
                key=self.keys.create(),
            )
        )
        assert made is not None
        self.payment_id = made.payment_id

    async def step(self) -> None:
        often = [self.confirm, self.capture]
        what = self.random.choice([*often, *often, self.cancel, self.refund, self.buyer])
        await what()

    async def confirm(self) -> None:
        url = "https://shop.example/done"
        await until_answered(lambda: self.gateway.confirm(self.payment_id, key=self.keys.confirm(), return_url=url))

    async def capture(self) -> None:
        await until_answered(lambda: self.gateway.capture(self.payment_id, amount=TOTAL, key=self.keys.capture()))

    async def cancel(self) -> None:
        if self.random.random() < 0.3:
            await until_answered(lambda: self.gateway.cancel(self.payment_id, key=self.keys.cancel()))

    async def refund(self) -> None:
        seen = await self.gateway.fetch(self.payment_id)
        key = self.keys.refund(refunded=seen.refunded, until=seen.captured)
        left = seen.captured - seen.refunded
        if left:
            await until_answered(lambda: self.gateway.refund(self.payment_id, amount=left, key=key))

    async def buyer(self) -> None:
        seen = await self.gateway.fetch(self.payment_id)
        if seen.next_action is not None:
            await act(seen, self.random.choice(["approve", "approve", "deny"]))


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_goes_wrong_in_whatever_order(empty_stripe: StripeServer, seed: int) -> None:
    async with empty_stripe.adapter() as gateway:
        story = Story(gateway, seed)
        for _ in range(story.random.randint(0, 6)):
            empty_stripe.faulty(story.random.choice(PATHS), story.random.choice(FAULTS), story.random.randint(1, 2))
        await story.begin()
        for _ in range(story.random.randint(1, 8)):
            await story.step()
            payment = await gateway.fetch(story.payment_id)
            assert TOTAL >= payment.authorized >= payment.captured >= payment.refunded >= 0
        settled = await until_answered(lambda: settle_to_zero(gateway, story.payment_id, story.keys))
        assert settled is not None
        assert settled.settled
        with contextlib.suppress(Unavailable), pytest.raises(Refused):
            await gateway.confirm(story.payment_id, key="a late confirm")
        assert await gateway.fetch(story.payment_id) == settled
