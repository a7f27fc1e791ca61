"""``/metrics``: what this process counted, and how things stand, for Prometheus."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from checkout.api.documentation import problems
from checkout.api.metrics import Gauges
from checkout.api.problems import Problem
from checkout.api.resources import SettingsDep
from checkout.runtime.metrics import CONTENT_TYPE, exposition, may_read

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus' text format",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": 'checkout_up{part="database"} 1.0'}},
        },
        **problems("metrics_token_invalid"),
    },
)
async def metrics(request: Request, settings: SettingsDep) -> Response:
    """Asks for the bearer token of `CHECKOUT_METRICS_TOKEN` where one is set. Also while the database is away."""
    if not may_read(settings.metrics_token, request.headers.get("Authorization")):
        raise Problem(
            "metrics_token_invalid",
            "Send Authorization: Bearer with the metrics token.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    gauges: Gauges = request.app.state.gauges
    return Response(exposition() + await gauges.exposition(), media_type=CONTENT_TYPE)
