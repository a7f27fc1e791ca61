"""An API whose catalogue admin is asked over HTTP."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from checkout.api.app import create_app
from checkout.runtime.database import Sessions
from checkout.runtime.settings import load_settings
from checkout.store.demo import seed_demo
from tests.api.catalogue.shop import BASE, TOKEN, Shop
from tests.support.http import serve


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """An API on the test's database; Temporal is away, which these pages do not mind."""
    settings = load_settings(
        database_url=database_url, temporal_address="127.0.0.1:1", secret_key="s" * 40, admin_token=TOKEN
    )
    with serve(create_app(settings)) as address:
        yield address


@pytest.fixture
async def stranger(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has not logged in."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
async def shop(sessions: Sessions, stranger: httpx.AsyncClient) -> Shop:
    await seed_demo(sessions)
    shop = Shop(sessions, stranger)
    answer = await stranger.post(f"{BASE}/login", data={"password": TOKEN})
    assert (answer.status_code, answer.headers["location"].endswith(f"{BASE}/")) == (302, True)
    return shop
