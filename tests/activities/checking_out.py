"""What tests of the phases share: a checkout of a real cart, whose activities run one attempt at a time."""

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from checkout.activities.cart_validation import CartValidation
from checkout.activities.extension import Extension
from checkout.activities.inventory_reservation import InventoryReservation
from checkout.activities.order_creation import OrderCreation
from checkout.activities.price_lock import PriceLock
from checkout.activities.stock_commit import StockCommit
from checkout.domain import messages as m
from checkout.domain.errors import Failure
from checkout.domain.ids import new_attempt_id, new_checkout_id, workflow_id
from checkout.domain.words import OnShortage, Outcome
from checkout.runtime.database import Sessions
from checkout.store.payments import add_attempt
from checkout.store.pricing import EURO_PRICES, PriceRules
from tests.support.shop import Basket, Shop

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass
class CheckingOut:
    """One checkout of a cart. Each method runs an activity as Temporal runs it; ``local`` as a local one."""

    shop: Shop
    basket: Basket
    local: bool = False
    rules: PriceRules = EURO_PRICES
    id: str = ""
    #: Where the activities' transactions run: a test may put itself in their way.
    sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.id or new_checkout_id(self.basket.cart_id)
        self.sessions = self.shop.sessions

    # -- phases --------------------------------------------------------------------------------------------------

    async def validate(self, **changes: Any) -> m.CartValidated:
        now = datetime.now(UTC)
        given = m.CartValidationInput(
            checkout_id=self.id,
            cart_id=self.basket.cart_id,
            session_id=self.basket.session_id,
            customer_id=self.basket.customer_id,
            workflow_id=workflow_id(self.basket.cart_id),
            run_id="run",
            locked_at=now.isoformat(),
            expires_at=(now + timedelta(minutes=15)).isoformat(),
            on_shortage=OnShortage.FAIL,
            payment_attempts=3,
        )
        return await self.run(CartValidation(self.sessions).validate, dataclasses.replace(given, **changes))

    async def reserve(self) -> m.StockReserved:
        return await self.run(InventoryReservation(self.sessions).reserve, self.phase())

    async def lock(self, expected_total: int | None = None) -> m.PricesLocked:
        given = m.PriceLockInput(self.id, self.basket.cart_id, expected_total)
        return await self.run(PriceLock(self.sessions, self.rules).lock, given)

    async def create(self, tolerance: int = 1) -> m.OrderCreated:
        given = m.OrderCreationInput(self.id, self.basket.cart_id, tolerance)
        return await self.run(OrderCreation(self.sessions, self.rules).create, given)

    async def commit(self) -> m.StockCommitted:
        return await self.run(StockCommit(self.sessions).commit, self.phase())

    async def extend(self, expires_at: datetime) -> m.Extended:
        given = m.ExtensionInput(self.id, self.basket.cart_id, expires_at.isoformat())
        return await self.run(Extension(self.sessions).record, given)

    # -- compensations -------------------------------------------------------------------------------------------

    async def unlock(self, outcome: Outcome = Outcome.FAILED, failure: Failure | None = None) -> m.Compensated:
        return await self.run(CartValidation(self.sessions).unlock, self.undoing(outcome, failure))

    async def release(self) -> m.Compensated:
        return await self.run(InventoryReservation(self.sessions).release, self.undoing())

    async def discard(self) -> m.Compensated:
        return await self.run(PriceLock(self.sessions, self.rules).discard, self.undoing())

    async def cancel(self) -> m.Compensated:
        return await self.run(OrderCreation(self.sessions, self.rules).cancel, self.undoing())

    async def restock(self) -> m.Compensated:
        return await self.run(StockCommit(self.sessions).restock, self.undoing())

    async def undo(self, outcome: Outcome = Outcome.FAILED) -> None:
        """All of the database's compensations, the cart last."""
        for compensation in (self.restock, self.cancel, self.discard, self.release):
            await compensation()
        await self.unlock(outcome)

    # -- in between ----------------------------------------------------------------------------------------------

    async def until_priced(self, **changes: Any) -> m.PricesLocked:
        """The first three phases."""
        await self.validate(**changes)
        await self.reserve()
        return await self.lock()

    async def attempt(self, token: str | None, method: str = "card") -> str:
        """Store a payment attempt, as the API does; its id."""
        attempt_id = new_attempt_id()
        async with self.shop.sessions() as session, session.begin():
            await add_attempt(
                session,
                attempt_id=attempt_id,
                checkout_id=self.id,
                cart_id=self.basket.cart_id,
                gateway="simulated",
                method=method,
                token=token,
            )
        return attempt_id

    async def authorized(self) -> None:
        """The row as the authorization leaves it (the payment phases have tests of their own)."""
        attempt = new_attempt_id()
        await self.shop.execute(
            "INSERT INTO payment_attempts (id, checkout_id, cart_id, number, method, gateway, gateway_payment_id, "
            "status, amount, currency, authorized) "
            "SELECT :attempt, id, cart_id, 1, 'card', 'simulated', 'gw_' || :attempt, "
            "'authorized', total, currency, total FROM checkouts WHERE id = :id",
            attempt=attempt,
            id=self.id,
        )
        await self.shop.execute(
            "UPDATE checkouts SET state = 'creating_order', attempt_id = :attempt, payment_status = 'authorized' "
            "WHERE id = :id",
            attempt=attempt,
            id=self.id,
        )

    async def captured(self, amount: int | None = None) -> None:
        """The row as the capture leaves it."""
        await self.shop.execute(
            "UPDATE payment_attempts a SET status = 'captured', captured = COALESCE(:amount, k.total) "
            "FROM checkouts k WHERE k.id = :id AND a.id = k.attempt_id",
            amount=amount,
            id=self.id,
        )
        await self.shop.execute(
            "UPDATE checkouts SET state = 'committing', payment_status = 'captured' WHERE id = :id", id=self.id
        )

    async def gave_back(self) -> None:
        """Row and attempts as the payment's compensation leaves them."""
        await self.shop.execute(
            "UPDATE checkouts SET "
            "payment_status = CASE payment_status WHEN 'captured' THEN 'refunded' ELSE 'voided' END "
            "WHERE id = :id AND payment_status <> 'none'",
            id=self.id,
        )
        await self.shop.execute(
            "UPDATE payment_attempts SET status = CASE WHEN captured > 0 THEN 'refunded' ELSE 'voided' END, "
            "refunded = captured WHERE checkout_id = :id",
            id=self.id,
        )

    async def complete(self) -> m.StockCommitted:
        """All phases."""
        await self.until_priced()
        await self.authorized()
        await self.create()
        await self.captured()
        return await self.commit()

    # -- what became of it ---------------------------------------------------------------------------------------

    async def row(self) -> dict[str, Any]:
        """The checkout's row, empty when there is none."""
        rows = await self.shop.rows("SELECT to_jsonb(checkouts) FROM checkouts WHERE id = :id", id=self.id)
        return dict(rows[0][0]) if rows else {}

    async def cart(self) -> dict[str, Any]:
        """The cart's row."""
        rows = await self.shop.rows("SELECT to_jsonb(carts) FROM carts WHERE id = :id", id=self.basket.cart_id)
        return dict(rows[0][0])

    def phase(self) -> m.PhaseInput:
        return m.PhaseInput(self.id, self.basket.cart_id)

    def undoing(self, outcome: Outcome = Outcome.FAILED, failure: Failure | None = None) -> m.CompensationInput:
        return m.CompensationInput(
            checkout_id=self.id,
            cart_id=self.basket.cart_id,
            session_id=self.basket.session_id,
            customer_id=self.basket.customer_id,
            workflow_id=workflow_id(self.basket.cart_id),
            run_id="run",
            locked_at=datetime.now(UTC).isoformat(),
            outcome=outcome,
            failure=failure,
        )

    async def run(self, activity: Callable[[In], Awaitable[Out]], given: In) -> Out:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, is_local=self.local)
        return await environment.run(activity, given)


async def reserved(shop: Shop, lines: dict[str, int], **cart: Any) -> CheckingOut:
    """A checkout that holds its units."""
    checking = CheckingOut(shop, await shop.cart(lines, **cart))
    await checking.validate()
    await checking.reserve()
    return checking


async def stock(shop: Shop, sku: str) -> dict[str, tuple[int, int]]:
    """(on_hand, reserved) of a SKU by warehouse, where there is any."""
    rows = await shop.rows(
        "SELECT w.code, s.on_hand, s.reserved FROM stock s JOIN warehouses w ON w.id = s.warehouse_id "
        "WHERE s.variant_id = :v ORDER BY w.priority",
        v=shop.variants[sku],
    )
    return {code: (on_hand, reserved) for code, on_hand, reserved in rows}


async def refusal(attempt: Awaitable[Any]) -> ApplicationError:
    """The definite failure with which an activity ends."""
    with pytest.raises(ApplicationError) as refused:
        await attempt
    assert refused.value.non_retryable, refused.value
    return refused.value


def context(error: ApplicationError) -> dict[str, Any]:
    """The figures of a definite failure."""
    return dict(error.details[0])
