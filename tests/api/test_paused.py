"""What somebody paused in Temporal is seen by ops, is no error for anybody, and goes on when it is resumed."""

from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    PauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)

from checkout.api import engine
from checkout.domain.ids import workflow_id
from tests.api.buyer import Buyer
from tests.api.problem import problem
from tests.api.test_admin_checkout import fault, inspected
from tests.api.test_admin_repairs import OPERATOR, WHY, act
from tests.api.test_diagnosis import api_settings, diagnosed
from tests.support.invariants import check_invariants
from tests.support.waiting import eventually
from tests.workflows.stage import Stage

__all__ = ["api_settings"]  # the gateway's address, and a viewer

pytestmark = pytest.mark.usefixtures("worker")


async def test_a_paused_workflow(http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    buyer = Buyer(http, await stage.cart())
    earlier = await buyer.started()
    assert (await buyer.cancel(earlier)).status_code == 200
    checkout = await buyer.started()
    named = {"namespace": stage.client.namespace, "workflow_id": workflow_id(buyer.cart_id)}
    await stage.client.workflow_service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(
            **named, identity="ada@laptop", reason="a deploy is looked into", request_id="pause"
        )
    )
    workflow = (await inspected(http, checkout))["workflow"]
    assert workflow["status"] == "paused"
    assert workflow["paused"].startswith("by ada@laptop since 20")
    assert workflow["paused"].endswith("(a deploy is looked into)")
    found = (await diagnosed(http, buyer.cart_id))["findings"]
    assert [one["code"] for one in found] == ["workflow_paused"]
    assert f"--workflow-id {workflow_id(buyer.cart_id)} --run-id {workflow['run_id']}" in found[0]["remedy"]
    listed = (await http.get("/admin/checkouts", headers=OPERATOR)).json()["items"]
    assert [one["id"] for one in listed] == [checkout, earlier]
    refused = problem(await act(http, checkout, "retry"), 409, "nothing_to_retry")
    assert "temporal workflow unpause" in refused["detail"]

    monkeypatch.setattr(engine, "UPDATE_WAIT", 0.5)
    assert (await buyer.get(checkout, live="true"))["state"] == "awaiting_payment"
    for answer in (
        await buyer.start(),
        await buyer.pay(checkout),
        await buyer.extend(checkout, 1200),
        await act(http, checkout, "release", WHY),
    ):
        problem(answer, 503, "checkout_busy")
    monkeypatch.setattr(engine, "UPDATE_WAIT", 60)
    await stage.client.workflow_service.unpause_workflow_execution(
        UnpauseWorkflowExecutionRequest(**named, request_id="unpause")
    )
    assert (await buyer.pay(checkout)).json()["state"] == "completed"
    assert (await diagnosed(http, checkout))["well"]
    await check_invariants(stage.engine, await stage.ledger())


async def test_a_paused_activity_goes_on_by_a_retry(http: httpx.AsyncClient, stage: Stage) -> None:
    await fault(stage, "capture", fault="error")
    run = await stage.launch(token="tok_visa")
    checkout = run.checkout.checkout_id

    async def pending() -> dict[str, Any]:
        found = (await inspected(http, checkout))["workflow"]["pending_activities"]
        return dict(found[0]) if found and found[0]["activity"] == "payment_capture" else {}

    await eventually(pending, "the capture is tried again")
    await stage.client.workflow_service.pause_activity(
        PauseActivityRequest(
            namespace=stage.client.namespace,
            execution=WorkflowExecution(workflow_id=run.handle.id),
            identity="ada@laptop",
            reason="the gateway is moved",
            type="payment_capture",
        )
    )
    await fault(stage, "capture")

    async def paused() -> bool:
        now = await pending()
        return bool(now["paused"] and not now["running"])

    await eventually(paused, "no attempt runs any more")
    now = await pending()
    assert now["next_try_at"] is None
    assert now["paused"].endswith("(the gateway is moved)")
    found = (await diagnosed(http, checkout))["findings"]
    assert [one["code"] for one in found] == ["activity_paused", "activity_failing"]
    assert "paused in Temporal by ada@laptop since 20" in found[0]["detail"]
    assert (await act(http, checkout, "retry")).status_code == 200
    await run.handle.result()
    assert (await inspected(http, checkout))["state"] == "completed"
