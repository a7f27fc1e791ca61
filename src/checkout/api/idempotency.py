"""``Idempotency-Key``: a POST that may be repeated, answered as it was answered the first time.

One piece before the routes. They know of it only by their :class:`Intent`, from which they take the update's id and the
ids of what they make: whoever takes a request over from a process that died asks the workflow by the same ones.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Annotated

import structlog
from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checkout.api.bodies import SIGNED, replay
from checkout.api.database import Database
from checkout.api.problems import Problem, invalid
from checkout.api.resources import Resources
from checkout.api.security import Admin, Tokens
from checkout.api.validation import FieldError
from checkout.store import idempotency as store

log = structlog.get_logger(__name__)

KEY = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
#: The longest key, in characters.
MAX_KEY = 255
#: The headers of an answer that are kept with it.
_HEADERS = ("content-type", "location")
#: Problems that say what became of the request. A 422 is one of them where a phase, or the end of a checkout, says it.
_OUTCOMES = frozenset({402, 409, 410, 423})
#: Problems of a request that had no effect.
_REFUSED = frozenset({400, 401, 403, 404, 405, 413, 422, 429})


@dataclass(frozen=True)
class Intent:
    """What a caller wants, however often he sends it.

    ``seed`` is the same in every run of one request, and random where it has no key. ``repeated``: an earlier run may
    have had its effect.
    """

    seed: str = field(default_factory=lambda: secrets.token_hex(32))
    repeated: bool = False

    @property
    def update_id(self) -> str:
        """By which the workflow knows the request, and answers it as it did before."""
        return self.seed

    def part(self, number: int) -> "Intent":
        """One of several things that are made in order for one request."""
        return Intent(hashlib.sha256(f"{self.seed}/{number}".encode()).hexdigest(), self.repeated)


async def intent(request: Request) -> Intent:
    """The request's intent."""
    found: Intent | None = getattr(request.state, "intent", None)
    return found or Intent()


IntentDep = Annotated[Intent, Depends(intent)]


class Idempotency:
    """ASGI middleware inside of the limits on bodies: has each keyed request run once, and answers its repeats.

    Without a key, without a token, for webhooks and for any other method than POST, it does nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as before, or a problem, or let the routes answer and keep what they say."""
        headers = Headers(scope=scope) if scope["type"] == "http" and scope["method"] == "POST" else Headers()
        subject = None
        if KEY in headers and not scope["path"].startswith(SIGNED):
            subject = _subject(scope["app"].state.tokens, headers)
        if subject is None:  # the routes say what is wrong with the token
            await self.app(scope, receive, send)
            return
        try:
            body = (await receive()).get("body", b"")
            key = store.Key(subject, _checked(headers.getlist(KEY)), _fingerprint(scope, body))
            resources: Resources = scope["app"].state.resources
            run = _Run(resources.database, key, resources.settings.idempotency_lease)
            found = await run.begin()
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        if isinstance(found, store.Stored):
            await _replay(found, send)
            return
        scope.setdefault("state", {})["intent"] = _intent(key, found)
        answer = _Answer()
        try:
            await self.app(scope, replay(body, receive), answer.take)
        except Exception:
            await run.end(None, found)
            raise
        await run.end(answer, found)
        await answer.send(send)


class _Answer:
    """What the routes answered, held back until it is kept."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    async def take(self, message: Message) -> None:
        self._messages.append(message)

    async def send(self, send: Send) -> None:
        for message in self._messages:
            await send(message)

    @property
    def status(self) -> int:
        return int(self._messages[0]["status"])

    @property
    def headers(self) -> Headers:
        return Headers(raw=self._messages[0]["headers"])

    @property
    def body(self) -> str:
        return b"".join(message.get("body", b"") for message in self._messages[1:]).decode("utf-8")

    @property
    def kept(self) -> bool:
        """Whether repeats get it too: it says what became of the request, and not that it should be sent again.

        A page for people (the catalogue's) is no answer to be kept.
        """
        if "retry-after" in self.headers or "json" not in self.headers.get("content-type", ""):
            return False
        if self.status == 422:
            body = json.loads(self.body)
            return bool(body.get("phase") or body.get("checkout_id"))
        return 200 <= self.status < 300 or self.status in _OUTCOMES

    def stored(self) -> store.Stored:
        headers = self.headers
        return store.Stored(self.status, {name: headers[name] for name in _HEADERS if name in headers}, self.body)


class _Run:
    """One run of a keyed request in this process."""

    def __init__(self, database: Database, key: store.Key, lease: float) -> None:
        self._database, self._key, self._lease = database, key, lease
        self._holder = secrets.token_hex(16)

    async def begin(self) -> store.Turn | store.Stored:
        """Raises Problem ``idempotency_key_reused``, ``idempotency_key_in_use``, ``database_unavailable``."""
        try:
            return await self._database.write(
                lambda session: store.claim(session, self._key, holder=self._holder, lease=self._lease)
            )
        except store.KeyReused:
            raise key_reused() from None
        except store.KeyInUse:
            raise Problem(
                "idempotency_key_in_use",
                "The request with this key is still running. Send the same request again.",
                retry_after=1,
            ) from None

    async def end(self, answer: _Answer | None, turn: store.Turn) -> None:
        """Keep the answer where it is one to keep. What cannot be kept now is found again by the next repeat."""
        try:
            if answer is not None and answer.kept:
                stored = answer.stored()
                await self._database.write(lambda session: store.keep(session, self._key, self._holder, stored))
            elif answer is not None and answer.status in _REFUSED and turn.runs == 1:
                await self._database.write(lambda session: store.forget(session, self._key, self._holder))
            else:
                await self._database.write(lambda session: store.let_go(session, self._key, self._holder))
        except Problem as away:
            log.warning("idempotency_key_left", reason=away.code)


def key_reused() -> Problem:
    """422: the key was sent with another request."""
    return Problem(
        "idempotency_key_reused",
        "This key was sent with another request. Send each new request with a new key.",
        errors=[FieldError(KEY, "was used for another request; send a new one")],
    )


def _subject(tokens: Tokens, headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        caller = tokens.read(token.strip())
    except Problem:
        return None
    return f"admin {caller.name}" if isinstance(caller, Admin) else f"session {caller.id}"


def _checked(keys: list[str]) -> str:
    """The one key. Raises Problem ``validation_failed`` for none that can be kept."""
    key = keys[0]
    if len(keys) == 1 and 1 <= len(key) <= MAX_KEY and key.isascii() and key.isprintable():
        return key
    raise invalid(FieldError(KEY, f"must be sent once, with 1 to {MAX_KEY} printable ASCII characters"))


def _fingerprint(scope: Scope, body: bytes) -> str:
    where = f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}\n"
    return hashlib.sha256(where.encode() + body).hexdigest()


def _intent(key: store.Key, turn: store.Turn) -> Intent:
    named = json.dumps([key.subject, key.fingerprint, key.key, turn.since.isoformat()])
    return Intent(hashlib.sha256(named.encode()).hexdigest(), repeated=turn.runs > 1)


async def _replay(stored: store.Stored, send: Send) -> None:
    body = stored.body.encode()
    headers = {**stored.headers, "content-length": str(len(body)), REPLAYED: "true"}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": stored.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
