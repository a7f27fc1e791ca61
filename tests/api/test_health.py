"""Readiness says what is away; liveness looks at nothing but the process."""

import httpx

from checkout.api.app import create_app
from checkout.runtime.settings import Settings
from checkout.worker import create_worker
from tests.support.http import serve
from tests.support.temporal import TemporalEnvironment
from tests.support.waiting import eventually
from tests.workflows.fakes import Fakes


async def test_ready_once_a_worker_polls(http: httpx.AsyncClient, temporal_env: TemporalEnvironment) -> None:
    answer = await http.get("/health/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["code"] == "not_ready"
    assert answer.json()["checks"] == {"database": "ok", "temporal": "ok", "worker": "away"}

    async def ready() -> bool:
        return (await http.get("/health/ready")).status_code == 200

    async with create_worker(temporal_env.client, Fakes().activities(), task_queue=temporal_env.task_queue):
        await eventually(ready, "ready")
    assert (await http.get("/health/live")).status_code == 200


async def test_what_is_away_is_named(api_settings: Settings) -> None:
    nowhere = api_settings.model_copy(
        update={"database_url": "postgresql:///none?host=/nonexistent", "temporal_address": "127.0.0.1:9"}
    )
    with serve(create_app(nowhere)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            answer = await http.get("/health/ready")
            assert answer.status_code == 503
            assert answer.json()["checks"] == {"database": "away", "temporal": "away", "worker": "away"}
            assert (await http.get("/health/live")).status_code == 200
