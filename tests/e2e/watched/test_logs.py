"""A shop that is watched as closely as can be: what its processes write at their most talkative and while parts die."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from checkout.domain.ids import workflow_id
from tests.e2e.storefront import ADDRESS, CARD, Buyer, card
from tests.e2e.watched.stack import GROUP, WatchedStack

pytestmark = pytest.mark.xdist_group(GROUP)
Buyers = Callable[[], Buyer]

#: What a buyer enters, and nobody is to find anywhere but in the database.
EMAIL = "marked-mail@example.com"
PERSON = {**ADDRESS, "name": "Markedname Person", "line1": "Markedstreet 7", "city": "Markedcity"}
TOKENS = ("tok_chargeDeclined", "tok_visa")
MARKS = ("marked-mail", "Markedname", "Markedstreet", "Markedcity", *TOKENS)
PROCESSES = ("api", "worker", "gateway", "postgres", "temporal", "migrate")


def lines(stack: WatchedStack, process: str) -> list[dict[str, Any]]:
    """The log lines of a process, each of which has to be a JSON object."""
    return [json.loads(line) for line in stack.written(process).splitlines()]


async def history(stack: WatchedStack, cart_id: str) -> AsyncIterator[str]:
    """All that Temporal keeps of the checkouts of a cart."""
    client = await Client.connect(stack.described()["temporal"]["address"])
    async for run in client.list_workflows(f"WorkflowId = '{workflow_id(cart_id)}'"):
        async for event in client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history_events():
            yield str(event)


async def bought(ada: Buyer) -> dict[str, Any]:
    """A sale by somebody who is marked, with a payment that fails and, in the middle, servers that die."""
    await ada.expect(200, "PUT", f"/carts/{ada.cart_id}/addresses", {"shipping": PERSON, "email": EMAIL})
    await ada.started()
    assert (await ada.pay(TOKENS[0])).status_code == 402
    assert (await ada.pay()).status_code in {200, 202}
    return await ada.until_closed()


async def test_no_line_and_no_history_has_what_a_buyer_entered(stack: WatchedStack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    done = await bought(ada)
    assert done["state"] == "completed"
    bad = await ada.call("PUT", f"/carts/{ada.cart_id}/addresses", {"shipping": PERSON, "email": "marked-mail"})
    assert bad.status_code == 422

    assert ada.token
    for process in PROCESSES:
        said = stack.written(process)
        assert not [mark for mark in (*MARKS, ada.token) if mark in said], process
    assert not [mark for mark in (*MARKS, ada.token) if any(mark in span.text for span in stack.collector.spans)]
    events = [event async for event in history(stack, ada.cart_id)]
    assert any(done["id"] in event for event in events)
    assert not [mark for event in events for mark in (*MARKS, ada.token) if mark in event]


async def test_every_line_is_json_and_says_which_checkout_it_is_about(
    stack: WatchedStack, buyer: Buyers, sku: str
) -> None:
    ada, ben = await buyer().fill({sku: 1}), await buyer().fill({sku: 1})
    await ada.started()
    await ben.start(payment=card("tok_captureFails"))
    assert (await ben.until_closed())["state"] == "failed"
    for server in ("temporal", "postgres"):
        await stack.kill(server)
    await ada.start_when_possible(payment=CARD)
    response = await ada.pay()
    assert response.status_code in {200, 202, 409, 503}, response.text
    if (await ada.checkout())["state"] == "awaiting_payment":
        await ada.pay()
    assert (await ada.until_closed())["state"] == "completed"

    for process in ("api", "gateway"):
        assert lines(stack, process)
    found = lines(stack, "worker")
    for one, outcome in (ada, "completed"), (ben, "failed"):
        about = [line for line in found if line.get("checkout_id") == one.checkout_id]
        assert [line["outcome"] for line in about if line["event"] == "checkout_ended"] == [outcome]
        for line in about:
            assert line["cart_id"] == one.cart_id
            # Or the one that tells others of it.
            assert line["workflow_id"] == workflow_id(one.cart_id) or one.checkout_id in line["workflow_id"]
            assert line["run_id"]
            if line["event"] == "Starting activity":  # the SDK's, before anything of ours runs
                continue
            assert line["phase"], line
            if not line["logger"].startswith(
                ("temporalio.worker", "temporalio.core")
            ):  # of a workflow, not an activity
                assert line["attempt"] >= 1
                assert line["activity"], line
    # What the SDK itself says of an activity that failed is such a line too.
    refused = [line for line in found if line["event"] == "Completing activity as failed"]
    assert ("payment_capture", ben.checkout_id) in {(line["activity"], line.get("checkout_id")) for line in refused}


async def test_a_request_s_lines_say_which_checkout(stack: WatchedStack, client: httpx.AsyncClient) -> None:
    """An admin's look at a checkout that is not there is no line; one that acts is."""
    unknown = "chk_0123456789abcdefghjk_0123456789"
    admin = {"Authorization": f"Bearer {stack.described()['admin_token']}"}
    refused = await client.post(f"/admin/checkouts/{unknown}/release", json={"reason": "a test"}, headers=admin)
    assert refused.status_code == 404
    [line] = [line for line in lines(stack, "api") if line["event"] == "admin_action" and line["target"] == unknown]
    assert (line["checkout_id"], line["cart_id"]) == (unknown, "cart_0123456789abcdefghjk")
    assert line["workflow_id"] == "checkout-cart_0123456789abcdefghjk"
