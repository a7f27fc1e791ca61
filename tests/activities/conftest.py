"""What tests of the activities share."""

import pytest

from checkout.runtime.database import Sessions
from tests.support.shop import Shop


@pytest.fixture
async def shop(sessions: Sessions) -> Shop:
    """A shop without products."""
    return await Shop(sessions).open()
