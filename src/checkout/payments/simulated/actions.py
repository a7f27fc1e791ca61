"""Where a buyer approves or denies, and where a bank transfer is simulated: ``next_action.url``, as page and as JSON.

The address holds a secret of the payment, so it needs no key. ``GET`` shows the payment with its buttons. ``POST``
takes ``{"outcome": "approve" | "deny" | "funds_received", "amount"?}`` as JSON (amount in minor units) and answers what
came of it; the page's form sends the same (amount as people write it), and leads back to the shop.
"""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from checkout.domain.checks import InvalidValue
from checkout.domain.money import format_amount, money_text, parse_amount
from checkout.payments.port import GatewayStatus as Status
from checkout.payments.simulated import records, rules
from checkout.payments.simulated.messages import OutcomeBody, bank_details, error_json, outcome_json
from checkout.payments.simulated.operations import Books
from checkout.payments.simulated.requests import Problem, parse, read_limited
from checkout.payments.simulated.rules import Record, Refusal

STYLE = Markup("""
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{margin:0;padding:1rem}main{max-width:28rem;margin:0 auto}
h1{font-size:1.4rem}.note{opacity:.7}.problem{border-left:4px solid #c62828;padding-left:.75rem}
dl div{display:flex;gap:0 1rem;justify-content:space-between;flex-wrap:wrap}dd{margin:0;overflow-wrap:anywhere}
label,input,button{display:block;width:100%;box-sizing:border-box;font:inherit;min-height:3rem;margin-top:.75rem}
label{min-height:0}button{border:1px solid;border-radius:.5rem;background:none;color:inherit;cursor:pointer}
.approve,.funds_received{background:#1b5e20;color:#fff}
""")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

_TITLES = {
    Status.REQUIRES_ACTION: "Approve this payment?",
    Status.PENDING: "Transfer the money",
    Status.AUTHORIZED: "The payment is approved",
    Status.CAPTURED: "The payment is made",
    Status.DECLINED: "The payment was declined",
    Status.VOIDED: "The payment was cancelled",
    Status.REFUNDED: "The payment was refunded",
}
_TRANSFERS = {Status.AUTHORIZED: "The money has arrived"}


class Actions:
    """The buyer's routes."""

    def __init__(self, books: Books) -> None:
        self._books, self._engine = books, books.engine
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
        self._template = environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))

    def routes(self) -> list[Route]:
        """``/actions/{secret}``."""
        return [Route("/actions/{action}", self._show), Route("/actions/{action}", self._act, methods=["POST"])]

    async def _show(self, request: Request) -> Response:
        async with self._engine.connect() as connection:
            record = await records.find_by_action(connection, request.path_params["action"])
        if record is None:
            raise _unknown()
        return self._page(record)

    async def _act(self, request: Request) -> Response:
        raw = await read_limited(request)
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            body = parse(OutcomeBody, raw)
            try:
                return JSONResponse(outcome_json(await self._change(request, _transition(body))))
            except Refusal as refusal:
                return JSONResponse(error_json("invalid_request", refusal.code, refusal.message), 409)
        try:
            record = await self._change(request, lambda record: _transition(_form(record, raw))(record))
        except _Refused as refused:
            return self._page(refused.record, problem=refused.message, status=409)
        if record.return_url is not None and record.method != "bank_transfer":
            return RedirectResponse(record.return_url, 303, headers={"Cache-Control": "no-store"})
        # By address, so that a reload of what follows sends nothing again.
        return RedirectResponse(request.url.path, 303, headers={"Cache-Control": "no-store"})

    async def _change(self, request: Request, transition: Callable[[Record], Record]) -> Record:
        """The payment as the outcome left it. Raises _Refused."""
        async with self._engine.begin() as connection:
            record = await records.find_by_action(connection, request.path_params["action"], locked=True)
            if record is None:
                raise _unknown()
            try:
                changed = transition(record)
            except Refusal as refusal:
                raise _Refused(record, refusal) from None
            for effect in self._books.effects(record, changed, self._books.base_url(request)):
                await effect.run(connection)
        self._books.tell()
        return changed

    def _page(self, record: Record, *, problem: str | None = None, status: int = 200) -> Response:
        html = self._template.render(_contents(record) | {"problem": problem, "style": STYLE})
        return HTMLResponse(html, status, headers=_headers(record.return_url))


class _Refused(Refusal):
    """A refusal, with the payment that it is about."""

    def __init__(self, record: Record, refusal: Refusal) -> None:
        super().__init__(refusal.code, refusal.message)
        self.record = record


def _transition(body: OutcomeBody) -> Callable[[Record], Record]:
    if body.outcome == "approve":
        return rules.approve
    if body.outcome == "deny":
        return rules.deny
    return lambda record: rules.receive_funds(record, body.amount)


def _form(record: Record, raw: bytes) -> OutcomeBody:
    """What the page's form sends. Raises Refusal, which the page shows."""
    fields = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=10)
    try:
        outcome = fields.get("outcome", [""])[0]
        amount = fields.get("amount", [""])[0]
        given: dict[str, Any] = {"outcome": outcome}
        if amount:
            given["amount"] = parse_amount(amount, record.currency)
        return OutcomeBody.model_validate(given)
    except InvalidValue as error:
        raise Refusal("invalid_amount", str(error)) from error
    except ValidationError as error:
        raise Refusal("invalid_request", "press one of the buttons, with an amount above zero") from error


def _contents(record: Record) -> dict[str, Any]:
    """The page: what the payment is, and what can be done now."""
    transfer = record.method == "bank_transfer"
    titles = _TITLES | (_TRANSFERS if transfer else {})
    facts = [("Amount", money_text(record.amount, record.currency)), ("Payment", record.payment_id)]
    if transfer:
        details = bank_details(record)
        facts += [(name, details[name.lower()]) for name in ("Holder", "IBAN", "BIC", "Reference")]
        facts += [("Received", money_text(record.authorized + record.unowed, record.currency))]
        if record.status is Status.PENDING:
            facts += [("Still missing", money_text(record.missing, record.currency))]
    buttons = []
    if record.status is Status.REQUIRES_ACTION:
        buttons = [("approve", "Approve"), ("deny", "Deny")]
    elif transfer:
        buttons = [("funds_received", "Make the transfer")]
    amount = format_amount(record.missing if record.status is Status.PENDING else record.amount, record.currency)
    return {
        "title": titles.get(record.status, "The payment has not begun"),
        "facts": facts,
        "buttons": buttons,
        "transfer": {"amount": amount, "currency": record.currency} if transfer else None,
        "return_url": record.return_url,
    }


def _headers(return_url: str | None) -> dict[str, str]:
    # Browsers hold the redirect that answers a form to form-action as well, so the way back has to be named.
    back = urlsplit(return_url or "")
    actions = "'self'" + (f" {back.scheme}://{back.netloc}" if return_url else "")
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {actions}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _unknown() -> Problem:
    return Problem(404, "payment_not_found", "there is no payment at this address")
