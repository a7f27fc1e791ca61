"""Changes of checkouts as PostgreSQL tells them: ``NOTIFY checkout_changed``, by the trigger of the first migration."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

CHANNEL = "checkout_changed"


@dataclass(frozen=True)
class Change:
    """A checkout has a new version."""

    checkout_id: str
    version: int


@asynccontextmanager
async def listen(uri: str) -> AsyncIterator[AsyncIterator[Change]]:
    """Changes from here on, over a connection of its own to the libpq URI.

    Raises psycopg.Error where the server is away, also later, out of the iterator; changes made meanwhile are lost.
    """
    connection = await psycopg.AsyncConnection.connect(
        uri,
        autocommit=True,
        application_name="checkout-listen",
        connect_timeout=5,
        # Without keepalives a server that vanished, cable and all, would be listened to for ever.
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )
    async with connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        yield _changes(connection)


async def _changes(connection: "psycopg.AsyncConnection[tuple[object, ...]]") -> AsyncIterator[Change]:
    async for notification in connection.notifies():
        payload = json.loads(notification.payload)
        yield Change(payload["id"], payload["version"])
