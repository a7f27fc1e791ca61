"""What ops have to see, on one shop in which something is stuck for each reason there is."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.e2e.stuck import StuckShop, stuck

__all__ = ["stuck"]


@pytest.fixture
async def ops(stuck: StuckShop) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the shop's API with an operator's token."""
    async with httpx.AsyncClient(base_url=stuck.url, headers=stuck.admin, timeout=60) as client:
        yield client
