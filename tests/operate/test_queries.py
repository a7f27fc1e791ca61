"""The queries of the documentation, each by the Temporal CLI: they list the right checkouts and no others."""

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checkout.domain.ids import cart_of, workflow_id
from checkout.runtime.embedded.temporal import binary
from tests.e2e.getting_stuck import CUSTOMER, HERS
from tests.e2e.stuck import StuckShop
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("stuck"), pytest.mark.timeout(600)]

PAGE = Path(__file__).parents[2] / "docs/operate/temporal-ui.md"
QUERIES = dict(re.findall(r"^\| ([^|`]+) \| `((?:Workflow)[^|`]+)` \|$", PAGE.read_text(), re.MULTILINE))
FOUND = {
    "stuck in compensation": {"undoing_at_a_gateway_away", "gateway_refuses"},
    "stuck in a phase": {"database_away", "row_locked", "gateway_away", "poison"},
    "begun, and taken up by no worker": {"worker_away"},
    "overdue": {"worker_gone"},
    "whose code fails": {"other_code"},
    "ended by somebody, not by itself": {"terminated"},
    "waiting for funds": {"awaiting_funds"},
    "failed at payment today": {"declined"},
    "all attempts of a customer": set(HERS),
    "all attempts at a cart": {"completed"},
}


def test_every_query_of_the_page_is_tried() -> None:
    assert set(QUERIES) == set(FOUND)


@pytest.mark.parametrize("asked", FOUND)
async def test_a_query_lists_the_right_ones_and_no_others(stuck: StuckShop, asked: str) -> None:
    now = datetime.now(UTC)
    cart = workflow_id(str(cart_of(stuck.checkouts["completed"])))
    query = (
        QUERIES[asked]
        .replace("2026-01-31T12:00:00Z", now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        .replace("2026-01-31T00:00:00Z", now.strftime("%Y-%m-%dT00:00:00Z"))
        .replace("customer_4711", CUSTOMER)
        .replace("checkout-cart_4x8pk2mvq0tz9d3h7wca", cart)
    )
    names = {workflow_id(str(cart_of(checkout_id))): name for name, checkout_id in stuck.checkouts.items()}
    seen: set[str] = set()

    async def right() -> bool:
        seen.clear()
        seen.update(names[one] for one in await listed(stuck, query))
        return seen == FOUND[asked]

    # What is listed lags behind; that it is not there yet, or not gone yet, is no answer.
    try:
        await eventually(right, asked, every=0.5, limit=20)
    except AssertionError:
        assert seen == FOUND[asked], query


async def listed(stuck: StuckShop, query: str) -> list[str]:
    """The ids that `temporal workflow list` gives for a query."""
    process = await asyncio.create_subprocess_exec(
        binary(),
        *("workflow", "list", "--address", stuck.temporal.address, "--query", query, "--output", "json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return [str(one["execution"]["workflowId"]) for one in json.loads(out)]
