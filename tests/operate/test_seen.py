"""For each reason why a checkout is stuck: where it stands, and that it says so."""

from typing import Any, NamedTuple

import httpx
import pytest

from tests.e2e.getting_stuck import ORDINARY, REASONS
from tests.e2e.stuck import StuckShop
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("stuck"), pytest.mark.timeout(600)]


class Seen(NamedTuple):
    """What tells the reason: the state, the workflow's status, the pending activity and the words of its failure."""

    state: str
    workflow: str = "running"
    pending: str | None = None
    says: str = ""


SEEN = {
    "database_away": Seen(
        "awaiting_payment",
        pending="payment_authorization",
        says="database_error: the database at {cable} does not answer: Connection refused",
    ),
    "row_locked": Seen(
        "reserving",
        pending="inventory_reservation",
        says="the row of stock (sku ROW-LOCKED, warehouse FRA) is locked by the database's process {holder} "
        "(a-forgotten-psql, idle in transaction, since ",
    ),
    "gateway_away": Seen("capturing", pending="payment_capture", says="POST /payments/{payment}/capture: 503"),
    "undoing_at_a_gateway_away": Seen(
        "compensating", pending="void_payment", says="POST /payments/{payment}/cancel: 503"
    ),
    "gateway_refuses": Seen("compensating"),
    "worker_away": Seen("pending"),
    "worker_gone": Seen("awaiting_payment"),
    "terminated": Seen("awaiting_payment", "terminated"),
    "other_code": Seen("awaiting_payment"),
    "poison": Seen(
        "committing",
        pending="stock_commit",
        says="the row of stock (sku POISON, warehouse FRA) would break ck_stock_no_oversell, SQLSTATE 23514",
    ),
}

#: Whose rows tell nothing: there is none, or by it they wait for their buyer.
SILENT = {"database_away", "worker_away", "terminated", "other_code"}


async def inspected(ops: httpx.AsyncClient, checkout_id: str) -> dict[str, Any]:
    """A checkout in full."""
    answer = await ops.get(f"/admin/checkouts/{checkout_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("reason", REASONS)
async def test_where_it_stands(stuck: StuckShop, ops: httpx.AsyncClient, reason: str) -> None:
    seen, found = SEEN[reason], await inspected(ops, stuck.checkouts[reason])
    workflow = found["workflow"]
    assert (found["state"], workflow["status"]) == (seen.state, seen.workflow)
    assert [one["activity"] for one in workflow["pending_activities"]] == ([seen.pending] if seen.pending else [])
    assert (workflow["failed_tasks"] > 0) == (reason == "other_code")
    refused = [one for one in found["timeline"]["compensations"] if one["refused"]]
    assert [one["compensation"] for one in refused] == (["void_payment"] if reason == "gateway_refuses" else [])
    for one in refused:
        assert one["last_error"].endswith(
            "refuses to give the money of gw_lost back, people have to: payment_not_found"
        )

    async def failed() -> str:
        [pending] = (await inspected(ops, stuck.checkouts[reason]))["workflow"]["pending_activities"]
        return str(pending["last_failure"] or "")

    if seen.pending is not None:
        [payment] = found["timeline"]["payments"] or [{"gateway_reference": None}]
        words = seen.says.format(cable=stuck.cable.address, holder=stuck.held_by, payment=payment["gateway_reference"])
        assert words in await eventually(failed, f"{seen.pending} has failed")


async def test_the_list_of_what_is_stuck_by_its_rows(stuck: StuckShop, ops: httpx.AsyncClient) -> None:
    """What has no row, or waits for its buyer by its row, is none of these: the workflows tell of it."""
    answer = await ops.get("/admin/checkouts", params={"stuck": "true"})
    found = {one["id"] for one in answer.json()["items"]}
    assert found == {stuck.checkouts[reason] for reason in REASONS if reason not in SILENT}
    assert not found & {stuck.checkouts[name] for name in ORDINARY}


async def test_the_health_counts_them(ops: httpx.AsyncClient, stuck: StuckShop) -> None:
    answer = await ops.get("/health/checkout")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    counted = {reason["code"]: reason["count"] for reason in answer.json()["reasons"]}
    assert counted == {"overdue": 1, "stuck": 5, "workflow_tasks": 1}


async def test_the_figures_count_them(stuck: StuckShop, ops: httpx.AsyncClient) -> None:
    figures = (await ops.get("/admin/statistics")).json()
    states = {
        state: count for state, count in figures["states"].items() if count and state not in {"cancelled", "failed"}
    }
    assert states == {
        "reserving": 1,
        "awaiting_payment": 5,
        "requires_action": 1,
        "awaiting_funds": 1,
        "capturing": 1,
        "committing": 1,
        "compensating": 2,
        **dict.fromkeys(("completed", "expired"), 1),
    }
    assert figures["active"] == 12
    assert (figures["completed"], figures["refused"], figures["expired"]) == (1, 1, 1)
