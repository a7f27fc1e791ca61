"""The stage of the workflow's tests, for what needs no gateway of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.support.temporal import TemporalEnvironment
from tests.workflows.stage import Stage, stage_on


@pytest.fixture
async def stage(database_url: str, temporal_env: TemporalEnvironment) -> AsyncIterator[Stage]:
    """Checkouts on everything that is real, with a worker."""
    async with (
        stage_on(database_url, temporal_env.client, temporal_env, temporal_env.task_queue) as made,
        made.worker(),
    ):
        yield made
