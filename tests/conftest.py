"""What every test has: servers of the session, a database of its own, settings that no shell variable touches."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.runtime.database import Sessions, create_sessions, engine_for
from tests.support import databases, servers
from tests.support.gateway import GatewayServer, running_gateway
from tests.support.own_code import Own, modules_in
from tests.support.stripe.server import StripeServer, running_stripe
from tests.support.temporal import TemporalEnvironment, drop_namespace, temporal_environment


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=("embedded", "containers"),
        default="embedded",
        help="where the tests' PostgreSQL comes from: the embedded one, or a container, which needs Docker",
    )


# Property tests find the same each time: no clock decides, and no stored example of an earlier run.
hypothesis_settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    for variable in [name for name in os.environ if name.startswith("CHECKOUT_")]:
        value = os.environ.pop(variable)
        if variable in servers.GIVEN:
            os.environ[servers.GIVEN[variable]] = value
    os.environ |= servers.UNLIMITED
    containers = config.getoption("--stack") == "containers"
    servers.begin_session(postgres="container" if containers else "postgres")
    if containers:
        _need_docker()


def _need_docker() -> None:
    """Who asks for containers wants them tried: without Docker nothing is skipped, the session ends."""
    # Here, because no other session uses what it takes half a second to import.
    from tests.support import container

    if reason := container.absent():
        raise pytest.UsageError(reason)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        databases.drop_templates()
        drop_namespace()
        servers.end_session()
    # Calls that are still in flight in the SDK's threads may crash the interpreter at its exit; they end by then.
    time.sleep(0.3)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    """Makes a module of the shop's own, and gives its name."""
    return modules_in(tmp_path, monkeypatch)


@pytest.fixture
def database_url() -> Iterator[str]:
    """The libpq URI of a migrated, empty database that this test alone uses."""
    with databases.fresh_database() as uri:
        yield uri


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on the test's database."""
    engine = engine_for(database_url, application_name="test")
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions on the test's database."""
    return create_sessions(engine)


@pytest.fixture
async def temporal_env() -> AsyncIterator[TemporalEnvironment]:
    """The session's Temporal server, with a task queue for this test alone and clocks that can be moved."""
    async with temporal_environment() as environment:
        yield environment


@pytest.fixture(scope="session")
def shared_database_url() -> Iterator[str]:
    """A migrated database that the tests of this process share: for those that tell their rows apart by their ids."""
    with databases.fresh_database() as uri:
        yield uri


@pytest.fixture(scope="session")
def gateway_server() -> Iterator[GatewayServer]:
    """A simulated gateway that the tests of this process share, in a database of its own, as a third party has.

    Tell its payments apart by their checkout.
    """
    with databases.fresh_database() as uri, running_gateway(uri) as server:
        yield server


@pytest.fixture(scope="session")
def stripe_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeServer]:
    """A Stripe that the tests of this process share: localstripe, extended. Tell payments apart by their checkout."""
    with running_stripe(tmp_path_factory.mktemp("stripe")) as server:
        yield server
