"""Where the runs take place: one database, Temporal server, worker and API, and a gateway for each lane.

A lane has one run at a time, so the faults of its gateway, and those before its activities, are this run's alone.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import aiohttp
import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from checkout.activities.phase import LOCAL_PATIENCE
from checkout.activities.reconciliation import Reconciling
from checkout.api.app import create_app
from checkout.domain.reconciliation import ReconciliationInput
from checkout.payments.port import Gateway, Payment
from checkout.payments.simulated.courier import Endpoint
from checkout.runtime.database import create_sessions, engine_for
from checkout.runtime.settings import load_settings
from checkout.worker import create_activities, create_worker
from tests.support.connections import CALLS, Connections
from tests.support.databases import fresh_database
from tests.support.gateway import API_KEY, WEBHOOK_SECRET, GatewayServer, running_gateway
from tests.support.http import serve
from tests.support.invariants import check_invariants
from tests.support.shop import Shop
from tests.support.temporal import temporal_environment, temporal_settings
from tests.workflows.faults import Faults, Late
from tests.workflows.stage import Stage

#: Runs under way at once. Most of a run is waiting: for retries, webhooks, and each other's turn on the processor.
LANES = 8
_lane: ContextVar["Lane"] = ContextVar("lane")


@dataclass
class Lane:
    """A gateway of its own, the stage around it, and what the run on it asked of the gateway by which keys."""

    stage: Stage
    gateway: "Keyed"
    http: aiohttp.ClientSession
    database: psycopg.AsyncConnection[tuple[Any, ...]]

    async def fault(self, **body: Any) -> None:
        """Put a fault on."""
        async with self.http.post(f"{self.stage.gateway.url}/faults", json=body, headers=_AUTHORIZED) as answer:
            assert answer.status == 201, await answer.text()

    async def behave(self) -> None:
        """Take every fault off, of the gateway and of the worker."""
        self.stage.faults.clear()
        async with self.http.delete(f"{self.stage.gateway.url}/faults", headers=_AUTHORIZED) as answer:
            assert answer.status == 200

    async def books(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the gateway's own tables."""
        cursor = await self.database.execute(statement.encode(), values or None)
        return await cursor.fetchall() if cursor.description else []


_AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}


@dataclass
class Theatre:
    """All lanes, and which of them a checkout runs on."""

    engine: AsyncEngine
    connections: Connections
    lanes: list[Lane]
    on: dict[str, Lane]

    async def check(self, lane: Lane) -> None:
        """Raise AssertionError with what breaks a guarantee in the whole store, or in the books of this lane's gateway.

        The lane has no run; those of the others go on.
        """
        assert not self.connections.offences, self.connections.offences
        await check_invariants(self.engine, await lane.stage.ledger(), at_rest=False, gateway_errs=True)

    async def check_all(self) -> None:
        """As :meth:`check`, for all lanes once every run has ended: nor is at a gateway what cannot be explained."""
        ledger = [item for lane in self.lanes for item in await lane.stage.ledger()]
        await check_invariants(self.engine, ledger, gateway_errs=True)
        for lane in self.lanes:
            reconciliation = Reconciling(lane.stage.sessions, cast(Gateway, lane.gateway))
            found = await ActivityEnvironment().run(reconciliation.find, ReconciliationInput())
            assert not found.count, f"at the gateway, and unexplained: {found.findings}"


class Stuck(Late):
    """An attempt that stands still in its n-th call of the gateway, before it leaves or after it was answered.

    Nobody waits for it any more, and it goes on when it is woken: what it checked before the call is of long ago.
    """

    def __init__(self, call: int, when: str) -> None:
        super().__init__()
        self._calls, self._when = call, when
        self._stands = asyncio.Event()

    async def __call__(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """What comes of the attempt, unless it stands still."""
        _stuck.set(self)
        self._attempt = asyncio.ensure_future(attempt())
        standing = asyncio.create_task(self._stands.wait())
        await asyncio.wait({self._attempt, standing}, return_when=asyncio.FIRST_COMPLETED)
        standing.cancel()
        if self._attempt.done():
            self._woken.set()
            return await self._attempt
        raise ConnectionError("the worker was paused in a call of the gateway")

    async def at(self, when: str) -> None:
        """The attempt is before a call, or after it."""
        if when == "before":
            self._calls -= 1
        if self._calls == 0 and when == self._when:
            self._stands.set()
            await self._woken.wait()


_stuck: ContextVar[Stuck | None] = ContextVar("stuck", default=None)


class Keyed:
    """A gateway's adapter that notes by which key each operation on a payment was asked for."""

    def __init__(self, real: Gateway) -> None:
        self._real = real
        self.keys: dict[tuple[str, ...], set[str]] = defaultdict(set)

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._real, name)
        return self._noting(name, asked) if name in CALLS else asked

    def _noting(self, name: str, ask: Callable[..., Awaitable[Payment]]) -> Callable[..., Awaitable[Payment]]:
        async def noted(*payment_id: str, **values: Any) -> Payment:
            if name in {"confirm", "capture", "cancel"}:
                self.keys[name, *payment_id].add(values["key"])
            stuck = _stuck.get()
            if stuck is not None:
                await stuck.at("before")
            answer = await ask(*payment_id, **values)
            if stuck is not None:
                await stuck.at("after")
            return answer

        return noted


class _OfTheLane:
    """The gateway of the lane whose activity calls it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_lane.get().gateway, name)


class _Lanes(Interceptor):
    """Leads each activity to its checkout's lane: to that lane's gateway, and past the faults put before it."""

    def __init__(self, on: dict[str, Lane]) -> None:
        self._on = on

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        on = self._on

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's
                lane = on[input.args[0].checkout_id]
                _lane.set(lane)
                return await lane.stage.faults.intercept_activity(self.next).execute_activity(input)

        return Inbound(next)


@contextlib.asynccontextmanager
async def theatre(database_url: str, lanes: int = LANES) -> AsyncIterator[Theatre]:
    """Everything, for as long as the context lasts."""
    async with contextlib.AsyncExitStack() as running:
        temporal = await running.enter_async_context(temporal_environment())
        engine = engine_for(database_url, application_name="chaos", pool_size=20, lock_timeout=LOCAL_PATIENCE)
        running.push_async_callback(engine.dispose)
        shop = await Shop(create_sessions(engine)).open()
        await shop.product("MUG", price=1500, stock={"FRA": 1_000_000})
        await shop.product("LAMP", price=4900, stock={"FRA": 600_000, "LYS": 600_000})
        there = temporal_settings()
        api = running.enter_context(
            serve(
                create_app(
                    load_settings(
                        database_url=database_url,
                        temporal_address=there.temporal_address,
                        temporal_namespace=there.temporal_namespace,
                        temporal_task_queue=temporal.task_queue,
                        secret_key="secret-key-of-the-tests-" + "x" * 40,
                        admin_token="admin-token-of-the-tests",
                        gateway_webhook_secret=WEBHOOK_SECRET,
                    )
                )
            )
        )
        endpoint = Endpoint(url=f"{api}/payments/webhooks/simulated", secret=WEBHOOK_SECRET, first_retry=0.1)
        http = await running.enter_async_context(aiohttp.ClientSession())
        on: dict[str, Lane] = {}
        connections = Connections(engine)
        made = []
        for _ in range(lanes):
            uri = running.enter_context(fresh_database())
            server: GatewayServer = running.enter_context(running_gateway(uri, endpoint=endpoint))
            adapter = server.adapter()
            books = await running.enter_async_context(await psycopg.AsyncConnection.connect(uri, autocommit=True))
            running.push_async_callback(adapter.close)
            stage = Stage(shop, server, engine, temporal.client, temporal, temporal.task_queue, faults=Faults())
            made.append(Lane(stage, Keyed(connections.watching(adapter)), http, books))
        worker = create_worker(
            temporal.client,
            create_activities(shop.sessions, cast(Gateway, _OfTheLane())),
            task_queue=temporal.task_queue,
            grace=timedelta(seconds=1),
            interceptors=[_Lanes(on)],
        )
        async with worker:
            yield Theatre(engine, connections, made, on)
