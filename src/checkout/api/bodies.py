"""What a request may carry, checked before any route: size, encoding, well-formed JSON, no NUL and no card numbers.

The path, too: routers match with regular expressions, to which a line feed at the end is nothing.

Python's JSON parser takes more than RFC 8259 and I-JSON (RFC 7493) do: it lets the last of two equal keys win, reads
NaN and lone surrogates (which no UTF-8 text can hold), and guesses encodings. Where two readers differ,
a checked value and a used value come to differ; so all of it is refused.
"""

import json
from collections.abc import Iterator
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checkout.api.card_numbers import looks_like_card_number
from checkout.api.problems import Problem, invalid
from checkout.api.validation import FieldError, field_name

#: The largest body, in bytes.
MAX_BODY = 64 * 1024
#: Paths of bodies that are not ours to judge: their signature is over the bytes, and nothing of them is stored.
SIGNED = "/payments/webhooks/"
#: No body of ours nests deeper than 3; more is refused before a recursive reader meets it.
MAX_DEPTH = 20
#: The longest whole number, in digits: what fits a 64-bit integer has 19.
MAX_DIGITS = 19


class LongNumber:
    """Stands for a whole number of more than :data:`MAX_DIGITS` digits; :func:`check` names its field."""


class BodyLimits:
    """ASGI middleware: reads the body, :data:`MAX_BODY` bytes at most however it is sent, and refuses unclean JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a problem, or hand the request on with its body whole."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = await _admit(scope, receive)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        if body is not None:  # else the caller is gone
            await self.app(scope, replay(body, receive), send)


async def _admit(scope: Scope, receive: Receive) -> bytes | None:
    if not scope["path"].isprintable():
        raise Problem("route_not_found", "A path has no control characters.")
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and len(declared) < 19 and int(declared) > MAX_BODY:
        raise _too_large()
    body = await _read(receive)
    if body and not scope["path"].startswith(SIGNED) and _is_json(headers.get(b"content-type", b"")):
        check(parse(body))
    return body


def parse(body: bytes) -> Any:
    """The JSON value of a body.

    Raises Problem ``malformed_json`` for what is no JSON in UTF-8, has a key twice, no true number, or is too deep.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem("malformed_json", f"The body is not UTF-8: byte {error.start} begins no character.") from None
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise Problem("malformed_json", f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except RecursionError:
        raise Problem("malformed_json", f"The body nests deeper than {MAX_DEPTH}.") from None


def check(value: Any) -> None:
    """Refuse characters that cannot be stored, numbers longer than any of ours, card numbers, and too much depth.

    Raises Problem naming each field.
    """
    errors: list[FieldError] = []
    for path, text in _leaves(value, ()):
        field = field_name(path) or "body"
        if isinstance(text, LongNumber):
            errors.append(FieldError(field, f"must have {MAX_DIGITS} digits at most"))
        elif "\x00" in text:
            errors.append(FieldError(field, "must not contain the NUL character"))
        elif any("\ud800" <= letter <= "\udfff" for letter in text):
            errors.append(FieldError(field, "must not contain half of a surrogate pair"))
        elif looks_like_card_number(text):
            raise Problem(
                "card_number_refused",
                "A card number must never be sent here: send the token that the payment provider made of it.",
                errors=[FieldError(field, "looks like a card number: leave it out; a payment takes a token")],
            )
    if errors:
        raise invalid(*errors)


async def _read(receive: Receive) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read, whole, then what comes after it."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _is_json(content_type: bytes) -> bool:
    media_type = content_type.split(b";", 1)[0].strip().lower()
    return media_type == b"application/json" or (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    )


def _too_large() -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    return Problem("body_too_large", f"The body has more than {MAX_BODY} bytes.", headers={"Connection": "close"})


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        field = field_name([twice])
        raise Problem(
            "malformed_json", "A key appears twice.", errors=[FieldError(field, "appears twice; send it once")]
        )
    return found


def _no_constant(name: str) -> Any:
    raise Problem("malformed_json", f"{name} is not JSON.")


def _integer(digits: str) -> int | LongNumber:
    # Never converted: that takes time by the square of the length, and Python refuses it from some length on.
    return LongNumber() if len(digits.lstrip("-")) > MAX_DIGITS else int(digits)


def _leaves(value: Any, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], str | LongNumber]]:
    if len(path) > MAX_DEPTH:
        raise Problem("malformed_json", f"The body nests deeper than {MAX_DEPTH}.")
    if isinstance(value, str | LongNumber):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, key
            yield from _leaves(item, (*path, key))
