"""The worker that is measured: the shop's own, and in the same process one for the bare workflow, on its own queue."""

import asyncio
import signal

import uvloop
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from bench.bare import QUEUE, Bare, nothing
from checkout.listeners import Listeners
from checkout.payments.adapters import connect_gateway
from checkout.runtime.database import create_engine, create_sessions
from checkout.runtime.logs import configure_logs
from checkout.runtime.settings import load_settings
from checkout.runtime.temporal import connect
from checkout.worker import create_activities, create_worker, workflow_runner


async def main() -> None:
    """Run both until SIGTERM."""
    settings = load_settings()
    configure_logs(settings, process="worker")
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    engine = create_engine(settings, application_name="checkout-worker")
    gateway = connect_gateway(settings)
    client = await connect(settings, identity="bench-worker")
    # Nobody listens, but whether an endpoint wants an event is asked, as in every shop.
    listeners = Listeners(webhooks=True)
    shop = create_worker(client, create_activities(create_sessions(engine), gateway, listeners=listeners))
    # The same settings as the shop's: whatever is tuned there is tuned here.
    bare = Worker(
        client,
        task_queue=QUEUE,
        workflows=[Bare],
        activities=[nothing],
        workflow_runner=workflow_runner(),
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
    )
    async with shop, bare:
        await stopping.wait()
    await gateway.close()
    await engine.dispose()
    await asyncio.sleep(0.3)  # what is in flight in the SDK's threads ends before the interpreter does


if __name__ == "__main__":
    uvloop.run(main())
