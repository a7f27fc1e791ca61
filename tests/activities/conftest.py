"""What tests of the activities share."""

from collections.abc import AsyncIterator

import pytest

from checkout.runtime.database import Sessions
from tests.activities.paying import Paying, checkout_that_waits
from tests.support.gateway import GatewayServer
from tests.support.shop import Shop


@pytest.fixture
async def shop(sessions: Sessions) -> Shop:
    """A shop without products."""
    return await Shop(sessions).open()


@pytest.fixture
async def paying(shared_database_url: str, gateway_server: GatewayServer) -> AsyncIterator[Paying]:
    """A checkout that waits for its payment, on a real gateway with hooks in the way to it."""
    async with checkout_that_waits(shared_database_url, gateway_server) as paying:
        yield paying
