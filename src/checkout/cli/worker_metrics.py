"""``/metrics`` of the worker, on a port of its own: what its activities counted, and what the Temporal SDK did."""

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from temporalio.runtime import PrometheusConfig, Runtime

from checkout.runtime.embedded.ports import free_port
from checkout.runtime.metrics import CONTENT_TYPE, exposition, may_read
from checkout.runtime.settings import PREFIX, Settings, SettingsError
from checkout.runtime.temporal import sdk_runtime

#: Seconds that the SDK's own endpoint, which is in this process, may take.
PATIENCE = 2.0
#: How often the SDK may find its port taken between our choice and its use of it.
TRIES = 5


@dataclass(frozen=True)
class Served:
    """Where the metrics are, if anywhere, and the SDK's runtime, which counts for them."""

    runtime: Runtime
    url: str | None = None


@contextlib.asynccontextmanager
async def worker_metrics(settings: Settings) -> AsyncIterator[Served]:
    """Serve them while the context lasts, where the settings name a port.

    The SDK counts in its own threads and serves the result by itself, on 127.0.0.1: it is read from there and put
    behind ours, so that Prometheus finds a worker at one address. Raises SettingsError where the port is taken.
    """
    if settings.worker_metrics_port is None:
        yield Served(sdk_runtime())
        return
    runtime, sdk = _counting_runtime()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        application = web.Application()
        application.router.add_get("/metrics", _Metrics(settings, session, sdk).answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            yield Served(runtime, await _listen(runner, settings.host, settings.worker_metrics_port))
        finally:
            await runner.cleanup()


def _counting_runtime() -> tuple[Runtime, str]:
    """A runtime of the SDK that serves its metrics, and where."""
    for number in range(1, TRIES + 1):
        address = f"127.0.0.1:{free_port()}"
        metrics = PrometheusConfig(
            bind_address=address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
        )
        try:
            return sdk_runtime(metrics), f"http://{address}/metrics"
        except (RuntimeError, ValueError):
            if number == TRIES:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


async def _listen(runner: web.AppRunner, host: str, port: int) -> str:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise SettingsError(
            f"{PREFIX}WORKER_METRICS_PORT is {port}, which {host} cannot be served on: "
            f"{os.strerror(error.errno).lower() if error.errno else error}"
        ) from None
    chosen = runner.addresses[0][1]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{chosen}/metrics"


@dataclass(frozen=True)
class _Metrics:
    settings: Settings
    session: aiohttp.ClientSession
    sdk: str

    async def answer(self, request: web.Request) -> web.Response:
        if not may_read(self.settings.metrics_token, request.headers.get("Authorization")):
            said = "Send Authorization: Bearer with the metrics token.\n"
            return web.Response(text=said, status=401, headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=exposition() + await self._of_sdk(), headers={"Content-Type": CONTENT_TYPE})

    async def _of_sdk(self) -> bytes:
        try:
            async with self.session.get(self.sdk) as response:
                return await response.read()
        except (aiohttp.ClientError, TimeoutError):
            return b""  # ours are worth having alone
