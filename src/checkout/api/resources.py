"""What the routes of one process share: settings, the database pool, the Temporal client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from temporalio.client import Client

from checkout.runtime.database import Sessions, create_engine, create_sessions
from checkout.runtime.settings import Settings
from checkout.runtime.temporal import connect


@dataclass(frozen=True)
class Resources:
    """Opened when the application starts, closed when it ends."""

    settings: Settings
    sessions: Sessions
    temporal: Client

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Resources"]:
        """Neither Postgres nor Temporal is reached before the first request that needs it."""
        engine = create_engine(settings, application_name="checkout-api")
        try:
            yield cls(settings, create_sessions(engine), await connect(settings, lazy=True, identity="checkout-api"))
        finally:
            await engine.dispose()


def resources(request: Request) -> Resources:
    """The application's resources."""
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(resources)]
