"""APIs as processes of their own, beside those that tests serve in theirs."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from checkout.runtime.embedded.ports import free_port
from checkout.runtime.settings import Settings
from tests.api.conftest import ADMIN_TOKEN, SECRET_KEY
from tests.support.waiting import eventually

PATIENCE = 120


@asynccontextmanager
async def api_process(
    settings: Settings, directory: Path, **variables: str
) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """``checkout api`` with the servers of these settings, and a client of it, killed if it does not end by itself.

    ``variables``: further settings, by their names without the prefix.
    """
    port = free_port()
    environment = {
        "CHECKOUT_DATA_DIR": str(directory),
        "CHECKOUT_HTTP_PORT": str(port),
        "CHECKOUT_DATABASE_URL": settings.require_database_url(),
        "CHECKOUT_TEMPORAL_ADDRESS": settings.temporal_address,
        "CHECKOUT_TEMPORAL_NAMESPACE": settings.temporal_namespace,
        "CHECKOUT_TEMPORAL_TASK_QUEUE": settings.temporal_task_queue,
        "CHECKOUT_SECRET_KEY": SECRET_KEY,
        "CHECKOUT_ADMIN_TOKEN": ADMIN_TOKEN,
        "CHECKOUT_LOG_LEVEL": "warning",
        **{f"CHECKOUT_{name}": value for name, value in variables.items()},
    }
    command = [sys.executable, "-c", "from checkout.cli.main import main; main()", "api"]
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:

            async def up() -> bool:
                try:
                    return (await http.get("/health/live")).status_code == 200
                except httpx.ConnectError:
                    return False

            await eventually(up, "the API answers")
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
