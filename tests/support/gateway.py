"""The simulated gateway as the tests run it: over real HTTP, with rows in a real database."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

import aiohttp

from checkout.payments.events import Event
from checkout.payments.methods import Method
from checkout.payments.port import Gateway, Payment
from checkout.payments.simulated.client import SimulatedGateway
from checkout.payments.simulated.courier import Endpoint
from checkout.payments.simulated.server import create_app
from tests.support.http import serve

API_KEY = "gateway-key-of-the-tests"
WEBHOOK_SECRET = "webhook-secret-of-the-tests"


class GatewayServer:
    """A simulated gateway on a database; ``port`` 0 takes any that is free. Its events go to ``endpoint``, if any."""

    name = "simulated"

    def __init__(self, database_url: str, port: int = 0, endpoint: Endpoint | None = None) -> None:
        self.database_url = database_url
        self.endpoint = endpoint
        self.url = ""
        self._port = port
        self._running = ExitStack()

    def start(self) -> None:
        """Start it and wait until it answers."""
        app = create_app(self.database_url, API_KEY, endpoint=self.endpoint)
        self.url = self._running.enter_context(serve(app, self._port))

    def stop(self) -> None:
        """Stop it; from now on connections are refused."""
        self._running.close()

    def adapter(self, **options: Any) -> SimulatedGateway:
        """A shop's adapter to this gateway."""
        return SimulatedGateway(self.url, API_KEY, **{"webhook_secret": WEBHOOK_SECRET} | options)

    async def ledger(self, checkout_id: str | None = None) -> list[dict[str, Any]]:
        """The items of ``GET /ledger``, of one checkout when it is given."""
        params = {} if checkout_id is None else {"checkout_id": checkout_id}
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/ledger", params=params) as response:
            assert response.status == 200
            return list((await response.json())["items"])


async def act(session: aiohttp.ClientSession, payment: Payment, outcome: str, amount: int | None = None) -> None:
    """What a buyer or his bank does at the address of the payment's next action, as JSON."""
    assert payment.next_action is not None
    body = {"outcome": outcome} if amount is None else {"outcome": outcome, "amount": amount}
    async with session.post(payment.next_action.url, json=body) as response:
        assert response.status == 200, await response.text()


@contextmanager
def running_gateway(database_url: str, port: int = 0, endpoint: Endpoint | None = None) -> Iterator[GatewayServer]:
    """A simulated gateway while the context lasts, its rows in the given database.

    One that is to be stopped and started again needs a port of its own (``steady_port``).
    """
    server = GatewayServer(database_url, port, endpoint)
    server.start()
    try:
        yield server
    finally:
        server.stop()


Hook = Callable[[Payment | None], Awaitable[Payment | None]]


class Interposed:
    """A gateway with hooks in the way to the real one: the place where tests delay, lose and race its calls.

    ``before[operation]`` runs before the call leaves; ``after[operation]`` runs once the real gateway has answered, and
    may raise (the answer is lost) or give another payment (the gateway answers something unexpected). ``calls`` lists
    the operations that left, in order.
    """

    def __init__(self, real: Gateway) -> None:
        self.real = real
        self.before: dict[str, Hook] = {}
        self.after: dict[str, Hook] = {}
        self.calls: list[str] = []

    @property
    def name(self) -> str:
        return self.real.name

    @property
    def methods(self) -> tuple[Method, ...]:
        return self.real.methods

    async def create(self, **values: Any) -> Payment:
        return await self._call("create", self.real.create(**values))

    async def confirm(self, payment_id: str, *, key: str, return_url: str | None = None) -> Payment:
        return await self._call("confirm", self.real.confirm(payment_id, key=key, return_url=return_url))

    async def capture(self, payment_id: str, *, amount: int, key: str) -> Payment:
        return await self._call("capture", self.real.capture(payment_id, amount=amount, key=key))

    async def cancel(self, payment_id: str, *, key: str) -> Payment:
        return await self._call("cancel", self.real.cancel(payment_id, key=key))

    async def refund(self, payment_id: str, *, amount: int, key: str) -> Payment:
        return await self._call("refund", self.real.refund(payment_id, amount=amount, key=key))

    async def return_unowed(self, payment_id: str, *, amount: int, key: str) -> Payment:
        return await self._call("return_unowed", self.real.return_unowed(payment_id, amount=amount, key=key))

    async def fetch(self, payment_id: str) -> Payment:
        return await self._call("fetch", self.real.fetch(payment_id))

    def list_payments(self, *, since: datetime) -> AsyncIterator[Payment]:
        return self.real.list_payments(since=since)

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> Event:
        return self.real.parse_event(headers, body)

    async def close(self) -> None:
        await self.real.close()

    async def _call(self, operation: str, call: Coroutine[Any, Any, Payment]) -> Payment:
        try:
            if operation in self.before:
                await self.before[operation](None)
        except BaseException:
            call.close()
            raise
        self.calls.append(operation)
        payment = await call
        if operation in self.after:
            payment = await self.after[operation](payment) or payment
        return payment


def once(hook: Callable[[], Awaitable[Any]]) -> Hook:
    """A hook that acts the first time only and leaves the answer as it is."""
    done = False

    async def run(_: Payment | None) -> None:
        nonlocal done
        if not done:
            done = True
            await hook()

    return run
