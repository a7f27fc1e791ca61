"""What a shop may do: create, confirm, capture, cancel, refund and return; each once for its idempotency key."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from checkout.payments.port import GatewayStatus
from checkout.payments.simulated import outbox, records, rules
from checkout.payments.simulated.faults import Faults
from checkout.payments.simulated.messages import (
    AmountBody,
    ConfirmBody,
    CreateBody,
    EmptyBody,
    error_json,
    payment_json,
)
from checkout.payments.simulated.records import Answer
from checkout.payments.simulated.requests import CutOff, Problem, Shop
from checkout.payments.simulated.rules import Record
from checkout.runtime.statements import Change, Session, transaction

#: A repeat loses a race at most once for each transaction that commits before it; more means something else is wrong.
RACES = 5

Transition = Callable[[Record], Record]


@dataclass(frozen=True)
class Books:
    """Where changes are written: the engine, where buyers reach the gateway, and who is told of an event (if any)."""

    engine: AsyncEngine
    public_url: str | None
    told: Callable[[], None] | None

    def base_url(self, request: Request) -> str:
        """Where buyers reach the gateway: as it is set, else as the shop reached it."""
        return self.public_url or str(request.base_url).rstrip("/")

    def effects(self, before: Record, after: Record, base_url: str) -> list[Change]:
        """What a change writes: the payment and its event; nothing where nothing changed."""
        if after == before:
            return []
        event = outbox.event_type(before, after)
        return [
            records.change(after),
            outbox.insertion(event, payment_json(after, base_url), send=self.told is not None),
        ]

    def tell(self) -> None:
        """A change is committed."""
        if self.told is not None:
            self.told()


class Operations:
    """The routes under ``/payments`` that change something."""

    def __init__(self, books: Books, shop: Shop, faults: Faults) -> None:
        self._books, self._engine, self._shop, self._faults = books, books.engine, shop, faults

    def routes(self) -> list[Route]:
        """Each with the faults that are on for it."""
        handlers = {
            "confirm": self._confirm,
            "capture": self._capture,
            "cancel": self._cancel,
            "refund": self._refund,
            "return": self._return,
        }
        return [
            Route("/payments", with_faults(self._faults, "create", self._create), methods=["POST"]),
            *(
                Route(f"/payments/{{payment_id}}/{name}", with_faults(self._faults, name, handler), methods=["POST"])
                for name, handler in handlers.items()
            ),
        ]

    async def _create(self, request: Request) -> Response:
        key, fingerprint, body = await self._shop.read(request, CreateBody)
        record = Record(payment_id=f"gw_{secrets.token_hex(12)}", **body.model_dump())
        answer = Answer(fingerprint, 201, payment_json(record, self._books.base_url(request)))
        try:
            async with transaction(self._engine) as session:
                await records.keep(session, key, answer, records.insertion(record))
        except records.LostRace:
            async with transaction(self._engine) as session:
                kept = await records.find_answer(session, key)
            return _replay(kept, fingerprint)
        return JSONResponse(answer.body, answer.status)

    async def _confirm(self, request: Request) -> Response:
        key, fingerprint, body = await self._shop.read(request, ConfirmBody)
        confirm = self._faulty("confirm", lambda record: rules.confirm(record, body.return_url))
        answer, record = await self._change(request, key, fingerprint, confirm)
        if record is not None and (delay := record.behaviour.delay):
            await asyncio.sleep(delay)
        return answer

    async def _capture(self, request: Request) -> Response:
        key, fingerprint, body = await self._shop.read(request, AmountBody)
        capture = self._faulty("capture", lambda record: rules.capture(record, body.amount))
        return (await self._change(request, key, fingerprint, capture))[0]

    async def _cancel(self, request: Request) -> Response:
        key, fingerprint, _ = await self._shop.read(request, EmptyBody)
        return (await self._change(request, key, fingerprint, rules.cancel))[0]

    async def _refund(self, request: Request) -> Response:
        key, fingerprint, body = await self._shop.read(request, AmountBody)
        return (await self._change(request, key, fingerprint, lambda record: rules.refund(record, body.amount)))[0]

    async def _return(self, request: Request) -> Response:
        key, fingerprint, body = await self._shop.read(request, AmountBody)
        transition: Transition = lambda record: rules.return_unowed(record, body.amount)  # noqa: E731 - as its siblings
        return (await self._change(request, key, fingerprint, transition))[0]

    def _faulty(self, operation: str, transition: Transition) -> Transition:
        if not self._faults.strike(operation, "short"):
            return transition
        return lambda record: rules.short(record, transition(record))

    async def _change(
        self, request: Request, key: str, fingerprint: str, transition: Transition
    ) -> tuple[Response, Record | None]:
        """Apply a transition once for its key. The record is given only when this very request made the change."""
        for _ in range(RACES):
            try:
                async with transaction(self._engine) as session:
                    answer, record = await self._change_once(session, request, key, fingerprint, transition)
            except records.LostRace:
                continue
            if record is not None:
                self._books.tell()
            return answer, record
        raise Problem(503, "busy", "too many repeats of this request at once")

    async def _change_once(
        self, session: Session, request: Request, key: str, fingerprint: str, transition: Transition
    ) -> tuple[Response, Record | None]:
        record, kept = await records.lock(session, request.path_params["payment_id"], key)
        if record is None:
            raise unknown(request)
        if kept is not None:
            return _replay(kept, fingerprint), None
        base_url = self._books.base_url(request)
        try:
            changed = transition(record)
        except rules.Outage as outage:
            await records.change(outage.record).run(session)
            body = error_json("api_error", "unavailable", "the gateway is down, as this card wants it")
            return JSONResponse(body, 503), None
        except rules.Refusal as refusal:
            changed = record
            answer = Answer(fingerprint, 409, error_json("invalid_request", refusal.code, refusal.message))
        else:
            answer = _answer(changed, fingerprint, base_url)
        await records.keep(session, key, answer, *self._books.effects(record, changed, base_url))
        return JSONResponse(answer.body, answer.status), changed


Handler = Callable[[Request], Awaitable[Response]]


def with_faults(faults: Faults, operation: str, handler: Handler) -> Handler:
    """The handler, behind the faults that are on for the operation when it is called."""

    async def handle(request: Request) -> Response:
        if latency := faults.strike(operation, "latency"):
            await asyncio.sleep(latency["latency"].seconds)
        if faults.strike(operation, "error"):
            raise Problem(503, "unavailable", "the gateway fails, as a fault wants it")
        answer = await handler(request)
        return CutOff(answer) if faults.strike(operation, "lost") else answer

    return handle


def _answer(record: Record, fingerprint: str, base_url: str) -> Answer:
    payment = payment_json(record, base_url)
    if record.status == GatewayStatus.DECLINED:
        code = record.decline_code or "generic_decline"
        said = "the bank was not reached" if code == "processing_error" else "the payment was declined"
        return Answer(fingerprint, 402, error_json("card_error", code, said, payment))
    return Answer(fingerprint, 200, payment)


def _replay(kept: Answer | None, fingerprint: str) -> Response:
    if kept is None or kept.fingerprint != fingerprint:
        raise Problem(409, "idempotency_key_reused", "this Idempotency-Key was used for another request")
    return JSONResponse(kept.body, kept.status, headers={"Idempotent-Replayed": "true"})


def unknown(request: Request) -> Problem:
    """404: there is no such payment."""
    return Problem(404, "payment_not_found", f"there is no payment {request.path_params['payment_id']}")
