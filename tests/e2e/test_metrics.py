"""Metrics of a shop that sells, from its own processes: the API's, and the worker's with those of the Temporal SDK."""

from collections.abc import Callable

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.storefront import CARD, Buyer
from tests.support.metrics import scrape

pytestmark = pytest.mark.xdist_group("sale")


async def test_the_worker_tells_of_sales_and_of_its_work(
    stack: Stack, client: httpx.AsyncClient, buyer: Callable[[], Buyer], sku: str
) -> None:
    worker = stack.described()["worker"]["metrics"]
    before = await scrape(client, worker)
    ada = await buyer().fill({sku: 1})
    await ada.start(payment=CARD)
    assert (await ada.until_closed())["state"] == "completed"

    after = await scrape(client, worker)
    completed = ("checkout_ended_total", frozenset({("outcome", "completed")}))
    assert after.samples[completed] == before.samples.get(completed, 0) + 1
    assert {
        "temporal_workflow_task_schedule_to_start_latency_seconds_count",
        "temporal_activity_schedule_to_start_latency_seconds_count",
        "temporal_workflow_completed_total",
    } <= after.names()
    shown = await scrape(client)
    assert (shown("checkout_up", part="worker"), shown("checkout_up", part="database")) == (1, 1)
