"""Cursors of paged lists: where the last page ended, opaque to who sends them back."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from checkout.api.problems import Problem, invalid
from checkout.api.validation import FieldError

_LONGEST = 512


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
