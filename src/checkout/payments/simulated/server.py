"""The simulated gateway over HTTP: what there is, and what it is made of.

``POST /payments`` creates, ``POST /payments/{id}/confirm | capture | cancel | refund | return`` changes; ``GET
/payments``, ``/payments/{id}``, ``/ledger`` and ``/events`` show; ``/actions/…`` is the buyer's page; ``POST | GET |
DELETE /faults`` says what goes wrong; ``GET /health`` answers as long as its database does. A shop presents
``Authorization: Bearer <api key>``, and an ``Idempotency-Key`` with whatever changes something.

Answers: 402 declined, 404 unknown payment, 409 refused for good or a key that was used for another request, 422 a
request that cannot be understood, 503 try again. Every answer that is definite is kept under its key and repeated.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette

from checkout.payments.simulated import records
from checkout.payments.simulated.actions import Actions
from checkout.payments.simulated.courier import Courier, Endpoint
from checkout.payments.simulated.faults import Faults
from checkout.payments.simulated.operations import Books, Operations
from checkout.payments.simulated.reports import Reports
from checkout.payments.simulated.requests import EXCEPTION_HANDLERS, Shop
from checkout.runtime.database import engine_for


def create_app(
    database_url: str, api_key: str, *, public_url: str | None = None, endpoint: Endpoint | None = None
) -> Starlette:
    """The gateway as an ASGI application.

    ``database_url`` is a libpq URI; schema and tables are made at start where they are absent. ``api_key`` is what a
    shop must present. ``public_url`` is where buyers reach the gateway, by default where the shop does. ``endpoint``
    is where events go; without one they are kept and not sent.
    """
    if not api_key:
        raise ValueError("the gateway needs an API key")
    engine = engine_for(database_url, application_name="checkout-gateway")
    faults = Faults()
    courier = None if endpoint is None else Courier(engine, endpoint, faults)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            running.push_async_callback(engine.dispose)
            await records.create_schema(engine)
            if courier is not None:
                await running.enter_async_context(courier.running())
            yield

    shop = Shop(api_key)
    books = Books(engine, public_url and public_url.rstrip("/"), None if courier is None else courier.wake)
    return Starlette(
        lifespan=lifespan,
        routes=[
            *Operations(books, shop, faults).routes(),
            *Actions(books).routes(),
            *Reports(books, shop, faults).routes(),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
    )
