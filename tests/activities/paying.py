"""What the tests of the payment phases share: a checkout that waits for its payment, and the activities over it."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp
import psycopg
from psycopg.rows import dict_row
from temporalio.testing import ActivityEnvironment

from checkout.activities.payment_authorization import PaymentAuthorization
from checkout.activities.payment_capture import PaymentCapture
from checkout.activities.payment_check import PaymentCheck
from checkout.activities.unowed import Unowed
from checkout.domain.ids import new_attempt_id, new_cart_id, new_checkout_id
from checkout.domain.messages import (
    Authorization,
    AuthorizationInput,
    Captured,
    Compensated,
    CompensationInput,
    Funds,
    PaymentCheckInput,
    PhaseInput,
    Returned,
    UnowedInput,
)
from checkout.domain.words import Outcome
from checkout.payments.port import Payment, Unavailable
from checkout.runtime.database import Sessions, create_sessions, engine_for
from checkout.store import payments
from checkout.store.tables import Cart, Checkout
from tests.support.gateway import GatewayServer, Hook, Interposed

TOTAL = 5938
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass
class Paying:
    """A checkout of 59.38 EUR that waits for its payment; activities run as Temporal runs them, one attempt at a time.

    ``gateway`` is the real one with hooks in its way: the tests delay, lose and race its calls there.
    """

    database_url: str
    sessions: Sessions
    server: GatewayServer
    gateway: Interposed
    cart_id: str = field(default_factory=new_cart_id)
    checkout_id: str = ""

    def __post_init__(self) -> None:
        self.checkout_id = new_checkout_id(self.cart_id)

    async def await_payment(self, *, attempts_left: int = 3) -> None:
        """Make cart and checkout as they stand when prices are locked."""
        now = datetime.now(UTC)
        async with self.sessions.begin() as session:
            session.add(Cart(id=self.cart_id, session_id="ses_1", currency="EUR"))
            await session.flush()
            session.add(
                Checkout(
                    id=self.checkout_id,
                    cart_id=self.cart_id,
                    session_id="ses_1",
                    workflow_id=f"checkout-{self.cart_id}",
                    run_id="run",
                    state="awaiting_payment",
                    phase="payment_authorization",
                    locked_at=now,
                    expires_at=now,
                    currency="EUR",
                    total=TOTAL,
                    attempts_left=attempts_left,
                )
            )
        self.execute("UPDATE carts SET locked_by = %s WHERE id = %s", self.checkout_id, self.cart_id)

    async def attempt(self, token: str | None = "tok_visa", method: str = "card") -> str:  # noqa: S107 - a test card
        """Store a payment attempt as the API does."""
        attempt_id = new_attempt_id()
        async with self.sessions.begin() as session:
            await payments.add_attempt(
                session,
                attempt_id=attempt_id,
                checkout_id=self.checkout_id,
                cart_id=self.cart_id,
                gateway="simulated",
                method=method,
                token=token,
            )
        return attempt_id

    async def discard(self, attempt_id: str) -> None:
        """Discard an attempt as the API does when no workflow took it."""
        async with self.sessions.begin() as session:
            await payments.discard_attempt(session, attempt_id)

    # -- the activities ------------------------------------------------------------------------------------------

    async def authorize(self, attempt_id: str) -> Authorization:
        activities = PaymentAuthorization(self.sessions, self.gateway)
        given = AuthorizationInput(self.checkout_id, self.cart_id, attempt_id)
        return await self.run(activities.authorize, given)

    async def capture(self) -> Captured:
        activities = PaymentCapture(self.sessions, self.gateway)
        return await self.run(activities.capture, PhaseInput(self.checkout_id, self.cart_id))

    async def approval(self, attempt_id: str) -> Authorization:
        """Look whether the buyer has approved."""
        activities = PaymentCheck(self.sessions, self.gateway)
        return await self.run(activities.approval, PaymentCheckInput(self.checkout_id, self.cart_id, attempt_id))

    async def funds(self, attempt_id: str) -> Funds:
        """Look whether the transfer has arrived."""
        activities = PaymentCheck(self.sessions, self.gateway)
        return await self.run(activities.funds, PaymentCheckInput(self.checkout_id, self.cart_id, attempt_id))

    async def give_back_unowed(self, payment_id: str, attempt_id: str) -> Returned:
        activities = Unowed(self.sessions, self.gateway)
        return await self.run(activities.give_back, UnowedInput(payment_id, self.checkout_id, attempt_id))

    async def void(self) -> Compensated:
        """The compensation of the authorization, spoken to the gateway itself: past every hook."""
        return await self.run(PaymentAuthorization(self.sessions, self.gateway.real).void, self.compensation())

    async def refund(self) -> Compensated:
        """The compensation of the capture, through the hooks."""
        return await self.run(PaymentCapture(self.sessions, self.gateway).refund, self.compensation())

    # -- the buyer, and his bank ---------------------------------------------------------------------------------

    async def act(self, attempt_id: str, outcome: str, amount: int | None = None) -> None:
        """What they do at the gateway, at the address of the attempt's payment, whether it is still shown or not."""
        payment_id = self.row(attempt_id)["gateway_payment_id"]
        with psycopg.connect(self.server.database_url) as connection:
            found = connection.execute("SELECT action FROM gateway.payments WHERE payment_id = %s", [payment_id])
            [action] = found.fetchone() or [None]
        body = {"outcome": outcome} if amount is None else {"outcome": outcome, "amount": amount}
        address = f"{self.server.url}/actions/{action}"
        async with aiohttp.ClientSession() as session, session.post(address, json=body) as response:
            assert response.status == 200, await response.text()

    async def run(self, activity: Callable[[In], Awaitable[Out]], given: In) -> Out:
        return await ActivityEnvironment().run(activity, given)

    def compensation(self) -> CompensationInput:
        return CompensationInput(
            checkout_id=self.checkout_id,
            cart_id=self.cart_id,
            session_id="ses_1",
            customer_id=None,
            workflow_id=f"checkout-{self.cart_id}",
            run_id="run",
            locked_at=datetime.now(UTC).isoformat(),
            outcome=Outcome.EXPIRED,
        )

    # -- what became of it ---------------------------------------------------------------------------------------

    def execute(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def checkout(self) -> dict[str, Any]:
        return self.execute("SELECT * FROM checkouts WHERE id = %s", self.checkout_id)[0]

    def row(self, attempt_id: str) -> dict[str, Any]:
        return self.execute("SELECT * FROM payment_attempts WHERE id = %s", attempt_id)[0]

    def state(self, state: str) -> None:
        """Move the checkout on, as the phases of others do."""
        self.execute("UPDATE checkouts SET state = %s WHERE id = %s", state, self.checkout_id)

    async def ledger(self) -> list[dict[str, Any]]:
        return await self.server.ledger(self.checkout_id)

    async def money(self) -> list[tuple[int, int, int, int]]:
        """(authorized, captured, refunded, voided) of each approved payment, oldest first."""
        items = await self.ledger()
        return [(item["authorized"], item["captured"], item["refunded"], item["voided"]) for item in items]

    async def payment(self, attempt_id: str) -> Payment:
        """The attempt's object as the gateway has it."""
        return await self.gateway.real.fetch(self.row(attempt_id)["gateway_payment_id"])


@asynccontextmanager
async def checkout_that_waits(database_url: str, server: GatewayServer) -> AsyncIterator[Paying]:
    """A checkout that waits for its payment, with ids that no other test has."""
    engine = engine_for(database_url, application_name="test")
    async with server.adapter() as adapter:
        paying = Paying(database_url, create_sessions(engine), server, Interposed(adapter))
        await paying.await_payment()
        yield paying
    await engine.dispose()


class Pause:
    """A place where a call stops until it is let go: a hook of ``Interposed``, for the first call alone."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._go = asyncio.Event()

    async def __call__(self, _: Payment | None) -> None:
        if not self.reached.is_set():
            self.reached.set()
            await self._go.wait()

    def go(self) -> None:
        self._go.set()


def changed(**values: Any) -> Callable[[Payment | None], Awaitable[Payment]]:
    """A hook that answers the real payment with other values, as a gateway that errs would."""

    async def change(payment: Payment | None) -> Payment:
        assert payment is not None
        return dataclasses.replace(payment, **values)

    return change


def first(hook: Hook) -> Hook:
    """The hook, for the first call alone."""
    done = False

    async def run(payment: Payment | None) -> Payment | None:
        nonlocal done
        if done:
            return None
        done = True
        return await hook(payment)

    return run


async def lose() -> None:
    """What ``once`` does to an answer, or a call, that is lost."""
    raise Unavailable("the answer is lost")
