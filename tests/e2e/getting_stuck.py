"""How checkouts get stuck, each for one reason, in a shop that is otherwise well."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from checkout.api.app import create_app
from checkout.domain import contract
from checkout.domain import messages as m
from checkout.domain.ids import workflow_id
from checkout.payments.adapters import connect_gateway
from checkout.runtime.database import create_sessions, engine_for
from checkout.runtime.temporal import connect
from checkout.worker import create_activities
from checkout.workflows.checkout import Checkout
from tests.e2e.stack import SECRET_KEY
from tests.e2e.storefront import CARD, Buyer, card, session_token
from tests.support.http import serve
from tests.support.shop import Shop

if TYPE_CHECKING:
    from tests.e2e.stuck import StuckShop

#: Why a checkout is stuck, by a name for it.
REASONS = {
    "database_away": "its worker lost the database, then the buyer paid",
    "row_locked": "somebody holds the row of its stock",
    "gateway_away": "the gateway answers 503 to every capture",
    "undoing_at_a_gateway_away": "released, and the gateway answers 503 to every cancel",
    "gateway_refuses": "released, and the gateway does not know its payment",
    "worker_away": "no worker has ever asked its task queue for work",
    "worker_gone": "the worker that began it is gone, and its deadline has passed",
    "terminated": "somebody terminated its workflow while it waited for its payment",
    "other_code": "a worker with other code began it",
    "poison": "somebody set the reserved units of its stock to 0, and then it was paid",
}
#: What the others came to, by the same word.
ORDINARY = ("completed", "awaiting_payment", "requires_action", "awaiting_funds", "declined", "cancelled", "expired")
#: A signed-in customer, and whose checkouts are hers.
CUSTOMER = "customer_ada"
HERS = ("completed", "awaiting_payment", "cancelled")

#: Task queues beside the shop's: of a worker whose database is cut off, of one that is gone, of none.
CUT_OFF, GONE, NOBODY = "cut-off", "gone", "nobody"
HOUR = 3600
#: The shortest time that a buyer can be given, in seconds.
SHORT = 10


@workflow.defn(name=contract.CHECKOUT_WORKFLOW)
class OtherCode(Checkout):
    """The checkout as another version of the code has it: with a pause before the first phase."""

    @workflow.init
    def __init__(self, checkout: m.CheckoutInput) -> None:
        super().__init__(checkout)

    @workflow.run
    async def run(self, checkout: m.CheckoutInput) -> m.CheckoutResult:
        """After the pause, the same."""
        await workflow.sleep(0.01)
        return await super().run(checkout)


def sku(name: str) -> str:
    """The product that a checkout wants: each has its own."""
    return name.replace("_", "-").upper()


async def get_stuck(stuck: "StuckShop", closing: contextlib.ExitStack) -> dict[str, str]:
    """All of them, and the ordinary ones beside; gives their ids by name. Starts the shop's workers on the way.

    ``closing`` lets go of what is held for as long as they are to be stuck.
    """
    async with _opened(stuck) as given:
        await given.shop.open()
        for name in (*REASONS, *ORDINARY):
            await given.shop.product(sku(name), price=2500, stock=20)
        async with _worker_here(given, stuck.queue, OtherCode), _worker_here(given, GONE, Checkout):
            await asyncio.gather(
                given.waiting("other_code", ttl_seconds=HOUR),
                given.waiting("worker_gone", GONE, ttl_seconds=SHORT),
            )
        stuck.start_workers()
        stuck.held_by = closing.enter_context(row_held(stuck.database_url))
        released = ("undoing_at_a_gateway_away", "gateway_refuses")
        expired = asyncio.create_task(given.expired("expired"))
        await asyncio.gather(
            given.waiting("database_away", CUT_OFF, ttl_seconds=HOUR),
            given.starting("row_locked", ttl_seconds=HOUR),
            given.starting("worker_away", NOBODY, ttl_seconds=HOUR),
            *(given.waiting(name, ttl_seconds=HOUR) for name in ("gateway_away", "terminated", "poison")),
            *(given.paid(name, card("tok_3ds"), "requires_action") for name in (*released, "requires_action")),
            given.paid("completed", CARD, "completed"),
            given.waiting("awaiting_payment", ttl_seconds=HOUR),
            given.paid("awaiting_funds", {"method": "bank_transfer"}, "awaiting_funds"),
            given.declined("declined"),
            given.cancelled("cancelled"),
        )
        await _spoil(given)
        await asyncio.gather(
            *(given.pay(name) for name in ("gateway_away", "database_away")),
            *(given.release(name) for name in released),
            given.handle("other_code").signal(contract.RETRY),
            expired,
        )
        return given.checkouts


async def _spoil(given: "_Given") -> None:
    """What is wrong from now on."""
    reserved_nothing = "UPDATE stock SET reserved = 0 FROM variants v WHERE v.id = variant_id AND v.sku = :sku"
    await given.shop.execute(reserved_nothing, sku=sku("poison"))
    lost = "UPDATE payment_attempts SET gateway_payment_id = 'gw_lost' WHERE checkout_id = :id"
    await given.shop.execute(lost, id=given.checkouts["gateway_refuses"])
    await given.handle("terminated").terminate("by mistake")
    await given.pay("poison", until="committing")
    for operation in ("capture", "cancel"):
        await given.fault(operation)
    given.stuck.cable.cut()


@contextlib.contextmanager
def row_held(database_url: str) -> Iterator[int]:
    """Keep the row locked that ``row_locked`` wants; gives the pid of the database's process that does."""
    # Closed, not committed: a test may have ended it.
    with contextlib.closing(psycopg.connect(database_url, application_name="a-forgotten-psql")) as connection:
        connection.execute(
            "SELECT 1 FROM stock JOIN variants v ON v.id = variant_id WHERE v.sku = %s FOR UPDATE OF stock",
            [sku("row_locked")],
        )
        yield connection.info.backend_pid


@dataclass
class _Given:
    """The shop while checkouts in it get stuck, and the ids of those that have begun."""

    stuck: "StuckShop"
    shop: Shop
    temporal: Client
    http: httpx.AsyncClient
    closing: contextlib.AsyncExitStack
    checkouts: dict[str, str] = field(default_factory=dict)
    buyers: dict[str, Buyer] = field(default_factory=dict)
    _apis: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    async def starting(self, name: str, queue: str | None = None, **options: Any) -> Buyer:
        """A checkout of that product, begun by an API on a task queue; it may get no further."""
        token = session_token(SECRET_KEY, f"ses_{name}", CUSTOMER if name in HERS else None)
        buyer = self.buyers[name] = Buyer(await self._api_on(queue), token)
        await buyer.fill({sku(name): 2})
        answer = await buyer.start(**options)
        assert answer.status_code in {201, 202}, f"{name}: {answer.text}"
        self.checkouts[name] = buyer.checkout_id
        return buyer

    async def waiting(self, name: str, queue: str | None = None, **options: Any) -> Buyer:
        """One that waits for its payment."""
        buyer = await self.starting(name, queue, **options)
        await buyer.until(lambda checkout: checkout["state"] == "awaiting_payment")
        return buyer

    async def pay(self, name: str, method: Mapping[str, str] = CARD, *, until: str | None = None) -> None:
        """Pay for one that waits, and see it get there."""
        buyer = self.buyers[name]
        answer = await buyer.call("POST", f"{buyer.path}/payment", dict(method))
        assert answer.status_code in {200, 202}, f"{name}: {answer.text}"
        if until is not None:
            await buyer.until(lambda checkout: checkout["state"] == until)

    async def paid(self, name: str, method: Mapping[str, str], until: str) -> None:
        """One that is paid at once, as far as it gets."""
        await self.waiting(name, ttl_seconds=HOUR)
        await self.pay(name, method, until=until)

    async def declined(self, name: str) -> None:
        """One that fails at its payment."""
        buyer = await self.waiting(name)
        for _ in range(3):
            answer = await buyer.pay("tok_chargeDeclined")
            assert answer.status_code == 402, answer.text
        assert (await buyer.until_closed())["state"] == "failed"

    async def cancelled(self, name: str) -> None:
        """One that its buyer cancels."""
        buyer = await self.waiting(name)
        await buyer.expect(200, "POST", f"{buyer.path}/cancel")

    async def expired(self, name: str) -> None:
        """One that nobody pays."""
        buyer = await self.waiting(name, ttl_seconds=SHORT)
        assert (await buyer.until_closed())["state"] == "expired"

    async def release(self, name: str) -> None:
        """Have ops give it back; its compensation at the gateway does not get done."""
        path = f"/admin/checkouts/{self.checkouts[name]}/release"
        answer = await self.http.post(path, json={"reason": "the buyer called"}, headers=self.stuck.admin)
        assert answer.status_code == 202, answer.text

    async def fault(self, operation: str) -> None:
        """Have the gateway answer 503 to every such call from now on."""
        key = self.stuck.environment["CHECKOUT_GATEWAY_API_KEY"]
        answer = await self.http.post(
            f"{self.stuck.described()['gateway']['url']}/faults",
            json={"operation": operation, "fault": "error"},
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.is_success, answer.text

    def handle(self, name: str) -> WorkflowHandle[Any, Any]:
        """Its workflow."""
        return self.temporal.get_workflow_handle(workflow_id(self.buyers[name].cart_id))

    async def _api_on(self, queue: str | None) -> httpx.AsyncClient:
        """The shop's API, or one whose checkouts go to another task queue."""
        if queue is None:
            return self.http
        if queue not in self._apis:
            url = self.closing.enter_context(serve(create_app(self.stuck.settings(queue))))
            self._apis[queue] = await self.closing.enter_async_context(httpx.AsyncClient(base_url=url, timeout=90))
        return self._apis[queue]


@contextlib.asynccontextmanager
async def _opened(stuck: "StuckShop") -> AsyncIterator[_Given]:
    engine = engine_for(stuck.database_url, application_name="test")
    async with contextlib.AsyncExitStack() as closing:
        closing.push_async_callback(engine.dispose)
        http = await closing.enter_async_context(httpx.AsyncClient(base_url=stuck.url, timeout=90))
        temporal = await connect(stuck.settings())
        yield _Given(stuck, Shop(create_sessions(engine)), temporal, http, closing)


@contextlib.asynccontextmanager
async def _worker_here(given: _Given, queue: str, code: type[Any]) -> AsyncIterator[None]:
    """A worker in this process with such code of the checkout, while the context lasts."""
    gateway = connect_gateway(given.stuck.settings())
    try:
        async with Worker(
            given.temporal,
            task_queue=queue,
            workflows=[code],
            activities=create_activities(given.shop.sessions, gateway),
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            yield
    finally:
        await gateway.close()
