"""Temporal for tests: one server for the session, a virtual clock for each workflow, a task queue for each test."""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from checkout.domain import search
from checkout.domain.words import State
from checkout.runtime.embedded.temporal import TIME_SKIPPING
from checkout.runtime.settings import Settings, load_settings
from checkout.runtime.temporal import connect, register_search_attributes
from tests.support.servers import GIVEN, exclusively, server, session_directory

_EXTERNAL = GIVEN["CHECKOUT_TEMPORAL_ADDRESS"]


@dataclass(frozen=True)
class TemporalEnvironment:
    """A client, a task queue that no other test uses, and the clocks of the workflows.

    Workflows run in real time until ``fast_forward`` moves the clock of one.
    """

    client: Client
    task_queue: str
    _skipper: TimeSkipper

    async def fast_forward(self, handle: WorkflowHandle[Any, Any], duration: timedelta) -> bool:
        """Move the workflow's clock on; due timers fire. False where the workflow ended before it came that far.

        Skips the test where the server is one of yours that cannot do so.
        """
        try:
            return await self._skipper.fast_forward(handle, duration)
        except RPCError as error:
            if error.status is RPCStatusCode.UNIMPLEMENTED:
                pytest.skip(f"{_EXTERNAL}: {error.message} (dynamic configuration {TIME_SKIPPING})")
            raise

    async def now(self, handle: WorkflowHandle[Any, Any]) -> datetime:
        """The workflow's own time."""
        return await self._skipper.get_current_time(handle)


@contextlib.asynccontextmanager
async def temporal_environment() -> AsyncIterator[TemporalEnvironment]:
    """The environment of one test on the session's server. Raises RuntimeError where the server does not start."""
    client = await connect(temporal_settings())
    # Stamped on, it would skip every wait without end: a checkout that nobody pays would expire at once.
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    yield TemporalEnvironment(
        client=client,
        task_queue=f"test-{secrets.token_hex(6)}",
        _skipper=skipper,
    )


def temporal_settings() -> Settings:
    """Where the session's server is: embedded, or a namespace of our own at ``CHECKOUT_TEMPORAL_ADDRESS``."""
    address = os.environ.get(_EXTERNAL)
    if address is None:
        return load_settings(temporal_address=server("temporal")["address"])
    return load_settings(temporal_address=address, temporal_namespace=_own_namespace(address))


def drop_namespace() -> None:
    """Delete the session's namespace on a server that outlives it."""
    address = os.environ.get(_EXTERNAL)
    file = session_directory() / "namespace"
    if address and file.exists():
        asyncio.run(_delete(address, file.read_text()))


def _own_namespace(address: str) -> str:
    file = session_directory() / "namespace"
    with exclusively("namespace"):
        if not file.exists():
            name = f"checkout-test-{secrets.token_hex(6)}"
            # In a thread, because the caller may be inside a running event loop.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, _register(address, name)).result()
            file.write_text(name)
    return file.read_text()


@contextlib.asynccontextmanager
async def another_namespace(client: Client) -> AsyncIterator[str]:
    """A namespace for one test, by its name; the server's own caches learn of it only after a while."""
    name = f"checkout-test-{secrets.token_hex(6)}"
    await _create_namespace(client, name)
    try:
        yield name
    finally:
        await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=name))


async def _create_namespace(client: Client, name: str) -> None:
    request = RegisterNamespaceRequest(namespace=name)
    request.workflow_execution_retention_period.FromTimedelta(timedelta(days=1))
    await client.workflow_service.register_namespace(request)


async def _register(address: str, name: str) -> None:
    client = await connect(load_settings(temporal_address=address, temporal_namespace=name))
    await _create_namespace(client, name)
    deadline = time.monotonic() + 120
    while True:
        # The caches: of the namespace, and of its attributes.
        try:
            await register_search_attributes(client)
            handle = await client.start_workflow("Probe", id="probe", task_queue="probe", search_attributes=_probe())
            await handle.terminate()
        except RPCError as error:
            if time.monotonic() > deadline or error.status is RPCStatusCode.PERMISSION_DENIED:
                raise
            await asyncio.sleep(0.5)
        else:
            return


def _probe() -> TypedSearchAttributes:
    key = SearchAttributeKey.for_keyword(search.STATE)
    return TypedSearchAttributes([SearchAttributePair(key, State.PENDING)])


async def _delete(address: str, name: str) -> None:
    client = await connect(load_settings(temporal_address=address))
    await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=name))
