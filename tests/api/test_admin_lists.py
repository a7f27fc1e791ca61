"""The lists for ops over HTTP: who may look, what is shown, what is refused."""

from typing import Any

import httpx
import pytest

from checkout.api.admin.audit import Acting
from checkout.api.cursor import encode
from checkout.api.database import Database
from checkout.api.problems import Problem
from checkout.api.security import Admin
from checkout.domain.words import Role
from checkout.runtime.settings import Settings
from tests.api.buyer import Buyer
from tests.api.conftest import ADMIN_TOKEN, VIEWER_TOKEN
from tests.api.problem import problem
from tests.workflows.stage import Stage

OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
VIEWER = {"Authorization": f"Bearer {VIEWER_TOKEN}"}


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return api_settings.model_copy(update={"temporal_ui_url": "https://temporal.example"})


@pytest.mark.usefixtures("worker")
async def test_ops_list_page_and_filter(http: httpx.AsyncClient, stage: Stage) -> None:
    buyers = [Buyer(http, await stage.cart()) for _ in range(3)]
    ids = [await buyer.started() for buyer in buyers]
    assert (await buyers[0].pay(ids[0])).status_code == 200
    assert (await buyers[1].cancel(ids[1])).status_code == 200

    async def listed(**query: Any) -> dict[str, Any]:
        answer = await http.get("/admin/checkouts", params=query, headers=OPERATOR)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    first = await listed(limit=2)
    second = await listed(limit=2, cursor=first["next_cursor"])
    assert [one["id"] for one in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    for state, expected in (("completed", ids[0]), ("cancelled", ids[1]), ("awaiting_payment", ids[2])):
        assert [one["id"] for one in (await listed(state=state))["items"]] == [expected]
    assert (await listed(stuck=True, state="awaiting_payment"))["items"] == []
    assert (await listed(date_to="2020-01-01"))["items"] == []
    assert len((await listed(date_from="2020-01-01", date_to="2999-12-31T23:59:59+02:00"))["items"]) == 3

    done = (await listed(state="completed"))["items"][0]
    shown = await buyers[0].get(ids[0])
    assert done["order_reference"] == shown["order"]["reference"]
    assert (done["total"], done["currency"], done["phase"]) == (shown["totals"]["total"], "EUR", "stock_commit")
    assert (done["stuck"], done["stuck_reason"], done["failure_code"]) == (False, None, None)
    row = (await stage.shop.rows("SELECT workflow_id, run_id FROM checkouts WHERE id = :id", id=ids[0]))[0]
    assert done["temporal_url"].startswith("https://temporal.example/namespaces/")
    assert done["temporal_url"].endswith(f"/workflows/{row[0]}/{row[1]}/history")

    await stage.shop.execute("UPDATE checkouts SET expires_at = now() - interval '2 minutes' WHERE id = :id", id=ids[2])
    [late] = (await listed(stuck=True))["items"]
    assert late["id"] == ids[2]
    assert late["stuck_reason"].startswith("its deadline passed at 2")


async def test_viewers_look_and_sessions_do_not(http: httpx.AsyncClient) -> None:
    for path in ("/admin/checkouts", "/admin/actions"):
        assert (await http.get(path, headers=VIEWER)).status_code == 200
        problem(await http.get(path), 401, "token_missing")
        session = (await http.post("/carts", json={"currency": "EUR"})).json()["session_token"]
        refused = await http.get(path, headers={"Authorization": f"Bearer {session}"})
        problem(refused, 403, "admin_required")
    problem(await http.get("/orders", headers=VIEWER), 403, "session_required")


async def test_what_is_wrong_with_a_query_is_named(http: httpx.AsyncClient) -> None:
    wrong: dict[str, list[Any]] = {
        "state": ["paid", "", "COMPLETED"],
        "phase": ["pay", ""],
        "date_from": ["yesterday", "", "2026-02-30", "2026-01-31T12:00:00", "1700000000", "0001-01-01T00:00:00+14:00"],
        "date_to": ["31.01.2026", "9999-12-31", "9999-12-31T23:59:59-14:00"],
        "customer_id": ["", "x" * 300, "a\x00b"],
        "stuck": ["perhaps", ""],
        "limit": ["0", "201", "x", "", "9" * 30],
        "cursor": [
            *("", "x", "é", "====", "x" * 999, "x" * 2000, "bnVsbA", encode(1), encode("a", 1), encode(2**70, "k")),
            *(encode(-1, "k"), encode(2**61, "k"), encode(1, "a\x00"), encode(1, "k", 1), encode(1, "k")[:-1] + "!"),
        ],
        "colour": ["blue"],
    }
    taken = []
    for name, values in wrong.items():
        for value in values:
            answer = await http.get("/admin/checkouts", params={name: value}, headers=OPERATOR)
            fields = [error["field"] for error in answer.json().get("errors", [])]
            if (answer.status_code, fields) != (422, [name]):
                taken.append((name, value, answer.status_code, answer.text))
    for value in ("x", encode("1"), encode(2**63), encode(1, 2)):
        answer = await http.get("/admin/actions", params={"cursor": value}, headers=OPERATOR)
        if answer.status_code != 422:
            taken.append(("cursor", value, answer.status_code, answer.text))
    assert not taken
    dates = {"date_from": "2026-02-01", "date_to": "2026-01-31T00:00:00Z"}
    refused = problem(
        await http.get("/admin/checkouts", params=dates, headers=OPERATOR), 422, "validation_failed", "date_to"
    )
    assert refused["errors"][0]["message"] == "must be later than date_from"
    one_day = {"date_from": "2026-01-31", "date_to": "2026-01-31"}
    assert (await http.get("/admin/checkouts", params=one_day, headers=OPERATOR)).status_code == 200


async def test_every_act_stands_in_the_log_those_refused_too(http: httpx.AsyncClient, stage: Stage) -> None:
    database = Database(stage.engine)
    operator = Acting(Admin("bob", Role.OPERATOR), database)
    viewer = Acting(Admin("ada", Role.VIEWER), database)
    async with operator("release", "chk_1", "the buyer called"):
        pass
    with pytest.raises(Problem):
        async with operator("release", "chk_2", "again"):
            raise Problem("too_late", "The order is being made.")
    with pytest.raises(Problem) as refused:
        async with viewer("release", "chk_1", "may I?"):
            raise AssertionError("a viewer does not act")
    assert (refused.value.code, refused.value.status) == ("operator_required", 403)
    with pytest.raises(ZeroDivisionError):
        async with operator("retry", "chk_1"):
            raise ZeroDivisionError

    first = (await http.get("/admin/actions", params={"limit": 3}, headers=OPERATOR)).json()
    second = (await http.get("/admin/actions", params={"cursor": first["next_cursor"]}, headers=OPERATOR)).json()
    items = first["items"] + second["items"]
    assert second["next_cursor"] is None
    assert [
        (one["who"], one["role"], one["action"], one["target"], one["reason"], one["outcome"]) for one in items
    ] == [
        ("bob", "operator", "retry", "chk_1", "", "internal_error"),
        ("ada", "viewer", "release", "chk_1", "may I?", "operator_required"),
        ("bob", "operator", "release", "chk_2", "again", "too_late"),
        ("bob", "operator", "release", "chk_1", "the buyer called", "done"),
    ]
    assert all(one["at"] <= one["ended_at"] for one in items)
    of_one = (await http.get("/admin/actions", params={"target": "chk_2"}, headers=OPERATOR)).json()
    assert [one["reason"] for one in of_one["items"]] == ["again"]
