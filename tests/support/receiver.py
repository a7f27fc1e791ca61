"""A receiver of webhooks on real HTTP: keeps what comes, checks its signature by the library, and answers as told."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tests.support.http import serve

HANGS = -1


@dataclass
class Receiver:
    """``received`` has each message with its id, as the library verified it. ``answers`` are the next statuses."""

    url: str = ""
    secret: str = ""
    received: list[tuple[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    always: int = 200
    #: Ids of messages that are answered 500, however often they come.
    stomachs_not: set[str] = field(default_factory=set)
    #: Set when a request has come in that hangs.
    hanging: threading.Event = field(default_factory=threading.Event)

    async def handle(self, request: Request) -> Response:
        """A message."""
        body = await request.body()
        try:
            message = Webhook(self.secret).verify(body, dict(request.headers))
        except Exception as error:  # noqa: BLE001 - told to the test
            self.refused.append(type(error).__name__)
            return Response(status_code=401)
        self.received.append((request.headers["webhook-id"], message))
        status = self.answers.pop(0) if self.answers else self.always
        if request.headers["webhook-id"] in self.stomachs_not:
            status = 500
        if status == HANGS:
            self.hanging.set()
            await asyncio.sleep(3600)
        if 300 <= status < 400:
            return RedirectResponse("/elsewhere", status)
        return Response("personal words of the receiver", status)

    @property
    def types(self) -> list[str]:
        """Which events came."""
        return [message["type"] for _, message in self.received]


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver while the context lasts."""
    made = Receiver()

    async def elsewhere(_: Request) -> Response:
        made.received.append(("redirected", {"type": "redirected"}))
        return Response()

    routes = [
        Route("/hook", made.handle, methods=["POST"]),
        Route("/elsewhere", elsewhere, methods=["GET", "POST"]),
    ]
    with serve(Starlette(routes=routes)) as url:
        made.url = f"{url}/hook"
        yield made
