"""The API over real HTTP, on a database of the test's own and the session's Temporal server."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx
import pytest
from pydantic import SecretStr

from checkout.api import database, engine
from checkout.api.app import create_app
from checkout.runtime.settings import Settings, load_settings
from tests.support.gateway import API_KEY, GatewayServer
from tests.support.http import serve
from tests.support.temporal import TemporalEnvironment, temporal_settings
from tests.workflows.stage import Stage, stage_on

ADMIN_TOKEN = "admin-token-of-the-tests"
VIEWER_TOKEN = "viewer-token-of-the-tests"
WEBHOOK_SECRET = "webhook-secret-of-the-tests"
SECRET_KEY = "secret-key-of-the-tests-" + "x" * 40


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A noisy machine is no reason for another answer: what a test expects to come is waited for."""
    monkeypatch.setattr(engine, "UPDATE_WAIT", 60)
    monkeypatch.setattr(engine, "RPC_WAIT", 60)
    monkeypatch.setattr(engine, "QUERY_WAIT", 60)
    monkeypatch.setattr(database, "PATIENCE", 60)


@pytest.fixture
def api_settings(database_url: str, temporal_env: TemporalEnvironment) -> Settings:
    """Settings of an API on this test's database and task queue."""
    there = temporal_settings()
    return load_settings(
        database_url=database_url,
        temporal_address=there.temporal_address,
        temporal_namespace=there.temporal_namespace,
        temporal_task_queue=temporal_env.task_queue,
        secret_key=SECRET_KEY,
        admin_token=ADMIN_TOKEN,
        admin_tokens=f"ada:viewer:{VIEWER_TOKEN}",
        gateway_webhook_secret=WEBHOOK_SECRET,
        return_url="https://shop.example/back?checkout={checkout_id}",
    )


def beside_the_gateway(settings: Settings, stage: Stage) -> Settings:
    """Settings of an API that asks the stage's gateway."""
    assert isinstance(stage.gateway, GatewayServer)
    return settings.model_copy(update={"gateway_url": stage.gateway.url, "gateway_api_key": SecretStr(API_KEY)})


@pytest.fixture
def api_url(api_settings: Settings) -> Iterator[str]:
    """Where the API answers."""
    with serve(create_app(api_settings)) as url:
        yield url


@pytest.fixture
async def http(api_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, without a token."""
    async with httpx.AsyncClient(base_url=api_url, timeout=120) as client:
        yield client


@pytest.fixture
async def stage(database_url: str, temporal_env: TemporalEnvironment) -> AsyncIterator[Stage]:
    """The shop and the gateway behind the API; whether a worker runs is the test's to say."""
    async with stage_on(database_url, temporal_env.client, temporal_env, temporal_env.task_queue) as stage:
        yield stage


@pytest.fixture
async def worker(stage: Stage) -> AsyncIterator[None]:
    """A worker with the real activities."""
    async with stage.worker():
        yield


class Faults:
    """What the gateway does wrong: ``await faults(operation, fault, …)``, until ``clear``."""

    def __init__(self, gateway: aiohttp.ClientSession) -> None:
        self._gateway = gateway

    async def __call__(self, operation: str, fault: str, **more: Any) -> None:
        async with self._gateway.post("/faults", json={"operation": operation, "fault": fault, **more}) as answer:
            assert answer.status < 300, await answer.text()

    async def clear(self) -> None:
        await (await self._gateway.delete("/faults")).release()


@pytest.fixture
async def faults(stage: Stage) -> AsyncIterator[Faults]:
    """Faults of the gateway, which behaves again after the test."""
    async with aiohttp.ClientSession(stage.gateway.url, headers={"Authorization": f"Bearer {API_KEY}"}) as session:
        faults = Faults(session)
        yield faults
        await faults.clear()
