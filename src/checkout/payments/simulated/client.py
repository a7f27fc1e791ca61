"""The adapter to the simulated gateway: the port's operations as HTTP calls, its errors in the port's words."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import aiohttp

from checkout.payments.events import BadSignature, Event
from checkout.payments.methods import Method
from checkout.payments.port import (
    BankDetails,
    DeclineCode,
    Declined,
    GatewayStatus,
    NextAction,
    Payment,
    Redirect,
    Refused,
    Unavailable,
)
from checkout.payments.simulated.signature import HEADER, verify
from checkout.payments.simulated.tokens import CARDS
from checkout.runtime.tracing import client_traces

#: Seconds for a whole call, and for the connection alone. The gateway may take its time to authorize.
TOTAL_TIMEOUT = 10.0
CONNECT_TIMEOUT = 3.0

_DECLINES = {
    "generic_decline": DeclineCode.CARD_DECLINED,
    "insufficient_funds": DeclineCode.INSUFFICIENT_FUNDS,
    "expired_card": DeclineCode.EXPIRED_CARD,
    "unknown_token": DeclineCode.INVALID_TOKEN,
    "not_approved": DeclineCode.NOT_APPROVED,
    "processing_error": DeclineCode.NOT_PROCESSED,
}
#: Answers that say nothing about the payment: our credentials or our haste are at fault, not the buyer.
_NOT_ABOUT_THE_PAYMENT = {401, 403, 408, 425, 429}


class SimulatedGateway:
    """The port, spoken to a simulated gateway at ``url`` (see ``payments/port.py`` for what each operation promises).

    Keeps one pool of connections, made with the first call; ``close`` it, or use it as an async context manager.
    """

    name = "simulated"
    #: All test cards are known, so a card that is none of them is a typing mistake or another gateway's.
    methods = (
        Method(name="card", token=re.compile("|".join(map(re.escape, CARDS))), example="tok_visa"),
        Method(name="paypal"),
        Method(name="bank_transfer"),
    )

    def __init__(
        self, url: str, api_key: str, *, webhook_secret: str | None = None, timeout: float = TOTAL_TIMEOUT
    ) -> None:
        self._url = url.rstrip("/")
        self._webhook_secret = webhook_secret
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT)
        self._session: aiohttp.ClientSession | None = None

    async def create(
        self, *, checkout_id: str, attempt_id: str, currency: str, amount: int, method: str, token: str | None, key: str
    ) -> Payment:
        body = {
            "checkout_id": checkout_id,
            "attempt_id": attempt_id,
            "currency": currency,
            "amount": amount,
            "method": method,
            "token": token,
        }
        return await self._post("/payments", key, body)

    async def confirm(self, payment_id: str, *, key: str, return_url: str | None = None) -> Payment:
        body = {} if return_url is None else {"return_url": return_url}
        return await self._post(f"/payments/{payment_id}/confirm", key, body)

    async def capture(self, payment_id: str, *, amount: int, key: str) -> Payment:
        return await self._post(f"/payments/{payment_id}/capture", key, {"amount": amount})

    async def cancel(self, payment_id: str, *, key: str) -> Payment:
        return await self._post(f"/payments/{payment_id}/cancel", key, {})

    async def refund(self, payment_id: str, *, amount: int, key: str) -> Payment:
        return await self._post(f"/payments/{payment_id}/refund", key, {"amount": amount})

    async def return_unowed(self, payment_id: str, *, amount: int, key: str) -> Payment:
        return await self._post(f"/payments/{payment_id}/return", key, {"amount": amount})

    async def fetch(self, payment_id: str) -> Payment:
        return _payment(await self._call("GET", f"/payments/{payment_id}"))

    async def list_payments(self, *, since: datetime) -> AsyncIterator[Payment]:
        query = {"since": since.isoformat()}
        while True:
            page = await self._call("GET", "/payments", params=query)
            for item in _items(page):
                yield _payment(item)
            cursor = page.get("next_cursor")
            if cursor is None:
                return
            query = {"cursor": str(cursor)}

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> Event:
        if self._webhook_secret is None:
            raise BadSignature("the shop has no secret to check signatures with")
        given = {name.lower(): value for name, value in headers.items()}
        verify(self._webhook_secret, body, given.get(HEADER.lower()))
        return _event(body)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _post(self, path: str, key: str, body: dict[str, Any]) -> Payment:
        return _payment(await self._call("POST", path, headers={"Idempotency-Key": key}, json=body))

    async def _call(self, verb: str, path: str, **request: Any) -> Any:
        """The JSON of a good answer. Raises ``Declined``, ``Refused``, ``Unavailable``."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers, timeout=self._timeout, trace_configs=client_traces()
            )
        try:
            async with self._session.request(verb, self._url + path, **request) as response:
                status, answer = response.status, await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
            raise Unavailable(f"{verb} {path}: {type(failure).__name__}", str(failure)) from failure
        if status < 400:
            return answer
        error = _error(answer)
        if status >= 500 or status in _NOT_ABOUT_THE_PAYMENT or "code" not in error:
            raise Unavailable(f"{verb} {path}: {status}", str(error.get("message", "")))
        raise _definite(error)


def _definite(error: dict[str, Any]) -> Declined | Refused:
    code, message = str(error["code"]), str(error.get("message", ""))
    if error.get("type") == "card_error":
        payment = error.get("payment")
        decline = _DECLINES.get(code, DeclineCode.CARD_DECLINED)
        shown = None if payment is None else _payment(payment)
        return Declined(decline, shown, gateway_code=code, detail=message)
    return Refused(code, message)


def _error(answer: Any) -> dict[str, Any]:
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}


def _payment(answer: Any) -> Payment:
    """A payment out of the gateway's JSON; an answer that is none says nothing about the payment: ``Unavailable``."""
    try:
        decline = answer["decline_code"]
        return Payment(
            payment_id=answer["id"],
            checkout_id=answer["checkout_id"],
            attempt_id=answer["attempt_id"],
            status=GatewayStatus(answer["status"]),
            currency=answer["currency"],
            amount=answer["amount"],
            authorized=answer["authorized"],
            captured=answer["captured"],
            refunded=answer["refunded"],
            voided=answer["voided"],
            unowed=answer["unowed"],
            returned=answer["returned"],
            next_action=_next_action(answer["next_action"]),
            decline_code=None if decline is None else _DECLINES.get(decline, DeclineCode.CARD_DECLINED),
            gateway_code=decline,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable("the gateway's answer is not a payment", repr(error)) from error


def _next_action(document: dict[str, Any] | None) -> NextAction | None:
    if document is None:
        return None
    fields = {name: value for name, value in document.items() if name != "type"}
    return Redirect(**fields) if document["type"] == "redirect" else BankDetails(**fields)


def _items(page: Any) -> list[Any]:
    items = page.get("items") if isinstance(page, dict) else None
    if not isinstance(items, list):
        raise Unavailable("the gateway's answer is not a list of payments")
    return items


def _event(body: bytes) -> Event:
    try:
        event = json.loads(body)
        payment = event.get("payment")
        return Event(
            id=str(event["id"]),
            type=str(event["type"]),
            payment_id=None if payment is None else str(payment["id"]),
            created=datetime.fromisoformat(event["created"]).astimezone(UTC),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadSignature(f"what is signed is no event: {error!r}") from error
