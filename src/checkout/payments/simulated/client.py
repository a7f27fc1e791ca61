"""The adapter to the simulated gateway: the port's operations as HTTP calls, its errors in the port's words."""

from types import TracebackType
from typing import Any, Self

import aiohttp

from checkout.payments.port import DeclineCode, Declined, GatewayStatus, Payment, Refused, Unavailable

#: Seconds for a whole call, and for the connection alone. The gateway may take its time to authorize.
TOTAL_TIMEOUT = 10.0
CONNECT_TIMEOUT = 3.0

_DECLINES = {
    "generic_decline": DeclineCode.CARD_DECLINED,
    "insufficient_funds": DeclineCode.INSUFFICIENT_FUNDS,
    "expired_card": DeclineCode.EXPIRED_CARD,
    "unknown_token": DeclineCode.INVALID_TOKEN,
}
#: Answers that say nothing about the payment: our credentials or our haste are at fault, not the buyer.
_NOT_ABOUT_THE_PAYMENT = {401, 403, 408, 425, 429}


class SimulatedGateway:
    """The port, spoken to a simulated gateway at ``url`` (see ``payments/port.py`` for what each operation promises).

    Keeps one pool of connections, made with the first call; ``close`` it, or use it as an async context manager.
    """

    def __init__(self, url: str, api_key: str, *, timeout: float = TOTAL_TIMEOUT) -> None:
        self._url = url.rstrip("/")
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

    async def confirm(self, payment_id: str, *, key: str) -> Payment:
        return await self._post(f"/payments/{payment_id}/confirm", key, {})

    async def capture(self, payment_id: str, *, amount: int, key: str) -> Payment:
        return await self._post(f"/payments/{payment_id}/capture", key, {"amount": amount})

    async def cancel(self, payment_id: str, *, key: str) -> Payment:
        return await self._post(f"/payments/{payment_id}/cancel", key, {})

    async def refund(self, payment_id: str, *, amount: int, key: str) -> Payment:
        return await self._post(f"/payments/{payment_id}/refund", key, {"amount": amount})

    async def fetch(self, payment_id: str) -> Payment:
        return await self._call("GET", f"/payments/{payment_id}", {}, None)

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
        return await self._call("POST", path, {"Idempotency-Key": key}, body)

    async def _call(self, verb: str, path: str, headers: dict[str, str], body: dict[str, Any] | None) -> Payment:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout)
        try:
            async with self._session.request(verb, self._url + path, headers=headers, json=body) as response:
                status, answer = response.status, await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
            raise Unavailable(f"{verb} {path}: {type(failure).__name__}: {failure}") from failure
        if status < 400:
            return _payment(answer)
        error = _error(answer)
        if status >= 500 or status in _NOT_ABOUT_THE_PAYMENT or "code" not in error:
            raise Unavailable(f"{verb} {path}: {status} {error.get('message', 'no error of the gateway')}")
        raise _definite(error)


def _definite(error: dict[str, Any]) -> Declined | Refused:
    code = str(error["code"])
    if error.get("type") == "card_error":
        payment = error.get("payment")
        decline = _DECLINES.get(code, DeclineCode.CARD_DECLINED)
        return Declined(decline, None if payment is None else _payment(payment))
    return Refused(code, str(error.get("message", "")))


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
            decline_code=None if decline is None else _DECLINES.get(decline, DeclineCode.CARD_DECLINED),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"the gateway's answer is not a payment: {error!r}") from error
