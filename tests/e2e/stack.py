"""`checkout dev` as a user runs it, whose processes can be killed, paused and kept waiting."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.support.dev import Dev
from tests.support.stripe import server as stripe_server
from tests.support.stripe.server import StripeServer
from tests.support.waiting import eventually

SECRET_KEY = "end-to-end-secret-key-of-no-value-elsewhere"
#: Seconds after which a repeat takes over from an API that died.
LEASE = 2
PROCESSES = ("worker", "api", "gateway", "temporal", "postgres")


class Stack(Dev):
    """All processes of the shop. ``kill`` ends one the hard way; `checkout dev` starts it again."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            directory,
            {
                "CHECKOUT_SECRET_KEY": SECRET_KEY,
                "CHECKOUT_IDEMPOTENCY_LEASE": str(LEASE),
                # Whatever is killed, paused or slow here is looked at all the time: the audit leaves it alone.
                "CHECKOUT_AUDIT_EVERY": "2",
                "CHECKOUT_AUDIT_GRACE": "0",
                # Receivers of webhooks are on this machine.
                "CHECKOUT_WEBHOOK_ALLOW_PRIVATE": "true",
            },
        )
        self.url = f"http://127.0.0.1:{self.environment['CHECKOUT_HTTP_PORT']}"

    @property
    def database_url(self) -> str:
        """The libpq URI of the shop's database."""
        return str(self.described()["postgres"]["url"])

    def run(self, *arguments: str) -> str:
        """Run a ``checkout`` command on this stack that must go well; gives its output."""
        done = self.command(*arguments)
        assert done.returncode == 0, f"checkout {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    async def kill(self, name: str) -> None:
        """End a process by SIGKILL, and return once another runs in its place and the shop says that it is ready."""
        killed = self.pid(name)
        os.kill(killed, signal.SIGKILL)

        async def replaced() -> bool:
            return self.described()[name]["pid"] not in {killed, None}

        await eventually(replaced, f"{name} is started again")
        await self.until_ready()

    async def until_ready(self) -> None:
        """Return once the API answers that database, Temporal and a worker are there, and the gateway answers too."""
        async with httpx.AsyncClient(timeout=10) as client:

            async def ready() -> bool:
                with contextlib.suppress(httpx.HTTPError):
                    gateway = self.described()["gateway"]  # None where it is not one of ours
                    addresses = [f"{self.url}/health/ready", *([f"{gateway['url']}/health"] if gateway else [])]
                    return all([(await client.get(address)).status_code == 200 for address in addresses])
                return False

            await eventually(ready, f"the shop is ready again; checkout dev said:\n{self.said()}")

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """A process that neither answers nor ends, for as long as the block runs."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def ledger(self) -> list[dict[str, Any]]:
        """All that the gateway did."""
        async with httpx.AsyncClient(timeout=30) as client:
            response = await client.get(f"{self.described()['gateway']['url']}/ledger")
        assert response.status_code == 200, response.text
        items: list[dict[str, Any]] = response.json()["items"]
        return items

    async def ledger_of(self, checkout_id: str) -> list[dict[str, Any]]:
        """What the gateway did for one checkout."""
        return [item for item in await self.ledger() if item["checkout_id"] == checkout_id]

    @contextlib.asynccontextmanager
    async def holding(self, statement: str, values: Mapping[str, object]) -> AsyncIterator["Hold"]:
        """Keep the locks that a statement takes, until the block ends or the server does."""
        connection = await psycopg.AsyncConnection.connect(self.database_url)
        try:
            await connection.execute(statement.encode(), values)
            yield Hold(self.database_url, connection.info.backend_pid)
        finally:
            with contextlib.suppress(psycopg.Error):
                await connection.rollback()
            await connection.close()


class StripeStack(Stack):
    """The same with Stripe as its payment gateway: the extended localstripe, which sends its events here."""

    def __init__(self, directory: Path, stripe: StripeServer) -> None:
        super().__init__(directory)
        self.stripe = stripe
        self.environment |= {
            "CHECKOUT_PAYMENT_GATEWAY": "stripe",
            "CHECKOUT_STRIPE_SECRET_KEY": stripe_server.SECRET_KEY,
            "CHECKOUT_STRIPE_WEBHOOK_SECRET": stripe_server.WEBHOOK_SECRET,
            "CHECKOUT_STRIPE_API_BASE": stripe.url,
            "CHECKOUT_RETURN_URL": stripe_server.RETURN_URL,
        }
        stripe.tell(f"{self.url}/payments/webhooks/stripe")

    async def ledger(self) -> list[dict[str, Any]]:
        """All that Stripe did, as the adapter reads it."""
        return await self.stripe.ledger()


class Hold:
    """Locks that a test holds, so that whoever needs them stands still in the middle of its work."""

    def __init__(self, database_url: str, backend: int) -> None:
        self._database_url = database_url
        self._backend = backend

    async def until_felt(self) -> None:
        """Return once some statement waits for these locks."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
        async with await psycopg.AsyncConnection.connect(self._database_url, autocommit=True) as connection:

            async def waited_for() -> bool:
                row = await (await connection.execute(query, [self._backend])).fetchone()
                return row is not None and bool(row[0])

            await eventually(waited_for, "somebody waits for the locks that are held")
