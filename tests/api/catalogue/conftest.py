"""An API whose catalogue admin is asked over HTTP."""

import httpx
import pytest

from checkout.runtime.database import Sessions
from checkout.runtime.settings import Settings, load_settings
from checkout.store.demo import seed_demo
from tests.api.catalogue.shop import BASE, TOKEN, Shop


@pytest.fixture
def api_settings(database_url: str) -> Settings:
    """An API on the test's database; Temporal is away, which these pages do not mind."""
    return load_settings(
        database_url=database_url, temporal_address="127.0.0.1:1", secret_key="s" * 40, admin_token=TOKEN
    )


@pytest.fixture
def stranger(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client that has not logged in."""
    return http


@pytest.fixture
async def shop(sessions: Sessions, stranger: httpx.AsyncClient) -> Shop:
    await seed_demo(sessions)
    shop = Shop(sessions, stranger)
    answer = await stranger.post(f"{BASE}/login", data={"password": TOKEN})
    assert (answer.status_code, answer.headers["location"].endswith(f"{BASE}/")) == (302, True)
    return shop
