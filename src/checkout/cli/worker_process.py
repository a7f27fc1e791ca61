"""The worker as a process: it waits for Temporal, polls, and lets what runs end before it stops."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import structlog
from temporalio.client import Client
from temporalio.worker import Worker

from checkout.activities.phase import LOCAL_PATIENCE
from checkout.cli.worker_metrics import Served, worker_metrics
from checkout.listeners.loading import listeners_of
from checkout.payments.adapters import connect_gateway
from checkout.runtime.database import create_engine, create_sessions
from checkout.runtime.mail import mailer_of
from checkout.runtime.outgoing import outgoing_of
from checkout.runtime.schedules import recurring, watch_schedules
from checkout.runtime.settings import Settings
from checkout.runtime.temporal import connect
from checkout.store.pricing import PriceRules
from checkout.worker import create_activities, create_worker

#: Seconds between two tries to reach a Temporal that is away.
RETRY = 1.0
#: Seconds in which what was cancelled ends inside the SDK's threads, which may crash an interpreter that exits before.
SDK_GRACE = 0.3

log = structlog.get_logger(__name__)


async def run_worker(settings: Settings, ready_file: Path | None = None) -> None:
    """Run until SIGTERM or Ctrl-C; then take nothing new, let activities end, and return.

    ``ready_file`` is there while the worker polls: what a supervisor or a probe looks for. It says where the worker's
    metrics are, where they are anywhere.
    Raises SettingsError where a setting is missing, and what the worker raises where it cannot go on.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    listeners = listeners_of(settings)
    engine = create_engine(settings, application_name="checkout-worker", lock_timeout=LOCAL_PATIENCE)
    gateway = connect_gateway(settings)
    try:
        async with worker_metrics(settings) as served:
            client = await _until_reached(settings, stopping, served)
            if client is not None:
                activities = create_activities(
                    create_sessions(engine),
                    gateway,
                    PriceRules.of(settings),
                    listeners=listeners,
                    mailer=mailer_of(settings),
                    outgoing=outgoing_of(settings),
                    webhooks_kept=timedelta(days=settings.webhook_log_days),
                )
                worker = create_worker(client, activities, task_queue=settings.temporal_task_queue)
                async with _scheduled(client, settings):
                    await _run_until(worker, stopping, ready_file, served)
    finally:
        await gateway.close()
        await engine.dispose()
        await asyncio.sleep(SDK_GRACE)


async def _until_reached(settings: Settings, stopping: asyncio.Event, served: Served) -> Client | None:
    """The client, as soon as Temporal answers; None where the process is told to stop before."""
    while not stopping.is_set():
        try:
            return await connect(settings, identity="checkout-worker", runtime=served.runtime)
        except RuntimeError as error:
            log.warning("temporal_away", address=settings.temporal_address, error=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), RETRY)
    return None


@contextlib.asynccontextmanager
async def _scheduled(client: Client, settings: Settings) -> AsyncIterator[None]:
    """See to the schedules beside the work; a server that refuses them, or is slow, holds up no checkout."""
    keeping = asyncio.create_task(watch_schedules(client, recurring(settings), settings.temporal_task_queue))
    try:
        yield
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping


async def _run_until(worker: Worker, stopping: asyncio.Event, ready_file: Path | None, served: Served) -> None:
    running = asyncio.create_task(worker.run())
    stopped = asyncio.create_task(stopping.wait())
    log.info("polling", task_queue=worker.task_queue, metrics=served.url)
    with _announced(ready_file, served.url or ""):
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not running.done():
        log.info("stopping")
        await worker.shutdown()
    await running
    log.info("stopped")


@contextlib.contextmanager
def _announced(ready_file: Path | None, metrics: str) -> Iterator[None]:
    if ready_file is None:
        yield
        return
    making = ready_file.with_name(f"{ready_file.name}.new")
    making.write_text(metrics, encoding="utf-8")
    making.replace(ready_file)  # whoever sees it can read all of it
    try:
        yield
    finally:
        ready_file.unlink(missing_ok=True)
