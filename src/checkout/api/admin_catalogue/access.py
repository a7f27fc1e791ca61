"""Who may use the catalogue admin: operators, for a working day, from its own pages alone."""

import hashlib
import hmac
from urllib.parse import urlsplit

from sqladmin.authentication import AuthenticationBackend
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from checkout.api.problems import Problem
from checkout.api.protection.guessing import Guesses
from checkout.api.security import Tokens, may_be_an_admins
from checkout.domain.words import Role

#: Life of a login, in seconds.
SESSION_LIFE = 8 * 3600
COOKIE = "catalogue_admin"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

#: Pages load nothing from elsewhere, run no script of their own text, and stand in no frame.
_POLICY = (
    "default-src 'self'; img-src 'self' data: https: http:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'"
)


class AdminLogin(AuthenticationBackend):
    """A login by an operator's token. The session's cookie is signed, and worthless once token or key are changed."""

    #: Who counts wrong tokens, once the application has started.
    guesses: Guesses

    def __init__(self, tokens: Tokens, path: str) -> None:
        self._tokens = tokens
        # Keys of their own, so that neither a cookie nor what signs it is good for anything else.
        key = hmac.digest(tokens.secret_key.encode(), b"catalogue admin session", hashlib.sha256).hex()
        self._marks = {
            one.name: hmac.digest(tokens.secret_key.encode(), one.token.encode(), hashlib.sha256).hex()[:32]
            for one in tokens.all_admins
            if one.role is Role.OPERATOR
        }
        self.middlewares = [
            Middleware(OwnPages),
            Middleware(SessionCookie, secret_key=key, path=path),
        ]

    async def login(self, request: Request) -> bool:
        """Begin a session for who holds an operator's token.

        Raises Problem where the form does not hold one, ``rate_limited`` after too many wrong ones from an address.
        """
        given = (await request.form()).get("password")
        token = given.strip() if isinstance(given, str) else ""
        self.guesses.look(request.client)
        admin = self._tokens.admin(token)
        if admin is None:
            if may_be_an_admins(token):
                await self.guesses.wrong(request.client)
            raise Problem("token_invalid", "This is not the admin token.", status=400)
        if admin.name not in self._marks:
            raise Problem("operator_required", "This is a viewer's token: these pages take an operator's.")
        request.session.clear()
        request.session.update(name=admin.name, mark=self._marks[admin.name])
        return True

    async def logout(self, request: Request) -> bool:
        """Forget the session."""
        request.session.clear()
        return False

    async def authenticate(self, request: Request) -> bool:
        """Whether the session was begun with the token of today."""
        mark, ours = request.session.get("mark"), self._marks.get(str(request.session.get("name")))
        return isinstance(mark, str) and ours is not None and hmac.compare_digest(mark, ours)

    @override
    async def get_user_id(self, request: Request) -> str:
        """Who acts, for the log."""
        return str(request.session.get("name"))


class SessionCookie:
    """ASGI middleware: the session's cookie, for these pages alone, not for scripts, and secure where TLS is."""

    def __init__(self, app: ASGIApp, secret_key: str, path: str) -> None:
        def cookie(secure: bool) -> SessionMiddleware:
            return SessionMiddleware(
                app, secret_key, COOKIE, max_age=SESSION_LIFE, path=path, same_site="strict", https_only=secure
            )

        self._plain, self._secure = cookie(False), cookie(True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on with the cookie that suits the request's scheme."""
        await (self._secure if scope.get("scheme") == "https" else self._plain)(scope, receive, send)


class OwnPages:
    """ASGI middleware: refuses changes that another site's page makes a browser send, and closes the pages to others.

    A browser says where a request comes from (``Sec-Fetch-Site``, else ``Origin``), and no page can change that; what
    says neither is no browser. Rule: Go's ``http.CrossOriginProtection``, after OWASP's cheat sheet on CSRF.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, or answer 403."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] not in _SAFE and not _same_origin(Headers(scope=scope)):
            refusal = PlainTextResponse("This request comes from another site's page.", 403)
            await refusal(scope, receive, send)
            return

        async def close(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                if "/statics/" not in scope["path"]:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self.app(scope, receive, close)


def _same_origin(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")
