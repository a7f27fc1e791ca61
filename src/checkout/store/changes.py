"""Changes of checkouts as PostgreSQL tells them: ``NOTIFY checkout_changed``, by triggers of the migrations.

A connection that has gone quiet looks like one on which nothing changes. So it talks to itself: what it sends comes
back behind all that was committed before, since PostgreSQL keeps notifications in the order of their commits. An echo
therefore says up to when everything has been told.
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg.sql import SQL, Identifier

CHANNEL = "checkout_changed"
#: Seconds between two echoes.
BEAT = 0.25


@dataclass(frozen=True)
class Change:
    """A checkout has a new version, or something that is shown with it has changed."""

    checkout_id: str
    version: int


@dataclass(frozen=True)
class Echo:
    """All that was committed before ``sent``, by this process's monotonic clock, has been told."""

    sent: float


@asynccontextmanager
async def listen(uri: str) -> AsyncIterator[AsyncIterator[Change | Echo]]:
    """Changes from here on, and echoes, over a connection of its own to the libpq URI.

    Raises psycopg.Error where the server is away, also later, out of the iterator; changes made meanwhile are lost.
    """
    connection = await psycopg.AsyncConnection.connect(
        uri,
        autocommit=True,
        application_name="checkout-listen",
        connect_timeout=5,
        # Without these a server that vanished, cable and all, would be listened and talked to for ever.
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )
    async with connection:
        # An echo need not survive a crash of the server, so it waits for no disk.
        await connection.execute("SET synchronous_commit = off")
        own = f"checkout_echo_{connection.info.backend_pid}"
        await connection.execute(SQL("LISTEN {}; LISTEN {}").format(Identifier(CHANNEL), Identifier(own)))
        yield _told(connection, own)


async def _told(connection: "psycopg.AsyncConnection[tuple[object, ...]]", own: str) -> AsyncIterator[Change | Echo]:
    while True:
        await connection.execute("SELECT pg_notify(%s, %s)", (own, repr(time.monotonic())))
        async for notification in connection.notifies(timeout=BEAT):
            if notification.channel == own:
                yield Echo(float(notification.payload))
            else:
                payload = json.loads(notification.payload)
                yield Change(payload["id"], payload["version"])
