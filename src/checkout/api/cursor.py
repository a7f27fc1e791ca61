"""Pages of lists, and their cursors: where the last page ended, opaque to who sends them back."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from checkout.api.problems import Problem, invalid
from checkout.api.validation import FieldError

T = TypeVar("T")

#: Where a page ended in a list that is sorted by time: the last one's, and its id.
Place = tuple[datetime, str]

_LONGEST = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def page(found: Sequence[T], limit: int, place: Callable[[T], Place | int]) -> tuple[Sequence[T], str | None]:
    """What is shown of ``limit`` + 1 that were read, and the cursor of the next page; None on the last."""
    shown = found[:limit]
    if len(found) <= limit:
        return shown, None
    ended = place(shown[-1])
    return shown, encode(ended) if isinstance(ended, int) else encode((ended[0] - _EPOCH) // _MICROSECOND, ended[1])


def place_of(cursor: str | None) -> Place | None:
    """Where the page before ended in a list by time, None for the first page. Raises Problem as :func:`decode` does."""
    if cursor is None:
        return None
    at, identity = decode(cursor, [int, str])
    try:
        return _EPOCH + at * _MICROSECOND, identity
    except OverflowError:
        raise broken() from None


def encode(*place: str | int) -> str:
    """A cursor for the values by which the list is sorted."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The values that :func:`encode` was given, of these kinds. Raises Problem that names ``cursor``."""
    try:
        if len(cursor) > _LONGEST:
            raise broken()
        place = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise broken() from None
    if not isinstance(place, list) or [type(value) for value in place] != list(kinds) or not all(map(_fits, place)):
        raise broken()
    return list(place)


def _fits(value: object) -> bool:
    """Whether the database can compare with it."""
    return 0 <= value < 2**62 if isinstance(value, int) else isinstance(value, str) and value.isprintable()


def broken() -> Problem:
    """422: it is none of ours."""
    return invalid(FieldError("cursor", "must be next_cursor of the page before; leave it out for the first page"))
