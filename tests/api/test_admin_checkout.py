"""One checkout in full: how it went stands in rows, what is pending comes from Temporal, and its absence is said."""

import uuid
from typing import Any

import aiohttp
import httpx
import pytest
from temporalio.client import WorkflowUpdateStage

from checkout.api import engine
from checkout.api.app import create_app
from checkout.domain import contract
from checkout.domain.messages import PayRequest
from checkout.runtime.settings import Settings
from tests.api.buyer import Buyer
from tests.api.conftest import ADMIN_TOKEN
from tests.support.gateway import API_KEY
from tests.support.http import serve
from tests.support.waiting import eventually
from tests.workflows.faults import breaks
from tests.workflows.stage import Stage

OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
PHASES = [
    *("cart_validation", "inventory_reservation", "price_lock", "payment_authorization"),
    *("order_creation", "payment_capture", "stock_commit"),
]


async def inspected(http: httpx.AsyncClient, checkout_id: str) -> dict[str, Any]:
    answer = await http.get(f"/admin/checkouts/{checkout_id}", headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def fault(stage: Stage, operation: str, **fault: Any) -> None:
    """Have the gateway err, or, without a fault, behave again."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {API_KEY}"}) as session:
        url = f"{stage.gateway.url}/faults"
        call = session.post(url, json={"operation": operation, **fault}) if fault else session.delete(url)
        async with call as response:
            assert response.status in {200, 201, 204}, await response.text()


@pytest.mark.usefixtures("worker")
async def test_a_completed_one_shows_each_phase_and_what_it_moved(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart(MUG=2))
    checkout = await buyer.started()
    assert (await buyer.pay(checkout, "tok_chargeDeclined")).status_code == 402
    assert (await buyer.pay(checkout)).status_code == 200
    found = await inspected(http, checkout)

    buyers = await buyer.get(checkout, live="true")
    assert {**buyers, "server_time": ""} == {**{name: found[name] for name in buyers}, "server_time": ""}
    timeline = found["timeline"]
    assert [one["state"] for one in timeline["states"]] == [
        *("validating", "reserving", "locking_prices", "awaiting_payment", "authorizing", "awaiting_payment"),
        *("authorizing", "creating_order", "capturing", "committing", "completed"),
    ]
    assert [one["seconds"] is None for one in timeline["states"]] == [False] * 10 + [True]
    assert [one["phase"] for one in timeline["phases"]] == PHASES
    ends = [one["ended_at"] for one in timeline["phases"]]
    assert [one["began_at"] for one in timeline["phases"]][1:] == ends[:-1] == sorted(ends[:-1])
    for phase in timeline["phases"]:
        assert (phase["outcome"], phase["attempts"], phase["last_error"]) == ("done", 1, None)
        assert phase["seconds"] >= phase["waited_seconds"] >= 0
    assert [one["phase"] for one in timeline["phases"] if one["waited_seconds"]] == ["payment_authorization"]
    declined, paid = timeline["payments"]
    assert (declined["number"], declined["status"], declined["code"]) == (1, "voided", "card_declined")
    assert (paid["number"], paid["status"], paid["captured"], paid["code"]) == (2, "captured", paid["amount"], None)
    assert paid["gateway_reference"] in {item["payment_id"] for item in await stage.gateway.ledger(checkout)}
    assert "token" not in declined | paid
    assert timeline["compensations"] == found["unowed"] == found["refunds"] == found["actions"] == []
    assert [(one["sku"], one["quantity"], one["status"]) for one in found["reservations"]] == [("MUG", 2, "committed")]
    assert [(one["kind"], one["on_hand_delta"], one["reserved_delta"]) for one in found["movements"]] == [
        ("reserved", 0, 2),
        ("committed", -2, -2),
    ]
    assert (found["stuck"], found["stuck_reason"]) == (False, None)
    workflow = found["workflow"]
    assert (workflow["status"], workflow["pending_activities"], workflow["failed_tasks"]) == ("completed", [], 0)
    assert (workflow["note"], workflow["temporal_url"]) == (None, None)

    amount = {"amount": 100, "reason": "a chip in the mug"}
    refunded = await http.post(f"/admin/orders/{found['order']['reference']}/refund", json=amount, headers=OPERATOR)
    assert refunded.status_code == 200, refunded.text
    [refund] = (await inspected(http, checkout))["refunds"]
    assert (refund["amount"], refund["currency"], refund["status"]) == (100, "EUR", "refunded")
    assert (refund["reason"], refund["requested_by"]) == ("a chip in the mug", "admin")


@pytest.mark.usefixtures("worker")
async def test_what_was_tried_again_says_how_often_and_why(http: httpx.AsyncClient, stage: Stage) -> None:
    stage.faults.then(contract.PRICE_LOCK, breaks)  # the local attempt; the regular one succeeds
    await fault(stage, "capture", fault="error", count=2)
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    assert (await buyer.pay(checkout)).status_code == 200
    phases = {one["phase"]: one for one in (await inspected(http, checkout))["timeline"]["phases"]}
    assert {name: one["attempts"] for name, one in phases.items() if one["attempts"] > 1} == {
        "price_lock": 2,
        "payment_capture": 3,
    }
    assert phases["payment_capture"]["last_error"].startswith(
        "gateway_unavailable: the payment gateway does not answer"
    )


@pytest.mark.usefixtures("worker")
async def test_what_is_pending_comes_from_temporal(http: httpx.AsyncClient, stage: Stage) -> None:
    await fault(stage, "capture", fault="error")
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    run = await stage.shop.execute("SELECT run_id FROM checkouts WHERE id = :id", id=checkout)
    handle = stage.client.get_workflow_handle(f"checkout-{buyer.cart_id}", run_id=run)
    attempt = await stage.shop.execute("SELECT 'pay_' || md5(:id)", id=checkout)
    await stage.shop.execute(
        "INSERT INTO payment_attempts (id, checkout_id, cart_id, method, token, gateway) "
        "VALUES (:attempt, :id, :cart, 'card', 'tok_visa', 'simulated')",
        attempt=attempt,
        id=checkout,
        cart=buyer.cart_id,
    )
    await handle.start_update(contract.PAY, PayRequest(str(attempt)), wait_for_stage=WorkflowUpdateStage.ACCEPTED)

    async def failed_twice() -> bool:
        pending = (await inspected(http, checkout))["workflow"]["pending_activities"]
        return bool(pending and pending[0]["attempt"] > 2 and pending[0]["next_try_at"])

    await eventually(failed_twice, "the capture was tried twice")
    found = await inspected(http, checkout)
    [pending] = found["workflow"]["pending_activities"]
    assert pending["activity"] == "payment_capture"
    assert pending["last_failure"].startswith("gateway_unavailable: ")
    assert found["workflow"]["status"] == "running"
    assert found["waiting_for"]["what"] == "payment_capture"
    assert found["waiting_for"]["last_error"] == pending["last_failure"]
    # The buyer learns the kind of it, and nothing of the gateway's words.
    assert (await buyer.get(checkout, live="true"))["waiting_for"]["last_error"].startswith(
        "the payment gateway does not"
    )
    [*_, last] = found["timeline"]["phases"]
    assert (last["phase"], last["outcome"], last["ended_at"]) == ("payment_capture", "running", None)
    # Those that were made, and not the one that is waited for.
    assert last["attempts"] == pending["attempt"] - (not pending["running"]) >= 2
    assert last["last_error"] == pending["last_failure"]
    await fault(stage, "capture")
    await handle.result()


@pytest.mark.usefixtures("worker")
async def test_what_was_undone_says_when(http: httpx.AsyncClient, stage: Stage) -> None:
    await fault(stage, "cancel", fault="error", count=1)
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    assert (await buyer.pay(checkout, "tok_captureFails")).status_code == 422
    found = await inspected(http, checkout)
    phases = {one["phase"]: one["outcome"] for one in found["timeline"]["phases"]}
    assert phases == {**dict.fromkeys(PHASES[:5], "done"), "payment_capture": "failed"}
    undone = {one["compensation"]: one for one in found["timeline"]["compensations"]}
    assert set(undone) == {
        *("refund_payment", "void_payment", "cancel_order", "discard_prices", "release_stock", "unlock_cart")
    }
    assert all(one["done"] and one["done_at"] for one in undone.values())
    tried = [one for one in undone.values() if one["attempts"] > 1]
    assert [one["last_error"].split(":")[0] for one in tried] == ["gateway_unavailable"]
    assert max(undone.values(), key=lambda one: one["done_at"])["compensation"] == "unlock_cart"

    # A start that fails before it has a row leaves a tombstone.
    empty = Buyer(http, await stage.cart())
    await stage.shop.execute("DELETE FROM cart_lines WHERE cart_id = :id", id=empty.cart_id)
    refused = (await empty.start()).json()
    assert refused["code"] == "empty_cart"
    found = await inspected(http, refused["checkout_id"])
    assert [one["state"] for one in found["timeline"]["states"]] == ["compensating", "failed"]
    assert [one["compensation"] for one in found["timeline"]["compensations"]] == ["unlock_cart"]


@pytest.mark.usefixtures("worker")
async def test_what_temporal_does_not_say_is_null_and_says_why(
    http: httpx.AsyncClient, stage: Stage, api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    monkeypatch.setattr(engine, "QUERY_WAIT", 1)
    away = api_settings.model_copy(update={"temporal_address": "127.0.0.1:9"})
    with serve(create_app(away)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as without:
            found = await inspected(without, checkout)
    assert found["workflow"]["note"].startswith("Temporal does not answer")
    assert (found["workflow"]["status"], found["workflow"]["pending_activities"]) == (None, None)
    assert (found["state"], found["waiting_for"]) == ("awaiting_payment", None)
    assert [one["phase"] for one in found["timeline"]["phases"]] == PHASES[:4]

    await stage.shop.execute("UPDATE checkouts SET run_id = :run WHERE id = :id", run=str(uuid.uuid4()), id=checkout)
    found = await inspected(http, checkout)
    assert found["workflow"]["note"].startswith("Temporal keeps this run no more")
    assert found["workflow"]["pending_activities"] is None


async def test_one_without_a_row_yet_is_shown_by_its_workflow(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "QUERY_WAIT", 1)
    run = await stage.launch()
    found = await inspected(http, run.checkout.checkout_id)
    assert (found["state"], found["updated_at"], found["stuck"]) == ("pending", None, False)
    assert found["timeline"] == {"states": [], "phases": [], "payments": [], "compensations": []}
    assert (found["workflow"]["status"], found["workflow"]["failed_tasks"]) == ("running", 0)
    missing = await http.get("/admin/checkouts/chk_none_none", headers=OPERATOR)
    assert (missing.status_code, missing.json()["code"]) == (404, "checkout_not_found")
