"""The complete express checkout against a bare workflow of seven no-op activities: same server, same worker."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WithStartWorkflowOperation

from bench.bare import NAME, QUEUE
from bench.products import write_products
from bench.report import Report, percentile, spread
from bench.stack import Stack
from bench.storefront import CARD, Storefront
from checkout.domain.contract import CHECKOUT_WORKFLOW, START, TASK_QUEUE
from checkout.domain.ids import new_attempt_id, new_checkout_id, workflow_id
from checkout.domain.messages import CheckoutInput, CheckoutView, StartRequest
from checkout.domain.words import State
from checkout.runtime.database import Sessions, create_sessions, engine_for, in_transaction
from checkout.runtime.temporal import connect
from checkout.store import payments
from checkout.workflows.start import start_options

IN_FLIGHT = 30
SERIAL = 30
PRODUCTS = 60


class Kind(Protocol):
    """Something that is measured: what ran last, and jobs that are ready to run."""

    last: str

    async def prepare(self, count: int) -> list["Job"]:
        """``count`` jobs."""
        ...


Job = Callable[[], Awaitable[None]]
#: What Temporal Cloud bills, by the events that stand for it (docs.temporal.io/cloud/actions).
_BILLABLE = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "upsert",
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: "child",
}


class Checkouts:
    """Express checkouts that are ready to be started: carts and payment attempts exist, only the start is measured."""

    def __init__(self, client: Client, sessions: Sessions, shop: Storefront) -> None:
        self._client, self._sessions, self._shop = client, sessions, shop
        self.last = ""

    async def prepare(self, count: int) -> list[Job]:
        """Jobs that each take one checkout from its start to completed."""
        made: list[Job] = []
        for first in range(0, count, 20):
            batch = range(first, min(count, first + 20))
            made += await asyncio.gather(*(self._one(f"ENGINE-{n % PRODUCTS}") for n in batch))
        return made

    async def _one(self, sku: str) -> Job:
        cart_id, session_id = await self._shop.cart_of_session(sku)
        checkout = CheckoutInput(
            new_checkout_id(cart_id), cart_id, session_id, attempt_id=(attempt_id := new_attempt_id())
        )
        await in_transaction(
            self._sessions,
            lambda session: payments.add_attempt(
                session,
                attempt_id=attempt_id,
                checkout_id=checkout.checkout_id,
                cart_id=cart_id,
                gateway="simulated",
                method="card",
                token=CARD["token"],
            ),
        )
        self.last = cart_id

        async def run() -> None:
            operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
                CHECKOUT_WORKFLOW, checkout, task_queue=TASK_QUEUE, **start_options(checkout)
            )
            view: CheckoutView = await self._client.execute_update_with_start_workflow(
                START,
                StartRequest(session_id, checkout.checkout_id),
                start_workflow_operation=operation,
                result_type=CheckoutView,
            )
            if view.state is not State.COMPLETED:
                raise RuntimeError(f"not completed: {view}")

        return run


class Bares:
    """Bare workflows."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.last = ""

    async def prepare(self, count: int) -> list[Job]:
        """Jobs that each take one bare workflow from its start to its result."""
        return [self._one for _ in range(count)]

    async def _one(self) -> None:
        self.last = f"bare-{time.time_ns()}"
        await self._client.execute_workflow(NAME, id=self.last, task_queue=QUEUE, result_type=int)


async def measure_engine(stack: Stack, directory: Path, rounds: int, count: int, report: Report) -> None:
    """Throughput at 30 in flight and serial p50, alternating; then events and billable actions, which are exact."""
    report.title(f"Express checkout against seven no-op activities, {count} a round, {IN_FLIGHT} in flight")
    export = write_products(directory / "engine.csv", [(f"ENGINE-{n}", 1_000_000) for n in range(PRODUCTS)])
    stack.command("import-products", str(export), "--warehouse", "main")
    client = await connect(stack.settings)
    engine = engine_for(stack.settings.require_database_url(), application_name="bench")
    try:
        async with aiohttp.ClientSession() as http:
            kinds: dict[str, Kind] = {
                "checkout": Checkouts(client, create_sessions(engine), Storefront(http, stack.api)),
                "bare": Bares(client),
            }
            rates: dict[str, list[float]] = {name: [] for name in kinds}
            medians: dict[str, list[float]] = {name: [] for name in kinds}
            cpu: dict[str, Counter[str]] = {name: Counter() for name in kinds}
            for kind in kinds.values():  # whatever is loaded, connected or prepared at the first use is so from here on
                await _serial(await kind.prepare(3))
                await throughput(await kind.prepare(IN_FLIGHT), IN_FLIGHT)
            for number in range(rounds):
                # Who goes first alternates too: whatever the machine does meanwhile meets both.
                for name in sorted(kinds, reverse=number % 2 == 1):
                    jobs = await kinds[name].prepare(count)
                    cpu[name].subtract(stack.cpu_seconds())
                    rates[name].append(await throughput(jobs, IN_FLIGHT))
                    cpu[name].update(stack.cpu_seconds())
                    medians[name].append(await _serial(await kinds[name].prepare(SERIAL)))
        for name in kinds:
            report.line(f"{name}: throughput", spread(rates[name], "/s"), **{f"{name}_rate": rates[name]})
            milliseconds = [median * 1000 for median in medians[name]]
            report.line(f"{name}: serial p50", spread(milliseconds, "ms", 0), **{f"{name}_p50_ms": milliseconds})
            used = {process: seconds * 1000 / rounds / count for process, seconds in cpu[name].items()}
            each = ", ".join(f"{process} {spent:.1f}" for process, spent in used.items() if spent >= 0.05)
            report.line(f"{name}: CPU of one", f"{sum(used.values()):.0f} ms ({each})", **{f"{name}_cpu_ms": used})
        ratios = _ratios(rates)
        report.line("ratio of throughput (aim: >= 1.2)", spread(ratios, digits=2), throughput_ratio=ratios)
        ratios = _ratios(medians)
        report.line("ratio of latency (aim: <= 1.0)", spread(ratios, digits=2), latency_ratio=ratios)
        for name, run in ("checkout", workflow_id(kinds["checkout"].last)), ("bare", kinds["bare"].last):
            events, billable = await _counted(client, run)
            aim = " (aim: <= 28)" if name == "checkout" else ""
            each = ", ".join(f"{what} {number}" for what, number in billable.items())
            label = f"{name}: history events{aim}, billable actions"
            report.line(label, f"{events}, {sum(billable.values())} ({each})", **{f"{name}_events": events})
    finally:
        await engine.dispose()


def _ratios(figures: dict[str, list[float]]) -> list[float]:
    return [checkout / bare for checkout, bare in zip(figures["checkout"], figures["bare"], strict=True)]


async def throughput(jobs: list[Job], in_flight: int) -> float:
    """Jobs a second with so many of them in flight at any time."""
    waiting = iter(jobs)

    async def lane() -> None:
        for job in waiting:
            await job()

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(in_flight)))
    return len(jobs) / (time.perf_counter() - began)


async def _serial(jobs: list[Job]) -> float:
    """The median seconds of jobs run one after the other."""
    durations = []
    for job in jobs:
        began = time.perf_counter()
        await job()
        durations.append(time.perf_counter() - began)
    return percentile(durations, 0.5)


async def _counted(client: Client, run: str) -> tuple[int, Counter[str]]:
    """Events of a workflow's history, and what of them is billed."""
    history = await client.get_workflow_handle(run).fetch_history()
    billed = Counter(_BILLABLE[event.event_type] for event in history.events if event.event_type in _BILLABLE)
    # Local activities of one workflow task are one action, whatever their number.
    markers = [
        event.marker_recorded_event_attributes
        for event in history.events
        if event.HasField("marker_recorded_event_attributes")
    ]
    tasks = {mark.workflow_task_completed_event_id for mark in markers if mark.marker_name == "core_local_activity"}
    if tasks:
        billed["task with local activities"] = len(tasks)
    return len(history.events), billed
