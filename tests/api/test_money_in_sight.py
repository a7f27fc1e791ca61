"""What a gateway says is for ops; buyers are told in our words, and a fault is never called a decline."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from checkout.api.app import create_app
from checkout.payments.simulated import client
from checkout.runtime.settings import Settings
from tests.api.buyer import Buyer, card
from tests.api.problem import problem
from tests.api.test_admin_checkout import fault, inspected
from tests.support.http import serve
from tests.workflows.stage import Stage

pytestmark = pytest.mark.usefixtures("worker", "indiscreet")
SECRET = "secret-text: risk score 93, node pay-7.internal"


@pytest.fixture
def indiscreet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway says more than anybody asked for, whatever goes wrong there."""
    error = client._error
    monkeypatch.setattr(client, "_error", lambda answer: error(answer) and error(answer) | {"message": SECRET})


@pytest.fixture
async def impatient(api_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """An API whose shop gives a gateway that does not answer one second."""
    hasty = {"payment_auth_timeout": 1, "payment_capture_timeout": 1}
    with serve(create_app(api_settings.model_copy(update=hasty))) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            yield http


async def all_that_is_told(buyer: Buyer, checkout_id: str, answer: httpx.Response) -> dict[str, Any]:
    """The checkout once it rests, after every answer that its buyer can get was searched for what the gateway said."""
    calls = [f"/checkouts/{checkout_id}", f"/checkouts/{checkout_id}?live=true", f"/carts/{buyer.cart_id}"]
    calls += [f"/carts/{buyer.cart_id}/checkout", "/orders"]
    texts = [answer.text, *[(await buyer.call("GET", path)).text for path in calls]]
    if not (await buyer.get(checkout_id))["locked"]:
        texts.append((await buyer.call("GET", f"/checkouts/{checkout_id}/events")).text)
    for text in texts:
        told = re.sub(r"\d\d:\d\d\.\d+Z", "", text)  # fractions of a second may hold any number
        for internal in ("secret", "gateway_code", "503", "internal", "127.0.0.1", "/payments/"):
            assert internal not in told
    return await buyer.get(checkout_id)


async def for_ops(http: httpx.AsyncClient, checkout_id: str) -> list[tuple[Any, ...]]:
    """What admins see of each payment attempt."""
    payments = (await inspected(http, checkout_id))["timeline"]["payments"]
    return [tuple(one[name] for name in ("status", "code", "gateway_code", "gateway_detail")) for one in payments]


async def test_a_decline(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    answer = await buyer.pay(checkout_id, "tok_insufficientFunds")
    assert (answer.status_code, answer.json()["code"]) == (402, "payment_declined")
    shown = await all_that_is_told(buyer, checkout_id, answer)
    assert shown["last_error"]["detail"] == "the card was declined: insufficient funds"
    assert await for_ops(http, checkout_id) == [
        ("declined", "insufficient_funds", "insufficient_funds", SECRET),
    ]
    assert (await buyer.cancel(checkout_id)).status_code == 200
    await all_that_is_told(buyer, checkout_id, answer)


async def test_what_nobody_could_decide_about_is_no_decline(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    started = problem(await buyer.start(payment=card("tok_processingError")), 402, "payment_not_processed")
    checkout_id = started["checkout_id"]
    answer = await buyer.pay(checkout_id, "tok_processingError")
    assert "declined" not in answer.text
    said = problem(answer, 402, "payment_not_processed")
    assert (said["attempts_left"], said["context"]["reason"]) == (3, "not_processed")
    shown = await all_that_is_told(buyer, checkout_id, answer)
    assert (shown["state"], shown["payment"]["attempts_left"]) == ("awaiting_payment", 3)
    attempts = await for_ops(http, checkout_id)
    assert {attempt[:3] for attempt in attempts} <= {
        ("voided", "not_processed", "processing_error"),  # settled before the next one
        ("refused", "not_processed", "processing_error"),
    }
    paid = await buyer.pay(checkout_id)
    assert (paid.status_code, paid.json()["state"]) == (200, "completed"), paid.text


async def test_a_refused_capture(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    checkout_id = await buyer.started()
    answer = await buyer.pay(checkout_id, "tok_captureFails")
    assert (answer.status_code, answer.json()["code"]) == (422, "capture_refused")
    shown = await all_that_is_told(buyer, checkout_id, answer)
    assert (shown["failure"]["detail"], shown["failure"]["context"]) == ("the payment cannot be captured", {})
    assert shown["payment"]["attempts_left"] == 3
    assert await for_ops(http, checkout_id) == [("voided", "capture_refused", "capture_refused", SECRET)]


@pytest.mark.parametrize(("operation", "done"), [("confirm", "authorized"), ("capture", "captured")])
async def test_a_gateway_that_is_away_is_no_decline(
    impatient: httpx.AsyncClient, stage: Stage, operation: str, done: str
) -> None:
    buyer = Buyer(impatient, await stage.cart())
    checkout_id = await buyer.started()
    await fault(stage, operation, fault="error")
    answer = await buyer.pay(checkout_id)
    phase = {"confirm": "payment_authorization", "capture": "payment_capture"}[operation]
    assert (answer.status_code, answer.json()["code"]) == (422, f"{phase}_timed_out")
    assert "declined" not in answer.text
    shown = await all_that_is_told(buyer, checkout_id, answer)
    assert shown["failure"]["detail"] == f"the payment could not be {done} in time"
    assert (shown["payment"]["attempts_left"], shown["last_error"]) == (3, None)
    [(status, code, *_)] = await for_ops(impatient, checkout_id)
    assert (status, code) == ("voided", None)
    query = "SELECT last_error FROM checkout_steps WHERE checkout_id = :id AND activity = :phase"
    assert SECRET in await stage.shop.execute(query, id=checkout_id, phase=phase)
