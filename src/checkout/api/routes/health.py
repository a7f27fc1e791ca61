"""``/health``: ``live`` and ``ready`` for an orchestrator's probes, ``checkout`` for monitors."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter
from pydantic import ConfigDict

from checkout.api.admin.health import health
from checkout.api.documentation import problems
from checkout.api.models.base import Answer
from checkout.api.models.statistics import Health
from checkout.api.problems import Problem
from checkout.api.resources import DatabaseDep, ResourcesDep, TemporalHealthDep
from checkout.store.ping import ping

router = APIRouter(prefix="/health", tags=["health"])

Check = Literal["ok", "away"]


class Live(Answer):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "live"}]})

    status: Literal["live"] = "live"


class Ready(Answer):
    """Checkouts can be sold through this process."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"status": "ready", "checks": {"database": "ok", "temporal": "ok", "worker": "ok"}}]
        }
    )

    status: Literal["ready"] = "ready"
    checks: dict[str, Check]


@router.get("/live", summary="Whether the process answers")
async def live() -> Live:
    """For a liveness probe: nothing but the process itself is looked at, since no restart would bring back another."""
    return Live()


@router.get("/ready", summary="Whether database, Temporal and a worker answer", responses=problems("not_ready"))
async def ready(database: DatabaseDep, temporal: TemporalHealthDep) -> Ready:
    """For a readiness probe: 503 while one of them is away, and which."""
    stored, polling = await asyncio.gather(_reached(database.read(ping)), _reached(temporal.worker_polling()))
    checks: dict[str, Check] = {
        "database": "ok" if stored is not None else "away",
        "temporal": "ok" if polling is not None else "away",
        "worker": "ok" if polling else "away",
    }
    away = [name for name, check in checks.items() if check == "away"]
    if away:
        raise Problem("not_ready", f"Away: {', '.join(away)}.", retry_after=2, checks=checks)
    return Ready(checks=checks)


async def _reached(check: Awaitable[bool]) -> bool | None:
    try:
        return await check
    except Problem:
        return None


@router.get("/checkout", summary="Whether checkouts go on as they should", responses=problems("unhealthy"))
async def checkout(resources: ResourcesDep) -> Health:
    """For monitors, not for probes: 503 when the shop cannot sell, or too much is stuck; ``reasons`` says what."""
    return await health(resources)
