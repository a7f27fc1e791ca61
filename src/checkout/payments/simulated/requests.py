"""What all routes of the gateway share: who asks, what is asked for, how a request that cannot be done is answered."""

import hashlib
import hmac
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from checkout.payments.simulated.messages import Body, error_json

MAX_BODY = 64 * 1024
MAX_KEY = 255

B = TypeVar("B", bound=Body)


class Problem(Exception):
    """A request that is answered with an error which is not kept under its idempotency key."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        kind = "api_error" if status >= 500 else "invalid_request"
        self.body = error_json(kind, code, message)


class CutOff(Response):
    """An answer of which half arrives: what a shop sees of a connection that breaks after the effect."""

    def __init__(self, whole: Response) -> None:
        super().__init__(bytes(whole.body), whole.status_code, media_type=whole.media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Send the head and half of the body; the server closes a connection whose answer does not end."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


class Shop:
    """The shop, known by its API key."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key.encode()

    def authenticate(self, request: Request) -> None:
        """Raise Problem 401 for anybody else."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._api_key):
            raise Problem(401, "unauthorized", "a valid API key is needed: Authorization: Bearer <key>")

    async def read(self, request: Request, model: type[B]) -> tuple[str, str, B]:
        """The request's idempotency key, the fingerprint of what it asks for, and its body. Raises Problem."""
        self.authenticate(request)
        key = request.headers.get("idempotency-key", "")
        if not 0 < len(key) <= MAX_KEY:
            raise Problem(422, "idempotency_key_required", f"an Idempotency-Key of 1 to {MAX_KEY} characters is needed")
        body = parse(model, await read_limited(request) or b"{}")
        # Where a buyer comes back to is no part of what is paid: a shop may have changed it before it repeats a call.
        asked = f"{request.url.path}\n{body.model_dump_json(exclude={'return_url'})}"
        return key, hashlib.sha256(asked.encode()).hexdigest(), body


def parse(model: type[B], raw: bytes) -> B:
    """The body. Raises Problem 422 that names the first field at fault."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        message = str(first["msg"]).removeprefix("Value error, ")
        raise Problem(422, "invalid_request", f"{field}: {message}") from error


async def read_limited(request: Request) -> bytes:
    """The raw body. Raises Problem 413."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Problem(413, "body_too_large", f"a body may have {MAX_BODY} bytes at most")
    return body


def _answer_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return JSONResponse(error.body, error.status)


def _answer_unstorable(_request: Request, _error: Exception) -> Response:
    """A path or query that no text column can hold, such as one with a NUL in it, or a sum beyond 64 bits."""
    return JSONResponse(error_json("invalid_request", "invalid_request", "not a valid identifier or amount"), 422)


def _answer_database_away(_request: Request, _error: Exception) -> Response:
    body = error_json("api_error", "unavailable", "the gateway's database does not answer")
    return JSONResponse(body, 503, headers={"Retry-After": "1"})


EXCEPTION_HANDLERS: dict[Any, Any] = {
    Problem: _answer_problem,
    sa.exc.DataError: _answer_unstorable,
    sa.exc.InterfaceError: _answer_database_away,
    sa.exc.OperationalError: _answer_database_away,
    sa.exc.TimeoutError: _answer_database_away,
}
