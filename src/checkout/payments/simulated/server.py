"""The simulated gateway over HTTP: routes, the API key, idempotency keys.

``POST /payments`` creates, ``POST /payments/{id}/confirm | capture | cancel | refund`` changes, ``GET /payments/{id}``
and ``GET /ledger`` show, ``GET /health`` answers as long as its database does. What changes something needs
``Authorization: Bearer <api key>`` and an ``Idempotency-Key``.

Answers: 402 declined, 404 unknown payment, 409 refused for good or a key that was used for another request, 422 a
request that cannot be understood, 503 try again. Every answer that is definite is kept under its key and repeated.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from checkout.payments.port import GatewayStatus
from checkout.payments.simulated import records, rules
from checkout.payments.simulated.messages import (
    AmountBody,
    Body,
    CreateBody,
    EmptyBody,
    error_json,
    ledger_json,
    payment_json,
)
from checkout.payments.simulated.records import Answer
from checkout.payments.simulated.rules import Record
from checkout.payments.simulated.tokens import card
from checkout.runtime.database import engine_for

MAX_BODY = 64 * 1024
MAX_KEY = 255
#: A repeat loses a race at most once for each transaction that commits before it; more means something else is wrong.
RACES = 5

B = TypeVar("B", bound=Body)
Transition = Callable[[Record], Record]


class Problem(Exception):
    """A request that is answered with an error which is not kept under its idempotency key."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        kind = "api_error" if status >= 500 else "invalid_request"
        self.body = error_json(kind, code, message)


def create_app(database_url: str, api_key: str) -> Starlette:
    """The gateway as an ASGI application.

    ``database_url`` is a libpq URI; schema and tables are made at start where they are absent. ``api_key`` is what a
    shop must present.
    """
    if not api_key:
        raise ValueError("the gateway needs an API key")
    engine = engine_for(database_url, application_name="checkout-gateway")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await records.create_schema(engine)
        yield
        await engine.dispose()

    gateway = _Routes(engine, api_key)
    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/payments", gateway.create, methods=["POST"]),
            Route("/payments/{payment_id}", gateway.fetch),
            Route("/payments/{payment_id}/confirm", gateway.confirm, methods=["POST"]),
            Route("/payments/{payment_id}/capture", gateway.capture, methods=["POST"]),
            Route("/payments/{payment_id}/cancel", gateway.cancel, methods=["POST"]),
            Route("/payments/{payment_id}/refund", gateway.refund, methods=["POST"]),
            Route("/ledger", gateway.ledger),
            Route("/health", gateway.health),
        ],
        exception_handlers={
            Problem: _answer_problem,
            sa.exc.DataError: _answer_unstorable,
            sa.exc.InterfaceError: _answer_database_away,
            sa.exc.OperationalError: _answer_database_away,
            sa.exc.TimeoutError: _answer_database_away,
        },
    )


class _Routes:
    def __init__(self, engine: AsyncEngine, api_key: str) -> None:
        self._engine = engine
        self._api_key = api_key.encode()

    async def create(self, request: Request) -> Response:
        key, fingerprint, body = await self._read(request, CreateBody)
        record = Record(payment_id=f"gw_{secrets.token_hex(12)}", **body.model_dump())
        answer = Answer(fingerprint, 201, payment_json(record))
        try:
            async with self._engine.begin() as connection:
                await records.keep(connection, key, answer, records.insertion(record))
        except records.LostRace:
            async with self._engine.connect() as connection:
                kept = await records.find_answer(connection, key)
            return _replay(kept, fingerprint)
        return JSONResponse(answer.body, answer.status)

    async def confirm(self, request: Request) -> Response:
        key, fingerprint, _ = await self._read(request, EmptyBody)
        answer, record = await self._change(request, key, fingerprint, rules.confirm)
        if record is not None and (delay := card(record.token).delay):
            await asyncio.sleep(delay)
        return answer

    async def capture(self, request: Request) -> Response:
        key, fingerprint, body = await self._read(request, AmountBody)
        return (await self._change(request, key, fingerprint, lambda record: rules.capture(record, body.amount)))[0]

    async def cancel(self, request: Request) -> Response:
        key, fingerprint, _ = await self._read(request, EmptyBody)
        return (await self._change(request, key, fingerprint, rules.cancel))[0]

    async def refund(self, request: Request) -> Response:
        key, fingerprint, body = await self._read(request, AmountBody)
        return (await self._change(request, key, fingerprint, lambda record: rules.refund(record, body.amount)))[0]

    async def fetch(self, request: Request) -> Response:
        self._authenticate(request)
        async with self._engine.connect() as connection:
            record = await records.find(connection, request.path_params["payment_id"])
        if record is None:
            raise _unknown(request)
        return JSONResponse(payment_json(record))

    async def ledger(self, request: Request) -> Response:
        async with self._engine.connect() as connection:
            approved = await records.approved(connection, request.query_params.get("checkout_id"))
        return JSONResponse({"items": [ledger_json(record) for record in approved]})

    async def health(self, _: Request) -> Response:
        async with self._engine.connect() as connection:
            await connection.execute(sa.text("SELECT 1"))
        return JSONResponse({"status": "ok"})

    async def _change(
        self, request: Request, key: str, fingerprint: str, transition: Transition
    ) -> tuple[Response, Record | None]:
        """Apply a transition once for its key. The record is given only when this very request made the change."""
        for _ in range(RACES):
            try:
                return await self._change_once(request, key, fingerprint, transition)
            except records.LostRace:
                continue
        raise Problem(503, "busy", "too many repeats of this request at once")

    async def _change_once(
        self, request: Request, key: str, fingerprint: str, transition: Transition
    ) -> tuple[Response, Record | None]:
        async with self._engine.begin() as connection:
            record, kept = await records.lock(connection, request.path_params["payment_id"], key)
            if record is None:
                raise _unknown(request)
            if kept is not None:
                return _replay(kept, fingerprint), None
            try:
                changed = transition(record)
            except rules.Outage as outage:
                await connection.execute(records.change(outage.record))
                body = error_json("api_error", "unavailable", "the gateway is down, as this card wants it")
                return JSONResponse(body, 503), None
            except rules.Refusal as refusal:
                changed = record
                answer = Answer(fingerprint, 409, error_json("invalid_request", refusal.code, refusal.message))
            else:
                answer = _answer(changed, fingerprint)
            await records.keep(connection, key, answer, records.change(changed) if changed != record else None)
        return JSONResponse(answer.body, answer.status), changed

    async def _read(self, request: Request, model: type[B]) -> tuple[str, str, B]:
        """The request's idempotency key, the fingerprint of what it asks for, and its body."""
        self._authenticate(request)
        key = request.headers.get("idempotency-key", "")
        if not 0 < len(key) <= MAX_KEY:
            raise Problem(422, "idempotency_key_required", f"an Idempotency-Key of 1 to {MAX_KEY} characters is needed")
        raw = await _read_limited(request)
        try:
            body = model.model_validate_json(raw or b"{}")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "body"
            raise Problem(422, "invalid_request", f"{field}: {first['msg']}") from error
        asked = f"{request.url.path}\n{body.model_dump_json()}"
        return key, hashlib.sha256(asked.encode()).hexdigest(), body

    def _authenticate(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._api_key):
            raise Problem(401, "unauthorized", "a valid API key is needed: Authorization: Bearer <key>")


async def _read_limited(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Problem(413, "body_too_large", f"a body may have {MAX_BODY} bytes at most")
    return body


def _answer(record: Record, fingerprint: str) -> Answer:
    if record.status == GatewayStatus.DECLINED:
        code = record.decline_code or "generic_decline"
        return Answer(fingerprint, 402, error_json("card_error", code, "the card was declined", record))
    return Answer(fingerprint, 200, payment_json(record))


def _replay(kept: Answer | None, fingerprint: str) -> Response:
    if kept is None or kept.fingerprint != fingerprint:
        raise Problem(409, "idempotency_key_reused", "this Idempotency-Key was used for another request")
    return JSONResponse(kept.body, kept.status, headers={"Idempotent-Replayed": "true"})


def _unknown(request: Request) -> Problem:
    return Problem(404, "payment_not_found", f"there is no payment {request.path_params['payment_id']}")


def _answer_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return JSONResponse(error.body, error.status)


def _answer_unstorable(_request: Request, _error: Exception) -> Response:
    """A path or query that no text column can hold, such as one with a NUL in it."""
    return JSONResponse(error_json("invalid_request", "invalid_request", "not a valid identifier"), 422)


def _answer_database_away(_request: Request, _error: Exception) -> Response:
    body = error_json("api_error", "unavailable", "the gateway's database does not answer")
    return JSONResponse(body, 503, headers={"Retry-After": "1"})
