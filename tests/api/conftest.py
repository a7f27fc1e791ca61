"""The API over real HTTP, on a database of the test's own and the session's Temporal server."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from checkout.api.app import create_app
from checkout.runtime.settings import Settings, load_settings
from tests.support.http import serve
from tests.support.temporal import TemporalEnvironment, temporal_settings

ADMIN_TOKEN = "admin-token-of-the-tests"
SECRET_KEY = "secret-key-of-the-tests-" + "x" * 40


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
    )


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
