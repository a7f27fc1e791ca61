"""``/dev/mailbox``: the e-mails that a shop under development would send. There only where they are kept as files."""

from email.message import EmailMessage
from pathlib import Path

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from checkout.runtime.mail import Mailbox

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
#: A message is shown as it is, but runs nothing and loads nothing.
_HARMLESS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


def install(app: FastAPI, mailbox: Mailbox | None) -> None:
    """Serve the pages where there is a mailbox."""
    if mailbox is None:
        return

    @app.get("/dev/mailbox", include_in_schema=False)
    async def page() -> HTMLResponse:
        newest = await run_in_threadpool(lambda: list(mailbox.newest()))
        messages = [{"name": name, **_headers(message)} for name, message in newest]
        return HTMLResponse(_TEMPLATES.get_template("mailbox.html").render(messages=messages))

    @app.get("/dev/mailbox/{name}", include_in_schema=False)
    async def message(name: str, form: str = "html") -> Response:
        found = await run_in_threadpool(mailbox.read, name)
        body = None if found is None else found.get_body(("html",) if form == "html" else ("plain",))
        if body is None:
            raise HTTPException(404, "There is no such e-mail.")
        shown = HTMLResponse if form == "html" else PlainTextResponse
        return shown(body.get_content(), headers=_HARMLESS)


def _headers(message: EmailMessage) -> dict[str, str]:
    return {name.lower(): str(message[name]) for name in ("Subject", "From", "To", "Date")}
