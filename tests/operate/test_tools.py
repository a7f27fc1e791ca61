"""For each reason, in each tool: the cause by its name, and what to do; and nothing of what is well."""

import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from playwright.async_api import expect

from checkout.domain.ids import workflow_id
from checkout.runtime.temporal import connect
from tests.api.test_terminal import Terminal
from tests.deploy.test_monitoring import alerts
from tests.e2e.getting_stuck import ORDINARY, REASONS, sku
from tests.e2e.storefront import Buyer
from tests.e2e.stuck import StuckShop
from tests.operate.test_seen import SILENT
from tests.support.browser import browser
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("stuck"), pytest.mark.timeout(600)]


class Told(NamedTuple):
    """A finding: its code, words of what is wrong, words of what to do."""

    code: str
    detail: str
    remedy: str


TOLD = {
    "database_away": Told("activity_failing", "the database at {cable} does not answer", "Bring that server back"),
    "row_locked": Told(
        "activity_failing", "is locked by the database's process {holder}", "End the transaction that holds the row"
    ),
    "gateway_away": Told("activity_failing", "/capture: 503", "See that the payment gateway answers"),
    "undoing_at_a_gateway_away": Told("activity_failing", "/cancel: 503", "See that the payment gateway answers"),
    "gateway_refuses": Told("compensation_refused", "refuses to give the money of gw_lost back", "checkout resolve"),
    "worker_away": Told("worker_away", "No worker has taken", "Start a worker"),
    "worker_gone": Told("worker_away", "No worker has taken", "Start a worker"),
    "terminated": Told("workflow_gone", "its workflow is terminated", "End it by "),
    "other_code": Told("workflow_tasks", "The workflow's code has failed", "put the code back"),
    "poison": Told("activity_failing", "(sku POISON, warehouse FRA) would break ck_stock", "checkout verify"),
}


@pytest.fixture
def terminal(stuck: StuckShop) -> Terminal:
    """An operator's terminal somewhere else."""
    terminal = Terminal(stuck.url)
    terminal.environment["CHECKOUT_ADMIN_TOKEN"] = stuck.environment["CHECKOUT_ADMIN_TOKEN"]
    return terminal


async def diagnosed(ops: httpx.AsyncClient, stuck: StuckShop, name: str) -> dict[str, Any]:
    """The diagnosis of a checkout."""
    answer = await ops.get(f"/admin/checkouts/{stuck.checkouts[name]}/diagnosis")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def fits(stuck: StuckShop, reason: str, finding: dict[str, str]) -> bool:
    """Whether a finding tells of the reason."""
    told = TOLD[reason]
    detail = told.detail.format(cable=stuck.cable.address, holder=stuck.held_by)
    return finding["code"] == told.code and detail in finding["detail"] and told.remedy in finding["remedy"]


@pytest.mark.parametrize("reason", REASONS)
async def test_a_diagnosis_names_the_cause_first_and_what_to_do(
    stuck: StuckShop, ops: httpx.AsyncClient, reason: str
) -> None:
    found: list[dict[str, str]] = []

    async def told() -> bool:
        found[:] = (await diagnosed(ops, stuck, reason))["findings"]
        return bool(found) and fits(stuck, reason, found[0])

    # That a worker is gone shows after a while.
    try:
        await eventually(told, reason, every=0.5, limit=40)
    except AssertionError:
        raise AssertionError(f"{reason}: {json.dumps(found, indent=1)}") from None


@pytest.mark.parametrize("name", ORDINARY)
async def test_a_diagnosis_finds_nothing_wrong_with_what_is_well(
    stuck: StuckShop, ops: httpx.AsyncClient, name: str
) -> None:
    found = await diagnosed(ops, stuck, name)
    assert (found["findings"], found["well"]) == ([], True)


async def test_the_commands_tell_the_same(stuck: StuckShop, terminal: Terminal) -> None:
    ill, well = stuck.checkouts["row_locked"], stuck.checkouts["completed"]
    found = await terminal.json("diagnose", ill, code=1)
    assert fits(stuck, "row_locked", found["findings"][0])
    said = " ".join((await terminal.run("diagnose", ill, code=1, COLUMNS="400")).split())
    assert f"is locked by the database's process {stuck.held_by} (a-forgotten-psql" in said
    assert (await terminal.json("diagnose", well))["well"] is True

    shop = await terminal.json("diagnose", code=1)
    assert {reason["code"] for reason in shop["reasons"]} == {"overdue", "stuck", "workflow_tasks"}
    by_rows = {stuck.checkouts[reason] for reason in REASONS if reason not in SILENT}
    assert {one["id"] for one in (await terminal.json("list", "--stuck"))["items"]} == by_rows
    watched = await terminal.json("monitor", "--once")
    assert {reason["code"] for reason in watched["diagnosis"]["reasons"]} == {"overdue", "stuck", "workflow_tasks"}
    assert watched["statistics"]["states"]["compensating"] == 2


async def test_a_release_is_done_or_says_why_not(stuck: StuckShop, terminal: Terminal) -> None:
    why = ("--reason", "the buyer called")
    async with httpx.AsyncClient(base_url=stuck.url, timeout=60) as http:
        # One that waits is cancelled; one whose workflow somebody terminated is ended in its place.
        for terminated, state in ((False, "cancelled"), (True, "failed")):
            buyer = await Buyer(http).fill({sku("completed"): 1})
            await buyer.started()
            if terminated:
                client = await connect(stuck.settings())
                await client.get_workflow_handle(workflow_id(buyer.cart_id)).terminate()
            await terminal.json("release", buyer.checkout_id, *why)
            assert (await buyer.until_closed())["state"] == state
            assert (await buyer.cart())["locked"] is False
    for reason in ("gateway_away", "poison"):
        said = await terminal.run("release", stuck.checkouts[reason], *why, code=1)
        assert "can no longer be released" in " ".join(said.split())


@pytest.fixture
async def page_of(stuck: StuckShop) -> AsyncIterator[Any]:
    """The admin page, signed in."""
    token = json.dumps(stuck.environment["CHECKOUT_ADMIN_TOKEN"])
    async with browser() as started:
        context = await started.new_context(base_url=stuck.url)
        context.set_default_timeout(60_000)
        await context.add_init_script(f"sessionStorage.setItem('checkout-admin-token', {token})")
        yield await context.new_page()


async def test_the_page_tells_it_of_each(stuck: StuckShop, page_of: Any) -> None:
    expect.set_options(timeout=60_000)
    for reason, told in TOLD.items():
        await page_of.goto(f"/admin#/checkouts/{stuck.checkouts[reason]}")
        detail = told.detail.format(cable=stuck.cable.address, holder=stuck.held_by)
        await expect(page_of.get_by_role("main")).to_contain_text(detail)
        await expect(page_of.get_by_role("main")).to_contain_text(told.remedy)
    await page_of.goto("/admin#/checkouts?stuck=true")
    await expect(page_of.get_by_role("table").first.get_by_role("row")).to_have_count(len(REASONS) - len(SILENT) + 1)


@pytest.fixture
def prometheus(stuck: StuckShop, tmp_path: Path) -> Iterator[Prometheus]:
    with running_prometheus(tmp_path, stuck.metrics) as running:
        yield running


async def test_the_alerts_fire_for_what_is_stuck_and_for_nothing_else(prometheus: Prometheus) -> None:
    fire = {"CheckoutOverdue", "CheckoutNotMoving", "CheckoutCompensationStuck", "CheckoutWorkflowTasksFail"}
    silent = {"CheckoutWebhookBacklog", "CheckoutPartAway", "CheckoutMetricsMissing", "CheckoutSuccessRateLow"}
    queries = {alert["alert"]: alert["expr"] for alert in alerts()}
    for name in sorted(fire):
        await eventually(partial(prometheus.query, queries[name]), f"{name} fires", every=0.5)

    async def is_silent(name: str) -> bool:
        return not await prometheus.query(queries[name])

    # What has to be silent may not be so before the worker's first scrape: what fires is known from the API alone.
    for name in sorted(silent):
        await eventually(partial(is_silent, name), f"{name} is silent", every=0.5)
