"""``checkout reconcile`` as ops run it, with a worker that is a process; what the worker schedules by itself."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from checkout.domain.ids import new_attempt_id, new_cart_id, new_checkout_id
from checkout.runtime.embedded.process import launch
from tests.support.dev import PATIENCE, checkout
from tests.support.gateway import API_KEY, GatewayServer, running_gateway
from tests.support.temporal import TemporalEnvironment, temporal_settings
from tests.support.waiting import eventually

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")}


@asynccontextmanager
async def _worker(environment: dict[str, str], directory: Path) -> AsyncIterator[None]:
    ready = directory / "ready"
    process = launch(
        [sys.executable, "-m", "checkout.cli.main", "worker", "--ready-file", str(ready)],
        log=directory / "worker.log",
        environment=environment,
    )
    try:

        async def polls() -> bool:
            assert process.poll() is None, (directory / "worker.log").read_text()
            return ready.exists()

        await eventually(polls, "the worker polls")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, PATIENCE)


async def test_orphans_are_found_and_given_back(
    database_url: str, temporal_env: TemporalEnvironment, tmp_path: Path
) -> None:
    with running_gateway(database_url) as gateway_server:
        await _found_and_given_back(database_url, gateway_server, temporal_env, tmp_path)


async def _found_and_given_back(
    database_url: str, gateway_server: GatewayServer, temporal_env: TemporalEnvironment, tmp_path: Path
) -> None:
    settings = temporal_settings()
    environment = {
        **CLEAN,
        "CHECKOUT_DATABASE_URL": database_url,
        "CHECKOUT_TEMPORAL_ADDRESS": settings.temporal_address,
        "CHECKOUT_TEMPORAL_NAMESPACE": settings.temporal_namespace,
        "CHECKOUT_TEMPORAL_TASK_QUEUE": temporal_env.task_queue,
        "CHECKOUT_GATEWAY_URL": gateway_server.url,
        "CHECKOUT_GATEWAY_API_KEY": API_KEY,
        "CHECKOUT_RECONCILE_EVERY": "7200",
    }
    nobody = await asyncio.to_thread(checkout, "reconcile", environment=environment)
    assert nobody.returncode == 1
    assert nobody.stderr == (
        f"checkout: no worker polls the task queue {temporal_env.task_queue}: start one with `checkout worker`\n"
    )
    async with gateway_server.adapter() as gateway, _worker(environment, tmp_path):
        checkout_id, attempt_id = new_checkout_id(new_cart_id()), new_attempt_id()
        made = await gateway.create(
            checkout_id=checkout_id,
            attempt_id=attempt_id,
            currency="EUR",
            amount=5938,
            method="card",
            token="tok_visa",
            key=f"{attempt_id}:create",
        )
        await gateway.confirm(made.payment_id, key=f"{attempt_id}:confirm")
        told = await asyncio.to_thread(checkout, "reconcile", "--hours", "1", environment=environment)
        assert told.returncode == 1, told.stderr
        assert (
            f"payment {made.payment_id} of {checkout_id}: 59.38 EUR are authorized, and the shop has no such checkout. "
            "To do: `checkout reconcile --fix` gives it back.\n"
        ) in told.stdout

        fixed = await asyncio.to_thread(checkout, "reconcile", "--fix", "--json", environment=environment)
        assert fixed.returncode == 0, fixed.stderr
        report = json.loads(fixed.stdout)
        assert (report["hours"], report["left"]) == (24, 0)
        [mine] = report["findings"]
        assert (mine["kind"], mine["amount"], mine["fixed"]) == ("unknown_checkout", 5938, True)
        assert (await gateway.fetch(made.payment_id)).settled

        async def scheduled() -> bool:
            schedules = [one.id async for one in await temporal_env.client.list_schedules()]
            return "reconciliation" in schedules

        await eventually(scheduled, "the worker has made its schedule")
