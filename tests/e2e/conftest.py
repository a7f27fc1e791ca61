"""The stack that the end-to-end tests share: one for a pytest process, started when the first test needs it.

Under xdist the groups ``sale`` and ``crash`` each run in one process (``--dist=loadgroup``), so that there is one stack
for all that kills nothing and one for what does. Where ``CHECKOUT_DATABASE_URL`` or ``CHECKOUT_TEMPORAL_ADDRESS`` names
a server of yours, what kills nothing runs on that; yours is not for killing, so the group ``crash`` brings its own.
"""

import contextlib
import csv
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from checkout.runtime.database import engine_for
from tests.e2e.given import given_stack
from tests.e2e.stack import Stack
from tests.e2e.storefront import Buyer
from tests.support import servers
from tests.support.invariants import check_invariants

#: Products of the tests' own, so that no test meets another's stock: 20 units each, 12 in one warehouse, 8 in another.
PRODUCTS = 80
PRICE = "25.00"

AnyStack = TypeVar("AnyStack", bound=Stack)


@pytest.fixture(scope="session")
def _own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`checkout dev`, with servers that can be killed."""
    directory = tmp_path_factory.mktemp("stack")
    with open_for_business(Stack(directory), directory) as stack:
        yield stack


@pytest.fixture(scope="session")
def _given_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The shop's processes on your servers."""
    directory = tmp_path_factory.mktemp("given-stack")
    with given_stack(directory) as given, open_for_business(given, directory) as stack:
        yield stack


@pytest.fixture
def stack(request: pytest.FixtureRequest) -> Stack:
    group = request.node.get_closest_marker("xdist_group")
    kills = group is not None and "crash" in group.args
    stack: Stack = request.getfixturevalue("_given_stack" if servers.given() and not kills else "_own_stack")
    return stack


@contextlib.contextmanager
def open_for_business(stack: AnyStack, directory: Path) -> Iterator[AnyStack]:
    """The stack while the context lasts, with the tests' products in stock."""
    try:
        stack.start()
        for warehouse, units in ("main", 12), ("north", 8):
            stack.run("import-products", str(_products(directory, units)), "--warehouse", warehouse)
        yield stack
    finally:
        stack.stop()


def _products(directory: Path, units: int) -> Path:
    """A product export as Shopify writes it."""
    path = directory / f"products-{units}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Handle", "Title", "Variant SKU", "Variant Price", "Variant Inventory Qty"])
        writer.writerows([f"test-{n}", f"Test {n}", f"TEST-{n}", PRICE, units] for n in range(PRODUCTS))
    return path


@pytest.fixture(scope="session")
def skus() -> Iterator[str]:
    """Products that no other test buys, for those that take several."""
    return (f"TEST-{n}" for n in itertools.count())


@pytest.fixture
def sku(skus: Iterator[str]) -> str:
    """A product that no other test buys: 20 units, 12 in one warehouse and 8 in another, at 25.00 EUR."""
    return next(skus)


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=100)
    async with httpx.AsyncClient(base_url=stack.url, timeout=90, limits=limits) as client:
        yield client


@pytest.fixture
def buyer(client: httpx.AsyncClient) -> Callable[[], Buyer]:
    """Makes buyers: each a session of its own."""
    return lambda: Buyer(client)


@pytest.fixture(autouse=True)
async def _invariants(stack: Stack) -> AsyncIterator[None]:
    """Every test here ends at rest, with all guarantees checked from the database and the gateway's ledger."""
    yield
    engine = engine_for(stack.database_url, application_name="test")
    try:
        await check_invariants(engine, await stack.ledger())
    finally:
        await engine.dispose()
