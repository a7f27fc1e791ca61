"""The admin page at ``/admin``: one document, modules and a style sheet, all served from here as they are written.

It is a client of the admin API like any other: the token is sent with each call, and never stands in a cookie.
"""

from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HERE = Path(__file__).parent

#: What the page may load and ask: its own files and its own API. What it shows was written by others.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Asked for again each time, so that a page of yesterday never meets an API of today.
    "Cache-Control": "no-cache",
}


def install(app: FastAPI) -> None:
    """Serve the page. Its addresses are relative: they hold behind any proxy, whatever its scheme, host and path."""
    app.mount("/admin/assets", _Closed(StaticFiles(directory=_HERE / "assets")))

    @app.get("/admin", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(_HERE / "page.html", headers=HEADERS)


class _Closed:
    """ASGI application: another one's answers with the page's headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def close(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, close)
