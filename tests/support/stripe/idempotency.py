"""Idempotency keys as https://docs.stripe.com/api/idempotent_requests says, and faults on demand in front of them."""

import asyncio
import dataclasses
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

#: Answers that are not kept: the endpoint's execution did not begin (parameters, key, load), or it is still going on.
NOT_KEPT = {400, 401, 403, 404, 409, 429, 503}

#: https://docs.stripe.com/error-low-level and https://docs.stripe.com/api/errors: status, code and sentence.
_INSTEAD = {
    "error": (500, None, "An unknown error occurred."),
    "limited": (429, "rate_limit", "Too many requests."),
    "locked": (429, "lock_timeout", "This object cannot be accessed right now because another request has it."),
    "forbidden": (403, None, "The provided key does not have the required permissions for this endpoint."),
    "unknown_key": (401, "api_key_expired", "Expired API Key provided: sk_test_***ests"),
}


@dataclasses.dataclass
class Fault:
    """What happens to the next ``count`` requests whose path ends so: ``lost`` cuts the answer off after the effect,
    ``error`` answers 500 instead of doing it and keeps that, ``error_after`` answers and keeps 500 after the effect,
    ``limited`` and ``locked`` answer 429, ``forbidden`` 403, ``unknown_key`` 401, ``slow`` waits for a second.
    """

    path: str
    fault: str
    count: int = 1


class Idempotency:
    """What was answered to each key, and which requests are under way."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, int, bytes]] = {}
        self._running: set[str] = set()
        self.faults: list[Fault] = []

    def clear(self) -> None:
        """Forget all keys and faults."""
        self._kept.clear()
        self.faults.clear()

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware."""
        if not request.path.startswith("/v1/"):
            return await handler(request)
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or key is None:
            return await self._faulty(request, handler)
        asked = (request.path, await request.read())
        if key in self._running:
            return _error(409, "idempotency_key_in_use", "There is a request with this key under way.")
        if key in self._kept:
            first, status, body = self._kept[key]
            if first != asked:
                return _error(400, None, "Keys can only be used with the parameters they were first used with.")
            headers = {"Idempotent-Replayed": "true"}
            return web.Response(status=status, body=body, content_type="application/json", headers=headers)
        self._running.add(key)
        try:
            await asyncio.sleep(0.01)  # a request takes a moment, in which others come
            response = await self._faulty(request, handler, key, asked)
            self._keep(key, asked, response)
        finally:
            self._running.discard(key)
        return response

    def _keep(self, key: str, asked: Any, response: web.StreamResponse) -> None:
        assert isinstance(response, web.Response)
        if response.status not in NOT_KEPT:
            assert isinstance(response.body, bytes)
            self._kept[key] = (asked, response.status, response.body)

    async def _faulty(
        self, request: web.Request, handler: Handler, key: str = "", asked: Any = None
    ) -> web.StreamResponse:
        fault = next((one for one in self.faults if one.count and request.path.endswith(one.path)), None)
        if fault is None or request.method != "POST":
            return await handler(request)
        fault.count -= 1
        if fault.fault in _INSTEAD:
            return _error(*_INSTEAD[fault.fault], "invalid_request_error")
        if fault.fault == "slow":
            await asyncio.sleep(1)
        response = await handler(request)
        if fault.fault == "lost":
            self._keep(key, asked, response)
            assert request.transport is not None
            request.transport.abort()
        elif fault.fault == "error_after":
            return _error(500, None, "An unknown error occurred", "api_error")
        return response


def _error(status: int, code: str | None, message: str, kind: str = "idempotency_error") -> web.Response:
    return web.json_response({"error": {"type": kind, "code": code, "message": message}}, status=status)
