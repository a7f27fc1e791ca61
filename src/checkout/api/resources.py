"""What the routes of one process share: settings, the database, the engine, and who watches what."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.api.admin.gateway_health import GatewayHealth
from checkout.api.beside import Beside
from checkout.api.cache import Caches
from checkout.api.changes import Changes
from checkout.api.database import Database
from checkout.api.engine import Engine
from checkout.api.line import Line
from checkout.api.problems import Problem
from checkout.api.protection.guessing import Guesses
from checkout.api.protection.limiting import RateLimits
from checkout.api.protection.windows import Windows
from checkout.api.tally import Tally
from checkout.api.temporal_health import TemporalHealth
from checkout.payments.adapters import event_reader
from checkout.payments.events import Event
from checkout.runtime.database import create_engine
from checkout.runtime.settings import Settings
from checkout.runtime.temporal import connect
from checkout.store.pricing import PriceRules

#: Seconds for which what runs beside the requests is waited for at the end.
GRACE = 2.0


@dataclass(frozen=True)
class Resources:
    """Opened when the application starts, closed when it ends."""

    settings: Settings
    database: Database
    engine: Engine
    beside: Beside
    temporal_health: TemporalHealth
    changes: Changes
    rules: PriceRules
    pool: AsyncEngine
    #: Where starts wait for their turn.
    line: Line
    rate_limits: RateLimits
    guesses: Guesses
    caches: Caches
    tally: Tally
    #: Reads a webhook of the shop's gateway: headers and body.
    read_event: Callable[[Mapping[str, str], bytes], Event]
    gateway_health: GatewayHealth

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Resources"]:
        """Starts also while Postgres and Temporal are away: each is reached by the first request that needs it."""
        pool = create_engine(settings, application_name="checkout-api")
        client = await connect(settings, lazy=True, identity="checkout-api")
        queue = settings.temporal_task_queue
        database = Database(pool)
        windows = Windows(database, None if settings.redis_url is None else settings.redis_url.get_secret_value())
        changes = Changes(settings.require_database_url())
        tally = Tally(database)
        caches = Caches(changes, tally)
        running = [asyncio.create_task(changes.run()), asyncio.create_task(tally.run())]
        try:
            yield cls(
                settings,
                database,
                Engine(client, queue),
                Beside(client, queue),
                TemporalHealth(client, queue),
                changes,
                PriceRules.of(settings),
                pool,
                Line(settings.starts_at_once),
                RateLimits(settings, windows, tally),
                Guesses(settings, windows, tally),
                caches,
                tally,
                event_reader(settings),
                GatewayHealth(settings),
            )
        finally:
            await windows.close()
            for task in running:
                task.cancel()
            # A server that stands still in the middle of a statement does not answer to its cancellation either.
            await asyncio.wait(running, timeout=GRACE)
            with suppress(Problem):
                await tally.flush()
            await pool.dispose()


# FastAPI calls what is not `async` in a thread, which costs more than most of what is depended on.


async def resources(request: Request) -> Resources:
    """The application's resources."""
    found: Resources = request.app.state.resources
    return found


async def database(request: Request) -> Database:
    """The application's database."""
    return (await resources(request)).database


async def temporal_health(request: Request) -> TemporalHealth:
    """What the application's Temporal server says of the shop."""
    return (await resources(request)).temporal_health


async def settings(request: Request) -> Settings:
    """The application's settings."""
    return (await resources(request)).settings


async def rules(request: Request) -> PriceRules:
    """How the shop enters prices."""
    return (await resources(request)).rules


ResourcesDep = Annotated[Resources, Depends(resources)]
DatabaseDep = Annotated[Database, Depends(database)]
TemporalHealthDep = Annotated[TemporalHealth, Depends(temporal_health)]
SettingsDep = Annotated[Settings, Depends(settings)]
RulesDep = Annotated[PriceRules, Depends(rules)]
