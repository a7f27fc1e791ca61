"""Figures and health over HTTP, each reason that there is on real parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from checkout.api.app import create_app
from checkout.domain import contract
from checkout.domain.ids import new_cart_id
from checkout.domain.messages import CheckoutInput
from checkout.runtime.settings import Settings
from tests.api.buyer import Buyer, card
from tests.api.conftest import ADMIN_TOKEN
from tests.api.problem import problem
from tests.support.http import serve
from tests.support.temporal import TemporalEnvironment
from tests.support.waiting import eventually
from tests.workflows.stage import Stage

OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@pytest.mark.usefixtures("worker")
async def test_the_figures_of_a_shop_that_sells(http: httpx.AsyncClient, stage: Stage) -> None:
    async def figures(hours: int = 24) -> dict[str, Any]:
        answer = await http.get("/admin/statistics", params={"hours": hours}, headers=OPERATOR)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    empty = await figures()
    assert (empty["active"], empty["success_rate"], empty["duration"]) == (0, None, {"average": None, "p95": None})
    assert (empty["rate_limit_hits"], empty["cache_hit_rate"]) == (0, None)

    buyers = [Buyer(http, await stage.cart()) for _ in range(5)]
    await buyers[0].started(payment=card("tok_visa"))
    assert (await buyers[1].start(payment=card("tok_captureFails"))).status_code == 422  # a defect of the gateway's
    assert (await buyers[2].start(expected_total=1)).status_code == 422  # the buyer's doing
    assert (await buyers[3].cancel(await buyers[3].started())).status_code == 200
    await buyers[4].started()
    found = await figures()
    assert {name: found[name] for name in ("active", "completed", "failed", "refused", "expired", "cancelled")} == {
        "active": 1,
        "completed": 1,
        "failed": 1,
        "refused": 1,
        "expired": 0,
        "cancelled": 1,
    }
    assert found["success_rate"] == 0.5
    assert {phase: count for phase, count in found["failures_by_phase"].items() if count} == {"payment_capture": 1}
    assert {state: count for state, count in found["states"].items() if count} == {
        "awaiting_payment": 1,
        "completed": 1,
        "failed": 2,
        "cancelled": 1,
    }
    assert len(found["states"]) == 16
    assert sum(found["active_by_state"].values()) == found["active"]
    assert found["states"].items() > found["active_by_state"].items()
    assert 0 < found["duration"]["average"] == found["duration"]["p95"]

    for hours in ("0", "169", "x", "", "1.5"):
        refused = await http.get("/admin/statistics", params={"hours": hours}, headers=OPERATOR)
        problem(refused, 422, "validation_failed", "hours")


@workflow.defn(name=contract.CHECKOUT_WORKFLOW)
class Broken:
    """A checkout whose code fails."""

    @workflow.run
    async def run(self, _checkout: CheckoutInput) -> None:
        """Fail the task, again and again."""
        raise RuntimeError("a defect")


async def reasons(http: httpx.AsyncClient, status: int) -> dict[str, dict[str, Any]]:
    """The reasons by their codes, of an answer with this status."""
    answer = await http.get("/health/checkout")
    assert answer.status_code == status, answer.text
    if status == 503:
        problem(answer, 503, "unhealthy")
    found = {one["code"]: one for one in answer.json()["reasons"]}
    if status == 200:
        assert answer.json()["status"] == ("degraded" if found else "healthy")
    return found


@pytest.mark.usefixtures("worker")
async def test_checkouts_that_do_not_go_on_degrade_it_and_many_are_too_much(
    http: httpx.AsyncClient, stage: Stage, api_settings: Settings
) -> None:
    async def polled() -> bool:
        return (await http.get("/health/checkout")).status_code == 200

    await eventually(polled, "the worker polls")
    assert await reasons(http, 200) == {}
    for _ in range(2):
        await Buyer(http, await stage.cart()).started()
    [one, other] = [row[0] for row in await stage.shop.rows("SELECT id FROM checkouts")]
    await stage.shop.execute("UPDATE checkouts SET expires_at = now() - interval '61 seconds' WHERE id = :id", id=one)
    await stage.shop.execute("ALTER TABLE checkouts DISABLE TRIGGER next_version")
    await stage.shop.execute(
        "UPDATE checkouts SET state = 'capturing', updated_at = now() - interval '1801 seconds' WHERE id = :id",
        id=other,
    )
    found = await reasons(http, 200)
    assert {code: (reason["level"], reason["count"]) for code, reason in found.items()} == {
        "overdue": ("degraded", 1),
        "stuck": ("degraded", 1),
    }
    strict = api_settings.model_copy(update={"unhealthy_from": 1})
    patient = api_settings.model_copy(update={"overdue_after": 3600, "stuck_after": 7200})
    async with client(strict) as http_of_strict, client(patient) as http_of_patient:
        assert {reason["level"] for reason in (await reasons(http_of_strict, 503)).values()} == {"unhealthy"}
        assert await reasons(http_of_patient, 200) == {}


@asynccontextmanager
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another API."""
    with serve(create_app(settings)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            yield http


async def test_what_is_away_makes_it_unhealthy(http: httpx.AsyncClient, api_settings: Settings) -> None:
    assert set(await reasons(http, 503)) == {"worker"}
    without_temporal = api_settings.model_copy(update={"temporal_address": "127.0.0.1:9"})
    without_database = api_settings.model_copy(update={"database_url": "postgresql:///none?host=/nonexistent"})
    async with client(without_temporal) as one, client(without_database) as other:
        assert set(await reasons(one, 503)) == {"temporal"}
        assert set(await reasons(other, 503)) == {"database", "worker"}


async def test_workflows_whose_tasks_fail_degrade_it(
    http: httpx.AsyncClient, temporal_env: TemporalEnvironment
) -> None:
    broken = Worker(
        temporal_env.client,
        task_queue=temporal_env.task_queue,
        workflows=[Broken],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    cart = new_cart_id()
    async with broken:
        handle = await temporal_env.client.start_workflow(
            contract.CHECKOUT_WORKFLOW,
            CheckoutInput("chk_broken", cart, "ses_1"),
            id=f"checkout-{cart}",
            task_queue=temporal_env.task_queue,
            task_timeout=timedelta(seconds=10),
        )
        try:

            async def noticed() -> bool:
                answer = await http.get("/health/checkout")
                return any(one["code"] == "workflow_tasks" for one in answer.json()["reasons"])

            await eventually(noticed, "the server reports the failing task")
        finally:
            await handle.terminate()
