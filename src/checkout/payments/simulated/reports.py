"""What the gateway shows: payments, its ledger, its events, the faults that are on, its health."""

from datetime import UTC, datetime

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from checkout.payments.simulated import outbox, records
from checkout.payments.simulated.faults import FaultBody, Faults
from checkout.payments.simulated.messages import ledger_json, payment_json
from checkout.payments.simulated.operations import Books, unknown, with_faults
from checkout.payments.simulated.requests import Problem, Shop, parse, read_limited

#: Payments in one answer.
PAGE = 100


class Reports:
    """The routes that change no payment."""

    def __init__(self, books: Books, shop: Shop, faults: Faults) -> None:
        self._books, self._engine, self._shop, self._faults = books, books.engine, shop, faults

    def routes(self) -> list[Route]:
        """The ledger and the health need no key: they are for whoever wonders what happened."""
        return [
            Route("/payments", with_faults(self._faults, "list", self._list)),
            Route("/payments/{payment_id}", with_faults(self._faults, "fetch", self._fetch)),
            Route("/ledger", self._ledger),
            Route("/events", self._events),
            Route("/faults", self._show_faults),
            Route("/faults", self._add_fault, methods=["POST"]),
            Route("/faults", self._clear_faults, methods=["DELETE"]),
            Route("/health", self._health),
        ]

    async def _fetch(self, request: Request) -> Response:
        self._shop.authenticate(request)
        async with self._engine.connect() as connection:
            record = await records.find(connection, request.path_params["payment_id"])
        if record is None:
            raise unknown(request)
        return JSONResponse(payment_json(record, self._books.base_url(request)))

    async def _list(self, request: Request) -> Response:
        """``?since=`` (RFC 3339), oldest first; then ``?cursor=``, as the page before said."""
        self._shop.authenticate(request)
        since, after = _position(request)
        async with self._engine.connect() as connection:
            found = await records.page(connection, since, after, PAGE)
        cursor = None
        if len(found) == PAGE:
            created, last = found[-1]
            cursor = f"{created.isoformat()}/{last.payment_id}"
        base_url = self._books.base_url(request)
        return JSONResponse({"items": [payment_json(record, base_url) for _, record in found], "next_cursor": cursor})

    async def _ledger(self, request: Request) -> Response:
        async with self._engine.connect() as connection:
            approved = await records.approved(connection, request.query_params.get("checkout_id"))
        return JSONResponse({"items": [ledger_json(record) for record in approved]})

    async def _events(self, request: Request) -> Response:
        """``?payment_id=``: what there was to tell the shop, and what became of it, newest first."""
        self._shop.authenticate(request)
        async with self._engine.connect() as connection:
            items = await outbox.listing(connection, request.query_params.get("payment_id"))
        return JSONResponse({"items": items})

    async def _show_faults(self, request: Request) -> Response:
        self._shop.authenticate(request)
        return JSONResponse(self._faults.document())

    async def _add_fault(self, request: Request) -> Response:
        self._shop.authenticate(request)
        self._faults.add(parse(FaultBody, await read_limited(request)))
        return JSONResponse(self._faults.document(), 201)

    async def _clear_faults(self, request: Request) -> Response:
        self._shop.authenticate(request)
        self._faults.clear()
        return JSONResponse(self._faults.document())

    async def _health(self, _: Request) -> Response:
        async with self._engine.connect() as connection:
            await connection.execute(sa.text("SELECT 1"))
        return JSONResponse({"status": "ok"})


def _position(request: Request) -> tuple[datetime, str]:
    """From when, and beyond which payment of that moment, the list goes on."""
    cursor = request.query_params.get("cursor")
    moment, _, after = cursor.partition("/") if cursor else (request.query_params.get("since", ""), "", "")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), after
    except (ValueError, OverflowError):
        raise Problem(
            422, "invalid_request", "since: a time as RFC 3339 has it is needed, or the last page's cursor"
        ) from None
