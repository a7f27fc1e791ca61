"""Figures over many checkouts, and whether the shop sells."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from checkout.api.models.base import Answer
from checkout.domain.words import CLOSED, Phase, State

#: A week: what ended in longer than that is a report's business, not a monitor's.
MOST_HOURS = 168
#: In which a checkout has not ended.
ACTIVE = tuple(state for state in State if state not in CLOSED)


class StatisticsQuery(BaseModel):
    """The query of the statistics."""

    model_config = ConfigDict(extra="forbid")

    hours: Annotated[int, Field(ge=1, le=MOST_HOURS, description=f"What ended since then, 1 to {MOST_HOURS}")] = 24


class Duration(Answer):
    """From the start of a checkout to its completion, in seconds; null where none was completed."""

    average: float | None
    p95: float | None


class Statistics(Answer):
    """What runs now, and what ended within so many hours."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "hours": 24,
                    "active": 3,
                    "completed": 97,
                    "failed": 2,
                    "refused": 11,
                    "expired": 31,
                    "cancelled": 7,
                    "success_rate": 0.9798,
                    "duration": {"average": 41.2, "p95": 180.4},
                    "active_by_state": {**dict.fromkeys(ACTIVE, 0), "awaiting_payment": 3},
                    "failures_by_phase": {**dict.fromkeys(Phase, 0), "payment_capture": 2},
                    "states": {**dict.fromkeys(State, 0), "awaiting_payment": 3, "completed": 97},
                    "rate_limit_hits": 0,
                    "cache_hit_rate": None,
                }
            ]
        }
    )

    hours: int
    active: Annotated[int, Field(description="Not ended, now")]
    active_by_state: Annotated[dict[State, int], Field(description="Those of `active`")]
    completed: int
    failed: Annotated[int, Field(description="Not by the buyer's doing")]
    refused: Annotated[int, Field(description="By the buyer's doing: declined, short of stock, a coupon that is none")]
    expired: int
    cancelled: int
    success_rate: Annotated[
        float | None, Field(description="completed / (completed + failed), 0 to 1; null where neither is")
    ]
    duration: Duration
    failures_by_phase: Annotated[dict[Phase, int], Field(description="Those of `failed`")]
    states: Annotated[dict[State, int], Field(description="Now; closed ones within the hours")]
    rate_limit_hits: int
    cache_hit_rate: Annotated[float | None, Field(description="0 to 1; null where nothing was asked of a cache")]


class Reason(Answer):
    """Something that keeps the shop from selling, or soon may; ``count`` where it is about checkouts."""

    code: str
    level: Literal["degraded", "unhealthy"]
    detail: str
    remedy: Annotated[str, Field(description="What to do about it")]
    count: int | None = None


class Health(Answer):
    """``healthy`` without a reason, else ``degraded``; what is unhealthy is a problem."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "healthy", "reasons": []},
                {
                    "status": "degraded",
                    "reasons": [
                        {
                            "code": "stuck",
                            "level": "degraded",
                            "detail": "Not gone on for more than 1800 s: 2.",
                            "remedy": "`checkout list --stuck` names them, `checkout diagnose ID` says why.",
                            "count": 2,
                        }
                    ],
                },
            ]
        }
    )

    status: Literal["healthy", "degraded"]
    reasons: list[Reason]
