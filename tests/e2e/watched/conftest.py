"""One stack for the tests that watch, in the xdist group ``watched``."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import open_for_business
from tests.e2e.stack import Stack
from tests.e2e.watched.stack import WatchedStack
from tests.support.collector import running_collector


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedStack]:
    """One for all tests of a session, in the xdist group ``watched``."""
    directory = tmp_path_factory.mktemp("watched")
    with running_collector() as collector, open_for_business(WatchedStack(directory, collector), directory) as stack:
        yield stack


@pytest.fixture
def stack(watched: WatchedStack) -> Stack:
    """In the place of the shared stack."""
    return watched
