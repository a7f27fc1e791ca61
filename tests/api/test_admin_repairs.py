"""What ops do about a checkout: released, tried at once, resolved by hand; refused where it must be, and all logged."""

from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from checkout.api import engine
from checkout.domain import contract
from checkout.domain.ids import workflow_id
from checkout.domain.words import State
from tests.api.buyer import Buyer, card
from tests.api.conftest import ADMIN_TOKEN, VIEWER_TOKEN
from tests.api.problem import problem
from tests.api.test_admin_checkout import fault, inspected
from tests.support.invariants import check_invariants
from tests.support.waiting import eventually
from tests.workflows.fakes import Gate
from tests.workflows.faults import waits
from tests.workflows.stage import Stage

OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
VIEWER = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
WHY = {"reason": "the buyer called"}
BY_HAND = {"compensation": "void_payment", "reason": "the gateway lost it", "done": "voided on its own pages"}

pytestmark = pytest.mark.usefixtures("worker")


async def act(
    http: httpx.AsyncClient, checkout_id: str, action: str, body: Any = None, headers: dict[str, str] = OPERATOR
) -> httpx.Response:
    return await http.post(f"/admin/checkouts/{checkout_id}/{action}", json=body, headers=headers)


async def log_of(http: httpx.AsyncClient, target: str) -> list[tuple[str, str, str, str]]:
    """(who, action, reason, outcome), oldest first."""
    items = (await http.get("/admin/actions", params={"target": target}, headers=OPERATOR)).json()["items"]
    return [(one["who"], one["action"], one["reason"], one["outcome"]) for one in items[::-1]]


async def capturing(http: httpx.AsyncClient, checkout_id: str) -> dict[str, Any]:
    """The capture as the workflow waits for it; attempt 0 while it does not."""
    found = (await inspected(http, checkout_id))["workflow"]["pending_activities"]
    return dict(found[0]) if found and found[0]["activity"] == "payment_capture" else {"attempt": 0}


async def refused_by_the_gateway(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> tuple[Buyer, str]:
    """A checkout that is released while the gateway says that it does not know the payment."""
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    assert (await buyer.pay(checkout, "tok_3ds")).json()["state"] == "requires_action"
    await stage.shop.execute(
        "UPDATE payment_attempts SET message = gateway_payment_id, gateway_payment_id = 'gw_lost' "
        "WHERE checkout_id = :id",
        id=checkout,
    )
    monkeypatch.setattr(engine, "UPDATE_WAIT", 2)
    answer = await act(http, checkout, "release", WHY)
    assert (answer.status_code, answer.json()["state"]) == (202, "compensating")
    monkeypatch.setattr(engine, "UPDATE_WAIT", 60)

    async def waits_for_people() -> bool:
        undone = (await inspected(http, checkout))["timeline"]["compensations"]
        return [one["compensation"] for one in undone if one["refused"]] == ["void_payment"]

    await eventually(waits_for_people, "the void is refused")
    return buyer, checkout


async def test_released_while_it_waits_for_the_buyer_or_the_bank(http: httpx.AsyncClient, stage: Stage) -> None:
    for method, state in (("bank_transfer", "awaiting_funds"), (None, "awaiting_payment")):
        buyer = Buyer(http, await stage.cart())
        checkout = await buyer.started()
        if method is not None:
            paid = await buyer.call("POST", f"/checkouts/{checkout}/payment", {"method": method})
            assert paid.json()["state"] == state, paid.text
            problem(await buyer.cancel(checkout), 409, "too_late")  # the buyer has ordered
        problem(await act(http, checkout, "release", WHY, VIEWER), 403, "operator_required")
        for _ in range(2):  # repeated, the same
            answer = await act(http, checkout, "release", WHY)
            assert (answer.status_code, answer.json()["state"]) == (200, "cancelled"), answer.text
        assert (await buyer.cart())["locked"] is False
        assert await log_of(http, checkout) == [
            ("ada", "release", "the buyer called", "operator_required"),
            *[("admin", "release", "the buyer called", "done")] * 2,
        ]
        assert [(one["who"], one["outcome"]) for one in answer.json()["actions"]] == [
            *[("admin", "done")] * 2,
            ("ada", "operator_required"),
        ]
        workflow = stage.client.get_workflow_handle(f"checkout-{buyer.cart_id}")
        assert "cancelled by ops (admin)" in str(await details(workflow))
    await check_invariants(stage.engine, await stage.ledger())


async def details(handle: Any) -> str:
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)


async def test_what_cannot_be_released_says_where_it_stands(http: httpx.AsyncClient, stage: Stage) -> None:
    done = Buyer(http, await stage.cart())
    completed = await done.started(payment=card("tok_visa"))
    refused = problem(await act(http, completed, "release", WHY), 409, "too_late")
    assert refused["detail"].startswith("The checkout is completed")

    gate = Gate()
    stage.faults.then(contract.PAYMENT_CAPTURE, *waits(gate))
    run = await stage.launch(token="tok_visa")
    await gate.reached.wait()
    refused = problem(await act(http, run.checkout.checkout_id, "release", WHY), 409, "too_late")
    assert refused["detail"].startswith("The checkout is capturing")
    gate.open()
    await run.handle.result()

    gone = Buyer(http, await stage.cart())
    terminated = await gone.started()
    await stage.client.get_workflow_handle(f"checkout-{gone.cart_id}").terminate()
    problem(await act(http, terminated, "resolve", BY_HAND), 409, "workflow_gone")
    assert "a release ends it at once" in problem(await act(http, terminated, "retry"), 409, "workflow_gone")["detail"]

    acts: list[tuple[str, Any]] = [("release", WHY), ("resolve", BY_HAND), ("retry", None)]
    for action, body in acts:
        problem(await act(http, "chk_none_none", action, body), 404, "checkout_not_found")
        problem(await act(http, completed, action, body, done.headers), 403, "admin_required")
        problem(await act(http, completed, action, body, VIEWER), 403, "operator_required")
    problem(await act(http, completed, "retry"), 409, "nothing_to_retry")
    problem(await act(http, completed, "resolve", BY_HAND), 409, "not_refused")
    assert (await log_of(http, completed))[0] == ("admin", "release", "the buyer called", "too_late")
    assert ("ada", "retry", "", "operator_required") in await log_of(http, completed)


async def test_what_an_act_has_to_say_is_named(http: httpx.AsyncClient, stage: Stage) -> None:
    """Who releases says why; who resolves, also what people did. Nothing is done without, and nothing in the log."""
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    cases: list[tuple[str, Any, tuple[str, ...]]] = [
        ("release", {}, ("reason",)),
        ("release", {"reason": " "}, ("reason",)),
        ("release", {"reason": "x" * 501}, ("reason",)),
        ("release", {**WHY, "force": True}, ("force",)),
        ("resolve", {"compensation": "void_payment"}, ("reason", "done")),
        ("resolve", {**BY_HAND, "done": ""}, ("done",)),
        ("resolve", {**BY_HAND, "compensation": "release_stock"}, ("compensation",)),
        ("retry", {"reason": "x"}, ("reason",)),
    ]
    for action, body, fields in cases:
        problem(await act(http, checkout, action, body), 422, "validation_failed", *fields)
    assert (await buyer.get(checkout))["state"] == "awaiting_payment"
    assert await log_of(http, checkout) == []
    assert (await buyer.cancel(checkout)).status_code == 200


async def test_what_waits_for_its_next_attempt_is_tried_at_once(http: httpx.AsyncClient, stage: Stage) -> None:
    await fault(stage, "capture", fault="error")
    run = await stage.launch(token="tok_visa")
    checkout = run.checkout.checkout_id

    async def tried_often() -> bool:
        now = await capturing(http, checkout)
        return bool(now["attempt"] >= 4 and not now["running"])

    await eventually(tried_often, "the capture was tried three times")
    answer = await act(http, checkout, "retry")
    assert answer.status_code == 200, answer.text

    async def begun_anew() -> bool:
        return bool(1 <= (await capturing(http, checkout))["attempt"] <= 3)

    await eventually(begun_anew, "it begins to count anew")
    await fault(stage, "capture")
    await run.handle.result()
    assert (await inspected(http, checkout))["state"] == "completed"
    assert await log_of(http, checkout) == [("admin", "retry", "", "done")]


async def test_a_run_that_was_reset_is_looked_at_and_tried_again(http: httpx.AsyncClient, stage: Stage) -> None:
    await fault(stage, "capture", fault="error")
    run = await stage.launch(token="tok_visa")
    checkout = run.checkout.checkout_id

    async def tried_again() -> bool:
        now = await capturing(http, checkout)
        return bool(now["attempt"] >= 2 and not now["running"])

    await eventually(tried_again, "the capture is tried again")
    events = (await run.handle.fetch_history()).events
    taken = [event.event_id for event in events if event.HasField("workflow_task_completed_event_attributes")]
    first = (await inspected(http, checkout))["workflow"]["run_id"]
    answer = await stage.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=stage.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.handle.id, run_id=first),
            workflow_task_finish_event_id=taken[-1],
            request_id="reset",
        )
    )
    await eventually(tried_again, "the run after the reset captures as well")
    workflow = (await inspected(http, checkout))["workflow"]
    assert (workflow["run_id"], workflow["status"]) == (answer.run_id, "running")
    assert answer.run_id != first
    await fault(stage, "capture")
    assert (await act(http, checkout, "retry")).status_code == 200
    await stage.client.get_workflow_handle(run.handle.id, run_id=answer.run_id).result()
    assert (await inspected(http, checkout))["state"] == "completed"


async def test_what_the_gateway_refuses_is_resolved_by_hand(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer, checkout = await refused_by_the_gateway(http, stage, monkeypatch)
    assert (await buyer.get(checkout))["state"] == "compensating"
    problem(await act(http, checkout, "resolve", BY_HAND, VIEWER), 403, "operator_required")
    other = {**BY_HAND, "compensation": "refund_payment"}
    problem(await act(http, checkout, "resolve", other), 409, "not_refused")

    answer = await act(http, checkout, "resolve", BY_HAND)
    assert answer.status_code == 200, answer.text

    async def over() -> bool:
        return bool((await inspected(http, checkout))["state"] == State.CANCELLED)

    await eventually(over, "it goes on to its end")
    found = await inspected(http, checkout)
    [attempt] = found["timeline"]["payments"]
    assert attempt["status"] == "resolved"
    assert attempt["by_hand"] == {
        "compensation": "void_payment",
        "who": "admin",
        "reason": "the gateway lost it",
        "done": "voided on its own pages",
    }
    assert all(one["done"] and not one["refused"] for one in found["timeline"]["compensations"])
    assert (await buyer.cart())["locked"] is False
    # What people write may be about a buyer: it is in the shop's rows alone (G7).
    history = await stage.client.get_workflow_handle(workflow_id(buyer.cart_id)).fetch_history()
    assert "void_payment" in str(history.events)
    for word in (BY_HAND["reason"], BY_HAND["done"], WHY["reason"]):
        assert word not in str(history.events)
    problem(await act(http, checkout, "resolve", BY_HAND), 409, "not_refused")
    assert [(who, action, outcome) for who, action, _, outcome in await log_of(http, checkout)] == [
        ("admin", "release", "done"),
        ("ada", "resolve", "operator_required"),
        ("admin", "resolve", "not_refused"),
        ("admin", "resolve", "done"),
        ("admin", "resolve", "not_refused"),
    ]
    await check_invariants(stage.engine, await stage.ledger())


async def test_what_the_gateway_refused_is_tried_at_once_when_the_cause_is_mended(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, checkout = await refused_by_the_gateway(http, stage, monkeypatch)
    await stage.shop.execute(
        "UPDATE payment_attempts SET gateway_payment_id = message WHERE checkout_id = :id", id=checkout
    )
    assert (await act(http, checkout, "retry")).status_code == 200

    async def over() -> bool:
        return bool((await inspected(http, checkout))["state"] == State.CANCELLED)

    await eventually(over, "all is given back")
    found = await inspected(http, checkout)
    assert [one["status"] for one in found["timeline"]["payments"]] == ["voided"]
    [void] = [one for one in found["timeline"]["compensations"] if one["compensation"] == "void_payment"]
    assert void["done"]
    assert void["last_error"].startswith("gateway_refused: ")
