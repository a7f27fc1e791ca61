"""What the buyer approves somewhere else, over HTTP: confirm, and the gateway's signed events."""

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from checkout.api import engine
from checkout.payments.simulated.signature import HEADER, sign
from tests.api.buyer import Buyer, card
from tests.api.conftest import WEBHOOK_SECRET, Faults
from tests.api.problem import problem
from tests.support.invariants import check_invariants
from tests.support.shop import Basket
from tests.support.waiting import eventually
from tests.workflows.stage import Stage

WEBHOOKS = "/payments/webhooks/simulated"
APPROVAL = card("tok_3ds")


def event(payment_id: str | None, number: int = 1, kind: str = "payment.authorized") -> bytes:
    payment = None if payment_id is None else {"id": payment_id}
    body = {"id": f"evt_{payment_id}_{number}", "type": kind, "created": datetime.now(UTC).isoformat()}
    return json.dumps(body | {"payment": payment}).encode()


async def send(http: httpx.AsyncClient, body: bytes, *, signature: str | None = None) -> httpx.Response:
    headers = {HEADER: signature or sign(WEBHOOK_SECRET, body), "Content-Type": "application/json"}
    return await http.post(WEBHOOKS, content=body, headers=headers)


async def waiting(buyer: Buyer, payment: dict[str, Any] = APPROVAL) -> dict[str, Any]:
    """A checkout whose payment waits for the buyer."""
    answer = await buyer.start(payment=payment)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    assert (shown["state"], shown["payment"]["status"]) == ("requires_action", "requires_action")
    assert shown["next_action"]["type"] == "redirect"
    assert shown["next_action"]["return_url"] == f"https://shop.example/back?checkout={shown['id']}"
    return shown


async def payment_id(stage: Stage, shown: dict[str, Any]) -> str:
    query = "SELECT gateway_payment_id FROM payment_attempts WHERE checkout_id = :id"
    return str(await stage.shop.execute(query, id=shown["id"]))


async def decide(shown: dict[str, Any], outcome: str) -> None:
    async with httpx.AsyncClient(timeout=60) as gateway:
        answer = await gateway.post(shown["next_action"]["url"], json={"outcome": outcome})
        assert answer.status_code == 200, answer.text


async def confirm(buyer: Buyer, checkout_id: str) -> httpx.Response:
    return await buyer.call("POST", f"/checkouts/{checkout_id}/payment/confirm")


async def captures(stage: Stage, shown: dict[str, Any]) -> list[int]:
    return [item["captured"] for item in await stage.gateway.ledger(shown["id"])]


async def done_events(stage: Stage) -> int:
    return int(await stage.shop.execute("SELECT count(*) FROM gateway_events WHERE done_at IS NOT NULL"))


async def test_webhook_and_confirm_in_any_number_are_one_capture(
    http: httpx.AsyncClient, stage: Stage, worker: None
) -> None:
    buyer = Buyer(http, await stage.cart())
    shown = await waiting(buyer)
    assert (await confirm(buyer, shown["id"])).json()["state"] == "requires_action"
    await decide(shown, "approve")
    body = event(await payment_id(stage, shown))
    answers = await asyncio.gather(
        *(send(http, body) for _ in range(3)), *(confirm(buyer, shown["id"]) for _ in range(2))
    )
    assert {answer.status_code for answer in answers} == {200}
    after = await confirm(buyer, shown["id"])
    assert (after.status_code, after.json()["state"], after.json()["next_action"]) == (200, "completed", None)
    assert await captures(stage, shown) == [shown["totals"]["total"]]
    assert await done_events(stage) == 1
    # About a checkout that has ended, about nothing of ours, about no payment: taken in, without effect.
    for late in (event(await payment_id(stage, shown), 2), event("gw_unknown"), event(None, kind="account.updated")):
        assert (await send(http, late)).json() == {"received": True}
    assert await captures(stage, shown) == [shown["totals"]["total"]]


async def test_a_closed_tab_changes_nothing(http: httpx.AsyncClient, stage: Stage, worker: None) -> None:
    buyer = Buyer(http, await stage.cart())
    shown = await waiting(buyer, {"method": "paypal"})
    await decide(shown, "approve")
    assert (await send(http, event(await payment_id(stage, shown)))).status_code == 200

    async def completed() -> bool:
        return bool((await buyer.get(shown["id"]))["state"] == "completed")

    await eventually(completed, "the webhook alone completes it")


async def test_denied_is_402_and_the_buyer_may_pay_otherwise(
    http: httpx.AsyncClient, stage: Stage, worker: None
) -> None:
    buyer = Buyer(http, await stage.cart())
    shown = await waiting(buyer)
    await decide(shown, "deny")
    for _ in range(2):
        denied = problem(await confirm(buyer, shown["id"]), 402, "payment_declined")
        assert (denied["attempts_left"], denied["context"]["reason"]) == (2, "not_approved")
        assert "gateway" not in denied["detail"].lower()
    assert (await buyer.pay(shown["id"])).json()["state"] == "completed"


async def test_confirm_of_another_session_is_404(http: httpx.AsyncClient, stage: Stage, worker: None) -> None:
    mine = Buyer(http, await stage.cart())
    shown = await waiting(mine)
    await decide(shown, "approve")
    other = Buyer(http, Basket(mine.cart_id, "ses_other", None))
    problem(await confirm(other, shown["id"]), 404, "checkout_not_found")
    assert (await mine.get(shown["id"], live="true"))["state"] == "requires_action", "nor had it any effect"
    assert (await mine.cancel(shown["id"])).json()["state"] == "cancelled"
    # Ended, it is answered as it is.
    assert (await confirm(mine, shown["id"])).json()["state"] == "cancelled"


async def test_signatures_that_are_wrong_missing_or_old(http: httpx.AsyncClient, stage: Stage) -> None:
    body = event("gw_1")
    old, early = (sign(WEBHOOK_SECRET, body, at=int(time.time()) + seconds) for seconds in (-301, 330))
    for signature in ("", "t=1,v1=00", sign("another-secret", body), sign(WEBHOOK_SECRET, body + b" "), old, early):
        answer = await http.post(WEBHOOKS, content=body, headers={HEADER: signature} if signature else {})
        problem(answer, 400, "signature_invalid")
    problem(await send(http, b"not an event"), 400, "signature_invalid")
    problem(await http.post("/payments/webhooks/other", content=body), 404, "gateway_not_found")
    assert await stage.shop.rows("SELECT 1 FROM gateway_events") == []


async def test_with_temporal_away_it_is_503_and_not_done(
    http: httpx.AsyncClient, stage: Stage, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = Buyer(http, await stage.cart())
    shown = await waiting(buyer)
    await decide(shown, "approve")
    body = event(await payment_id(stage, shown))
    with monkeypatch.context() as away:
        away.setattr(engine, "RPC_WAIT", 0.000001)
        answer = await send(http, body)
    assert problem(answer, 503, "temporal_unavailable")
    assert answer.headers["retry-after"]
    assert await done_events(stage) == 0
    assert (await send(http, body)).status_code == 200  # the repeat has its effect
    assert await done_events(stage) == 1
    assert (await confirm(buyer, shown["id"])).json()["state"] == "completed"


async def test_an_event_that_had_its_effect_is_not_passed_on_again(
    http: httpx.AsyncClient, stage: Stage, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the checkout still waits: the repeat needs no Temporal, which is away here; another event does."""
    buyer = Buyer(http, await stage.cart())
    shown = await waiting(buyer)
    payment = await payment_id(stage, shown)
    first, second = event(payment, 1), event(payment, 2)
    assert (await send(http, first)).status_code == 200
    monkeypatch.setattr(engine, "RPC_WAIT", 0.000001)
    assert (await send(http, first)).status_code == 200
    problem(await send(http, second), 503, "temporal_unavailable")
    assert await done_events(stage) == 1


async def test_events_of_a_checkout_that_is_undone_change_nothing(
    http: httpx.AsyncClient, stage: Stage, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Approved at the last moment, and cancelled before anybody looked: nothing is kept, whatever is told.

    Nobody is asked about it either: Temporal is away while they come.
    """
    buyer = Buyer(http, await stage.cart())
    shown = await waiting(buyer)
    await decide(shown, "approve")
    assert (await buyer.cancel(shown["id"])).json()["state"] == "cancelled"
    payment = await payment_id(stage, shown)
    kinds = ("payment.authorized", "payment.captured", "payment.of_tomorrow", "")
    with monkeypatch.context() as away:
        away.setattr(engine, "RPC_WAIT", 0.000001)
        for number, kind in enumerate(kinds):
            assert (await send(http, event(payment, number, kind))).status_code == 200
    assert (await buyer.get(shown["id"]))["state"] == "cancelled"
    await check_invariants(stage.engine, await stage.ledger())
    assert (await buyer.cart())["locked"] is False


async def test_events_of_a_checkout_that_is_being_undone_change_nothing(
    http: httpx.AsyncClient, stage: Stage, worker: None, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway does not take the cancel yet: the payment still waits for the buyer, and the checkout does not."""
    buyer = Buyer(http, await stage.cart())
    shown = await waiting(buyer)
    payment = await payment_id(stage, shown)
    await faults("cancel", "error")
    with monkeypatch.context() as short:
        short.setattr(engine, "UPDATE_WAIT", 0.5)
        assert (await buyer.cancel(shown["id"])).json()["state"] == "compensating"
    await decide(shown, "approve")
    with monkeypatch.context() as away:
        away.setattr(engine, "RPC_WAIT", 0.000001)
        assert (await send(http, event(payment))).status_code == 200
    await faults.clear()

    async def cancelled() -> bool:
        return bool((await buyer.get(shown["id"]))["state"] == "cancelled")

    await eventually(cancelled, "it is undone once the gateway answers")
    await check_invariants(stage.engine, await stage.ledger())
