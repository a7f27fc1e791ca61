"""The stage of the workflow's tests, for what needs no gateway of its own; and silence about what goes wrong."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from tests.support.temporal import TemporalEnvironment
from tests.workflows.stage import Stage, stage_on


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Attempts fail here by the hundred, as they are told to: of that nothing is written down."""
    for logger in ("temporalio", "uvicorn.error"):
        caplog.set_level(logging.CRITICAL, logger)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
async def stage(database_url: str, temporal_env: TemporalEnvironment) -> AsyncIterator[Stage]:
    """Checkouts on everything that is real, with a worker."""
    async with (
        stage_on(database_url, temporal_env.client, temporal_env, temporal_env.task_queue) as made,
        made.worker(),
    ):
        yield made
