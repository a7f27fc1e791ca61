"""What ops ask for, and what they are shown: lists of checkouts, and the log of what admins did."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from checkout.api.models.base import Answer, Code, Cursor, Limit, Request, Sentence, Time, refused
from checkout.domain.words import Phase, Role, State

_REMEDY = "must be a day (2026-01-31) or a time with its zone (2026-01-31T12:00:00Z)"


def _moment(value: object, *, end: bool) -> datetime:
    """A time with its zone, or a day in UTC: its beginning, or, as the ``end`` of a span, the beginning of the next."""
    if not isinstance(value, str):
        raise refused(_REMEDY)
    try:
        if len(value) == len("2026-01-31"):
            day = datetime.combine(date.fromisoformat(value), time(), UTC)
            return day + timedelta(days=1) if end else day
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else _naive()
    except (ValueError, OverflowError):
        raise refused(_REMEDY) from None


def _naive() -> datetime:
    raise ValueError("without a zone")


From = Annotated[
    datetime, BeforeValidator(lambda value: _moment(value, end=False)), Field(description="Created at or after")
]
To = Annotated[
    datetime, BeforeValidator(lambda value: _moment(value, end=True)), Field(description="Created before; a day: on it")
]
#: Why an admin does something: for those who read the log later.
Reason = Annotated[Sentence, Field(description="Why, in 1 to 500 characters; kept in the log")]


class CheckoutsQuery(BaseModel):
    """Filters of the list; each that is given has to fit."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    phase: Phase | None = None
    date_from: From | None = None
    date_to: To | None = None
    customer_id: Code | None = None
    stuck: Annotated[bool, Field(description="Only those that should have gone on by themselves")] = False
    cursor: Cursor | None = None
    limit: Limit = 50


#: What a stream of changes looks like.
EVENTS = (
    'event: changes\ndata: {"ids": null}\n\nevent: changes\ndata: {"ids": ["chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy"]}\n\n'
)


class Changes(BaseModel):
    """The data of an event: which checkouts have changed; null where any may have."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] | None


class ActionsQuery(BaseModel):
    """Filters of the log."""

    model_config = ConfigDict(extra="forbid")

    target: Annotated[Code | None, Field(description="A checkout's id, an order's reference")] = None
    cursor: Cursor | None = None
    limit: Limit = 50


LISTED: dict[str, Any] = {
    "id": "chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy",
    "cart_id": "cart_4x8pk2mvq0tz9d3h7wca",
    "state": "capturing",
    "state_name": "Capturing",
    "phase": "payment_capture",
    "customer_id": "42",
    "order_reference": "ORD-7K2M9QXW4T1B",
    "total": 5938,
    "currency": "EUR",
    "failure_code": None,
    "created_at": "2026-01-31T12:00:00Z",
    "updated_at": "2026-01-31T12:00:02Z",
    "expires_at": "2026-01-31T12:15:00Z",
    "stuck": True,
    "stuck_reason": "capturing since 2026-01-31T12:00:02Z",
    "temporal_url": "http://127.0.0.1:8233/namespaces/default/workflows/checkout-cart_4x8pk2mvq0tz9d3h7wca/"
    "0198f0c2-2b6c-7a51-9d3c-3a5d3f1b8a10/history",
}


class ListedCheckout(Answer):
    """A checkout in a list."""

    id: str
    cart_id: str
    state: State
    state_name: str
    phase: Phase | None
    customer_id: str | None
    order_reference: str | None
    total: Annotated[int | None, Field(description="Minor units; null until prices are locked")]
    currency: str | None
    failure_code: str | None
    created_at: Time
    updated_at: Time
    expires_at: Time | None
    stuck: bool
    stuck_reason: Annotated[str | None, Field(description="What should have happened by itself, and has not")]
    temporal_url: Annotated[str | None, Field(description="Its run in the Temporal UI; null where none is set")]


class Checkouts(Answer):
    """A page of checkouts, the newest first; ``next_cursor`` is null on the last."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [LISTED], "next_cursor": None}]})

    items: list[ListedCheckout]
    next_cursor: str | None


ACTION: dict[str, Any] = {
    "id": 17,
    "at": "2026-01-31T12:31:00Z",
    "who": "ada",
    "role": "operator",
    "action": "release",
    "target": "chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy",
    "reason": "the buyer called",
    "outcome": "done",
    "ended_at": "2026-01-31T12:31:01Z",
}


class Action(Answer):
    """One act of an admin. ``outcome``: ``done``, or the code of the problem that it was answered with."""

    id: int
    at: Time
    who: str
    role: Role
    action: str
    target: str
    reason: str
    outcome: Annotated[str | None, Field(description="null while it is being done, or where the process died in it")]
    ended_at: Time | None


class Actions(Answer):
    """A page of the log, the newest first; ``next_cursor`` is null on the last."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ACTION], "next_cursor": None}]})

    items: list[Action]
    next_cursor: str | None


class Why(Request):
    """Why an admin acts."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the buyer called"}]})

    reason: Reason


class Resolution(Why):
    """What the gateway refused for good, and what people did instead."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "compensation": "refund_payment",
                    "reason": "the card was closed",
                    "done": "sent back by bank transfer 4711",
                }
            ]
        }
    )

    compensation: Annotated[
        Literal["void_payment", "refund_payment"], Field(description="The one that the gateway refuses")
    ]
    done: Annotated[
        Sentence, Field(description="What was done by hand, in 1 to 500 characters; kept: no personal data")
    ]
