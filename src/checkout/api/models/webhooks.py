"""Outgoing webhooks as admins keep them: endpoints, and the log of what was sent."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from checkout.api.models.base import Answer, Code, Cursor, Limit, Request, Sentence, Time, line_of, refused
from checkout.domain.events import EVENTS
from checkout.domain.webhooks import DeliveryStatus
from checkout.runtime.outgoing import LONGEST_URL


def _known(value: str) -> str:
    if value not in EVENTS:
        raise refused(f"must be one of {', '.join(EVENTS)}")
    return value


EventName = Annotated[str, AfterValidator(_known), Field(examples=["checkout.completed"])]
Events = Annotated[
    list[EventName], Field(max_length=20, description="Events that are wanted; none: all, also those to come")
]
Url = Annotated[str, line_of(LONGEST_URL), Field(description="https, and no private address")]

_ENDPOINT: dict[str, Any] = {
    "id": "whe_5f1d7a9c0b3e8d2466a1c7f4",
    "url": "https://warehouse.example/hooks",
    "description": "The warehouse",
    "events": ["checkout.completed"],
    "enabled": True,
    "disabled_reason": None,
    "failing_since": None,
    "previous_secret_until": None,
    "created_at": "2026-01-31T12:00:00Z",
}
_NEW = {name: _ENDPOINT[name] for name in ("url", "description", "events")}
_DELIVERY: dict[str, Any] = {
    "id": "whd_0c9be1a7d25f4b6e8893d1aa",
    "endpoint_id": _ENDPOINT["id"],
    "event_id": "evt_4x8pk2mvq0tz9d3h7wca",
    "event": "checkout.completed",
    "checkout_id": "chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy",
    "status": "pending",
    "attempts": 1,
    "next_try_at": "2026-01-31T12:05:05Z",
    "created_at": "2026-01-31T12:00:00Z",
    "ended_at": None,
}


class NewEndpoint(Request):
    """Where events are to be sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_NEW]})

    url: Url
    description: Sentence | None = None
    events: Events = Field(default_factory=list)


class EndpointChange(Request):
    """What is to be another; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": True, **_NEW}]})

    url: Url | None = None
    description: Sentence | None = None
    events: Events | None = None
    enabled: bool | None = None


class WebhookEndpoint(Answer):
    """An endpoint. ``disabled_reason``: why the shop itself disabled it; ``failing_since``: nothing was taken since."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENDPOINT]})

    id: str
    url: str
    description: str
    events: list[str]
    enabled: bool
    disabled_reason: str | None
    failing_since: Time | None
    previous_secret_until: Annotated[Time | None, Field(description="Until then the secret before signs as well")]
    created_at: Time


class EndpointWithSecret(WebhookEndpoint):
    """An endpoint with its secret, which is shown this once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_ENDPOINT, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0FqTdQ6v5Ls="}]}
    )

    secret: str


class WebhookEndpoints(Answer):
    """All endpoints, the oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ENDPOINT]}]})

    items: list[WebhookEndpoint]


class WebhookDelivery(Answer):
    """One event for one endpoint."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    id: str
    endpoint_id: str
    event_id: str
    event: str
    checkout_id: str
    status: DeliveryStatus
    attempts: int
    next_try_at: Time | None
    created_at: Time
    ended_at: Time | None


class WebhookDeliveries(Answer):
    """A page of deliveries, the newest first; ``next_cursor`` is null on the last."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_DELIVERY], "next_cursor": None}]})

    items: list[WebhookDelivery]
    next_cursor: str | None


class WebhookAttempt(Answer):
    """One attempt: what was answered, and how it began; or what went wrong."""

    number: int
    at: Time
    status: int | None
    milliseconds: int | None
    response: str | None
    error: str | None


class DeliveryInFull(WebhookDelivery):
    """A delivery, what is sent, and what came of each attempt."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_DELIVERY,
                    "body": '{"type": "checkout.completed", …}',
                    "log": [
                        {
                            "number": 1,
                            "at": "2026-01-31T12:00:00Z",
                            "status": 500,
                            "milliseconds": 84,
                            "response": "out of order",
                            "error": "the receiver answered 500",
                        }
                    ],
                }
            ]
        }
    )

    body: str
    log: list[WebhookAttempt]


class DeliveriesQuery(BaseModel):
    """Filters of the list; each that is given has to fit."""

    model_config = ConfigDict(extra="forbid")

    endpoint_id: Code | None = None
    status: DeliveryStatus | None = None
    cursor: Cursor | None = None
    limit: Limit = 50
