"""The diagnosis: nothing is found where all is well, and each thing that is wrong is found, with what to do."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from checkout.api import engine, temporal_health
from checkout.api.admin import gateway_health
from checkout.api.admin.findings import Evidence, findings
from checkout.api.admin.inspecting import Inspecting
from checkout.api.models.admin_checkout import INSPECTED, InspectedCheckout
from checkout.payments.adapters import connect_gateway
from checkout.payments.port import Gateway
from checkout.runtime.settings import Settings
from checkout.store.inconsistent import CODES
from tests.api.buyer import Buyer, card
from tests.api.conftest import ADMIN_TOKEN, VIEWER_TOKEN, beside_the_gateway
from tests.api.problem import problem
from tests.api.test_admin_checkout import fault
from tests.support.gateway import GatewayServer
from tests.support.waiting import eventually
from tests.workflows.stage import Stage

OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
VIEWER = {"Authorization": f"Bearer {VIEWER_TOKEN}"}


@pytest.fixture
def api_settings(api_settings: Settings, stage: Stage) -> Settings:
    return beside_the_gateway(api_settings, stage)


async def age(stage: Stage, checkout: str) -> None:
    """It has not changed for two hours: a trigger writes the time of every change."""
    async with stage.sessions() as session, session.begin():
        await session.execute(text("ALTER TABLE checkouts DISABLE TRIGGER next_version"))
        await session.execute(
            text("UPDATE checkouts SET updated_at = now() - interval '2 hours' WHERE id = :id"), {"id": checkout}
        )


async def diagnosed(http: httpx.AsyncClient, subject: str) -> dict[str, Any]:
    answer = await http.get(f"/admin/checkouts/{subject}/diagnosis", headers=VIEWER)
    assert answer.status_code == 200, answer.text
    found = dict(answer.json())
    assert found["well"] == (not found["findings"])
    assert all(one["detail"] and one["remedy"] for one in found["findings"])
    return found


def codes(found: dict[str, Any]) -> list[str]:
    return [one["code"] for one in found["findings"]]


@pytest.mark.usefixtures("worker")
async def test_nothing_is_wrong_with_what_goes_its_way(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    completed = await buyer.started(payment=card("tok_visa"))
    found = await diagnosed(http, completed)
    assert found["findings"] == found["others"] == []
    [payment] = found["gateway"]
    assert (payment["answer"], payment["status"], payment["note"]) == ("known", "captured", None)
    assert payment["captured"] == found["checkout"]["totals"]["total"]
    assert found["checkout"]["state"] == "completed"
    reference = found["checkout"]["order"]["reference"]
    assert (await diagnosed(http, reference))["checkout"]["id"] == completed

    other = Buyer(http, await stage.cart())
    first = await other.started()
    assert codes(await diagnosed(http, first)) == []
    assert (await other.cancel(first)).status_code == 200
    second = await other.started()
    assert (await other.pay(second, "tok_3ds")).json()["state"] == "requires_action"
    found = await diagnosed(http, other.cart_id)
    assert (found["checkout"]["id"], found["findings"]) == (second, [])
    assert found["others"] == [{"id": first, "state": "cancelled"}]

    refused = Buyer(http, await stage.cart())
    failed = (await refused.start(payment=card("tok_captureFails"))).json()["checkout_id"]
    found = await diagnosed(http, failed)
    assert (found["findings"], found["gateway"][0]["status"]) == ([], "voided")


async def test_who_asks_and_what_is_not_there(http: httpx.AsyncClient) -> None:
    assert (await http.get("/admin/me", headers=VIEWER)).json() == {"name": "ada", "role": "viewer"}
    assert (await http.get("/admin/me", headers=OPERATOR)).json() == {"name": "admin", "role": "operator"}
    for subject in ("chk_none_none", "cart_none", "ORD-NONE", "anything", "a%2Fb"):
        answer = await http.get(f"/admin/checkouts/{subject}/diagnosis", headers=VIEWER)
        if subject != "a%2Fb":
            problem(answer, 404, "checkout_not_found")
        assert answer.status_code == 404
        assert (await http.get(f"/admin/checkouts/{subject}/diagnosis")).status_code in {401, 404}
    problem(await http.get("/admin/diagnosis"), 401, "token_missing")


@pytest.mark.usefixtures("worker")
async def test_a_gateway_that_fails_and_one_that_is_away(http: httpx.AsyncClient, stage: Stage) -> None:
    await fault(stage, "capture", fault="error")
    run = await stage.launch(token="tok_visa")
    checkout = run.checkout.checkout_id

    async def failing() -> dict[str, Any]:
        answer = await http.get(f"/admin/checkouts/{checkout}/diagnosis", headers=VIEWER)
        found = dict(answer.json())
        if answer.status_code != 200 or "activity_failing" not in codes(found):
            return {}
        # The next attempt is waited for: those before it have failed.
        phases = {one["phase"]: one["attempts"] for one in found["checkout"]["timeline"]["phases"]}
        [waiting], failed = found["checkout"]["workflow"]["pending_activities"], phases["payment_capture"]
        often = f"payment_capture has failed {failed} times, "
        return found if failed == waiting["attempt"] - 1 and found["findings"][0]["detail"].startswith(often) else {}

    found = await eventually(failing, "the capture fails as often as the rows say")
    assert codes(found) == ["activity_failing"]
    [finding] = found["findings"]
    assert "gateway_unavailable: " in finding["detail"]
    assert finding["remedy"].startswith("See that the payment gateway answers")
    assert f"`checkout retry {checkout}`" in finding["remedy"]

    assert isinstance(stage.gateway, GatewayServer)
    stage.gateway.stop()
    found = await diagnosed(http, checkout)
    assert codes(found) == ["activity_failing", "gateway_away"]
    assert (found["gateway"][0]["answer"], found["gateway"][0]["captured"]) == ("away", None)
    shop = (await http.get("/admin/diagnosis", headers=VIEWER)).json()
    assert (shop["status"], [one["code"] for one in shop["reasons"]], shop["stuck"]) == ("unhealthy", ["gateway"], [])
    await age(stage, checkout)
    assert codes(await diagnosed(http, checkout))[-1] == "stuck"
    shop = (await http.get("/admin/diagnosis", headers=VIEWER)).json()
    assert [one["id"] for one in shop["stuck"]] == [checkout]
    assert "stuck" in [one["code"] for one in shop["reasons"]]
    assert all(one["remedy"] for one in shop["reasons"])
    await stage.client.get_workflow_handle(run.handle.id).terminate()


async def test_no_worker_and_no_workflow(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "QUERY_WAIT", 1)
    monkeypatch.setattr(temporal_health, "POLLER_SILENCE", temporal_health.POLLER_SILENCE * 0)
    run = await stage.launch()
    # There is no row yet: Temporal alone knows of it.
    found = await diagnosed(http, run.checkout.cart_id)
    assert (found["checkout"]["id"], codes(found)) == (run.checkout.checkout_id, ["worker_away"])
    shop = (await http.get("/admin/diagnosis", headers=VIEWER)).json()
    assert (shop["status"], [one["code"] for one in shop["reasons"]]) == ("unhealthy", ["worker"])
    monkeypatch.undo()

    async with stage.worker():
        buyer = Buyer(http, await stage.cart())
        checkout = await buyer.started()
        await stage.client.get_workflow_handle(f"checkout-{buyer.cart_id}").terminate()
        found = await diagnosed(http, checkout)
        assert codes(found) == ["workflow_gone"]
        assert found["findings"][0]["detail"] == "The checkout is awaiting payment, and its workflow is terminated."
        # What failed once and nobody tries any more is not what the gateway refuses.
        await stage.shop.execute("UPDATE checkouts SET state = 'compensating' WHERE id = :id", id=checkout)
        await stage.shop.execute(
            "INSERT INTO checkout_steps (checkout_id, activity, attempts) VALUES (:id, 'void_payment', 1)", id=checkout
        )
        found = await diagnosed(http, checkout)
        assert "compensation_refused" not in codes(found)
        assert [one["refused"] for one in found["checkout"]["timeline"]["compensations"]] == [False]
        await stage.client.get_workflow_handle(run.handle.id).terminate()


@pytest.mark.usefixtures("worker")
async def test_money_that_no_event_told_of_and_a_payment_that_the_gateway_does_not_know(
    http: httpx.AsyncClient, stage: Stage
) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    paid = (await buyer.pay(checkout, "tok_3ds")).json()
    await stage.act_at(paid["next_action"]["url"], "approve")  # the stage's gateway sends no events
    found = await diagnosed(http, checkout)
    assert codes(found) == ["books_behind"]
    assert "has authorized " in found["findings"][0]["detail"]

    await stage.shop.execute(
        "UPDATE payment_attempts SET gateway_payment_id = 'gw_lost' WHERE checkout_id = :id", id=checkout
    )
    found = await diagnosed(http, checkout)
    assert codes(found) == ["gateway_unknown"]
    assert (found["gateway"][0]["answer"], found["gateway"][0]["payment_id"]) == ("unknown", "gw_lost")
    await stage.shop.execute("UPDATE payment_attempts SET gateway = 'stripe' WHERE checkout_id = :id", id=checkout)
    found = await diagnosed(http, checkout)
    assert (codes(found), found["gateway"][0]["answer"]) == ([], "not_asked")


#: By rule: how a checkout ended, and a statement that breaks it.
BREAKS = {
    "cart_still_locked": ("cancelled", "UPDATE carts SET locked_by = :id WHERE id = :cart"),
    "cart_not_locked": ("awaiting_payment", "UPDATE carts SET locked_by = NULL WHERE id = :cart"),
    "units_still_held": ("cancelled", "UPDATE reservations SET status = 'held' WHERE checkout_id = :id"),
    "units_not_committed": ("completed", "UPDATE reservations SET status = 'held' WHERE checkout_id = :id"),
    "order_not_cancelled": ("failed", "UPDATE orders SET status = 'paid' WHERE checkout_id = :id"),
    "order_missing": ("completed", "UPDATE orders SET status = 'pending' WHERE checkout_id = :id"),
    "payment_not_settled": ("failed", "UPDATE payment_attempts SET status = 'captured' WHERE checkout_id = :id"),
    "captured_differs": ("completed", "UPDATE payment_attempts SET captured = captured - 1 WHERE checkout_id = :id"),
    "coupon_not_given_back": (
        "cancelled",
        "UPDATE coupon_redemptions SET given_back_at = NULL WHERE checkout_id = :id",
    ),
}


@pytest.mark.usefixtures("worker")
async def test_rows_that_contradict_each_other_are_named(http: httpx.AsyncClient, stage: Stage) -> None:
    assert set(BREAKS) == CODES
    await stage.shop.coupon("TEN")
    missed = {}
    for code, (state, statement) in BREAKS.items():
        buyer = Buyer(http, await stage.shop.cart({"MUG": 1}, coupon_code="TEN"))
        token = {"completed": "tok_visa", "failed": "tok_captureFails"}.get(state)
        started = (await buyer.start(**({"payment": card(token)} if token else {}))).json()
        checkout = started.get("id") or started["checkout_id"]
        if state == "cancelled":
            assert (await buyer.cancel(checkout)).status_code == 200
        found = await diagnosed(http, checkout)
        assert (found["checkout"]["state"], found["findings"]) == (state, []), code
        given = {name: value for name, value in (("id", checkout), ("cart", buyer.cart_id)) if f":{name}" in statement}
        await stage.shop.execute(statement, **given)
        if codes(await diagnosed(http, checkout)) != [code]:
            missed[code] = (await diagnosed(http, checkout))["findings"]
        if state == "awaiting_payment":
            await stage.client.get_workflow_handle(f"checkout-{buyer.cart_id}").terminate()
    assert not missed


def test_what_only_temporal_tells_is_found() -> None:
    def seen(**changes: Any) -> Evidence:
        workflow = {**INSPECTED["workflow"], "status": "running", **changes.pop("workflow", {})}
        shown = {**INSPECTED, "state": "capturing", "state_name": "Capturing", "workflow": workflow, **changes}
        return Evidence(InspectedCheckout.model_validate(shown))

    assert findings(seen()) == []
    cases: dict[str, dict[str, Any]] = {
        "workflow_tasks": {"workflow": {"failed_tasks": 4}},
        "temporal_away": {
            "workflow": {"status": None, "note": "Temporal does not answer: what is shown is what the rows say."}
        },
        "workflow_gone": {
            "workflow": {
                "status": None,
                "note": "Temporal keeps this run no more: what is shown is what the rows say.",
            }
        },
    }
    cases["worker_away"] = {"workflow": {"untaken_since": "2026-01-31T11:59:00Z"}}
    for code, changes in cases.items():
        assert [one.code for one in findings(seen(**changes))] == [code]
    closed = seen(workflow={"status": "terminated"}, state="completed")
    assert findings(closed) == []


@pytest.mark.usefixtures("worker")
async def test_what_ends_while_it_is_read_is_no_finding(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row and workflow are read one beside the other: the row may be of before the end, the workflow of after it."""
    buyer = Buyer(http, await stage.cart())
    checkout = await buyer.started()
    get = Inspecting.get

    async def torn(self: Inspecting, checkout_id: str) -> InspectedCheckout:
        found = await get(self, checkout_id)
        if found.state.closed:
            return found
        assert (await buyer.pay(checkout)).status_code == 200
        ended = (await get(self, checkout_id)).workflow
        return found.model_copy(update={"workflow": ended.model_copy(update={"status": "completed"})})

    monkeypatch.setattr(Inspecting, "get", torn)
    found = await diagnosed(http, checkout)
    assert (found["findings"], found["checkout"]["state"]) == ([], "completed")


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        (
            "database_error: the row of stock is locked by the database's process 7 (psql)",
            "End the transaction",
        ),
        ("database_error: the row of stock (sku MUG) would break ck_stock_no_oversell", "Put the row right"),
        ("database_error: no connection to 10.0.0.1:5432 was free", "Raise CHECKOUT_DATABASE_POOL_SIZE"),
        ("database_error: the database at 10.0.0.1:5432 does not answer", "Bring that server back"),
        ("gateway_unavailable: the payment gateway does not answer: 503", "See that the payment gateway answers"),
        ("KeyError: raised by checkout.store, line 88", "Mend what it says"),
    ],
)
def test_what_fails_says_what_to_do(failure: str, remedy: str) -> None:
    pending = {
        **dict.fromkeys(("last_failure_at", "next_try_at", "paused")),
        "activity": "stock_commit",
        "attempt": 3,
        "running": False,
        "last_failure": failure,
    }
    workflow = {**INSPECTED["workflow"], "status": "running", "pending_activities": [pending]}
    shown = {**INSPECTED, "state": "committing", "state_name": "Committing", "workflow": workflow}
    [finding] = findings(Evidence(InspectedCheckout.model_validate(shown)))
    assert finding.remedy.startswith(remedy)


def test_who_ends_what_is_gone() -> None:
    """The audit, as often as it looks; where nobody has it look, ops."""
    workflow = {**INSPECTED["workflow"], "status": "terminated"}
    shown = {**INSPECTED, "state": "committing", "state_name": "Committing", "closed": False, "workflow": workflow}
    found = InspectedCheckout.model_validate(shown)
    [looks] = findings(Evidence(found, audit_every=300))
    assert looks.remedy.startswith("The audit, which looks every 300 s, ends it by itself; `checkout release ")
    [off] = findings(Evidence(found, audit_every=0))
    assert off.remedy.startswith("End it by `checkout release ")


async def test_the_gateway_is_asked_seldom_and_once_for_all(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_health, "REMEMBERED", 3600)
    asked = []

    def connect(settings: Settings) -> Gateway:
        asked.append(settings.gateway_url)
        return connect_gateway(settings)

    monkeypatch.setattr(gateway_health, "connect_gateway", connect)
    answers = await asyncio.gather(*(http.get("/admin/diagnosis", headers=VIEWER) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(asked) == 1
