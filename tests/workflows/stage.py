"""Checkouts on everything that is real: Temporal, Postgres, the activities, the simulated gateway over HTTP."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from checkout.activities.phase import LOCAL_PATIENCE
from checkout.domain import messages as m
from checkout.domain.ids import new_attempt_id, new_checkout_id
from checkout.listeners.registry import NOBODY, Listeners
from checkout.runtime.database import Sessions, create_sessions, engine_for
from checkout.runtime.mail import Mailer
from checkout.runtime.outgoing import Outgoing
from checkout.store.payments import add_attempt
from checkout.worker import create_activities, create_worker
from tests.support.connections import Connections
from tests.support.gateway import GatewayServer, running_gateway
from tests.support.shop import Basket, Shop
from tests.support.stripe.server import StripeServer
from tests.workflows.engine import Clock, Engine, Run
from tests.workflows.faults import Faults

VISA, DECLINED, POOR = "tok_visa", "tok_chargeDeclined", "tok_insufficientFunds"
APPROVAL = "tok_3ds"
#: Methods without a token; they stand for one here.
PAYPAL, BANK = "paypal", "bank_transfer"

#: Webhooks of tests go to this machine.
ANYWHERE = Outgoing(allow_private=True, allow_http=True)


@dataclass
class Stage:
    """A shop with two products, its gateway, and checkouts of it; ``faults`` are put before the activities."""

    shop: Shop
    gateway: GatewayServer | StripeServer
    engine: AsyncEngine
    client: Client
    clock: Clock
    task_queue: str
    #: Seconds that an unpaid checkout has which is to expire; the clock has to let them pass.
    short_ttl: int = 900
    faults: Faults = field(default_factory=Faults)
    #: Who hears of the checkouts' events, from the next worker on, and how e-mails leave.
    listeners: Listeners = NOBODY
    mailer: Mailer | None = None
    outgoing: Outgoing = ANYWHERE

    @property
    def sessions(self) -> Sessions:
        """Sessions on the shop's database."""
        return self.shop.sessions

    @contextlib.asynccontextmanager
    async def worker(self, *, cached: int = 1000, grace: float = 1) -> AsyncIterator[None]:
        """A worker as it is run, unsandboxed; it held no connection to the database while it called the gateway."""
        adapter = self.gateway.adapter()
        connections = Connections(self.engine)
        try:
            async with create_worker(
                self.client,
                create_activities(
                    self.sessions,
                    connections.watching(adapter),
                    listeners=self.listeners,
                    mailer=self.mailer,
                    outgoing=self.outgoing,
                ),
                task_queue=self.task_queue,
                grace=timedelta(seconds=grace),
                cached=cached,
                interceptors=[self.faults],
            ):
                yield
            assert not connections.offences, connections.offences
        finally:
            await adapter.close()

    async def cart(self, **lines: int) -> Basket:
        """A cart, ready to be checked out, of two mugs and a lamp unless told otherwise."""
        return await self.shop.cart(lines or {"MUG": 2, "LAMP": 1})

    def checkout(self, basket: Basket, **changes: Any) -> m.CheckoutInput:
        """The start of a checkout of the cart."""
        values: dict[str, Any] = {
            "checkout_id": new_checkout_id(basket.cart_id),
            "cart_id": basket.cart_id,
            "session_id": basket.session_id,
            "customer_id": basket.customer_id,
        }
        return m.CheckoutInput(**{**values, **changes})

    async def start(
        self, basket: Basket | None = None, token: str | None = None, **changes: Any
    ) -> tuple[Run, m.CheckoutView]:
        """Starts a checkout as the API does, paid at once when a token is given, and waits for the answer."""
        checkout = await self._prepared(basket, token, changes)
        return await self._engine().start(checkout)

    async def launch(self, basket: Basket | None = None, token: str | None = None, **changes: Any) -> Run:
        """Starts a checkout without waiting for an answer."""
        return await self._engine().launch(await self._prepared(basket, token, changes))

    async def again(self, run: Run) -> tuple[Run, m.CheckoutView]:
        """The same checkout in another run, as after a reset."""
        return await self._engine().start(run.checkout)

    async def attempt(self, run: Run, token: str = VISA) -> m.PayRequest:
        """Keeps how the buyer wants to pay, as the API does before it asks the workflow."""
        return m.PayRequest(await self._keep(run.checkout, token))

    async def pay(self, run: Run, token: str = VISA) -> m.CheckoutView:
        """Pays, and waits for what came of it."""
        return await run.pay((await self.attempt(run, token)).attempt_id)

    async def act(self, run: Run, outcome: str, amount: int | None = None) -> None:
        """What the buyer, or his bank, does at the gateway, at the address that the checkout shows."""
        await self.act_at(str((await self.row(run))["next_action"]["url"]), outcome, amount)

    async def act_at(self, url: str, outcome: str, amount: int | None = None) -> None:
        """The same at an address that was shown before."""
        body = {"outcome": outcome} if amount is None else {"outcome": outcome, "amount": amount}
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            assert response.status == 200, await response.text()

    async def changed(self, run: Run) -> None:
        """The gateway's event about the attempt that counts."""
        await run.changed(str((await self.row(run))["attempt_id"]))

    async def row(self, run: Run) -> dict[str, Any]:
        """The checkout's row."""
        rows = await self.shop.rows(
            "SELECT to_jsonb(checkouts) FROM checkouts WHERE id = :id", id=run.checkout.checkout_id
        )
        return dict(rows[0][0]) if rows else {}

    async def ledger(self, run: Run | None = None) -> list[dict[str, Any]]:
        """What the gateway did, for one checkout or in all."""
        return await self.gateway.ledger(run.checkout.checkout_id if run else None)

    async def _prepared(self, basket: Basket | None, token: str | None, changes: dict[str, Any]) -> m.CheckoutInput:
        checkout = self.checkout(basket or await self.cart(), **changes)
        if token is None:
            return checkout
        attempt = await self._keep(checkout, token)
        return self.checkout(
            Basket(checkout.cart_id, checkout.session_id, checkout.customer_id),
            **{**changes, "checkout_id": checkout.checkout_id, "attempt_id": attempt},
        )

    async def _keep(self, checkout: m.CheckoutInput, token: str) -> str:
        attempt = new_attempt_id()
        async with self.sessions() as session, session.begin():
            await add_attempt(
                session,
                attempt_id=attempt,
                checkout_id=checkout.checkout_id,
                cart_id=checkout.cart_id,
                gateway=self.gateway.name,
                method=token if token in {PAYPAL, BANK} else "card",
                token=None if token in {PAYPAL, BANK} else token,
            )
        return attempt

    def _engine(self) -> Engine:
        return Engine(self.client, self.clock, self.task_queue)


@contextlib.asynccontextmanager
async def stage_on(
    database_url: str,
    client: Client,
    clock: Clock,
    task_queue: str,
    *,
    short_ttl: int = 900,
    stripe: StripeServer | None = None,
) -> AsyncIterator[Stage]:
    """A stage on an empty, migrated database; no worker runs yet. ``stripe``: in the place of a simulated gateway."""
    engine = engine_for(database_url, application_name="stage", lock_timeout=LOCAL_PATIENCE)
    try:
        with running_gateway(database_url) if stripe is None else contextlib.nullcontext(stripe) as gateway:
            shop = await Shop(create_sessions(engine)).open()
            await shop.product("MUG", price=1500, stock={"FRA": 100})
            await shop.product("LAMP", price=4900, stock={"FRA": 60, "LYS": 60})
            yield Stage(shop, gateway, engine, client, clock, task_queue, short_ttl)
    finally:
        await engine.dispose()
