"""The one client: it speaks the search attributes, a lazy one waits, and the tests' clocks move."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.worker import Worker

from checkout.domain import search
from checkout.runtime.embedded.ports import free_port
from checkout.runtime.settings import SettingsError, load_settings
from checkout.runtime.temporal import connect, register_search_attributes
from tests.support.temporal import TemporalEnvironment


@workflow.defn
class Sleeper:
    """Sleeps for fifteen minutes."""

    @workflow.run
    async def run(self) -> str:
        """The whole of it."""
        await workflow.sleep(timedelta(minutes=15))
        return "awake"


async def test_fifteen_minutes_pass_at_once(temporal_env: TemporalEnvironment) -> None:
    async with Worker(temporal_env.client, task_queue=temporal_env.task_queue, workflows=[Sleeper]):
        handle = await temporal_env.client.start_workflow(
            Sleeper.run, id=temporal_env.task_queue, task_queue=temporal_env.task_queue
        )
        begun = await temporal_env.now(handle)
        assert await temporal_env.fast_forward(handle, timedelta(minutes=5))
        assert await temporal_env.now(handle) - begun >= timedelta(minutes=5)
        assert (await handle.describe()).close_time is None

        await temporal_env.fast_forward(handle, timedelta(minutes=11))

        assert await handle.result() == "awake"


async def test_the_search_attributes_are_there(temporal_env: TemporalEnvironment) -> None:
    answer = await temporal_env.client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=temporal_env.client.namespace)
    )

    assert set(search.TYPES) <= set(answer.custom_attributes)
    assert await register_search_attributes(temporal_env.client) == []


async def test_a_lazy_client_is_made_while_the_server_is_away() -> None:
    settings = load_settings(temporal_address=f"127.0.0.1:{free_port()}")

    client = await connect(settings, lazy=True)

    assert client.namespace == "default"
    with pytest.raises(RuntimeError):
        await connect(settings)


async def test_a_certificate_that_vanished_is_one_line(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("")
    settings = load_settings(temporal_tls_ca=certificate)
    certificate.unlink()

    with pytest.raises(SettingsError, match=r"CHECKOUT_TEMPORAL_TLS_CA is .*ca\.pem.*cannot be read"):
        await connect(settings, lazy=True)
