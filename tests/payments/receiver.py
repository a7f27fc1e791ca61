"""A shop's end of the webhooks: takes events in over real HTTP, and answers what it is told to."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from checkout.payments.events import Event
from checkout.payments.simulated.client import SimulatedGateway
from checkout.payments.simulated.courier import Endpoint
from tests.support.gateway import API_KEY, WEBHOOK_SECRET
from tests.support.http import serve
from tests.support.waiting import eventually


@dataclass
class Receiver:
    """``events``: those that came, in order, each with a signature that is right; ``statuses``: what to answer."""

    url: str = ""
    events: list[Event] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @property
    def endpoint(self) -> Endpoint:
        """This receiver, as the gateway is told of it. However slow the machine, nobody takes an event from another."""
        url = f"{self.url}/payments/webhooks/simulated"
        return Endpoint(url=url, secret=WEBHOOK_SECRET, first_retry=0.05, lease=3600)

    def types(self) -> list[str]:
        """The types of the events that came."""
        return [event.type for event in self.events]

    async def has(self, count: int) -> None:
        """Waits until so many events have come."""

        async def there() -> bool:
            return len(self.events) >= count

        await eventually(there, f"{count} events came")

    async def take(self, request: Request) -> Response:
        """One webhook."""
        adapter = SimulatedGateway("http://nowhere.invalid", API_KEY, webhook_secret=WEBHOOK_SECRET)
        self.events.append(adapter.parse_event(request.headers, await request.body()))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 204)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver while the context lasts."""
    receiver = Receiver()
    app = Starlette(routes=[Route("/payments/webhooks/simulated", receiver.take, methods=["POST"])])
    with serve(app) as receiver.url:
        yield receiver
