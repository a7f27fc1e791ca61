"""``/health/live``: the process answers."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(prefix="/health", tags=["health"])


class Live(BaseModel):
    """The process answers."""

    status: Literal["live"] = "live"


@router.get("/live", summary="Whether the process answers")
async def live() -> Live:
    """For an orchestrator's liveness probe: nothing but the process itself is looked at."""
    return Live()
