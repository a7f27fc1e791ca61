"""The stage: everything real on the session's servers, in a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from tests.support.stripe.server import StripeServer
from tests.support.temporal import TemporalEnvironment
from tests.workflows.stage import Stage, stage_on


@pytest.fixture
async def stage(database_url: str, temporal_env: TemporalEnvironment) -> AsyncIterator[Stage]:
    """Checkouts on everything that is real; a worker is to be started."""
    async with stage_on(database_url, temporal_env.client, temporal_env, temporal_env.task_queue) as made:
        yield made


@pytest.fixture
async def stripe_stage(
    database_url: str, temporal_env: TemporalEnvironment, stripe_server: StripeServer
) -> AsyncIterator[Stage]:
    """The same with Stripe, whose books are empty."""
    stripe_server.clear()
    async with stage_on(
        database_url, temporal_env.client, temporal_env, temporal_env.task_queue, stripe=stripe_server
    ) as made:
        yield made
