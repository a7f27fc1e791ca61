"""What is sent that no gateway and no storefront of ours would: refused, or without effect."""

import asyncio
import re
import time
from typing import Any

import httpx
import pytest

from checkout.payments.simulated.signature import HEADER, sign
from tests.api.buyer import CARD, Buyer, card
from tests.api.conftest import WEBHOOK_SECRET
from tests.api.problem import problem
from tests.api.test_payments import WEBHOOKS, captures, confirm, decide, done_events, event, payment_id, send, waiting
from tests.workflows.stage import Stage

#: A payment that is none, and the fields that are wrong with it.
BAD: list[tuple[dict[str, Any], str]] = [
    ({"method": "cash"}, "method"),
    ({"method": "card"}, "token"),
    (card("tok_unheardOf"), "token"),
    (card("pm_card_visa"), "token"),
    ({"method": "paypal", "token": "tok_visa"}, "token"),
    ({"method": "bank_transfer", "token": "tok_visa"}, "token"),
    ({**CARD, "amount": 1}, "amount"),
    ({**CARD, "currency": "EUR"}, "currency"),
    ({**CARD, "capture": False}, "capture"),
]


async def test_what_cannot_be_paid_with_costs_no_attempt(http: httpx.AsyncClient, stage: Stage, worker: None) -> None:
    buyer = Buyer(http, await stage.cart())
    for payment, field in BAD:
        problem(await buyer.start(payment=payment), 422, "validation_failed", f"payment.{field}")
    assert await stage.shop.execute("SELECT count(*) FROM checkouts") == 0
    checkout_id = await buyer.started()
    for payment, field in BAD:
        answer = await buyer.call("POST", f"/checkouts/{checkout_id}/payment", payment)
        problem(answer, 422, "validation_failed", field)
    assert await stage.shop.execute("SELECT count(*) FROM payment_attempts") == 0
    shown = await buyer.get(checkout_id)
    assert (shown["state"], shown["payment"]["attempts_left"], shown["last_error"]) == ("awaiting_payment", 3, None)
    assert await stage.gateway.ledger() == []


async def test_an_event_that_is_replayed_has_no_effect(http: httpx.AsyncClient, stage: Stage, worker: None) -> None:
    buyer = Buyer(http, await stage.cart())
    shown = await waiting(buyer)
    await decide(shown, "approve")
    body = event(await payment_id(stage, shown))
    signature = sign(WEBHOOK_SECRET, body)
    answers = await asyncio.gather(*(send(http, body, signature=signature) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await confirm(buyer, shown["id"])).json()["state"] == "completed"
    before = await buyer.get(shown["id"])
    assert (await send(http, body, signature=signature)).json() == {"received": True}
    after = await buyer.get(shown["id"])
    assert (after["version"], await done_events(stage)) == (before["version"], 1)
    assert await captures(stage, shown) == [shown["totals"]["total"]]
    # Later it could only be replayed with its own time, which is too old, or with another, which nobody signed.
    fresh = re.sub(r"t=\d+", f"t={int(time.time()) + 1}", signature)
    problem(await send(http, body, signature=fresh), 400, "signature_invalid")
    another = event(await payment_id(stage, shown), 2)
    problem(await send(http, another, signature=signature), 400, "signature_invalid")
    assert await done_events(stage) == 1


@pytest.mark.parametrize("path", [WEBHOOKS, "/checkouts", "/checkouts/chk_a_b/payment"])
@pytest.mark.parametrize("how", ["declared", "in chunks"])
async def test_a_megabyte_is_refused_before_it_is_read(api_url: str, path: str, how: str) -> None:
    """No more of it is sent than it takes to know: the answer comes although the rest never does."""
    url = httpx.URL(api_url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    declared = "Content-Length: 1048576" if how == "declared" else "Transfer-Encoding: chunked"
    head = f"POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n{declared}\r\n\r\n"
    first = b"100000\r\n" + b" " * 65_537  # of a chunk of a megabyte
    writer.write(head.encode() + (b"" if how == "declared" else first))
    await writer.drain()
    status = await asyncio.wait_for(reader.readline(), 60)
    headers = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    writer.close()
    assert status.split()[1] == b"413"
    assert b"connection: close" in headers.lower()


async def test_a_signed_event_that_is_too_large_is_not_taken_in(http: httpx.AsyncClient, stage: Stage) -> None:
    body = event("gw_1") + b" " * 65_536
    answer = await http.post(WEBHOOKS, content=body, headers={HEADER: sign(WEBHOOK_SECRET, body)})
    problem(answer, 413, "body_too_large")
    assert await stage.shop.execute("SELECT count(*) FROM gateway_events") == 0
